//! One block: resolvent, memory, feed-forward, each with its residual.

use bk_burn::{BkBackend, Precision};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::chunkwise::ChunkPlan;
use crate::config::Phase2Config;
use crate::diagnostics::{BlockDiagnostics, Energy};
use crate::dissipative_hebbian::{DissipativeHebbian, MemoryCall};
use crate::error::ModelError;
use crate::init::Init;
use crate::layers::{Dense, Norm, gelu, to_dtype};
use crate::lyapunov;
use crate::memory_resonance::{Filtered, Resonance, ResonanceBasis};
use crate::memory_selection::{Selection, select};
use crate::non_hermitian::{DissipativeBk, NonHermitianPotential, Potential};
use crate::resonance_gate::ResonanceGate;
use crate::state::BlockState;

/// A block of the model.
#[derive(Module, Debug)]
pub struct Phase2Block<B: Backend> {
    /// Before the resolvent.
    pub ln1: Norm<B>,
    /// `V` and `Gamma`.
    pub potential: NonHermitianPotential<B>,
    /// The chain and its projection.
    pub dissipative_bk: DissipativeBk<B>,
    /// Before the memory.
    pub ln2: Norm<B>,
    /// The memory.
    pub hebbian: DissipativeHebbian<B>,
    /// Before the feed-forward layer.
    pub ln3: Norm<B>,
    /// `D -> F`.
    pub ffn_in: Dense<B>,
    /// `F -> D`.
    pub ffn_out: Dense<B>,
    /// Weights of the original that nothing uses.
    pub resonance_gate: ResonanceGate<B>,
    pub(crate) resonance: Resonance<B>,
    pub(crate) dropout: Dropout,
}

/// What all blocks of a call share.
pub(crate) struct Call<'a, B: Backend> {
    pub(crate) config: &'a Phase2Config,
    pub(crate) plan: &'a ChunkPlan<B>,
    pub(crate) precision: Precision,
    /// Whether the next state is wanted.
    pub(crate) carry: bool,
    /// Whether diagnostics are.
    pub(crate) diagnose: bool,
}

/// What comes out of a block.
pub(crate) struct Passed<B: Backend> {
    pub(crate) x: Tensor<B, 3>,
    pub(crate) next: Option<BlockState<B>>,
    pub(crate) diagnostics: Option<BlockDiagnostics<B>>,
}

impl<B: BkBackend> Phase2Block<B> {
    pub(crate) fn new(config: &Phase2Config, init: &mut Init<B>, basis: &ResonanceBasis) -> Self {
        let width = config.d_model;
        Self {
            ln1: Norm::new(init, width),
            potential: NonHermitianPotential::new(config, init),
            dissipative_bk: DissipativeBk::new(config, init),
            ln2: Norm::new(init, width),
            hebbian: DissipativeHebbian::new(config, init),
            ln3: Norm::new(init, width),
            ffn_in: Dense::new(init, width, config.ffn_width(), true),
            ffn_out: Dense::new(init, config.ffn_width(), width, true),
            resonance_gate: ResonanceGate::new(init, config.head_dim),
            resonance: basis.upload(init.device(), DType::F32),
            dropout: DropoutConfig::new(config.dropout).init(),
        }
    }

