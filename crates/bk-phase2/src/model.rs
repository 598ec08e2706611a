//! The model: embedding, blocks, head. Read this first, then [`crate::block`].

use std::sync::Arc;

use bk_burn::{BkBackend, Precision};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{DType, Int, Tensor};

use crate::block::{Call, Phase2Block};
use crate::chunkwise::ChunkPlan;
use crate::config::Phase2Config;
use crate::diagnostics::Diagnostics;
use crate::embedding::Embedding;
use crate::error::ModelError;
use crate::init::Init;
use crate::layers::{Dense, Norm};
use crate::memory_resonance::ResonanceBasis;
use crate::state::State;

/// The language model.
#[derive(Module, Debug)]
pub struct Phase2Model<B: Backend> {
    /// Tokens and positions.
    pub embedding: Embedding<B>,
    /// In their order.
    pub blocks: Vec<Phase2Block<B>>,
    /// Before the head.
    pub ln_f: Norm<B>,
    /// `D -> V`, no bias.
    pub lm_head: Dense<B>,
    pub(crate) dropout: Dropout,
    #[module(skip)]
    pub(crate) config: Arc<Phase2Config>,
    #[module(skip)]
    pub(crate) basis: Arc<ResonanceBasis>,
    #[module(skip)]
    pub(crate) precision: Precision,
}

/// What is wanted of a pass besides the logits.
#[derive(Clone, Copy)]
struct Wanted {
    state: bool,
    diagnostics: bool,
}

struct Pass<B: Backend> {
    logits: Tensor<B, 3>,
    state: State<B>,
    diagnostics: Diagnostics<B>,
}

impl<B: BkBackend> Phase2Model<B> {
    /// A model with fresh weights in float32.
    ///
    /// # Errors
    /// [`ModelError::Config`] with everything that is wrong with the configuration.
    pub fn new(config: &Phase2Config, device: &<B as BackendTypes>::Device) -> Result<Self, ModelError> {
        config.validate()?;
        Self::with_init(config, Init::new(config, device))
    }

    /// A model to be filled with weights.
    pub(crate) fn zeros(
        config: &Phase2Config,
        device: &<B as BackendTypes>::Device,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        Self::with_init(config, Init::zeros(config, device))
    }

    fn with_init(config: &Phase2Config, mut init: Init<B>) -> Result<Self, ModelError> {
        let basis = ResonanceBasis::new(config.head_dim)?;
        Ok(Self {
            embedding: Embedding::new(config, &mut init),
            blocks: (0..config.n_layers).map(|_| Phase2Block::new(config, &mut init, &basis)).collect(),
            ln_f: Norm::new(&init, config.d_model),
            lm_head: Dense {
                weight: Param::from_tensor(init.head(config.d_model, config.vocab_size)),
                bias: None,
            },
            dropout: DropoutConfig::new(config.dropout).init(),
            config: Arc::new(config.clone()),
            basis: Arc::new(basis),
            precision: Precision::default(),
        })
    }

    /// The same weights, computed with in another type. With `F16` and `BF16` matrix products, embeddings
    /// and the memory's tokens have that type; the residual stream, norms, the resolvent, sums of decays and
    /// states stay in float32. `F64` is everything in float64, where the backend has it.
    ///
    /// # Errors
    /// [`ModelError::ElementType`] where the backend has no such numbers, or they are not floats.
    pub fn cast(self, dtype: DType) -> Result<Self, ModelError> {
        let device = self.device();
        let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let known = [DType::F64, DType::F32, DType::F16, DType::BF16].contains(&dtype);
        if !known || !B::supports_dtype(&device, dtype) {
            return Err(ModelError::ElementType { dtype });
        }
        let basis = Arc::clone(&self.basis);
        Ok(Self {
            embedding: self.embedding.cast(dtype, wide),
            blocks: self.blocks.into_iter().map(|block| block.cast(dtype, wide, &basis)).collect(),
            ln_f: self.ln_f.cast(wide),
            lm_head: self.lm_head.cast(dtype),
            ..self
        })
    }

