//! Whether a backend computes the model right: the same weights and tokens on ndarray in float32.
//!
//! A model of the case's own size would take the CPU minutes and its logits gigabytes. So the proof is a
//! model of the case's width and depth, type and mode, with a small vocabulary and few tokens, more than a
//! chunk of the memory. That the output of the case itself is finite is looked at as well.

use bk_harness::case::{ElementType, Mode, Phase2Spec};
use bk_harness::numerics::Numerics;
use bk_harness::workload::Failure;
use bk_phase2::{BkBackend, Phase2Config};
use burn::backend::NdArray;
use burn::tensor::backend::BackendTypes;
use burn::tensor::{DType, Tensor};

use super::Known;
use super::launch::{Launch, Output};
use super::model::config;
use crate::platform::Platform;

/// Sequences, tokens each and vocabulary of the proof. A chunk of the memory has 64 tokens.
const BATCH: usize = 2;
const TOKENS: usize = 80;
const VOCABULARY: usize = 256;

/// Largest error over the largest logit. float16 has 11 bits and is allowed 2e-2 by specification; bfloat16
/// has 8, so eight times that. float32 products may be TF32 on tensor cores, whose 11 bits are float16's.
fn allowed(dtype: ElementType, tensor_cores: bool) -> f64 {
    match dtype {
        ElementType::Bf16 => 1.6e-1,
        ElementType::F16 => 2e-2,
        ElementType::F32 if tensor_cores => 2e-2,
        ElementType::F32 | ElementType::F64 => 1e-3,
    }
}

/// Errors of the proof of `spec` in `dtype` on `platform`, made once a process.
pub(super) fn proof<P: Platform>(
    platform: &P,
    known: &Known,
    spec: &Phase2Spec,
    dtype: ElementType,
) -> Result<Numerics, Failure> {
    let key = (spec.preset, spec.mode, dtype);
    if let Some(numerics) = known.proofs.borrow().get(&key) {
        return Ok(numerics.clone());
    }
    let spec = Phase2Spec { batch: BATCH, n: TOKENS, vocabulary: Some(VOCABULARY), ..spec.clone() };
    // Dropout draws differently on every backend.
    let config = Phase2Config { dropout: 0.0, ..config(&spec) };
    let found = outputs::<P::Backend>(&config, &spec, dtype, platform.device())?;
    platform.synchronize()?;
    let expected = outputs::<NdArray<f32>>(&config, &spec, ElementType::F32, &Default::default())?;
    let numerics = compare(&found, &expected, allowed(dtype, platform.has_tensor_cores()));
    known.proofs.borrow_mut().insert(key, numerics.clone());
    Ok(numerics)
}

/// Everything that a launch gives, on the host: logits, or the loss and a gradient.
fn outputs<B: BkBackend>(
    config: &Phase2Config,
    spec: &Phase2Spec,
    dtype: ElementType,
    device: &<B as BackendTypes>::Device,
) -> Result<Vec<Vec<f32>>, Failure> {
    let mut launch = Launch::<B>::with_config(config, spec, dtype, device)?;
    match launch.run()? {
        Output::Logits(logits) => Ok(vec![read(logits)?]),
        Output::Gradients { loss, gradients } => {
            let gradient = launch
                .embedding_gradient(&gradients)
                .ok_or_else(|| Failure::Execution("the token embedding has no gradient".to_owned()))?;
            Ok(vec![read(loss)?, read(gradient)?])
        }
    }
}

fn read<B: BkBackend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, Failure> {
    let data = tensor
        .cast(DType::F32)
        .try_into_data()
        .map_err(|error| Failure::Execution(format!("an output cannot be read: {error}")))?;
    data.into_vec::<f32>().map_err(|error| Failure::Execution(format!("an output is not float32: {error:?}")))
}

/// Errors over the largest expected magnitude, each output by itself; the worst of them counts.
fn compare(found: &[Vec<f32>], expected: &[Vec<f32>], allowed: f64) -> Numerics {
    let (mut worst, mut absolute, mut squares, mut magnitude) = (0.0_f64, 0.0_f64, 0.0, 0.0_f64);
    let (mut non_finite, mut compared) = (0, 0);
    let mut relative: Vec<f64> = Vec::new();
    for (found, expected) in found.iter().zip(expected) {
        let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let largest = f64::from(largest).max(f64::MIN_POSITIVE);
        magnitude = magnitude.max(largest);
        for (found, expected) in found.iter().zip(expected) {
            if !found.is_finite() {
                non_finite += 1;
                continue;
            }
            let distance = (f64::from(*found) - f64::from(*expected)).abs();
            absolute = absolute.max(distance);
            worst = worst.max(distance / largest);
            relative.push(distance / largest);
            squares += distance * distance;
            compared += 1;
        }
    }
    relative.sort_by(f64::total_cmp);
    let same_sizes = found.iter().map(Vec::len).eq(expected.iter().map(Vec::len));
    let rejected = if !same_sizes {
        Some("the outputs do not have the sizes of the reference".to_owned())
    } else if non_finite > 0 {
        Some(format!("{non_finite} values of the proof are not finite"))
    } else if worst > allowed {
        Some(format!(
            "the largest error is {worst:.1e} of the largest value of float32 on ndarray, and {allowed:.1e} is allowed"
        ))
    } else {
        None
    };
    let mse = if compared == 0 { f64::NAN } else { squares / compared as f64 };
    Numerics {
        mse,
        mse_clipped: mse,
        max_abs_error: absolute,
        max_rel_error: worst,
        median_rel_error: relative.get(relative.len() / 2).copied().unwrap_or(f64::NAN),
        max_error_units: worst / allowed,
        allowed_error_units: 1.0,
        max_magnitude: magnitude,
        non_finite,
        expected_non_finite: 0,
        compared,
        rejected,
    }
}

/// Values of the case's own output that are not finite.
pub(super) fn count_non_finite<B: BkBackend>(output: &Output<B>, mode: Mode) -> Result<u64, Failure> {
    match output {
        Output::Logits(logits) => {
            // A number minus itself is 0, and NaN for what is none. Summed by rows, since sums of very long
            // axes are wrong on software Vulkan.
            let zero = (logits.clone() - logits.clone()).equal_elem(0.0).int().sum_dim(2);
            let finite: f64 = read(zero.float())?.into_iter().map(f64::from).sum();
            Ok(logits.dims().iter().product::<usize>() as u64 - finite as u64)
        }
        Output::Gradients { loss, .. } => {
            let loss = read(loss.clone())?;
            debug_assert_eq!(mode, Mode::ForwardBackward);
            Ok(loss.iter().filter(|value| !value.is_finite()).count() as u64)
        }
    }
}
