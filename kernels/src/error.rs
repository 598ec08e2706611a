//! What can be wrong with the arguments of [`crate::bk_core`].

use thiserror::Error;

/// An argument that no kernel is launched with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BkError {
    /// The batch or the rows have no elements.
    #[error("a batch of {batch} rows of {n} sites has nothing to compute: both must be at least 1")]
    Empty {
        /// Rows `B`.
        batch: usize,
        /// Sites `N`.
        n: usize,
    },
    /// `2 B N`, or an index of scratch memory, does not fit the address type.
    #[error("a batch of {batch} rows of {n} sites has more elements than can be indexed")]
    TooLarge {
        /// Rows `B`.
        batch: usize,
        /// Sites `N`.
        n: usize,
    },
    /// Consecutive rows of an operand overlap.
    #[error("operand `{operand}`: a row has {needed} elements, so a stride of {stride} overlaps rows")]
    Stride {
        /// Name of the operand.
        operand: &'static str,
        /// Elements between rows.
        stride: usize,
        /// Elements of a row.
        needed: usize,
    },
    /// A buffer is shorter than its shape and stride say.
    #[error("operand `{operand}`: its buffer has {found} bytes where shape and stride need {needed}")]
    Buffer {
        /// Name of the operand.
        operand: &'static str,
        /// Bytes there.
        found: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The diagonal has an imaginary part and the problem says it is real, or the other way round.
    #[error("the diagonal is {found} but the problem describes a {described} one")]
    Diagonal {
        /// What was given.
        found: &'static str,
        /// What the problem says.
        described: &'static str,
    },
    /// `max_magnitude` is not a positive finite number.
    #[error("`max_magnitude` is {0}: it must be a positive finite number, or absent")]
    MaxMagnitude(String),
    /// The weight of [`crate::GradMode::Blend`] is not between 0 and 1.
    #[error("the weight of the blended gradient is {0}: it must be between 0 and 1")]
    BlendWeight(String),
    /// A forced strategy that this problem or device cannot take.
    #[error("strategy {routine}: {reason}")]
    Strategy {
        /// Name of the routine.
        routine: &'static str,
        /// Which limit stands against it, and what would be possible.
        reason: String,
    },
}