    /// `x [B, N, D]` through the block.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 3>,
        state: &BlockState<B>,
        call: &Call<'_, B>,
    ) -> Result<Passed<B>, ModelError> {
        let (x, potential, resolvent) = self.resolve(x, call)?;
        let (x, qkv, last) = self.remember(x, &potential, state, call);
        let x = self.feed_forward(x, call.precision);

        let Some(memory) = last else { return Ok(Passed { x, next: None, diagnostics: None }) };
        let (selection, filtered) = self.filter(&memory, &potential, state, call.config);
        let carried = filtered.as_ref().map_or_else(|| memory.clone(), |filtered| filtered.memory.clone());
        let diagnostics = call.diagnose.then(|| BlockDiagnostics {
            feedback: self.hebbian.feedback(qkv, potential.gamma.clone(), state, &call.memory()),
            energy: Energy {
                before: state.memory.as_ref().map(lyapunov::energy),
                after: lyapunov::energy(&memory),
                carried: lyapunov::energy(&carried),
            },
            potential,
            resolvent,
            memory,
            selection: selection.clone(),
            resonance: filtered,
            output: x.clone(),
        });
        let next = Some(BlockState { memory: Some(carried), eta: selection.eta });
        Ok(Passed { x, next, diagnostics })
    }

    /// `x + G · bk_proj`, with the potential and `G`.
    #[allow(clippy::type_complexity, reason = "three tensors, named in the line above")]
    fn resolve(
        &self,
        x: Tensor<B, 3>,
        call: &Call<'_, B>,
    ) -> Result<(Tensor<B, 3>, Potential<B>, Tensor<B, 3>), ModelError> {
        let potential = self.potential.forward(self.ln1.forward(x.clone()), call.config, call.precision);
        let resolvent = self.dissipative_bk.resolvent(&potential, call.config)?;
        Ok((self.add_resolvent(x, resolvent.clone(), call.precision), potential, resolvent))
    }

    pub(crate) fn add_resolvent(
        &self,
        x: Tensor<B, 3>,
        g: Tensor<B, 3>,
        precision: Precision,
    ) -> Tensor<B, 3> {
        x + self.dropout.forward(self.dissipative_bk.bk_proj.forward(g, precision))
    }

    /// `x + y · out_proj`, with what the memory was asked and what it is after the last token.
    #[allow(clippy::type_complexity, reason = "three tensors of different rank, named in the line above")]
    pub(crate) fn remember(
        &self,
        x: Tensor<B, 3>,
        potential: &Potential<B>,
        state: &BlockState<B>,
        call: &Call<'_, B>,
    ) -> (Tensor<B, 3>, Tensor<B, 5>, Option<Tensor<B, 4>>) {
        let qkv = self.hebbian.qkv(self.ln2.forward(x.clone()), call.config, call.precision);
        let recalled = self.hebbian.recall(qkv.clone(), potential.gamma.clone(), state, &call.memory());
        (self.add_memory(x, recalled.output, call.precision), qkv, recalled.last)
    }

    pub(crate) fn add_memory(&self, x: Tensor<B, 3>, y: Tensor<B, 4>, precision: Precision) -> Tensor<B, 3> {
        let wide = x.dtype();
        x + to_dtype(self.dropout.forward(self.hebbian.project(y, precision)), wide)
    }

    /// `x + ffn(LN3(x))`.
    pub(crate) fn feed_forward(&self, x: Tensor<B, 3>, precision: Precision) -> Tensor<B, 3> {
        let hidden = self.dropout.forward(gelu(self.ffn_in.forward(self.ln3.forward(x.clone()), precision)));
        let wide = x.dtype();
        x + to_dtype(self.dropout.forward(self.ffn_out.forward(hidden, precision)), wide)
    }

    /// What the next call starts from.
    fn filter(
        &self,
        memory: &Tensor<B, 4>,
        potential: &Potential<B>,
        state: &BlockState<B>,
        config: &Phase2Config,
    ) -> (Selection<B>, Option<Filtered<B>>) {
        let selection = select(memory, &potential.gamma, &state.eta, config);
        let filtered = config
            .resonance_enabled
            .then(|| self.resonance.filter(memory.clone(), config.resonance_energy_threshold));
        (selection, filtered)
    }

    pub(crate) fn cast(self, weights: DType, wide: DType, basis: &ResonanceBasis) -> Self {
        let device = self.ln1.weight.val().device();
        Self {
            ln1: self.ln1.cast(wide),
            potential: self.potential.cast(wide),
            dissipative_bk: self.dissipative_bk.cast(wide),
            ln2: self.ln2.cast(wide),
            hebbian: self.hebbian.cast(weights, wide),
            ln3: self.ln3.cast(wide),
            ffn_in: self.ffn_in.cast(weights),
            ffn_out: self.ffn_out.cast(weights),
            resonance_gate: self.resonance_gate.cast(wide),
            resonance: basis.upload(&device, wide),
            dropout: self.dropout,
        }
    }
}

impl<'a, B: Backend> Call<'a, B> {
    fn memory(&self) -> MemoryCall<'a, B> {
        MemoryCall {
            config: self.config,
            plan: self.plan,
            precision: self.precision,
            want_last: self.carry || self.diagnose,
        }
    }
}
