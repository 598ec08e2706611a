//! Which memories count: a signal-to-noise filter, and an estimate of importance.
//!
//! ```text
//! sigma = std(W) + 1e-6 over the whole tensor (unbiased)      snr_b = mean |W_b| / sigma
//! gamma'_b = gamma_b * gamma_boost below the threshold        eta' = eta * mean_b (eta_boost above, else 1)
//! ```
//! As in the original gamma' is reported and not used. The original keeps eta in a hidden attribute; here
//! eta' is part of the returned state.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::config::Phase2Config;

/// What the filter found.
#[derive(Debug, Clone)]
pub struct Selection<B: Backend> {
    /// Signal-to-noise ratio of each row, `[B]`.
    pub snr: Tensor<B, 1>,
    /// The adjusted decay of each row, `[B]`.
    pub gamma: Tensor<B, 1>,
    /// The next eta, `[1]`.
    pub eta: Tensor<B, 1>,
}

/// Filters `W [B, H, E, E]` with the row means of `gamma [B, N]`.
pub(crate) fn select<B: Backend>(
    memory: &Tensor<B, 4>,
    gamma: &Tensor<B, 2>,
    eta: &Tensor<B, 1>,
    config: &Phase2Config,
) -> Selection<B> {
    let snr = signal_to_noise(memory);
    let signal = snr.clone().greater_elem(config.snr_threshold);
    let boost = |above: f64, below: f64| snr.full_like(below).mask_fill(signal.clone(), above);
    let [batch, _] = gamma.dims();
    let mean = gamma.clone().mean_dim(1).reshape([batch]);
    Selection {
        gamma: mean * boost(1.0, config.snr_gamma_boost),
        eta: eta.clone() * boost(config.snr_eta_boost, 1.0).mean(),
        snr,
    }
}

/// `mean |W_b| / sigma`, `[B]`.
fn signal_to_noise<B: Backend>(memory: &Tensor<B, 4>) -> Tensor<B, 1> {
    let [batch, heads, width, _] = memory.dims();
    let (rows, cells) = (batch * heads, width * width);
    let flat = memory.clone().reshape([rows, cells]);
    // In steps, row by row: some devices cannot sum a long axis at once.
    let total = |values: Tensor<B, 2>| values.sum_dim(1).sum();
    let count = (rows * cells) as f64;
    let mean = total(flat.clone()) / count;
    let variance = total((flat.clone() - mean.unsqueeze()).square()) / (count - 1.0).max(1.0);
    let sigma = variance.sqrt() + 1e-6;
    let strength = flat.abs().mean_dim(1).reshape([batch, heads]).mean_dim(1).reshape([batch]);
    strength / sigma
}

/// `0.5 sigmoid(snr - 2) + 0.3 W^2 / max W^2 + 0.2 e^(-0.1 age)`, with the weights normalised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// Weight of the signal-to-noise ratio.
    pub snr: f64,
    /// Weight of the energy.
    pub energy: f64,
    /// Weight of the age.
    pub recency: f64,
}

impl Default for Importance {
    fn default() -> Self {
        Self { snr: 0.5, energy: 0.3, recency: 0.2 }
    }
}

impl Importance {
    /// The importance of every cell of `W [B, H, E, E]`, `[B, H, E E]`; `snr [B]`, `age` in steps.
    pub fn estimate<B: Backend>(&self, memory: &Tensor<B, 4>, snr: &Tensor<B, 1>, age: f64) -> Tensor<B, 3> {
        let [batch, heads, width, _] = memory.dims();
        let sum = self.snr + self.energy + self.recency;
        let energy = memory.clone().reshape([batch, heads, width * width]).square();
        let largest = energy.clone().max_dim(2).max_dim(1).max_dim(0).clamp_min(f32::MIN_POSITIVE);
        let signal = burn::tensor::activation::sigmoid(snr.clone() - 2.0).reshape([batch, 1, 1]);
        energy / largest * (self.energy / sum)
            + signal * (self.snr / sum)
            + self.recency / sum * (-0.1 * age).exp()
    }

    /// The `k` most important cells of each head: their importance and their place in `W`, `[B, H, k]`.
    pub fn top<B: Backend>(
        importance: Tensor<B, 3>,
        k: usize,
    ) -> (Tensor<B, 3>, Tensor<B, 3, burn::tensor::Int>) {
        importance.topk_with_indices(k, 2)
    }
}

#[cfg(all(test, feature = "ndarray"))]
mod tests {
    use burn::backend::NdArray;
    use burn::tensor::Tensor;

    use super::{Importance, select};
    use crate::config::Phase2Config;

    type B = NdArray<f32>;

    fn values<const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    /// Two rows, one head: cells of size 3 in the first and of size 1 in the second.
    fn memory() -> Tensor<B, 4> {
        Tensor::from_data([[[[3.0, -3.0], [3.0, 3.0]]], [[[1.0, 1.0], [-1.0, 1.0]]]], &Default::default())
    }

    #[test]
    fn rows_above_the_threshold_raise_eta_and_rows_below_are_to_decay_faster() {
        let config = Phase2Config { snr_threshold: 1.0, ..Phase2Config::small() };
        let gamma = Tensor::from_data([[0.1, 0.3], [0.2, 0.6]], &Default::default());
        let eta = Tensor::from_data([0.1], &Default::default());
        let selection = select(&memory(), &gamma, &eta, &config);
        // The cells' mean is 1 and the sum of their squares 40: the variance is (40 - 8) / 7.
        let sigma = (32.0f64 / 7.0).sqrt();
        let snr = values(selection.snr);
        assert!((snr[0] - 3.0 / sigma).abs() < 1e-5 && (snr[1] - 1.0 / sigma).abs() < 1e-5, "{snr:?}");
        let gamma = values(selection.gamma);
        assert!((gamma[0] - 0.2).abs() < 1e-6 && (gamma[1] - 0.8).abs() < 1e-6, "{gamma:?}");
        assert!((values(selection.eta)[0] - 0.1 * (1.5 + 1.0) / 2.0).abs() < 1e-7);
    }

    #[test]
    fn importance_weighs_ratio_energy_and_age() {
        let snr = Tensor::from_data([2.0, 200.0], &Default::default());
        let importance = Importance::default().estimate(&memory(), &snr, 10.0);
        let recency = 0.2 * (-1.0f64).exp();
        let found = values(importance.clone());
        assert!((found[0] - (0.25 + 0.3 + recency)).abs() < 1e-6, "{found:?}");
        assert!((found[4] - (0.5 + 0.3 / 9.0 + recency)).abs() < 1e-6, "{found:?}");
        // Weights count by their share.
        let doubled = Importance { snr: 1.0, energy: 0.6, recency: 0.4 };
        assert!((values(doubled.estimate(&memory(), &snr, 10.0))[0] - found[0]).abs() < 1e-6);

        let distinct = Tensor::<B, 3>::from_data([[[0.1, 0.9, 0.4]]], &Default::default());
        let (best, place) = Importance::top(distinct, 2);
        assert_eq!(place.into_data().iter::<i64>().collect::<Vec<_>>(), [1, 2]);
        assert!((values(best)[1] - 0.4).abs() < 1e-6);
    }
}
