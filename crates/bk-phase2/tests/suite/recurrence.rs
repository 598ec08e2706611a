//! Chunks against the sequential reference.

use bk_phase2::chunkwise::{ChunkPlan, Recurrence, recall};
use bk_phase2::{BkBackend, Precision};
use burn::tensor::backend::{AutodiffBackend, Backend, BackendTypes};
use burn::tensor::{DType, Tensor, TensorData};

use crate::models::{Differentiable, Reference, distance, size, values};
use crate::sequential::Sequential;

const LENGTHS: [usize; 7] = [1, 2, 63, 64, 65, 200, 1000];

/// Inputs that look random, decays between `least` and `most`.
fn problem(n: usize, decays: impl Fn(usize) -> f64) -> Sequential {
    let (batch, heads, width) = (2, 2, 4);
    let noise = |index: usize, salt: usize| {
        let hash =
            (index.wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(40_503)).wrapping_mul(2_246_822_519);
        f64::from(((hash >> 7) % 20_001) as u32) / 10_000.0 - 1.0
    };
    Sequential {
        batch,
        n,
        heads,
        width,
        // Rounded to what half precision holds, so that the inputs are the same in every type.
        qkv: (0..batch * n * 3 * heads * width).map(|i| (noise(i, 1) * 64.0).round() / 64.0).collect(),
        decay: (0..batch * n).map(|i| f64::from(decays(i) as f32)).collect(),
        eta: 0.125,
        initial: (0..batch * heads * width * width).map(|i| (noise(i, 2) * 64.0).round() / 64.0).collect(),
    }
}

fn random_decay(index: usize) -> f64 {
    0.001 + ((index * 48_271) % 1009) as f64 / 500.0
}

fn tensor<B: Backend, const D: usize>(values: &[f64], shape: [usize; D], dtype: DType) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&B::Device::default(), dtype))
}

fn recurrence<B: Backend>(problem: &Sequential, dtype: DType, wide: DType) -> Recurrence<B> {
    let Sequential { batch, n, heads, width, .. } = *problem;
    Recurrence {
        qkv: tensor(&problem.qkv, [batch, n, 3, heads, width], dtype),
        decay: tensor(&problem.decay, [batch, n], wide),
        eta: tensor(&[problem.eta], [1], wide),
        initial: Some(tensor(&problem.initial, [batch, heads, width, width], wide)),
    }
}

/// Relative error of output and last state.
fn error<B: BkBackend>(problem: &Sequential, chunk_len: usize, dtype: DType) -> f64 {
    let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let plan = ChunkPlan::new(problem.n, chunk_len, &<B as BackendTypes>::Device::default(), wide);
    let recalled = recall(recurrence::<B>(problem, dtype, wide), &plan, true, Precision::Exact);
    let (output, last) = problem.run();
    let output_error = distance(&values(recalled.output), &output) / size(&output);
    let last_error = distance(&values(recalled.last.unwrap()), &last) / size(&last);
    output_error.max(last_error)
}

