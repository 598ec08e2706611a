//! Options of the operation that change its results.

/// What happens to values that are large or not finite.
///
/// The default changes nothing: magnitudes are not clipped and NaN and Inf stay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BkOptions {
    /// Largest `|G|`; a larger value keeps its phase and gets this magnitude. `None` clips nothing.
    ///
    /// Where `T - zI` is exactly singular, `G = num / 0` becomes `max_magnitude * num / |num|`, and 0 if `num` is 0.
    pub max_magnitude: Option<f32>,
    /// What becomes of values that are not finite (after clipping).
    pub non_finite: NonFinite,
}

/// What becomes of NaN and Inf in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NonFinite {
    /// They stay.
    #[default]
    Propagate,
    /// They become `0 + 0i`.
    Zero,
}
