//! What the Phase 2 model is made of, counted without running it: sizes, bytes and operations.

mod analytic;
mod fit;

pub use analytic::AnalyticBytes;
pub use fit::refusal;

use crate::case::{Mode, Phase2Spec, Preset};

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Vocabulary `V`.
    pub vocabulary: u64,
    /// Width `D`.
    pub width: u64,
    /// Blocks.
    pub layers: u64,
    /// Positions that it has embeddings and couplings for.
    pub n_seq: u64,
    /// Heads `H`.
    pub heads: u64,
    /// Width of a head `E`.
    pub head_dim: u64,
    /// Hidden width of the feed-forward network `F`.
    pub ffn: u64,
}

impl Dimensions {
    /// Those of a preset, as its file has them.
    pub fn of_preset(preset: Preset) -> Self {
        let (width, layers, n_seq, heads) = match preset {
            Preset::Small => (256, 4, 512, 4),
            Preset::Base => (512, 6, 1024, 8),
            Preset::Large => (1024, 12, 2048, 16),
        };
        Self { vocabulary: 50_257, width, layers, n_seq, heads, head_dim: 64, ffn: 4 * width }
    }

    /// Those that a case runs: `n_seq` follows `N` where the preset is shorter, and a step of `decode`
    /// needs one position more.
    pub fn of(spec: &Phase2Spec) -> Self {
        let preset = Self::of_preset(spec.preset);
        let positions = spec.n as u64 + u64::from(spec.mode == Mode::Decode);
        Self {
            vocabulary: spec.vocabulary.map_or(preset.vocabulary, |vocabulary| vocabulary as u64),
            n_seq: preset.n_seq.max(positions),
            ..preset
        }
    }

    /// Numbers that the model stores: parameters, and the fixed position embedding.
    pub fn stored_numbers(&self) -> u64 {
        let Self { vocabulary, width, layers, n_seq, ffn, .. } = *self;
        let inner = self.heads * self.head_dim;
        let norms = 3 * 2 * width;
        let resolvent = 2 * width + 2 + 3 * width;
        let memory = 4 * width * inner;
        let feed_forward = 2 * width * ffn + ffn + width;
        let blocks = layers * (norms + resolvent + memory + feed_forward);
        // Sizes that the user gives have no limit.
        let couplings = (2 * layers).saturating_mul(n_seq - 1);
        let embeddings = (2 * width).saturating_mul(vocabulary).saturating_add(n_seq.saturating_mul(width));
        [blocks, 2 * width, couplings, embeddings].into_iter().fold(0, u64::saturating_add)
    }

    /// Floating-point operations that a token costs going forward: two for each weight of a matrix, and
    /// the update and the read of the `[E, E]` state of each head.
    pub fn flops_per_token(&self) -> u64 {
        let inner = self.heads * self.head_dim;
        let matrices = 4 * self.width * inner + 2 * self.width * self.ffn + 4 * self.width;
        let memory = 2 * inner * self.head_dim;
        (2 * self.layers * (matrices + memory))
            .saturating_add((2 * self.width).saturating_mul(self.vocabulary))
    }
}

/// Floating-point operations of one launch; a backward pass costs twice its forward pass.
pub fn flops(spec: &Phase2Spec) -> u64 {
    let forward = spec.tokens().saturating_mul(Dimensions::of(spec).flops_per_token());
    match spec.mode {
        Mode::ForwardBackward => forward.saturating_mul(3),
        Mode::Forward | Mode::Prefill | Mode::Decode => forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn spec(preset: Preset, mode: Mode, batch: usize, n: usize) -> Phase2Spec {
        Phase2Spec { preset, mode, batch, n, vocabulary: None, seed: 42, asked_dtype: None, force: false }
    }

    #[test]
    fn the_base_preset_stores_about_seventy_million_numbers() {
        // By hand: 2 * 50257 * 512, 1024 * 512, and six blocks of 4 * 512^2 + 2 * 512 * 2048 weights.
        let matrices = 2 * 50_257 * 512 + 1024 * 512 + 6 * (4 * 512 * 512 + 2 * 512 * 2048);
        let stored = Dimensions::of_preset(Preset::Base).stored_numbers();
        assert!(stored > matrices && stored < matrices + matrices / 500, "{stored} {matrices}");
    }

    #[test]
    fn positions_follow_a_longer_sequence_and_never_shrink() {
        let n_seq = |mode, n| Dimensions::of(&spec(Preset::Base, mode, 1, n)).n_seq;
        assert_eq!(n_seq(Mode::Forward, 512), 1024);
        assert_eq!(n_seq(Mode::Forward, 4096), 4096);
        assert_eq!(n_seq(Mode::Decode, 4096), 4097);
    }

    #[test]
    fn a_backward_pass_costs_twice_the_forward_and_a_step_one_token_a_row() {
        let of = |mode| flops(&spec(Preset::Small, mode, 4, 512));
        assert_eq!(of(Mode::ForwardBackward), 3 * of(Mode::Forward));
        assert_eq!(of(Mode::Forward), 512 * of(Mode::Decode));
    }
}
