//! Small models, backends and helpers.

use bk_phase2::{BkBackend, Phase2Config, Phase2Model};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Int, Tensor, TensorData};

/// The reference backend.
#[cfg(feature = "ndarray")]
pub(crate) type Reference = burn::backend::NdArray<f32>;
/// The same with gradients.
#[cfg(feature = "ndarray")]
pub(crate) type Differentiable = burn::backend::Autodiff<Reference>;
/// Vulkan or WGSL, without Burn's fusion.
#[cfg(feature = "wgpu")]
pub(crate) type Gpu = burn_cubecl::CubeBackend<burn::backend::wgpu::WgpuRuntime, f32, i32, u32>;

/// Two blocks, every size different, chunks of four tokens.
pub(crate) fn tiny() -> Phase2Config {
    Phase2Config {
        vocab_size: 11,
        d_model: 6,
        n_layers: 2,
        n_seq: 13,
        num_heads: 2,
        head_dim: 3,
        ffn_dim: Some(5),
        chunk_len: 4,
        dropout: 0.0,
        // Low enough for a part of these small memories.
        resonance_energy_threshold: 0.003,
        use_zeta_init: false,
        seed: 5,
        ..Phase2Config::small()
    }
}

pub(crate) fn model<B: BkBackend>(config: &Phase2Config) -> Phase2Model<B> {
    Phase2Model::new(config, &<B as BackendTypes>::Device::default()).unwrap()
}

/// Token ids that look random, `[B, N]`.
pub(crate) fn ids<B: Backend>(batch: usize, n: usize, vocabulary: usize) -> Tensor<B, 2, Int> {
    let id = |index: usize| ((index * 7919 + index * index * 104_729) % vocabulary) as i32;
    let values: Vec<i32> = (0..batch * n).map(id).collect();
    Tensor::from_data(TensorData::new(values, [batch, n]), &B::Device::default())
}

/// The values of a tensor.
pub(crate) fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Largest difference.
pub(crate) fn distance(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    let worst = |worst: f64, error: f64| if error.is_nan() { f64::INFINITY } else { worst.max(error) };
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, worst)
}

/// Largest magnitude.
pub(crate) fn size(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}
