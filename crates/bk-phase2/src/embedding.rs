//! `x = token_embedding[ids] + position_embedding[0..N]`, positions from the zeta zeros.
//!
//! Positions restart at 0 in every forward call, as in the original; decoding counts on.

use bk_burn::BkBackend;
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Int, Tensor};

use crate::config::Phase2Config;
use crate::init::Init;
use crate::layers::{cast_param, to_dtype};
use crate::zeta;

/// The two tables.
#[derive(Module, Debug)]
pub struct Embedding<B: Backend> {
    /// `[V, D]`.
    pub token: Param<Tensor<B, 2>>,
    /// `[n_seq, D]`, trained only with `zeta_embedding_trainable`.
    pub position: Param<Tensor<B, 2>>,
}

impl<B: BkBackend> Embedding<B> {
    pub(crate) fn new(config: &Phase2Config, init: &mut Init<B>) -> Self {
        let token = init.embedding(config.vocab_size, config.d_model);
        let position = zeta::table(config.n_seq, config.d_model, 1.0);
        let position = init.upload(position, [config.n_seq, config.d_model]);
        let position = Param::from_tensor(position).set_require_grad(config.zeta_embedding_trainable);
        Self { token: Param::from_tensor(token), position }
    }

    /// `ids [B, N]` at the positions from `first` on, `[B, N, D]` in the type of the positions.
    pub fn forward(&self, ids: Tensor<B, 2, Int>, first: usize) -> Tensor<B, 3> {
        let [_, n] = ids.dims();
        let position = self.position.val();
        let [_, width] = position.dims();
        let token = burn::tensor::module::embedding(self.token.val(), ids);
        let dtype = position.dtype();
        to_dtype(token, dtype) + position.slice([first..first + n, 0..width]).unsqueeze()
    }

    pub(crate) fn cast(self, weights: DType, wide: DType) -> Self {
        Self { token: cast_param(self.token, weights), position: cast_param(self.position, wide) }
    }
}
