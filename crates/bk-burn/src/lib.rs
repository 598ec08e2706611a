//! The diagonal of a tridiagonal resolvent, `G_ii = [(T - zI)^-1]_ii`, as an operation on Burn tensors.
//!
//! [`bk_core`] is generic over the backend: [`BkBackend`] extends Burn's `Backend` by the one operation and its
//! backward pass.
//!
//! | backend | implementation |
//! |---|---|
//! | `CubeBackend` (CUDA, wgpu) | the CubeCL kernel of `bk-kernels` |
//! | `NdArray`, `Flex` | the serial scan of `bk-kernels`, threads over rows |
//! | `Autodiff<B>` | both passes of `B`; between them the operands are kept, and the states that `B` has to keep |
//! | `Fusion<B>` (feature `fusion`) | that of `B`, as a custom operation of the lazy stream |
//!
//! [`tensor_bk_core`] is the same operation in plain tensor operations on any backend.
//!
//! [`left_resolvent`] is its causal sibling, and [`matmul()`] a matrix product with a choice of [`Precision`].

mod autodiff;
mod backend;
mod cpu;
mod cube;
#[cfg(feature = "fusion")]
mod fusion;
#[cfg(feature = "fusion")]
mod fusion_matmul;
mod left;
mod left_scan;
mod matmul;
mod operation;
mod tensor;

pub use backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives, KeptOutput};
pub use bk_kernels::{BkError, BkOptions, GradMode, NonFinite, Routine, Strategy};
pub use left::{
    LeftPrimitives, LeftResolvent, left_resolvent, left_resolvent_with_pair, left_start, left_step,
};
pub use matmul::{ExactMatmul, Precision, matmul};
pub use operation::{
    BkGradients, BkInputs, BkStates, OperationError, bk_core, bk_core_backward, bk_core_backward_from,
    bk_core_keeping, bk_core_with,
};
pub use tensor::tensor_bk_core;
