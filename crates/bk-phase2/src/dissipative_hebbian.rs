//! The dissipative Hebbian memory: projections around the recurrence of [`crate::chunkwise`].
//!
//! ```text
//! q, k, v = w · {q,k,v}_proj      a = min(gamma dt, 10)
//! W_t = e^-a_t W_(t-1) + eta k_t v_t^T        y_t = W_t q_t        x <- x + y · out_proj + bias
//! ```
//! The three projections are one weight of width `3 H E`. The original has them apart, walks over tokens,
//! and takes gradients through one step only; here they are full.

use bk_burn::{BkBackend, Precision};
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::chunkwise::{ChunkPlan, Recall, Recurrence, recall};
use crate::config::Phase2Config;
use crate::init::Init;
use crate::layers::{Dense, cast_param};
use crate::state::BlockState;

/// Largest decay of one step.
pub const MAX_DECAY: f64 = 10.0;

/// The memory's weights.
#[derive(Module, Debug)]
pub struct DissipativeHebbian<B: Backend> {
    /// `D -> 3 H E`, no bias: `q_proj`, `k_proj`, `v_proj`.
    pub qkv_proj: Dense<B>,
    /// `H E -> D`.
    pub out_proj: Dense<B>,
    /// Feedback head, `[E E]`: a diagnostic that no output depends on.
    pub memory_to_potential: Param<Tensor<B, 1>>,
}

impl<B: BkBackend> DissipativeHebbian<B> {
    pub(crate) fn new(config: &Phase2Config, init: &mut Init<B>) -> Self {
        let (width, inner) = (config.d_model, config.num_heads * config.head_dim);
        let columns = (0..3).map(|_| init.linear(width, inner)).collect();
        let cells = config.head_dim * config.head_dim;
        Self {
            qkv_proj: Dense { weight: Param::from_tensor(Tensor::cat(columns, 1)), bias: None },
            out_proj: Dense::new(init, inner, width, true),
            memory_to_potential: Param::from_tensor(init.linear(cells, 1).reshape([cells])),
        }
    }

    /// Queries, keys and values of `w [B, N, D]`, `[B, N, 3, H, E]`.
    pub(crate) fn qkv(&self, w: Tensor<B, 3>, config: &Phase2Config, precision: Precision) -> Tensor<B, 5> {
        let [batch, n, _] = w.dims();
        self.qkv_proj.forward(w, precision).reshape([batch, n, 3, config.num_heads, config.head_dim])
    }

    /// From queries, keys, values and `gamma [B, N]` to what the memory recalls.
    pub(crate) fn recall(
        &self,
        qkv: Tensor<B, 5>,
        gamma: Tensor<B, 2>,
        state: &BlockState<B>,
        call: &MemoryCall<'_, B>,
    ) -> Recall<B> {
        let decay = decay(gamma, call.config);
        let recurrence = Recurrence { qkv, decay, eta: state.eta.clone(), initial: state.memory.clone() };
        recall(recurrence, call.plan, call.want_last, call.precision)
    }

    /// `y [B, N, H, E] -> [B, N, D]`.
    pub(crate) fn project(&self, y: Tensor<B, 4>, precision: Precision) -> Tensor<B, 3> {
        let [batch, n, heads, width] = y.dims();
        self.out_proj.forward(y.reshape([batch, n, heads * width]), precision)
    }

    /// The feedback head's value of every `W_t`, `[B, N]`: the mean over heads of `<memory_to_potential, W_t>`.
    ///
    /// It is linear in `W_t`, so it follows the same recurrence with a scalar in the place of `W`.
    pub(crate) fn feedback(
        &self,
        qkv: Tensor<B, 5>,
        gamma: Tensor<B, 2>,
        state: &BlockState<B>,
        call: &MemoryCall<'_, B>,
    ) -> Tensor<B, 2> {
        let [batch, n, _, heads, width] = qkv.dims();
        let weight = self.memory_to_potential.val();
        let qkv = qkv.cast(weight.dtype());
        let part = |part: usize| qkv.clone().narrow(2, part, 1).reshape([batch * n * heads, width]);
        let form = weight.clone().reshape([width, width]);
        let product = bk_burn::matmul(part(1), form, call.precision) * part(2);
        let values: Tensor<B, 5> =
            product.sum_dim(1).reshape([batch, n, heads]).mean_dim(2).reshape([batch, n, 1, 1, 1]);
        let ones = values.ones_like();
        let initial = state.memory.clone().map(|memory| {
            let cells = memory.reshape([batch, heads, width * width]) * weight.reshape([1, 1, width * width]);
            cells.sum_dim(2).mean_dim(1).reshape([batch, 1, 1, 1])
        });
        let recurrence = Recurrence {
            qkv: Tensor::cat(vec![ones.clone(), values, ones], 2),
            decay: decay(gamma, call.config),
            eta: state.eta.clone(),
            initial,
        };
        recall(recurrence, call.plan, false, call.precision).output.reshape([batch, n])
    }

    pub(crate) fn cast(self, weights: DType, wide: DType) -> Self {
        Self {
            qkv_proj: self.qkv_proj.cast(weights),
            out_proj: self.out_proj.cast(weights),
            memory_to_potential: cast_param(self.memory_to_potential, wide),
        }
    }
}

/// What a call of the memory needs besides its tensors.
pub(crate) struct MemoryCall<'a, B: Backend> {
    pub(crate) config: &'a Phase2Config,
    pub(crate) plan: &'a ChunkPlan<B>,
    pub(crate) precision: Precision,
    pub(crate) want_last: bool,
}

/// `min(gamma dt, 10)`.
pub(crate) fn decay<B: Backend>(gamma: Tensor<B, 2>, config: &Phase2Config) -> Tensor<B, 2> {
    let step = if config.hebbian_dt == 1.0 { gamma } else { gamma * config.hebbian_dt };
    step.clamp_max(MAX_DECAY)
}