#[test]
fn chunks_give_what_single_tokens_give_in_float32_and_float64() {
    for n in LENGTHS {
        let problem = problem(n, random_decay);
        for chunk_len in [64, 5] {
            let error = |dtype| error::<Reference>(&problem, chunk_len, dtype);
            assert!(error(DType::F32) < 2e-5, "N = {n}, chunks of {chunk_len}: {}", error(DType::F32));
            assert!(error(DType::F64) < 1e-13, "N = {n}, chunks of {chunk_len}: {}", error(DType::F64));
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn chunks_give_what_single_tokens_give_in_half_precision() {
    for n in LENGTHS {
        let problem = problem(n, random_decay);
        let error = |dtype| error::<burn::backend::Flex>(&problem, 64, dtype);
        assert!(error(DType::F16) < 4e-3, "N = {n}: {}", error(DType::F16));
        assert!(error(DType::BF16) < 3e-2, "N = {n}: {}", error(DType::BF16));
    }
}

#[test]
fn the_largest_decay_and_the_longest_sequence_neither_overflow_nor_lose_the_end() {
    // The sums reach 3e5, and then decays of a thousandth have to count: differences of those sums would
    // be off by a thirtieth in float32.
    let n = 65_536;
    let problem = problem(n, |index| if index % n < n / 2 { 10.0 } else { 0.001 });
    let error = error::<Reference>(&problem, 64, DType::F32);
    assert!(error < 1e-4, "{error}");
}

/// The recurrence token by token, on tensors with gradients.
fn step_by_step<B: Backend>(recurrence: &Recurrence<B>) -> Tensor<B, 4> {
    let [batch, n, _, heads, width] = recurrence.qkv.dims();
    let mut memory = recurrence.initial.clone().unwrap();
    let mut outputs = Vec::new();
    for t in 0..n {
        let token = recurrence.qkv.clone().narrow(1, t, 1);
        let part = |part: usize, shape: [usize; 4]| token.clone().narrow(2, part, 1).reshape(shape);
        let kept = (-recurrence.decay.clone().narrow(1, t, 1)).exp().reshape([batch, 1, 1, 1]);
        let key = part(1, [batch, heads, width, 1]) * recurrence.eta.clone().reshape([1, 1, 1, 1]);
        memory = memory * kept + key * part(2, [batch, heads, 1, width]);
        let y = (memory.clone() * part(0, [batch, heads, 1, width])).sum_dim(3);
        outputs.push(y.reshape([batch, 1, heads, width]));
    }
    Tensor::cat(outputs, 1)
}

/// Gradients of a loss with all inputs, one vector an input.
fn gradients<B: BkBackend + AutodiffBackend>(
    problem: &Sequential,
    (dtype, wide): (DType, DType),
    chunk_len: Option<usize>,
) -> Vec<Vec<f64>> {
    let Recurrence { qkv, decay, eta, initial } = recurrence::<B>(problem, dtype, wide);
    let (qkv, decay, eta) = (qkv.require_grad(), decay.require_grad(), eta.require_grad());
    let initial = initial.unwrap().require_grad();
    let tracked = Recurrence {
        qkv: qkv.clone(),
        decay: decay.clone(),
        eta: eta.clone(),
        initial: Some(initial.clone()),
    };
    let output = match chunk_len {
        Some(chunk_len) => {
            let plan = ChunkPlan::new(problem.n, chunk_len, &Default::default(), wide);
            recall(tracked, &plan, false, Precision::Exact).output
        }
        None => step_by_step(&tracked),
    }
    .cast(wide);
    let gradients = (output.clone() * output.sin()).sum().backward();
    vec![
        values(qkv.grad(&gradients).unwrap()),
        values(decay.grad(&gradients).unwrap()),
        values(eta.grad(&gradients).unwrap()),
        values(initial.grad(&gradients).unwrap()),
    ]
}

#[test]
fn gradients_go_through_the_whole_sequence() {
    for n in LENGTHS {
        let problem = problem(n, random_decay);
        let expected = gradients::<Differentiable>(&problem, (DType::F64, DType::F64), None);
        for (dtype, allowed) in [(DType::F64, 1e-11), (DType::F32, 1e-3)] {
            let found = gradients::<Differentiable>(&problem, (dtype, dtype), Some(64));
            assert_near(&found, &expected, allowed, &format!("N = {n}, {dtype:?}"));
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn gradients_in_half_precision_are_near_those_in_float64() {
    type Half = burn::backend::Autodiff<burn::backend::Flex>;
    for n in LENGTHS {
        let problem = problem(n, random_decay);
        let expected = gradients::<Differentiable>(&problem, (DType::F64, DType::F64), None);
        for (dtype, allowed) in [(DType::F16, 2e-2), (DType::BF16, 1e-1)] {
            let found = gradients::<Half>(&problem, (dtype, DType::F32), Some(64));
            assert_near(&found, &expected, allowed, &format!("N = {n}, {dtype:?}"));
        }
    }
}

fn assert_near(found: &[Vec<f64>], expected: &[Vec<f64>], allowed: f64, which: &str) {
    for (name, (found, expected)) in ["qkv", "decay", "eta", "initial"].iter().zip(found.iter().zip(expected))
    {
        let error = distance(found, expected) / size(expected);
        assert!(error < allowed, "{which}, {name}: {error}");
    }
}
