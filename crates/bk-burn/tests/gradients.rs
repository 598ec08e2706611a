//! Gradients through Burn's autodiff, on the CPU backends in float64.
#![cfg(all(feature = "ndarray", feature = "flex"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use bk_burn::{
    BkBackend, BkInputs, BkOptions, GradMode, OperationError, Strategy, bk_core, bk_core_backward,
    bk_core_with, tensor_bk_core,
};
use bk_kernels::families::{Family, cotangent, generate};
use bk_kernels::inputs::Inputs;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn::backend::{Flex, NdArray};
use burn::tensor::backend::{AutodiffBackend, Backend, BackendTypes};
use burn::tensor::{DType, Tensor, TensorData};

type Array = NdArray<f64>;

fn device<B: Backend>() -> <B as BackendTypes>::Device {
    Default::default()
}

fn matrix<B: Backend>(values: &[f32], rows: usize, columns: usize) -> Tensor<B, 2> {
    let values: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), (&device::<B>(), DType::F64))
}

/// The inputs as tensors that all require a gradient.
fn upload<B: Backend>(inputs: &Inputs) -> BkInputs<B> {
    let Inputs { batch, n, .. } = *inputs;
    let couplings = |values: &[f32]| {
        if n == 1 { matrix::<B>(&[0.5], 1, 1) } else { matrix(values, inputs.coupling_rows(), n - 1) }
    };
    BkInputs {
        a_re: matrix::<B>(&inputs.a_re, batch, n).require_grad(),
        a_im: inputs.a_im.as_ref().map(|im| matrix::<B>(im, batch, n).require_grad()),
        b: couplings(&inputs.b).require_grad(),
        c: couplings(&inputs.c).require_grad(),
        z: matrix::<B>(&inputs.z, 1, 2).reshape([2]).require_grad(),
    }
}

fn weights<B: Backend>(inputs: &Inputs) -> Tensor<B, 3> {
    let values = cotangent(inputs.batch, inputs.n, 5);
    matrix(values.as_flattened(), inputs.batch, 2 * inputs.n).reshape([inputs.batch, inputs.n, 2])
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().into_vec::<f64>().unwrap()
}

/// All gradients one after another: those of `a_re`, `b`, `c`, `z` and `a_im`.
type All = Vec<Vec<f64>>;

/// Gradients of `sum(weights * output)`.
fn through<B: AutodiffBackend>(inputs: &Inputs, forward: impl Fn(BkInputs<B>) -> Tensor<B, 3>) -> All {
    let tensors = upload::<B>(inputs);
    let loss = (forward(tensors.clone()) * weights(inputs)).sum();
    let grads = loss.backward();
    let mut all: All =
        [&tensors.a_re, &tensors.b, &tensors.c].map(|tensor| values(tensor.grad(&grads).unwrap())).to_vec();
    all.push(values(tensors.z.grad(&grads).unwrap()));
    all.extend(tensors.a_im.iter().map(|a_im| values(a_im.grad(&grads).unwrap())));
    all
}

fn through_operation<B: AutodiffBackend + BkBackend>(inputs: &Inputs, options: &BkOptions) -> All {
    through::<B>(inputs, |tensors| bk_core(tensors, options).unwrap())
}

#[track_caller]
fn assert_close(found: &All, expected: &All) {
    assert_eq!(found.len(), expected.len());
    for (which, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "gradient {which}");
        let largest = expected.iter().fold(1e-3_f64, |max, x| max.max(x.abs()));
        for (index, (x, y)) in found.iter().zip(expected).enumerate() {
            assert!((x - y).abs() <= 1e-9 * largest, "gradient {which} at {index}: {x}, expected {y}");
        }
    }
}

fn clipped() -> BkOptions {
    BkOptions { max_magnitude: Some(0.7), ..BkOptions::default() }
}

#[test]
fn the_operations_gradients_are_those_of_tensor_operations() {
    let cases = [
        (Family::Normal, 3, 33, false),
        (Family::Complex, 2, 17, false),
        (Family::Complex, 4, 8, true),
        (Family::Default, 3, 2, true),
    ];
    for (family, batch, n, shared) in cases {
        let inputs = generate(family, batch, n, shared, Some([0.1, 0.5]), 3);
        for options in [BkOptions::default(), clipped()] {
            let expected =
                through::<Autodiff<Array>>(&inputs, |tensors| tensor_bk_core(tensors, &options).unwrap());
            assert_close(&through_operation::<Autodiff<Array>>(&inputs, &options), &expected);
            assert_close(&through_operation::<Autodiff<Flex>>(&inputs, &options), &expected);
        }
    }
}

#[test]
fn rows_of_one_site_have_gradients_and_what_stands_for_their_couplings_has_none() {
    let inputs = generate(Family::Normal, 3, 1, false, None, 3);
    let [a_re, b, c, z] =
        through_operation::<Autodiff<Array>>(&inputs, &BkOptions::default()).try_into().unwrap();
    assert!(a_re.iter().chain(&z).all(|gradient| *gradient != 0.0));
    assert_eq!((b, c), (vec![0.0], vec![0.0]));
}

