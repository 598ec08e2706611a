//! The backward pass on wgpu tensors: shapes of gradients, layouts of operands, what is not wanted.
#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bk_burn::{
    BkBackend, BkGradients, BkInputs, BkNeeds, BkOptions, BkPrimitives, Strategy, bk_core, bk_core_backward,
    bk_core_backward_from, bk_core_keeping,
};
use bk_kernels::families::{Family, cotangent, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::native::Gradients;
use bk_kernels::reference;
use burn::backend::Autodiff;
use burn::backend::wgpu::{WgpuDevice, WgpuRuntime};
use burn::tensor::{Tensor, TensorData};
use burn_cubecl::CubeBackend;

type Gpu = CubeBackend<WgpuRuntime, f32, i32, u32>;

fn matrix(values: &[f32], rows: usize, columns: usize) -> Tensor<Gpu, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), &WgpuDevice::default())
}

fn upload(inputs: &Inputs) -> BkInputs<Gpu> {
    let Inputs { batch, n, .. } = *inputs;
    let couplings = |values: &[f32]| {
        if n == 1 { matrix(&[0.5], 1, 1) } else { matrix(values, inputs.coupling_rows(), n - 1) }
    };
    BkInputs {
        a_re: matrix(&inputs.a_re, batch, n),
        a_im: inputs.a_im.as_ref().map(|im| matrix(im, batch, n)),
        b: couplings(&inputs.b),
        c: couplings(&inputs.c),
        z: Tensor::from_data(inputs.z, &WgpuDevice::default()),
    }
}

fn weights(inputs: &Inputs) -> Tensor<Gpu, 3> {
    let values = cotangent(inputs.batch, inputs.n, 5).as_flattened().to_vec();
    Tensor::from_data(TensorData::new(values, [inputs.batch, inputs.n, 2]), &WgpuDevice::default())
}

fn values<const D: usize>(tensor: Tensor<Gpu, D>) -> Vec<f32> {
    tensor.try_into_data().unwrap().into_vec().unwrap()
}

fn assert_right(inputs: &Inputs, tensors: BkInputs<Gpu>) {
    assert_right_for(inputs, tensors, weights(inputs));
}

/// At most 16 units off the oracle.
fn assert_right_for(inputs: &Inputs, tensors: BkInputs<Gpu>, weights: Tensor<Gpu, 3>) {
    let found = bk_core_backward(tensors, weights, &BkOptions::default(), &Strategy::default()).unwrap();
    assert_right_gradients(inputs, found);
}

fn assert_right_gradients(inputs: &Inputs, found: BkGradients<Gpu>) {
    let z = values(found.z);
    let found = Gradients {
        a_re: values(found.a_re),
        a_im: found.a_im.map(values),
        b: values(found.b),
        c: values(found.c),
        z: [z[0], z[1]],
    };
    let oracle =
        reference::gradients(inputs, &cotangent(inputs.batch, inputs.n, 5), &BkOptions::default()).unwrap();
    let check = oracle.check(&found, 16.0);
    assert!(check.passed && check.undefined == 0, "{check:?}");
}

#[test]
fn gradients_have_the_shapes_of_their_operands_and_are_right() {
    for shared in [false, true] {
        let inputs = generate(Family::Normal, 3, 40, shared, None, 3);
        assert_right(&inputs, upload(&inputs));
    }
}

#[test]
fn gradients_from_the_states_that_a_forward_pass_kept_are_right() {
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    for (n, shared) in [(40, false), (33, true), (16, false)] {
        let inputs = generate(Family::Normal, 3, n, shared, None, 3);
        let (output, states) = bk_core_keeping(upload(&inputs), &options, &strategy).unwrap();
        assert_eq!(states.is_some(), n > 16, "a chunk alone has no states to keep");
        let plain = bk_core(upload(&inputs), &options).unwrap();
        assert_eq!(values(output), values(plain));
        let found = bk_core_backward_from(upload(&inputs), states, weights(&inputs), &options, &strategy);
        assert_right_gradients(&inputs, found.unwrap());
    }
}

