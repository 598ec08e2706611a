//! Decoding token by token in constant memory, with the causal resolvent.
//!
//! [`DecodeState`] is not the carried [`crate::State`]: per block it has the projective pair of the left
//! chain and the raw `W`, which no filter touched, so that a prefix and steps give what one causal forward
//! over all tokens gives.

use bk_burn::{BkBackend, left_resolvent_with_pair, left_start, left_step};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::block::{Call, Phase2Block};
use crate::chunkwise::ChunkPlan;
use crate::config::{Phase2Config, Resolvent};
use crate::dissipative_hebbian::decay;
use crate::error::ModelError;
use crate::layers::to_dtype;
use crate::model::Phase2Model;
use crate::non_hermitian::{OPTIONS, dissipation};
use crate::state::{BlockState, State};

/// Where a causal model is in its text.
#[derive(Debug, Clone)]
pub struct DecodeState<B: Backend> {
    /// Tokens so far.
    pub position: usize,
    /// In the order of the blocks.
    pub blocks: Vec<BlockDecode<B>>,
}

/// A block's part.
#[derive(Debug, Clone)]
pub struct BlockDecode<B: Backend> {
    /// The pair of the left chain, `[B, 4]`.
    pub pair: Tensor<B, 2>,
    /// `W [B, H, E, E]`.
    pub memory: Tensor<B, 4>,
    /// eta, `[1]`.
    pub eta: Tensor<B, 1>,
}

impl<B: BkBackend> Phase2Model<B> {
    /// A prompt `[B, N]` in one parallel pass: logits `[B, N, V]`, and the state to step on from. The memory
    /// begins empty, or with a carried state.
    ///
    /// # Errors
    /// [`ModelError::NotCausal`], and those of [`Phase2Model::forward`].
    pub fn prefill(
        &self,
        ids: Tensor<B, 2, Int>,
        state: Option<State<B>>,
    ) -> Result<(Tensor<B, 3>, DecodeState<B>), ModelError> {
        let [batch, n] = ids.dims();
        self.check_causal()?;
        self.check_length(batch, n)?;
        let state = state.unwrap_or_else(|| self.empty_state());
        state.check(self.config(), batch)?;
        let plan = ChunkPlan::new(n, self.config.chunk_len, &self.device(), self.wide());
        let call = Call {
            config: &self.config,
            plan: &plan,
            precision: self.precision,
            carry: true,
            diagnose: false,
        };
        let mut x = self.embedding.forward(ids, 0);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (block, memory) in self.blocks.iter().zip(&state.blocks) {
            let (next, decode) = block.prefill(x, memory, &call)?;
            x = next;
            blocks.push(decode);
        }
        Ok((self.head(x), DecodeState { position: n, blocks }))
    }

    /// The state before the first token of `batch` rows.
    pub fn decode_start(&self, batch: usize) -> DecodeState<B> {
        let (device, wide) = (self.device(), self.wide());
        let Phase2Config { num_heads, head_dim, hebbian_eta, .. } = *self.config;
        let block = BlockDecode {
            pair: left_start(batch, &device, wide),
            memory: Tensor::zeros([batch, num_heads, head_dim, head_dim], (&device, wide)),
            eta: Tensor::full([1], hebbian_eta, (&device, wide)),
        };
        DecodeState { position: 0, blocks: vec![block; self.blocks.len()] }
    }

    /// One more token a row, `ids [B]`, to logits `[B, V]`.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] at position `n_seq`, [`ModelError::NotCausal`], [`ModelError::State`].
    pub fn step(
        &self,
        ids: Tensor<B, 1, Int>,
        state: DecodeState<B>,
    ) -> Result<(Tensor<B, 2>, DecodeState<B>), ModelError> {
        let [batch] = ids.dims();
        self.check_causal()?;
        self.check_length(batch, state.position + 1)?;
        self.check_decode(&state, batch)?;
        let mut x = self.embedding.forward(ids.reshape([batch, 1]), state.position);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (block, decode) in self.blocks.iter().zip(state.blocks) {
            let (next, decode) = block.step(x, decode, state.position, self);
            x = next;
            blocks.push(decode);
        }
        let logits = self.head(x).reshape([batch, self.config.vocab_size]);
        Ok((logits, DecodeState { position: state.position + 1, blocks }))
    }

