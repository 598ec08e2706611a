//! What comes of checking an implementation against test vectors: known inputs with known answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the check of a target against the test vectors ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum VectorsOutcome {
    /// Every vector was computed and compared.
    Checked {
        /// One row a vector, in the order of their names.
        rows: Vec<VectorRow>,
    },
    /// The check does not apply to the target.
    Skipped {
        /// What is missing.
        reason: String,
    },
    /// The vectors could not be read, or a computation failed.
    Failed {
        /// The chain of errors.
        error: String,
    },
}

/// One test vector, computed and compared with its float64 answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VectorRow {
    /// Name of the vector, unique in its set.
    pub name: String,
    /// Sites a row.
    pub n: usize,
    /// Rows.
    pub batch: usize,
    /// Largest error, in units of what rounding the input alone does (`2^-24 cond |G|`); absent where it
    /// is not finite.
    pub worst_units: Option<f64>,
    /// The error in those units above which the result is wrong.
    pub allowed_units: f64,
    /// Whether every entry is right, special values included.
    pub passed: bool,
    /// What is wrong, or what the vector is for.
    pub note: String,
}
