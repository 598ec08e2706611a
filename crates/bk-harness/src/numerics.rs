//! How far an output is from the float64 oracle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Errors of one output against the oracle. Statistics run over entries where both are finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Numerics {
    /// Mean squared error over all `B * N * 2` components.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub mse: f64,
    /// The same after clipping both magnitudes at 50.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub mse_clipped: f64,
    /// Largest `|G - oracle|`.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub max_abs_error: f64,
    /// Largest `|G - oracle| / |oracle|`.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub max_rel_error: f64,
    /// Median of `|G - oracle| / |oracle|`.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub median_rel_error: f64,
    /// Largest `|G - oracle| / (2^-24 cond |oracle|)`: error in units of what the input's rounding alone does.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub max_error_units: f64,
    /// Bound on `max_error_units` above which the output is wrong.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub allowed_error_units: f64,
    /// Largest `|oracle|`.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub max_magnitude: f64,
    /// Entries of the output that are NaN or infinite.
    pub non_finite: u64,
    /// Entries where the oracle is NaN or infinite.
    pub expected_non_finite: u64,
    /// Entries that were compared.
    pub compared: u64,
    /// Why the output counts as wrong; absent when it is right.
    pub rejected: Option<String>,
}
