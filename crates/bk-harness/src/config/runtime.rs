//! How workers set up the runtime of a GPU target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::source::Problems;
use crate::config::values;
use crate::config::wire::RuntimeTable;

/// Settings of the runtime that compiles and tunes kernels; CPU targets have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeOptions {
    /// How many candidates autotune tries for an operation; the runtime's own choice when absent.
    pub autotune: Option<AutotuneLevel>,
    /// Whether compiled kernels are kept between runs of the same program.
    pub kernel_cache: bool,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self { autotune: None, kernel_cache: true }
    }
}

/// How hard autotune looks for the fastest way to do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutotuneLevel {
    /// Sizes that are alike share a choice.
    Minimal,
    /// What the runtime does by default.
    Balanced,
    /// More sizes are told apart.
    Extensive,
    /// Every size is tuned by itself.
    Full,
}

impl AutotuneLevel {
    /// Name as written in configs, and as the runtime reads it from `CUBECL_AUTOTUNE_LEVEL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Balanced => "balanced",
            Self::Extensive => "extensive",
            Self::Full => "full",
        }
    }
}

/// What `[runtime]` says.
pub(super) fn runtime(table: &RuntimeTable, problems: &mut Problems) -> RuntimeOptions {
    let default = RuntimeOptions::default();
    RuntimeOptions {
        autotune: table.autotune.as_ref().and_then(|level| values::choice(level, "autotune level", problems)),
        kernel_cache: table.kernel_cache.as_ref().map_or(default.kernel_cache, |cache| *cache.get()),
    }
}
