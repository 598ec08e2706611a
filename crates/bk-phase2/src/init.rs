//! Initial weights, drawn on the host so that a seed means the same on every backend.
//!
//! With `use_zeta_init` every linear layer but `lm_head` is `U diag(0.02 / zero_i) V^T` with `U`, `V`
//! Haar-distributed ([`crate::spectral`]), the token embedding comes from the zeta zeros, and `lm_head` is
//! N(0, 0.02^2). Without it, Burn's defaults: U(-1/sqrt(in), 1/sqrt(in)) and N(0, 1) for the embedding.
//! The couplings of the chain are N(0, 0.1^2) either way. (The original leaves the seed to the process.)

use bk_burn::BkBackend;
use burn::tensor::backend::BackendTypes;
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_pcg::Pcg64Mcg;

use crate::config::Phase2Config;
use crate::spectral::with_singular_values;
use crate::zeta;

/// Scale of the spectrum, of `lm_head` and of the token embedding.
const SCALE: f64 = 0.02;

/// Draws weights and uploads them.
pub(crate) struct Init<B: BkBackend> {
    device: <B as BackendTypes>::Device,
    random: Pcg64Mcg,
    draw: Draw,
}

/// How weights begin.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// With spectra `scale * 0.02 / zero_i`.
    Zeta { scale: f64 },
    /// As Burn's own layers do.
    Burn,
    /// As zeros: somebody is going to replace them.
    Zeros,
}

impl<B: BkBackend> Init<B> {
    pub(crate) fn new(config: &Phase2Config, device: &<B as BackendTypes>::Device) -> Self {
        Self {
            device: device.clone(),
            random: Pcg64Mcg::seed_from_u64(config.seed),
            draw: if config.use_zeta_init { Draw::Zeta { scale: config.zeta_scale } } else { Draw::Burn },
        }
    }

    /// Nothing but zeros, for weights that are read from a file.
    pub(crate) fn zeros(config: &Phase2Config, device: &<B as BackendTypes>::Device) -> Self {
        Self { draw: Draw::Zeros, ..Self::new(config, device) }
    }

    pub(crate) fn device(&self) -> &<B as BackendTypes>::Device {
        &self.device
    }

    /// A weight `[in, out]`.
    pub(crate) fn linear(&mut self, input: usize, output: usize) -> Tensor<B, 2> {
        let values = match self.draw {
            Draw::Zeta { scale } => {
                let spectrum = zeta::zeros()[..input.min(output)].iter();
                let spectrum: Vec<f64> = spectrum.map(|zero| scale * SCALE / zero).collect();
                with_singular_values(input, output, &spectrum, &mut self.random)
            }
            _ => self.uniform(input, input * output),
        };
        self.upload(values, [input, output])
    }

    /// A bias `[out]` of a layer with `input` inputs.
    pub(crate) fn bias(&mut self, input: usize, output: usize) -> Tensor<B, 1> {
        let values = self.uniform(input, output);
        self.upload(values, [output])
    }

    /// The head `[D, V]`.
    pub(crate) fn head(&mut self, input: usize, output: usize) -> Tensor<B, 2> {
        let values = match self.draw {
            Draw::Zeta { .. } => self.normal(input * output, SCALE),
            _ => self.uniform(input, input * output),
        };
        self.upload(values, [input, output])
    }

    /// The token embedding `[V, D]`.
    pub(crate) fn embedding(&mut self, rows: usize, width: usize) -> Tensor<B, 2> {
        let values = match self.draw {
            Draw::Zeta { .. } => zeta::table(rows, width, SCALE),
            _ => self.normal(rows * width, 1.0),
        };
        self.upload(values, [rows, width])
    }

    /// N(0, deviation^2), `[length]`.
    pub(crate) fn normal_vector(&mut self, length: usize, deviation: f64) -> Tensor<B, 1> {
        let values = self.normal(length, deviation);
        self.upload(values, [length])
    }

    /// One value, `[length]`.
    pub(crate) fn full(&self, length: usize, value: f32) -> Tensor<B, 1> {
        self.upload(vec![value; length], [length])
    }

    /// Values of any origin.
    pub(crate) fn upload<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    fn uniform(&mut self, input: usize, length: usize) -> Vec<f32> {
        if matches!(self.draw, Draw::Zeros) {
            return vec![0.0; length];
        }
        let bound = 1.0 / (input as f32).sqrt();
        let unit = StandardUniform;
        let draw = |random: &mut Pcg64Mcg| -> f32 { unit.sample(random) };
        (0..length).map(|_| bound * (2.0 * draw(&mut self.random) - 1.0)).collect()
    }

    fn normal(&mut self, length: usize, deviation: f64) -> Vec<f32> {
        if matches!(self.draw, Draw::Zeros) {
            return vec![0.0; length];
        }
        let draw = |random: &mut Pcg64Mcg| -> f32 { StandardNormal.sample(random) };
        (0..length).map(|_| deviation as f32 * draw(&mut self.random)).collect()
    }
}
