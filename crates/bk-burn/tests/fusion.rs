//! Over `Fusion`: both passes give the bits of the backend inside, states kept between them included.
#![cfg(all(feature = "fusion", feature = "wgpu"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bk_burn::{BkBackend, BkInputs, BkOptions, Strategy, bk_core_backward_from, bk_core_keeping};
use bk_kernels::families::{Family, cotangent, generate};
use bk_kernels::inputs::Inputs;
use burn::backend::wgpu::{WgpuDevice, WgpuRuntime};
use burn::tensor::backend::BackendTypes;
use burn::tensor::{Tensor, TensorData};
use burn_cubecl::CubeBackend;
use burn_fusion::Fusion;

type Plain = CubeBackend<WgpuRuntime, f32, i32, u32>;

/// Output, gradient by the diagonal and gradient by `b`, and whether states were kept.
fn both_passes<B: BkBackend + BackendTypes<Device = WgpuDevice>>(inputs: &Inputs) -> (Vec<Vec<f32>>, bool) {
    let Inputs { batch, n, .. } = *inputs;
    let device = WgpuDevice::default();
    let matrix = |values: &[f32], columns: usize| {
        Tensor::<B, 2>::from_data(TensorData::new(values.to_vec(), [batch, columns]), &device)
    };
    let operands = BkInputs {
        a_re: matrix(&inputs.a_re, n),
        a_im: inputs.a_im.as_ref().map(|im| matrix(im, n)),
        b: matrix(&inputs.b, n - 1),
        c: matrix(&inputs.c, n - 1),
        z: Tensor::from_data(inputs.z, &device),
    };
    let weights = cotangent(batch, n, 5).as_flattened().to_vec();
    let weights = Tensor::<B, 3>::from_data(TensorData::new(weights, [batch, n, 2]), &device);
    let (options, strategy) = (BkOptions::default(), Strategy::default());
    let (output, states) = bk_core_keeping(operands.clone(), &options, &strategy).unwrap();
    let keeps = states.is_some();
    let found = bk_core_backward_from(operands, states, weights, &options, &strategy).unwrap();
    let values = |data: TensorData| data.into_vec::<f32>().unwrap();
    (vec![values(output.into_data()), values(found.a_re.into_data()), values(found.b.into_data())], keeps)
}

#[test]
fn both_passes_give_the_bits_of_the_backend_inside() {
    for (family, n) in [(Family::Normal, 40), (Family::Complex, 40), (Family::Normal, 16)] {
        let inputs = generate(family, 3, n, false, None, 3);
        let (fused, keeps) = both_passes::<Fusion<Plain>>(&inputs);
        assert_eq!(keeps, n > 16);
        assert_eq!((fused, keeps), both_passes::<Plain>(&inputs));
    }
}
