//! Plain tensor operations against the float64 oracle, at sizes of the shipped sweeps.
#![cfg(feature = "ndarray")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bk_burn::{BkInputs, BkOptions, tensor_bk_core};
use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{compare, resolvent};
use burn::backend::NdArray;
use burn::tensor::{Tensor, TensorData};

type B = NdArray<f32>;

/// The bound on errors of operations that compose many steps, in units of rounding.
const UNITS: f64 = 128.0;

fn matrix(values: &[f32], rows: usize, columns: usize) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), &Default::default())
}

fn upload(inputs: &Inputs) -> BkInputs<B> {
    let Inputs { batch, n, .. } = *inputs;
    BkInputs {
        a_re: matrix(&inputs.a_re, batch, n),
        a_im: inputs.a_im.as_ref().map(|a_im| matrix(a_im, batch, n)),
        b: matrix(&inputs.b, inputs.coupling_rows(), n - 1),
        c: matrix(&inputs.c, inputs.coupling_rows(), n - 1),
        z: matrix(&inputs.z, 1, 2).reshape([2]),
    }
}

/// Without a polish the errors of the normal ones are 160 to 620 units.
#[test]
fn every_entry_of_a_long_row_is_within_its_bound() {
    for (batch, n, seed) in [(16, 512, 42), (16, 2048, 42), (16, 4096, 1), (4, 16384, 1)] {
        for family in [Family::Normal, Family::Mixed, Family::Hermitian, Family::Complex] {
            assert_right(&format!("{family:?}"), &generate(family, batch, n, false, None, seed));
        }
    }
}

/// With a sweep over six sites alone, 86 entries are off, by up to 31,000 units.
#[test]
fn entries_near_the_real_axis_are_within_their_bound() {
    let z = Some([0.1, 1e-6]);
    assert_right("hermitian", &generate(Family::Hermitian, 4, 65_536, false, z, 42));
}

fn assert_right(what: &str, inputs: &Inputs) {
    let options = BkOptions::default();
    let found = tensor_bk_core(upload(inputs), &options).unwrap().into_data();
    let found = found.into_vec::<f32>().unwrap();
    let errors = compare(&found, &resolvent(inputs).unwrap(), &options, UNITS);
    let (rows, sites) = (inputs.batch, inputs.n);
    assert!(errors.rejected.is_none(), "{what} {rows}x{sites}: {} units", errors.max_error_units);
}
