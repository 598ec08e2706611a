//! The left-connected resolvent against its own recurrence, site by site in float64.

use bk_burn::{BkInputs, BkOptions, NonFinite, left_resolvent};
use bk_phase2::BkBackend;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use num_complex::Complex64;

use crate::models::{Differentiable, Reference, distance, size, values};

/// A batch of chains that look random.
struct Chains {
    batch: usize,
    n: usize,
    a_re: Vec<f64>,
    a_im: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    z: [f64; 2],
}

impl Chains {
    fn new(batch: usize, n: usize, z: [f64; 2]) -> Self {
        let noise = |index: usize, salt: usize| {
            let hash = (index + 1).wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(0x9e37_79b9));
            let hash = (hash ^ (hash >> 13)).wrapping_mul(2_246_822_519);
            f64::from(((f64::from(((hash >> 9) % 200_001) as u32)) / 1e5 - 1.0) as f32)
        };
        let many = |count: usize, salt: usize| (0..count).map(|index| noise(index, salt)).collect::<Vec<_>>();
        let links = (n - 1).max(1);
        Self {
            batch,
            n,
            a_re: many(batch * n, 1),
            a_im: many(batch * n, 2).iter().map(|x| -x.abs()).collect(),
            b: many(links, 3),
            c: many(links, 4),
            z,
        }
    }

    /// `g [B, N, 2]`.
    fn serial(&self, bound: f64) -> Vec<f64> {
        let mut output = Vec::new();
        for row in 0..self.batch {
            let mut g = Complex64::ZERO;
            for site in 0..self.n {
                let at = row * self.n + site;
                let d = Complex64::new(self.a_re[at] - self.z[0], self.a_im[at] - self.z[1]);
                let k = if site == 0 { 0.0 } else { self.b[site - 1] * self.c[site - 1] };
                g = (d - k * g).inv();
                let clipped = g * (bound / g.norm()).min(1.0);
                output.extend([clipped.re, clipped.im]);
            }
        }
        output
    }

    fn inputs<B: Backend>(&self, dtype: DType) -> BkInputs<B> {
        let links = (self.n - 1).max(1);
        let device = B::Device::default();
        let matrix = |values: &[f64], rows: usize, columns: usize| {
            Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), (&device, dtype))
        };
        BkInputs {
            a_re: matrix(&self.a_re, self.batch, self.n),
            a_im: Some(matrix(&self.a_im, self.batch, self.n)),
            b: matrix(&self.b, 1, links),
            c: matrix(&self.c, 1, links),
            z: Tensor::from_data(self.z, (&device, dtype)),
        }
    }
}

fn options(bound: f32) -> BkOptions {
    BkOptions { max_magnitude: Some(bound), non_finite: NonFinite::Zero, ..BkOptions::default() }
}

fn error<B: BkBackend>(chains: &Chains, dtype: DType) -> f64 {
    let found = left_resolvent(chains.inputs::<B>(dtype), &options(50.0)).unwrap();
    let expected = chains.serial(50.0);
    distance(&values(found), &expected) / size(&expected)
}

#[test]
fn the_scan_gives_what_the_recurrence_gives() {
    for (batch, n) in [(1, 1), (2, 2), (3, 3), (2, 31), (2, 64), (3, 1000), (1, 20_000)] {
        let chains = Chains::new(batch, n, [0.1, 0.3]);
        let [single, double] = [DType::F32, DType::F64].map(|dtype| error::<Reference>(&chains, dtype));
        assert!(single < 1e-4 && double < 1e-11, "{batch} x {n}: {single} {double}");
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn the_scan_gives_what_the_recurrence_gives_on_wgpu() {
    let error = error::<crate::models::Gpu>(&Chains::new(2, 37, [0.1, 0.3]), DType::F32);
    assert!(error < 1e-4, "{error}");
}

#[test]
fn a_site_that_is_exactly_singular_is_clipped_and_the_next_one_goes_on() {
    // d = (0, 1): the first block is singular, g_0 infinite; g_1 = 1 / (1 - k g_0) = 0.
    let inputs = BkInputs::<Reference> {
        a_re: Tensor::from_data([[0.0, 1.0, 1.0]], &Default::default()),
        a_im: None,
        b: Tensor::from_data([[1.0, 1.0]], &Default::default()),
        c: Tensor::from_data([[1.0, 1.0]], &Default::default()),
        z: Tensor::from_data([0.0, 0.0], &Default::default()),
    };
    let found = values(left_resolvent(inputs, &options(50.0)).unwrap());
    assert!(distance(&found, &[50.0, 0.0, 0.0, 0.0, 1.0, 0.0]) < 1e-5, "{found:?}");
}

#[test]
fn gradients_are_those_of_finite_differences_also_where_values_are_clipped() {
    // Most values are above the smaller bound.
    for bound in [50.0, 0.8] {
        let chains = Chains::new(2, 9, [0.1, 0.2]);
        let loss = |g: Tensor<Differentiable, 3>| (g.clone() * (g * 1.3 + 0.4).sin()).sum();
        let inputs = chains.inputs::<Differentiable>(DType::F64);
        let tracked = BkInputs {
            a_re: inputs.a_re.require_grad(),
            a_im: inputs.a_im.map(Tensor::require_grad),
            b: inputs.b.require_grad(),
            c: inputs.c.require_grad(),
            z: inputs.z.require_grad(),
        };
        let gradients = loss(left_resolvent(tracked.clone(), &options(bound)).unwrap()).backward();
        let found = [
            values(tracked.a_re.grad(&gradients).unwrap()),
            values(tracked.a_im.unwrap().grad(&gradients).unwrap()),
            values(tracked.b.grad(&gradients).unwrap()),
            values(tracked.c.grad(&gradients).unwrap()),
            values(tracked.z.grad(&gradients).unwrap()),
        ];
        for (operand, found) in found.iter().enumerate() {
            for (element, found) in found.iter().enumerate() {
                let value = |step: f64| {
                    let mut chains = Chains::new(2, 9, [0.1, 0.2]);
                    let operands: [&mut [f64]; 5] =
                        [&mut chains.a_re, &mut chains.a_im, &mut chains.b, &mut chains.c, &mut chains.z];
                    operands.into_iter().nth(operand).unwrap()[element] += step;
                    let g = left_resolvent(chains.inputs::<Differentiable>(DType::F64), &options(bound));
                    values(loss(g.unwrap()))[0]
                };
                let expected = (value(1e-6) - value(-1e-6)) / 2e-6;
                let allowed = 1e-6 * (1.0 + expected.abs());
                assert!(
                    (found - expected).abs() < allowed,
                    "{bound} {operand} {element}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_bound_that_is_none_is_refused() {
    let chains = Chains::new(1, 3, [0.1, 0.3]);
    assert!(left_resolvent(chains.inputs::<Reference>(DType::F32), &options(f32::NAN)).is_err());
    assert!(left_resolvent(chains.inputs::<Reference>(DType::F32), &options(0.0)).is_err());
}
