//! From a case to a configuration, a model and tokens.

use bk_harness::case::{ElementType, Mode, Phase2Spec, Preset};
use bk_harness::models::Dimensions;
use bk_harness::workload::Failure;
use bk_phase2::{BkBackend, ModelError, Phase2Config, Phase2Model, Resolvent};
use burn::tensor::backend::BackendTypes;
use burn::tensor::{Int, Tensor, TensorData};

use crate::element::burn_type;

/// The configuration that a case runs. Weights are drawn as Burn draws them: the spectra of the zeta zeros
/// cost a decomposition of every matrix and change no time and no size.
pub(super) fn config(spec: &Phase2Spec) -> Phase2Config {
    let dimensions = Dimensions::of(spec);
    let preset = match spec.preset {
        Preset::Small => Phase2Config::small(),
        Preset::Base => Phase2Config::base(),
        Preset::Large => Phase2Config::large(),
    };
    Phase2Config {
        vocab_size: dimensions.vocabulary as usize,
        n_seq: dimensions.n_seq as usize,
        resolvent: match spec.mode {
            Mode::Forward | Mode::ForwardBackward => Resolvent::Bidirectional,
            Mode::Prefill | Mode::Decode => Resolvent::Causal,
        },
        use_zeta_init: false,
        seed: spec.seed,
        ..preset
    }
}

/// A model with the weights of `config`, in `dtype`.
pub(super) fn model<B: BkBackend>(
    config: &Phase2Config,
    dtype: ElementType,
    device: &<B as BackendTypes>::Device,
) -> Result<Phase2Model<B>, Failure> {
    let model = Phase2Model::new(config, device).map_err(failure)?;
    // Weights are made in float32: nothing to do, and no copy.
    if dtype == ElementType::F32 { Ok(model) } else { model.cast(burn_type(dtype)).map_err(failure) }
}

/// A type that the device lacks is no failure of the model.
pub(super) fn failure(error: ModelError) -> Failure {
    match error {
        ModelError::ElementType { .. } => Failure::Skip(error.to_string()),
        other => Failure::Execution(other.to_string()),
    }
}

/// `[rows, columns]` tokens below `vocabulary`, the same on every backend; `stream` tells inputs apart.
pub(super) fn tokens<B: BkBackend>(
    rows: usize,
    columns: usize,
    vocabulary: usize,
    stream: u64,
    device: &<B as BackendTypes>::Device,
) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = (0..rows * columns)
        .map(|place| (mixed(stream.wrapping_add(place as u64)) % vocabulary as u64) as i32)
        .collect();
    Tensor::from_data(TensorData::new(ids, [rows, columns]), device)
}

/// The output function of SplitMix64: neighbouring numbers become unrelated ones.
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
