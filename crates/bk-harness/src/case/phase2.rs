//! Parameters of the benchmarks of the Phase 2 language model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ElementType;

/// The model, what it is fed with, and what it does with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase2Spec {
    /// Sizes of the model.
    pub preset: Preset,
    /// What a launch does.
    pub mode: Mode,
    /// Sequences `B`, at least 1.
    pub batch: usize,
    /// Tokens a sequence `N`, at least 1; for `decode` the tokens before the step.
    pub n: usize,
    /// Size of the vocabulary, instead of the preset's.
    pub vocabulary: Option<usize>,
    /// Seed of weights and tokens.
    pub seed: u64,
    /// The type that the config asked for, where `cpu_dtype` put another in its place.
    pub asked_dtype: Option<ElementType>,
    /// Run even if it cannot fit by prediction.
    pub force: bool,
}

/// Named sizes of the model.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 4 layers of width 256.
    Small,
    /// 6 layers of width 512.
    #[default]
    Base,
    /// 12 layers of width 1024.
    Large,
}

impl Preset {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Base => "base",
            Self::Large => "large",
        }
    }
}

/// What a launch of the model does.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Logits of all `B * N` tokens, in inference.
    #[default]
    Forward,
    /// Loss and gradients of all parameters.
    ForwardBackward,
    /// As `forward` with the causal resolvent, and the state from which decoding goes on.
    Prefill,
    /// One more token of each sequence, after `N` of them.
    Decode,
}

impl Mode {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::ForwardBackward => "forward-backward",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

impl Phase2Spec {
    /// Tokens that one launch processes: `B * N`, or `B` in a step of `decode`.
    pub fn tokens(&self) -> u64 {
        let rows = self.batch as u64;
        match self.mode {
            Mode::Decode => rows,
            Mode::Forward | Mode::ForwardBackward | Mode::Prefill => rows.saturating_mul(self.n as u64),
        }
    }
}