    fn check_causal(&self) -> Result<(), ModelError> {
        if self.config.resolvent == Resolvent::Causal { Ok(()) } else { Err(ModelError::NotCausal) }
    }

    fn check_decode(&self, state: &DecodeState<B>, batch: usize) -> Result<(), ModelError> {
        let rows = state.blocks.first().map(|block| block.pair.dims()[0]);
        let found = (state.blocks.len(), rows.unwrap_or(0));
        let expected = (self.blocks.len(), batch);
        if found == expected {
            return Ok(());
        }
        let words = |(blocks, rows)| format!("{blocks} blocks and {rows} rows");
        Err(ModelError::State { found: words(found), expected: words(expected) })
    }
}

impl<B: BkBackend> Phase2Block<B> {
    fn prefill(
        &self,
        x: Tensor<B, 3>,
        state: &BlockState<B>,
        call: &Call<'_, B>,
    ) -> Result<(Tensor<B, 3>, BlockDecode<B>), ModelError> {
        let potential = self.potential.forward(self.ln1.forward(x.clone()), call.config, call.precision);
        let inputs = self.dissipative_bk.inputs(&potential, call.config);
        let (g, pair) = left_resolvent_with_pair(inputs, &OPTIONS)?;
        let x = self.add_resolvent(x, g, call.precision);
        let (x, _, last) = self.remember(x, &potential, state, call);
        let x = self.feed_forward(x, call.precision);
        // The call asked for it.
        let memory = last.ok_or_else(|| ModelError::Read("the memory after the prompt".to_owned()))?;
        Ok((x, BlockDecode { pair, memory, eta: state.eta.clone() }))
    }

    /// `x [B, 1, D]` at `position`.
    fn step(
        &self,
        x: Tensor<B, 3>,
        state: BlockDecode<B>,
        position: usize,
        model: &Phase2Model<B>,
    ) -> (Tensor<B, 3>, BlockDecode<B>) {
        let (config, precision) = (model.config(), model.precision);
        let [batch, ..] = x.dims();
        let potential = self.potential.forward(self.ln1.forward(x.clone()), config, precision);

        let bk = &self.dissipative_bk;
        let im = dissipation(&potential, config).unwrap_or_else(|| potential.v.zeros_like());
        let d = Tensor::cat(vec![potential.v.clone(), im], 1) - bk.z.val().unsqueeze();
        // The first site has no coupling to its left, and its pair hides the one that is given.
        let link = position.saturating_sub(1)..position.max(1);
        let k = bk.h0_super.val().slice([link.clone()]) * bk.h0_sub.val().slice([link]);
        let (g, pair) = left_step(state.pair, &d, k, &OPTIONS);
        let x = self.add_resolvent(x, g.reshape([batch, 1, 2]), precision);

        let (heads, width) = (config.num_heads, config.head_dim);
        let qkv = self.hebbian.qkv(self.ln2.forward(x.clone()), config, precision);
        let part = |part: usize, shape: [usize; 4]| {
            to_dtype(qkv.clone().narrow(2, part, 1), model.wide()).reshape(shape)
        };
        let key = part(1, [batch, heads, width, 1]) * state.eta.clone().reshape([1, 1, 1, 1]);
        let decayed = state.memory * (-decay(potential.gamma, config)).exp().reshape([batch, 1, 1, 1]);
        let memory = decayed + key * part(2, [batch, heads, 1, width]);
        let y = (memory.clone() * part(0, [batch, heads, 1, width])).sum_dim(3);
        let x = self.add_memory(x, y.reshape([batch, 1, heads, width]), precision);
        let x = self.feed_forward(x, precision);
        (x, BlockDecode { pair, memory, eta: state.eta })
    }
}
