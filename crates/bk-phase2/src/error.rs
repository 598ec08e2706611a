//! What can go wrong when a model runs.

use bk_burn::OperationError;
use thiserror::Error;

use crate::config::ConfigError;

/// Why a call was refused.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// More positions than the model has.
    #[error(
        "a sequence of {found} tokens, and the model has {most} positions: shorten it, or make the model \
         with a larger `n_seq`"
    )]
    TooLong {
        /// Tokens given.
        found: usize,
        /// `n_seq`.
        most: usize,
    },
    /// No tokens at all.
    #[error("an empty batch or sequence (shape [{batch}, {n}]): expected at least one token")]
    Empty {
        /// Rows.
        batch: usize,
        /// Tokens a row.
        n: usize,
    },
    /// A state of another model or batch.
    #[error(
        "the state has {found}, and this call needs {expected}: begin without a state, or use the one of this batch"
    )]
    State {
        /// What the state has.
        found: String,
        /// What fits.
        expected: String,
    },
    /// Decoding needs the causal resolvent.
    #[error(
        "decoding token by token needs `resolvent = \"causal\"`: the bidirectional one changes every earlier \
         output with each token"
    )]
    NotCausal,
    /// The backend cannot hold the type.
    #[error("this device has no {dtype:?} numbers: choose another type or target")]
    ElementType {
        /// The type.
        dtype: burn::tensor::DType,
    },
    /// The resolvent refused its operands.
    #[error(transparent)]
    Resolvent(#[from] OperationError),
    /// A basis that cannot be inverted.
    #[error("the resonance basis of width {width} is singular in float64: choose another `head_dim`")]
    SingularBasis {
        /// `head_dim`.
        width: usize,
    },
    /// A result that could not be brought to the host.
    #[error("a result cannot be read from the device: {0}")]
    Read(String),
    /// Sampling parameters that make no distribution.
    #[error("{0}")]
    Sampling(String),
}