    /// The same model with another kind of float32 matrix product: see [`Precision`].
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What it was made from.
    pub fn config(&self) -> &Phase2Config {
        &self.config
    }

    /// The basis of the memory's resonances; its condition number bounds the digits of the state.
    pub fn basis(&self) -> &ResonanceBasis {
        &self.basis
    }

    /// Where the weights are.
    pub fn device(&self) -> <B as BackendTypes>::Device {
        self.ln_f.weight.val().device()
    }

    /// An empty state.
    pub fn empty_state(&self) -> State<B> {
        State::new(&self.config, &self.device(), self.wide())
    }

    /// `ids [B, N]` to logits `[B, N, V]` and the state that continues the memory in the next call.
    /// Positions start at 0 in every call. Logits have the type of the weights.
    ///
    /// # Errors
    /// [`ModelError`] for a sequence that is empty or longer than `n_seq`, or a state that does not fit.
    pub fn forward(
        &self,
        ids: Tensor<B, 2, Int>,
        state: Option<State<B>>,
    ) -> Result<(Tensor<B, 3>, State<B>), ModelError> {
        let pass = self.pass(ids, state, Wanted { state: true, diagnostics: false })?;
        Ok((pass.logits, pass.state))
    }

    /// The logits of [`Phase2Model::forward`] alone: nothing is computed for a next call.
    ///
    /// # Errors
    /// As [`Phase2Model::forward`].
    pub fn logits(
        &self,
        ids: Tensor<B, 2, Int>,
        state: Option<State<B>>,
    ) -> Result<Tensor<B, 3>, ModelError> {
        Ok(self.pass(ids, state, Wanted { state: false, diagnostics: false })?.logits)
    }

    /// [`Phase2Model::forward`] with the insides of every block.
    ///
    /// # Errors
    /// As [`Phase2Model::forward`].
    #[allow(clippy::type_complexity, reason = "logits, state and diagnostics")]
    pub fn forward_with_diagnostics(
        &self,
        ids: Tensor<B, 2, Int>,
        state: Option<State<B>>,
    ) -> Result<(Tensor<B, 3>, State<B>, Diagnostics<B>), ModelError> {
        let pass = self.pass(ids, state, Wanted { state: true, diagnostics: true })?;
        Ok((pass.logits, pass.state, pass.diagnostics))
    }

    fn pass(
        &self,
        ids: Tensor<B, 2, Int>,
        state: Option<State<B>>,
        wanted: Wanted,
    ) -> Result<Pass<B>, ModelError> {
        let [batch, n] = ids.dims();
        self.check_length(batch, n)?;
        let state = state.unwrap_or_else(|| self.empty_state());
        state.check(&self.config, batch)?;
        let plan = ChunkPlan::new(n, self.config.chunk_len, &self.device(), self.wide());
        let call = Call {
            config: &self.config,
            plan: &plan,
            precision: self.precision,
            carry: wanted.state,
            diagnose: wanted.diagnostics,
        };
        let mut x = self.dropout.forward(self.embedding.forward(ids, 0));
        let (mut next, mut diagnostics) = (Vec::new(), Vec::new());
        for (block, memory) in self.blocks.iter().zip(&state.blocks) {
            let passed = block.forward(x, memory, &call)?;
            x = passed.x;
            next.extend(passed.next);
            diagnostics.extend(passed.diagnostics);
        }
        let state = State { blocks: next };
        Ok(Pass { logits: self.head(x), state, diagnostics: Diagnostics { blocks: diagnostics } })
    }

    /// `LN_f(x) · lm_head`.
    pub(crate) fn head(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        self.lm_head.forward(self.ln_f.forward(x), self.precision)
    }

    /// The type of everything that is not a matrix product.
    pub(crate) fn wide(&self) -> DType {
        self.ln_f.weight.val().dtype()
    }

    pub(crate) fn check_length(&self, batch: usize, n: usize) -> Result<(), ModelError> {
        if batch == 0 || n == 0 {
            return Err(ModelError::Empty { batch, n });
        }
        let most = self.config.n_seq;
        if n > most { Err(ModelError::TooLong { found: n, most }) } else { Ok(()) }
    }
}
