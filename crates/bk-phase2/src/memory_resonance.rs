//! The memory in the basis of the zeta zeros, without what does not resonate.
//!
//! ```text
//! U[i][j] = exp(2 pi i zero_j i / E) / sqrt E        W' = U^-1 W U
//! keep row r of W' where |W'_rr| > threshold         W <- Re(U W' U^-1)
//! ```
//! `U` is ill-conditioned (its condition number is 1,950 at E = 8), so the way there and back loses digits.
//! Only what is removed takes it here: `W <- W - Re(U (removed rows of W') U^-1)`. `U` and its inverse depend
//! on E alone; the condition number is 8.8 million at the presets' E = 64, where a float32 memory of which
//! rows are removed can be off by as much as its own size. ([`ResonanceBasis::condition`] tells; float64 has
//! digits enough.) They are made in float64 on the host. The original goes there and back with everything,
//! and its zeros beyond the tenth are random numbers. Its gate is never used; it is kept for export.

use std::f64::consts::TAU;

use bk_burn::{BkBackend, Precision, matmul};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::{Complex, DMatrix};

use crate::error::ModelError;
use crate::zeta;

/// `U` and its inverse in float64.
#[derive(Debug, Clone)]
pub struct ResonanceBasis {
    basis: DMatrix<Complex<f64>>,
    inverse: DMatrix<Complex<f64>>,
    condition: f64,
}

impl ResonanceBasis {
    /// The basis of heads of `width`.
    ///
    /// # Errors
    /// [`ModelError::SingularBasis`] where float64 cannot invert it.
    pub fn new(width: usize) -> Result<Self, ModelError> {
        let entry = |row: usize, column: usize| {
            let turns = zeta::zeros()[column] * row as f64 / width as f64;
            Complex::from_polar(1.0 / (width as f64).sqrt(), TAU * turns.fract())
        };
        let basis = DMatrix::from_fn(width, width, entry);
        let inverse = basis.clone().try_inverse().ok_or(ModelError::SingularBasis { width })?;
        let values = basis.singular_values();
        let condition = values.max() / values.min();
        if condition.is_finite() {
            Ok(Self { basis, inverse, condition })
        } else {
            Err(ModelError::SingularBasis { width })
        }
    }

    /// Its condition number in the 2-norm: about so many units in the last place are lost on the way.
    pub fn condition(&self) -> f64 {
        self.condition
    }

    /// On a device.
    pub(crate) fn upload<B: Backend>(&self, device: &B::Device, dtype: DType) -> Resonance<B> {
        let width = self.basis.nrows();
        // [[Re, Im], [-Im, Re]]: rows (re | im) times this are rows (re | im) of the complex product.
        let block = |matrix: &DMatrix<Complex<f64>>| {
            let entry = |row: usize, column: usize| {
                let value = matrix[(row % width, column % width)];
                match (row < width, column < width) {
                    (true, true) | (false, false) => value.re,
                    (true, false) => value.im,
                    (false, true) => -value.im,
                }
            };
            let values = (0..2 * width).flat_map(|row| (0..2 * width).map(move |column| (row, column)));
            let values: Vec<f64> = values.map(|(row, column)| entry(row, column)).collect();
            Tensor::<B, 2>::from_data(TensorData::new(values, [2 * width, 2 * width]), (device, dtype))
        };
        let (basis, inverse) = (self.basis.transpose(), self.inverse.transpose());
        Resonance {
            right_basis: block(&self.basis).slice([0..width, 0..2 * width]),
            left_inverse: block(&inverse),
            right_inverse: block(&self.inverse),
            left_basis: block(&basis).slice([0..2 * width, 0..width]),
            diagonal: Tensor::<B, 2>::eye(width, device).cast(dtype),
        }
    }
}

/// What the filter found, and the memory behind it.
#[derive(Debug, Clone)]
pub struct Filtered<B: Backend> {
    /// `W [B, H, E, E]`.
    pub memory: Tensor<B, 4>,
    /// `|W'_rr| [B, H, E]`.
    pub energies: Tensor<B, 3>,
    /// 1 where a row was kept, 0 where not, `[B, H, E]`.
    pub kept: Tensor<B, 3>,
}

