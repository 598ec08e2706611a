//! The backward pass of a workload: its cotangents, what it costs, and how right it is.

use bk_burn::{BkGradients, BkInputs};
use bk_harness::case::{BkCoreSpec, Pass};
use bk_harness::numerics::Numerics;
use bk_harness::workload::{Failure, Work};
use bk_kernels::BkOptions;
use bk_kernels::families;
use bk_kernels::inputs::Inputs;
use bk_kernels::native::Gradients;
use bk_kernels::reference::{GradientCheck, gradients};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use bk_oracle::conversions::problem;

/// Floating-point operations a site: two sweeps of states and sums, and what is formed of them.
const FLOPS_PER_SITE: u64 = 190;

/// The cotangent of input set `set`, `[B, N]`: like the inputs, from the seed of the case.
pub(crate) fn cotangent(spec: &BkCoreSpec, set: usize) -> Vec<[f32; 2]> {
    families::cotangent(spec.batch, spec.n, spec.seed.wrapping_add(set as u64))
}

/// The bytes and operations of one launch of `pass`: inputs and cotangent read once, outputs and gradients written
/// once; with both passes, what each of them needs by itself.
pub(crate) fn work(inputs: &Inputs, pass: Pass) -> Work {
    let problem = problem(inputs);
    let matrix = problem.bytes_read(inputs.shared);
    let diagonal = problem.bytes_written();
    let passes = |forward: u64, backward: u64| {
        forward * u64::from(pass.has_forward()) + backward * u64::from(pass.has_backward())
    };
    let elements = inputs.sites() as u64;
    Work {
        elements,
        bytes_read: passes(matrix, matrix + diagonal),
        // A gradient of the size of each input.
        bytes_written: passes(diagonal, matrix),
        flops: passes(problem.flops(), FLOPS_PER_SITE * elements),
    }
}

/// A cotangent as a tensor `[B, N, 2]`.
pub(crate) fn upload_cotangent<B: Backend>(cotangent: &[[f32; 2]], inputs: &BkInputs<B>) -> Tensor<B, 3> {
    let [batch, n] = inputs.a_re.dims();
    let values = cotangent.as_flattened().to_vec();
    // As one row: CUDA gives each pair of an upload of this shape an aligned place of its own, and a pass twice the bytes.
    let row = Tensor::<B, 1>::from_data(TensorData::new(values, [2 * batch * n]), &inputs.a_re.device());
    row.reshape([batch, n, 2])
}

/// The values of gradients of float32 tensors.
pub(crate) fn read_gradients<B: Backend>(found: BkGradients<B>) -> Result<Gradients<f32>, Failure> {
    let one_site = found.a_re.dims()[1] == 1;
    let couplings = |tensor: Tensor<B, 2>| {
        // What stands for the couplings of one site is none.
        if one_site { Ok(Vec::new()) } else { values(tensor) }
    };
    let z = values(found.z)?;
    Ok(Gradients {
        a_re: values(found.a_re)?,
        a_im: found.a_im.map(values).transpose()?,
        b: couplings(found.b)?,
        c: couplings(found.c)?,
        z: [z[0], z[1]],
    })
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, Failure> {
    let data = tensor
        .try_into_data()
        .map_err(|error| Failure::Execution(format!("a gradient cannot be read: {error}")))?;
    data.into_vec::<f32>()
        .map_err(|error| Failure::Execution(format!("a gradient is not float32: {error:?}")))
}

/// Holds gradients against the float64 oracle.
pub(crate) fn compare_gradients(
    found: &Gradients<f32>,
    inputs: &Inputs,
    cotangent: &[[f32; 2]],
    options: &BkOptions,
    allowed: f64,
) -> Result<Numerics, Failure> {
    let oracle =
        gradients(inputs, cotangent, options).map_err(|error| Failure::Execution(error.to_string()))?;
    Ok(numerics(&oracle.check(found, allowed), allowed))
}

fn numerics(check: &GradientCheck, allowed: f64) -> Numerics {
    let mse = check.squared_error / check.compared.max(1) as f64;
    let rejected = match check.worst {
        Some((gradient, index)) if !check.passed => Some(format!(
            "{} of {} gradients are wrong; worst that of `{gradient}` at {index}, off by {:.3e} units of which \
             {allowed} are allowed",
            check.failures, check.compared, check.worst_units
        )),
        _ if check.finite_where_nan > 0 => {
            Some(format!("{} gradients are finite that depend on a NaN", check.finite_where_nan))
        }
        _ => None,
    };
    Numerics {
        mse,
        mse_clipped: mse,
        max_abs_error: check.max_abs_error,
        max_rel_error: check.max_rel_error,
        median_rel_error: check.median_rel_error,
        max_error_units: check.worst_units,
        allowed_error_units: allowed,
        max_magnitude: check.max_magnitude,
        non_finite: check.non_finite,
        expected_non_finite: check.undefined,
        compared: check.compared,
        rejected,
    }
}

/// Of two proofs the one that is wrong, else the one with the larger error.
pub(crate) fn graver(one: Numerics, other: Numerics) -> Numerics {
    let first = match (&one.rejected, &other.rejected) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        _ => one.max_error_units >= other.max_error_units,
    };
    if first { one } else { other }
}
