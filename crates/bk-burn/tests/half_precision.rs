//! Operands in float16 and bfloat16: arithmetic in float32, outputs and gradients in their type.
#![cfg(all(feature = "flex", feature = "ndarray"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bk_burn::{BkInputs, BkOptions, NonFinite, Strategy, bk_core, bk_core_backward, tensor_bk_core};
use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{OutputType, compare_stored, resolvent};
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};

const TYPES: [(DType, OutputType); 2] = [(DType::F16, OutputType::F16), (DType::BF16, OutputType::BF16)];

fn matrix<B: Backend>(values: &[f32], rows: usize, columns: usize) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), &Default::default())
}

fn upload<B: Backend>(inputs: &Inputs, dtype: DType) -> BkInputs<B> {
    let Inputs { batch, n, .. } = *inputs;
    let operands = BkInputs {
        a_re: matrix(&inputs.a_re, batch, n),
        a_im: inputs.a_im.as_ref().map(|a_im| matrix(a_im, batch, n)),
        b: matrix(&inputs.b, inputs.coupling_rows(), n - 1),
        c: matrix(&inputs.c, inputs.coupling_rows(), n - 1),
        z: matrix(&inputs.z, 1, 2).reshape([2]),
    };
    operands.cast(dtype)
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().unwrap()
}

/// The inputs as they come back from tensors of the type.
fn stored(inputs: &Inputs, dtype: DType) -> Inputs {
    let operands = upload::<Flex>(inputs, dtype);
    let z = values(operands.z);
    Inputs {
        a_re: values(operands.a_re),
        a_im: operands.a_im.map(values),
        b: values(operands.b),
        c: values(operands.c),
        z: [z[0], z[1]],
        ..inputs.clone()
    }
}

#[test]
fn the_output_is_the_resolvent_of_the_stored_inputs_rounded_to_their_type() {
    let options = BkOptions::default();
    for (dtype, output_type) in TYPES {
        for family in [Family::Normal, Family::Hermitian, Family::Complex, Family::Free] {
            let inputs = generate(family, 3, 300, false, None, 42);
            let oracle = resolvent(&stored(&inputs, dtype)).unwrap();
            let native = bk_core(upload::<Flex>(&inputs, dtype), &options).unwrap();
            let tensor = tensor_bk_core(upload::<Flex>(&inputs, dtype), &options).unwrap();
            for (output, units) in [(native, 16.0), (tensor, 128.0)] {
                assert_eq!(output.dtype(), dtype);
                let errors = compare_stored(&values(output), output_type, &oracle, &options, units);
                assert!(errors.rejected.is_none(), "{family:?} {dtype:?}: {:?}", errors.rejected);
            }
        }
    }
}

#[test]
fn a_value_beyond_the_type_is_infinite_or_zero_as_the_options_say() {
    // G = 1 / (a - z) = 1e5, and float16 ends at 65,504.
    let inputs = Inputs {
        batch: 1,
        n: 2,
        a_re: vec![1e-5, 1.0],
        a_im: None,
        b: vec![0.0],
        c: vec![0.0],
        shared: false,
        z: [0.0, 0.0],
    };
    let found = |non_finite| {
        let options = BkOptions { non_finite, ..BkOptions::default() };
        values(bk_core(upload::<Flex>(&inputs, DType::F16), &options).unwrap())
    };
    assert_eq!(found(NonFinite::Propagate)[0], f32::INFINITY);
    assert_eq!(found(NonFinite::Zero)[0], 0.0);
    assert_eq!(found(NonFinite::Zero)[2], 1.0);
}

#[test]
fn gradients_are_those_in_float32_rounded_to_the_type_with_autodiff_and_without() {
    type Differentiable = Autodiff<Flex>;
    let inputs = generate(Family::Normal, 2, 40, true, None, 7);
    for (dtype, roundoff) in [(DType::F16, 1e-3), (DType::BF16, 8e-3)] {
        let inputs = stored(&inputs, dtype);
        let backward = |dtype| {
            let cotangent = Tensor::<Flex, 3>::ones([2, 40, 2], &Default::default()).cast(dtype);
            let operands = upload::<Flex>(&inputs, dtype);
            bk_core_backward(operands, cotangent, &BkOptions::default(), &Strategy::default()).unwrap()
        };
        let (exact, half) = (backward(DType::F32), backward(dtype));
        assert_eq!(half.b.dtype(), dtype);
        let a_re = matrix::<Differentiable>(&inputs.a_re, 2, 40).cast(dtype).require_grad();
        let operands = BkInputs { a_re: a_re.clone(), ..upload(&inputs, dtype) };
        let output = bk_core(operands, &BkOptions::default()).unwrap();
        let gradients = output.cast(DType::F32).sum().backward();
        let by_autodiff = values(a_re.grad(&gradients).unwrap());
        for (exact, half) in values(exact.a_re).into_iter().zip(values(half.a_re)) {
            assert!((exact - half).abs() <= roundoff * exact.abs() + 1e-6, "{exact} {half}");
        }
        for (exact, half) in values(backward(DType::F32).a_re).into_iter().zip(by_autodiff) {
            assert!((exact - half).abs() <= 2.0 * roundoff * exact.abs() + 1e-6, "{exact} {half}");
        }
    }
}