#[test]
fn balanced_checkpointing_changes_nothing() {
    let inputs = generate(Family::Complex, 2, 20, false, None, 7);
    let forward = |tensors: BkInputs<Autodiff<Array, BalancedCheckpointing>>| {
        // An operation in front that such a strategy computes again.
        let a_re = tensors.a_re.clone() * 2.0 - tensors.a_re;
        bk_core(BkInputs { a_re, ..tensors }, &BkOptions::default()).unwrap()
    };
    let found = through::<Autodiff<Array, BalancedCheckpointing>>(&inputs, forward);
    assert_close(&found, &through_operation::<Autodiff<Array>>(&inputs, &BkOptions::default()));
}

#[test]
fn only_tracked_operands_get_a_gradient() {
    let inputs = generate(Family::Complex, 2, 20, false, None, 7);
    let all = through_operation::<Autodiff<Array>>(&inputs, &BkOptions::default());
    let tensors = upload::<Autodiff<Array>>(&inputs);
    let untracked = |tensor: &Tensor<Autodiff<Array>, 2>| Tensor::from_inner(tensor.clone().inner());
    let tracked = BkInputs { a_re: untracked(&tensors.a_re), c: untracked(&tensors.c), ..tensors.clone() };
    let grads =
        (bk_core(tracked.clone(), &BkOptions::default()).unwrap() * weights(&inputs)).sum().backward();
    assert!(tracked.a_re.grad(&grads).is_none() && tracked.c.grad(&grads).is_none());
    assert_eq!(values(tensors.b.grad(&grads).unwrap()), all[1]);
    assert_eq!(values(tensors.z.grad(&grads).unwrap()), all[3]);
    assert_eq!(values(tensors.a_im.unwrap().grad(&grads).unwrap()), all[4]);
}

#[test]
fn an_expanded_coupling_gets_the_sum_over_the_batch() {
    let inputs = generate(Family::Normal, 5, 12, true, None, 7);
    let expanded = through::<Autodiff<Array>>(&inputs, |tensors| {
        let b = tensors.b.expand([5, 11]);
        bk_core(BkInputs { b, ..tensors }, &BkOptions::default()).unwrap()
    });
    assert_close(&expanded, &through_operation::<Autodiff<Array>>(&inputs, &BkOptions::default()));
}

#[test]
fn an_approximate_gradient_is_that_of_the_diagonal_alone() {
    let inputs = generate(Family::Normal, 2, 9, false, None, 7);
    let options = BkOptions { gradient: GradMode::DiagonalOnly, ..BkOptions::default() };
    let found = through_operation::<Autodiff<Array>>(&inputs, &options);
    let plain = upload::<Array>(&inputs);
    let g = values(bk_core(plain, &options).unwrap());
    let w = values(weights::<Array>(&inputs));
    for site in 0..18 {
        let ([re, im], [w_re, w_im]) = ([g[2 * site], g[2 * site + 1]], [w[2 * site], w[2 * site + 1]]);
        let expected = -(w_re * (re * re - im * im) + w_im * 2.0 * re * im);
        assert!((found[0][site] - expected).abs() < 1e-12 * expected.abs().max(1.0), "{site}");
    }
    assert!(found[1..].iter().flatten().all(|gradient| *gradient == 0.0));
}

#[test]
fn the_backward_pass_by_itself_gives_what_autodiff_gives() {
    let inputs = generate(Family::Complex, 2, 20, true, None, 9);
    let found = bk_core_backward(
        upload::<Array>(&inputs),
        weights(&inputs),
        &BkOptions::default(),
        &Strategy::default(),
    );
    let found = found.unwrap();
    let all = vec![
        values(found.a_re),
        values(found.b),
        values(found.c),
        values(found.z),
        values(found.a_im.expect("a complex diagonal")),
    ];
    assert_eq!(all, through_operation::<Autodiff<Array>>(&inputs, &BkOptions::default()));
}

#[test]
fn a_cotangent_that_does_not_fit_and_a_second_derivative_are_refused() {
    let inputs = generate(Family::Normal, 2, 6, false, None, 9);
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    let short = weights::<Array>(&inputs).narrow(1, 0, 5);
    let error = bk_core_backward(upload::<Array>(&inputs), short, &options, &strategy).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "`cotangent` has shape [2, 5, 2], expected [2, 6, 2]");
    let narrow = weights::<Array>(&inputs).cast(DType::F32);
    let error =
        bk_core_backward(upload::<Array>(&inputs), narrow, &options, &strategy).map(drop).unwrap_err();
    assert!(matches!(error, OperationError::ElementType { operand: "cotangent", .. }), "{error}");
    let tracked = upload::<Autodiff<Array>>(&inputs);
    let error = bk_core_backward(tracked, weights(&inputs), &options, &strategy).map(drop).unwrap_err();
    assert_eq!(error, OperationError::SecondDerivative);
}

#[test]
fn a_blend_outside_of_0_to_1_is_refused_before_anything_is_recorded() {
    let inputs = generate(Family::Normal, 2, 6, false, None, 9);
    for alpha in [-0.1, 1.5, f32::NAN] {
        let options = BkOptions { gradient: GradMode::Blend(alpha), ..BkOptions::default() };
        let tensors = upload::<Autodiff<Array>>(&inputs);
        let error = bk_core_with(tensors, &options, &Strategy::default()).map(drop).unwrap_err();
        assert!(error.to_string().contains("must be between 0 and 1"), "{error}");
    }
}
