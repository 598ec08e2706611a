//! Bytes by arithmetic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Dimensions;
use crate::case::{ElementType, Mode, Phase2Spec};

/// Bytes that a launch needs by arithmetic: a lower bound of what an allocator will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyticBytes {
    /// Parameters and fixed tables.
    pub weights: u64,
    /// Intermediate results that live at the same time; with a backward pass those that it needs again,
    /// and the gradients.
    pub activations: u64,
    /// The output `[B, N, V]`.
    pub logits: u64,
}

impl AnalyticBytes {
    /// Of a launch with tensors of `dtype`.
    pub fn of(spec: &Phase2Spec, dtype: ElementType) -> Self {
        let dimensions = Dimensions::of(spec);
        let tokens = spec.tokens();
        let bytes = |numbers: u64| numbers.saturating_mul(dtype.bytes());
        let logits = bytes(tokens.saturating_mul(dimensions.vocabulary));
        let weights = bytes(dimensions.stored_numbers());
        Self { weights, activations: activations(&dimensions, spec, weights, logits, bytes), logits }
    }

    /// Bytes that live at once.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.activations).saturating_add(self.logits)
    }

    /// Bytes of the largest single tensor: the logits, or an embedding.
    pub fn largest_tensor(spec: &Phase2Spec, dtype: ElementType) -> u64 {
        let Dimensions { vocabulary, width, .. } = Dimensions::of(spec);
        spec.tokens().max(width).saturating_mul(vocabulary).saturating_mul(dtype.bytes())
    }
}

fn activations(
    dimensions: &Dimensions,
    spec: &Phase2Spec,
    weights: u64,
    logits: u64,
    bytes: impl Fn(u64) -> u64,
) -> u64 {
    let Dimensions { width, heads, head_dim, ffn, layers, .. } = *dimensions;
    let tokens = spec.tokens();
    let state = bytes((spec.batch as u64).saturating_mul(layers * heads * head_dim * head_dim));
    // The residual stream and its normalisation stay in float32; beside them the wider of q, k, v, y and the
    // hidden layer before and after its activation.
    let residual = tokens.saturating_mul(2 * width).saturating_mul(ElementType::F32.bytes().max(bytes(1)));
    let widest = (4 * heads * head_dim).max(2 * ffn);
    let forward = bytes(tokens.saturating_mul(widest)).saturating_add(residual).saturating_add(state);
    match spec.mode {
        Mode::Forward | Mode::Prefill | Mode::Decode => forward,
        Mode::ForwardBackward => {
            // Kept for the way back: three residuals and norms, q, k, v, y, and the hidden layer twice.
            let kept = layers * (6 * width + 4 * heads * head_dim + 2 * ffn);
            let kept = bytes(tokens.saturating_mul(kept));
            // Gradients of every weight, and log-probabilities and their gradient beside the logits.
            [kept, weights, logits, logits, state].into_iter().fold(0, u64::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Preset;
    use crate::models::tests::spec;

    #[test]
    fn the_logits_of_the_kpi_case_are_most_of_it() {
        let case = spec(Preset::Base, Mode::Forward, 1, 4096);
        let bytes = AnalyticBytes::of(&case, ElementType::F16);
        assert_eq!(bytes.logits, 4096 * 50_257 * 2);
        assert!(bytes.total() > 500_000_000 && bytes.total() < 1_000_000_000, "{bytes:?}");
        assert_eq!(AnalyticBytes::largest_tensor(&case, ElementType::F16), bytes.logits);
    }

    #[test]
    fn half_precision_takes_half_of_all_but_the_residual_stream() {
        let case = spec(Preset::Base, Mode::Forward, 2, 2048);
        let of = |dtype| AnalyticBytes::of(&case, dtype);
        let (single, half) = (of(ElementType::F32), of(ElementType::F16));
        assert_eq!((single.weights, single.logits), (2 * half.weights, 2 * half.logits));
        let residual = 2 * 2048 * 2 * 512 * 4;
        assert_eq!(single.activations - residual, 2 * (half.activations - residual));
    }

    #[test]
    fn a_backward_pass_needs_more_than_its_weights_again() {
        let bytes = |mode| AnalyticBytes::of(&spec(Preset::Small, mode, 4, 512), ElementType::F32);
        let (forward, both) = (bytes(Mode::Forward), bytes(Mode::ForwardBackward));
        assert!(both.activations > forward.activations + forward.weights);
    }

    #[test]
    fn a_size_beyond_any_memory_saturates() {
        let case = spec(Preset::Large, Mode::ForwardBackward, usize::MAX, usize::MAX);
        assert_eq!(AnalyticBytes::of(&case, ElementType::F32).total(), u64::MAX);
    }
}