impl<B: Backend> Filtered<B> {
    /// Resonances kept in all heads, `[1]`.
    pub fn count(&self) -> Tensor<B, 1> {
        self.kept.clone().sum()
    }

    /// Share of the resonances that were removed, `[1]`.
    pub fn sparsity(&self) -> Tensor<B, 1> {
        -self.kept.clone().mean() + 1.0
    }
}

/// The basis as real matrices that act on rows `(re | im)`.
#[derive(burn::module::Module, Debug)]
pub(crate) struct Resonance<B: Backend> {
    /// `· U`, `[E, 2E]`.
    right_basis: Tensor<B, 2>,
    /// `U^-1 ·` on transposed rows, `[2E, 2E]`.
    left_inverse: Tensor<B, 2>,
    /// `· U^-1`, `[2E, 2E]`.
    right_inverse: Tensor<B, 2>,
    /// Real part of `U ·` on transposed rows, `[2E, E]`.
    left_basis: Tensor<B, 2>,
    /// `[E, E]`.
    diagonal: Tensor<B, 2>,
}

impl<B: BkBackend> Resonance<B> {
    /// Filters `W [B, H, E, E]`, always with exact products.
    pub(crate) fn filter(&self, memory: Tensor<B, 4>, threshold: f64) -> Filtered<B> {
        let [batch, heads, width, _] = memory.dims();
        let rows = batch * heads * width;
        let times = |left: Tensor<B, 2>, right: &Tensor<B, 2>| matmul(left, right.clone(), Precision::Exact);
        // Rows (re | im) of matrices to those of their transposes, without conjugation.
        let transposed = |matrices: Tensor<B, 2>| {
            matrices
                .reshape([batch * heads, width, 2, width])
                .permute([0, 3, 2, 1])
                .reshape([rows, 2 * width])
        };
        let wu = times(memory.clone().reshape([rows, width]), &self.right_basis);
        // W' by its transposed rows: (c, re | im, r).
        let resonances = times(transposed(wu), &self.left_inverse).reshape([batch * heads, width, 2, width]);
        let diagonal = self.diagonal.clone().reshape([1, width, 1, width]);
        let on_diagonal = (resonances.clone() * diagonal).sum_dim(1);
        let energies = on_diagonal.square().sum_dim(2).sqrt().reshape([batch, heads, width]);
        let kept = energies.clone().greater_elem(threshold);
        let kept = energies.zeros_like().mask_fill(kept, 1.0);
        let removed = -kept.clone().reshape([batch * heads, 1, 1, width]) + 1.0;
        let removed = transposed((resonances * removed).reshape([rows, 2 * width]));
        let back = transposed(times(removed, &self.right_inverse));
        // Transposed once more: the product has the columns of W for rows.
        let noise = times(back, &self.left_basis).reshape([batch, heads, width, width]).swap_dims(2, 3);
        Filtered { memory: memory - noise, energies, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::ResonanceBasis;

    #[test]
    fn the_basis_is_as_ill_conditioned_as_it_is_known_to_be() {
        for (width, expected) in [(8, 1950.0), (10, 166.0)] {
            let found = ResonanceBasis::new(width).unwrap().condition();
            assert!((found / expected - 1.0).abs() < 0.01, "{width}: {found}");
        }
    }

    #[test]
    fn the_inverse_undoes_the_basis_for_the_heads_of_the_presets() {
        let ResonanceBasis { basis, inverse, condition } = ResonanceBasis::new(64).unwrap();
        let mut product = basis * inverse;
        product.fill_diagonal(nalgebra::Complex::new(0.0, 0.0));
        let worst = product.iter().map(|entry| entry.norm()).fold(0.0, f64::max);
        assert!(worst < 1e-13 * condition, "{worst} {condition}");
    }
}
