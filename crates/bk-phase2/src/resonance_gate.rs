//! Weights that the original declares, saves and never uses. They are read, kept and written back, so that a
//! file survives the way through this crate.

use bk_burn::BkBackend;
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use crate::init::Init;
use crate::layers::cast_param;

/// `resonance.resonance_gate` of the original's files.
#[derive(Module, Debug)]
pub struct ResonanceGate<B: Backend> {
    /// `[E]`.
    pub weight: Param<Tensor<B, 1>>,
    /// `[1]`.
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: BkBackend> ResonanceGate<B> {
    pub(crate) fn new(init: &mut Init<B>, width: usize) -> Self {
        let weight = init.linear(width, 1).reshape([width]);
        Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(init.bias(width, 1)) }
    }

    pub(crate) fn cast(self, dtype: DType) -> Self {
        Self { weight: cast_param(self.weight, dtype), bias: cast_param(self.bias, dtype) }
    }
}
