//! The extension of Burn's backend trait.

use bk_kernels::{BkOptions, Strategy};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use crate::left::LeftResolvent;
use crate::matmul::ExactMatmul;
use crate::operation::OperationError;

/// The operands as a backend stores them. Shapes and types were checked by [`crate::bk_core`].
#[derive(Debug, Clone)]
pub struct BkPrimitives<B: Backend> {
    /// Real part of the diagonal, `[B, N]`.
    pub a_re: FloatTensor<B>,
    /// Imaginary part, `[B, N]`.
    pub a_im: Option<FloatTensor<B>>,
    /// Super-diagonal, `[B, N-1]` or `[1, N-1]`.
    pub b: FloatTensor<B>,
    /// Sub-diagonal, `[B, N-1]` or `[1, N-1]`.
    pub c: FloatTensor<B>,
    /// Spectral parameter, `[2]`: `(Re z, Im z)`.
    pub z: FloatTensor<B>,
}

/// A backend that computes resolvent diagonals.
pub trait BkBackend: Backend + LeftResolvent + ExactMatmul {
    /// `G_ii = [(T - zI)^-1]_ii` as `[B, N, 2]`, `(Re, Im)`.
    ///
    /// `strategy` chooses between the routines of the CubeCL kernel; other backends have only one.
    ///
    /// # Errors
    /// What the backend cannot do with these operands. Failures on a device show at its next
    /// synchronisation.
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError>;
}
