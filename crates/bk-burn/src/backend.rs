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

/// Operands whose gradients are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BkNeeds {
    /// Real part of the diagonal.
    pub a_re: bool,
    /// Imaginary part; no matter where there is none.
    pub a_im: bool,
    /// Super-diagonal.
    pub b: bool,
    /// Sub-diagonal.
    pub c: bool,
    /// Spectral parameter.
    pub z: bool,
}

impl BkNeeds {
    /// Every operand.
    pub const ALL: Self = Self { a_re: true, a_im: true, b: true, c: true, z: true };
}

/// Gradients of a real `L` as a backend stores them, each of the shape of its operand; `None` where it was not
/// asked for.
#[derive(Debug, Clone)]
pub struct BkGradientPrimitives<B: Backend> {
    /// `dL/dRe a`, `[B, N]`.
    pub a_re: Option<FloatTensor<B>>,
    /// `dL/dIm a`, `[B, N]`; `None` for a real diagonal.
    pub a_im: Option<FloatTensor<B>>,
    /// `dL/db`, `[B, N-1]`, or `[1, N-1]`, summed over the batch.
    pub b: Option<FloatTensor<B>>,
    /// `dL/dc`, likewise.
    pub c: Option<FloatTensor<B>>,
    /// `(dL/dRe z, dL/dIm z)`, `[2]`, summed over the batch.
    pub z: Option<FloatTensor<B>>,
}

/// The output of a forward pass, `[B, N, 2]`, and what it keeps for the backward pass.
pub type KeptOutput<B> = (FloatTensor<B>, Option<FloatTensor<B>>);

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

    /// Shape of what [`BkBackend::bk_core_keeping`] keeps for `batch` rows of `n` sites; `None` where it is nothing.
    fn kept_states(
        _batch: usize,
        _n: usize,
        _options: &BkOptions,
        _strategy: &Strategy,
    ) -> Option<[usize; 3]> {
        None
    }

    /// [`BkBackend::bk_core`], and what it keeps for the backward pass.
    ///
    /// # Errors
    /// As [`BkBackend::bk_core`].
    fn bk_core_keeping(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<KeptOutput<Self>, OperationError> {
        Ok((Self::bk_core(operands, options, strategy)?, None))
    }

    /// Gradients of a real `L` whose derivatives by the output are `cotangent`, `[B, N, 2]`, in the mode of
    /// `options`; those of `needs` alone.
    ///
    /// `states` is what [`BkBackend::bk_core_keeping`] kept of the same operands, options and strategy. Without it everything is
    /// computed from the operands.
    ///
    /// # Errors
    /// As [`BkBackend::bk_core`].
    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError>;

    /// Whether [`BkBackend::bk_core_backward`] would take these operands: the errors that it would return, where a
    /// backward pass has nobody to return them to.
    ///
    /// # Errors
    /// As [`BkBackend::bk_core_backward`].
    fn check_backward(
        operands: &BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<(), OperationError>;
}
