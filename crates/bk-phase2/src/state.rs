//! What a call of the model leaves for the next one. Nothing is hidden in the model itself.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::config::Phase2Config;
use crate::error::ModelError;

/// The carried state: one memory a block.
#[derive(Debug, Clone)]
pub struct State<B: Backend> {
    /// In the order of the blocks.
    pub blocks: Vec<BlockState<B>>,
}

/// A block's memory after the filter, and its learning rate.
#[derive(Debug, Clone)]
pub struct BlockState<B: Backend> {
    /// `W [B, H, E, E]`, `W[i][j] = k_i v_j`; absent stands for zero.
    pub memory: Option<Tensor<B, 4>>,
    /// eta, `[1]`: the original hides it in the module, where it grows on every call.
    pub eta: Tensor<B, 1>,
}

impl<B: Backend> State<B> {
    /// Empty memories and the configured eta.
    pub fn new(config: &Phase2Config, device: &B::Device, dtype: DType) -> Self {
        let eta = Tensor::full([1], config.hebbian_eta, (device, dtype));
        let blocks = (0..config.n_layers).map(|_| BlockState { memory: None, eta: eta.clone() }).collect();
        Self { blocks }
    }

    /// The same values without the graph that made them: what a training loop carries on.
    #[must_use]
    pub fn detach(self) -> Self {
        let detached = |block: BlockState<B>| BlockState {
            memory: block.memory.map(Tensor::detach),
            eta: block.eta.detach(),
        };
        Self { blocks: self.blocks.into_iter().map(detached).collect() }
    }

    /// Whether it belongs to a model of this configuration and a batch of this size.
    pub(crate) fn check(&self, config: &Phase2Config, batch: usize) -> Result<(), ModelError> {
        if self.blocks.len() != config.n_layers {
            return Err(ModelError::State {
                found: format!("{} blocks", self.blocks.len()),
                expected: format!("{}", config.n_layers),
            });
        }
        let expected = [batch, config.num_heads, config.head_dim, config.head_dim];
        let memories = self.blocks.iter().filter_map(|block| block.memory.as_ref());
        match memories.map(Tensor::dims).find(|shape| *shape != expected) {
            Some(shape) => Err(ModelError::State {
                found: format!("a memory of shape {shape:?}"),
                expected: format!("{expected:?}"),
            }),
            None => Ok(()),
        }
    }
}
