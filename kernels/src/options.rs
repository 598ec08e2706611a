//! Options of the operation that change its results.

use crate::error::BkError;

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
    /// Which gradient the backward pass gives. No matter to the forward pass.
    pub gradient: GradMode,
}

impl BkOptions {
    /// Checks that each value is one that has a meaning.
    ///
    /// # Errors
    /// [`BkError::MaxMagnitude`] or [`BkError::BlendWeight`].
    pub fn check(&self) -> Result<(), BkError> {
        if let Some(bound) = self.max_magnitude.filter(|bound| !(bound.is_finite() && *bound > 0.0)) {
            return Err(BkError::MaxMagnitude(bound.to_string()));
        }
        match self.gradient {
            GradMode::Blend(alpha) if !(0.0..=1.0).contains(&alpha) => {
                Err(BkError::BlendWeight(alpha.to_string()))
            }
            _ => Ok(()),
        }
    }
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

/// Which gradient the backward pass gives.
///
/// With `h = conj(dL/dG)` of a real `L`, `dL = Re sum_i h_i dG_ii`, and `G` as the forward pass returns it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum GradMode {
    /// The derivative of the forward pass, clip and zeroing included, in `a`, `b`, `c` and `z`.
    #[default]
    Exact,
    /// The diagonal of the Jacobian alone, `da_i = -Re(h_i G_ii^2)`, and nothing for `b`, `c`, `z`: what other
    /// sites do to `G_ii` is left out. Limited to 1000 in magnitude. A descent direction only where
    /// `|a - z|` is much larger than `sqrt |b c|`.
    DiagonalOnly,
    /// `DiagonalOnly` with weight `1 - alpha`, and `-Re(h_i / (G_ii^2 + 1e-6))` with weight `alpha`, `|G_ii^2|`
    /// raised to 1e-3 at least; `alpha` in `[0, 1]`. Not a gradient of anything: it is there to reproduce
    /// trainings that were made with it.
    Blend(f32),
}

impl GradMode {
    /// `alpha` of the two approximations; `None` for the exact gradient.
    pub fn blend_weight(self) -> Option<f32> {
        match self {
            Self::Exact => None,
            Self::DiagonalOnly => Some(0.0),
            Self::Blend(alpha) => Some(alpha),
        }
    }
}

/// Largest magnitude of an approximate gradient.
pub(crate) const APPROXIMATION_LIMIT: f32 = 1e3;
/// What `|G^2|` is raised to before it is divided by.
pub(crate) const SMALLEST_SQUARE: f32 = 1e-3;
/// Added to `G^2` before it is divided by.
pub(crate) const SQUARE_OFFSET: f32 = 1e-6;
