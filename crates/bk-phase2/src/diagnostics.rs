//! What happened inside a forward pass, as plain structs of tensors. Nothing is read back until asked for.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::memory_resonance::Filtered;
use crate::memory_selection::Selection;
use crate::non_hermitian::Potential;

/// One entry a block.
#[derive(Debug, Clone)]
pub struct Diagnostics<B: Backend> {
    /// In the order of the blocks.
    pub blocks: Vec<BlockDiagnostics<B>>,
}

/// The insides of one block.
#[derive(Debug, Clone)]
pub struct BlockDiagnostics<B: Backend> {
    /// `V` and `Gamma`, `[B, N]`.
    pub potential: Potential<B>,
    /// `G [B, N, 2]`, `(Re, Im)`.
    pub resolvent: Tensor<B, 3>,
    /// The feedback head on every `W_t`, `[B, N]`.
    pub feedback: Tensor<B, 2>,
    /// `W` after the last token, before any filter, `[B, H, E, E]`.
    pub memory: Tensor<B, 4>,
    /// The signal-to-noise filter.
    pub selection: Selection<B>,
    /// The resonance filter, where it is enabled.
    pub resonance: Option<Filtered<B>>,
    /// Lyapunov energies.
    pub energy: Energy<B>,
    /// The block's output, `[B, N, D]`.
    pub output: Tensor<B, 3>,
}

/// `||W||_F^2` of each row, `[B]`, at three times.
#[derive(Debug, Clone)]
pub struct Energy<B: Backend> {
    /// Before the first token; absent where the call began without a memory.
    pub before: Option<Tensor<B, 1>>,
    /// After the last token.
    pub after: Tensor<B, 1>,
    /// After the filters.
    pub carried: Tensor<B, 1>,
}