#[test]
fn states_of_another_problem_are_refused() {
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    let (long, short) =
        (generate(Family::Normal, 3, 80, false, None, 3), generate(Family::Normal, 3, 40, false, None, 3));
    let (_, states) = bk_core_keeping(upload(&long), &options, &strategy).unwrap();
    let error =
        bk_core_backward_from(upload(&short), states, weights(&short), &options, &strategy).unwrap_err();
    assert!(error.to_string().contains("`states` has shape [3, 4, 5], expected [3, 4, 3]"), "{error}");
}

#[test]
fn autodiff_keeps_states_and_gives_their_gradients() {
    let inputs = generate(Family::Normal, 3, 40, false, None, 3);
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    let BkInputs { a_re, b, c, z, .. } = upload(&inputs);
    let tracked = BkInputs::<Autodiff<Gpu>> {
        a_re: Tensor::from_inner(a_re).require_grad(),
        a_im: None,
        b: Tensor::from_inner(b),
        c: Tensor::from_inner(c),
        z: Tensor::from_inner(z),
    };
    let a_re = tracked.a_re.clone();
    let output = bk_core(tracked, &options).unwrap();
    let loss = (output * Tensor::from_inner(weights(&inputs))).sum();
    let found = a_re.grad(&loss.backward()).unwrap();
    let (_, states) = bk_core_keeping(upload(&inputs), &options, &strategy).unwrap();
    let expected =
        bk_core_backward_from(upload(&inputs), states, weights(&inputs), &options, &strategy).unwrap();
    assert_eq!(values(found), values(expected.a_re));
}

#[test]
fn rows_of_a_larger_matrix_are_read_in_place() {
    let inputs = generate(Family::Normal, 3, 40, false, None, 4);
    let wide: Vec<f32> =
        inputs.a_re.chunks(40).flat_map(|row| row.iter().copied().chain([f32::NAN; 9])).collect();
    let a_re = matrix(&wide, 3, 49).narrow(1, 0, 40);
    assert_right(&inputs, BkInputs { a_re, ..upload(&inputs) });
}

#[test]
fn a_cotangent_is_read_in_any_layout() {
    let inputs = generate(Family::Normal, 3, 40, false, None, 4);
    let poison = |shape: [usize; 3]| Tensor::<Gpu, 3>::full(shape, f32::NAN, &WgpuDevice::default());
    let apart = weights(&inputs).swap_dims(1, 2).mul_scalar(1.0).swap_dims(1, 2);
    let in_wider = |dim: usize, extra: usize| {
        let mut shape = [3, 40, 2];
        shape[dim] = extra;
        Tensor::cat(vec![weights(&inputs), poison(shape)], dim).narrow(dim, 0, [3, 40, 2][dim])
    };
    let sites_last = weights(&inputs).swap_dims(0, 1).mul_scalar(1.0).swap_dims(0, 1);
    for cotangent in [apart, in_wider(1, 9), in_wider(2, 1), in_wider(2, 2), sites_last] {
        assert_right_for(&inputs, upload(&inputs), cotangent);
    }
}

#[test]
fn only_what_is_needed_comes_back_and_one_site_has_no_gradient_of_couplings() {
    let inputs = generate(Family::Normal, 2, 1, false, None, 5);
    let BkInputs { a_re, b, c, z, .. } = upload(&inputs);
    let operands = BkPrimitives::<Gpu> {
        a_re: a_re.into_primitive().tensor(),
        a_im: None,
        b: b.into_primitive().tensor(),
        c: c.into_primitive().tensor(),
        z: z.into_primitive().tensor(),
    };
    let needs = BkNeeds { a_re: false, a_im: true, b: true, c: false, z: true };
    let cotangent = weights(&inputs).into_primitive().tensor();
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    let found = Gpu::bk_core_backward(operands, None, cotangent, needs, &options, &strategy).unwrap();
    assert!(found.a_re.is_none() && found.a_im.is_none() && found.c.is_none());
    let b = found.b.map(|b| Tensor::<Gpu, 2>::from_primitive(burn::tensor::TensorPrimitive::Float(b)));
    assert_eq!(b.map(values), Some(vec![0.0]));
    assert!(found.z.is_some());
}
