//! What comes of checking the Phase 2 model against a file of weights and expectations, and of writing such
//! a file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How float32 matrix products may round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatmulPrecision {
    /// In float32, also where there are tensor cores.
    #[default]
    Exact,
    /// As the backend likes: TF32 on CUDA.
    Fast,
}

/// How the check of a target against files ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ParityOutcome {
    /// Every file was run and compared.
    Checked {
        /// One entry a file.
        files: Vec<ParityFile>,
    },
    /// The check does not apply to the target.
    Skipped {
        /// What is missing.
        reason: String,
    },
    /// A file is not what it has to be; nothing was compared.
    Refused {
        /// What is wrong with it, every missing or misshapen tensor by its name.
        error: String,
    },
    /// The model did not run.
    Failed {
        /// The chain of errors.
        error: String,
    },
}

/// One file, run and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParityFile {
    /// Its path, or its name where it is built in.
    pub file: String,
    /// One row an expected tensor, by name.
    pub rows: Vec<ParityRow>,
    /// Names of tensors in the file that no model of its configuration has.
    pub unknown_tensors: Vec<String>,
    /// Condition number of the resonance basis: how many units in the last place a state loses.
    pub basis_condition: f64,
}

/// One expected tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParityRow {
    /// Its name, without `expected.`.
    pub tensor: String,
    /// Largest absolute error; absent where it is not finite.
    pub max_abs_error: Option<f64>,
    /// Root mean square of the error over that of the expectation; absent where it is not finite.
    pub relative_rms_error: Option<f64>,
    /// What it is held to; absent where it is only reported.
    pub bound: Option<ParityBound>,
    /// Whether it keeps to it.
    pub passed: bool,
}

/// What an error must not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParityBound {
    /// Bound of the largest absolute error.
    MaxAbs(f64),
    /// Bound of the relative root mean square error.
    RelativeRms(f64),
}

/// What weights are exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportSource {
    /// Fresh ones of a preset: `small`, `base`, `large`.
    Preset(String),
    /// Fresh ones of a configuration in TOML.
    Config(PathBuf),
    /// Those of a safetensors file.
    File(PathBuf),
    /// Those of a folder that the training example wrote.
    Checkpoint(PathBuf),
}

/// How an export ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ExportOutcome {
    /// The file is written.
    Written {
        /// Tensors in it.
        tensors: usize,
        /// Numbers in these.
        parameters: usize,
        /// Tensors of the source that were left out.
        unknown_tensors: Vec<String>,
    },
    /// The target cannot do it.
    Skipped {
        /// What is missing.
        reason: String,
    },
    /// The source is not what it has to be; nothing was written.
    Refused {
        /// What is wrong with it.
        error: String,
    },
    /// It did not work.
    Failed {
        /// The chain of errors.
        error: String,
    },
}
