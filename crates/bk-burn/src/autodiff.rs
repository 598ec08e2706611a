//! `Autodiff<B>`: the inner backend's operation, or plain tensor operations where a gradient is wanted.

use bk_kernels::{BkOptions, Strategy};
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use crate::backend::{BkBackend, BkPrimitives};
use crate::operation::{BkInputs, OperationError};
use crate::tensor::tensor_bk_core;

impl<B: BkBackend, C: CheckpointStrategy> BkBackend for Autodiff<B, C> {
    #[allow(clippy::redundant_closure_for_method_calls, reason = "the tensor's type has no public name")]
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        let BkPrimitives { a_re, a_im, b, c, z } = operands;
        let tracked = [&a_re, &b, &c, &z].into_iter().chain(&a_im).any(|operand| operand.is_tracked());
        if tracked {
            let inputs = BkInputs {
                a_re: tensor(a_re),
                a_im: a_im.map(tensor),
                b: tensor(b),
                c: tensor(c),
                z: tensor(z),
            };
            let output = tensor_bk_core::<Self>(inputs, options)?;
            return Ok(output.into_primitive().tensor());
        }
        let inner = BkPrimitives {
            a_re: a_re.primitive,
            a_im: a_im.map(|a_im| a_im.primitive),
            b: b.primitive,
            c: c.primitive,
            z: z.primitive,
        };
        B::bk_core(inner, options, strategy).map(Self::from_inner)
    }
}

fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
