//! `Autodiff<B>`: the inner backend's operation, and its backward pass as a step of the graph.
//!
//! The step keeps the operands, as checkpoints of their nodes: with a recomputing strategy they do not stay in memory.
//! Where the inner backend's forward pass has states to keep, the step keeps those too, a quarter of a float a site.

use bk_kernels::{BkOptions, Strategy};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;

use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives};
use crate::operation::OperationError;

impl<B: BkBackend, C: CheckpointStrategy> BkBackend for Autodiff<B, C> {
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        let BkPrimitives { a_re, a_im, b, c, z } = &operands;
        let [a, b, c, z] = [a_re, b, c, z].map(|operand| operand.node.clone());
        let step = BkCoreBackward;
        match a_im {
            None => {
                let kind = step.prepare::<C>([a, b, c, z]).compute_bound().stateful();
                record::<B, C, 4>(kind, &operands, options, strategy)
            }
            Some(a_im) => {
                let kind = step.prepare::<C>([a, b, c, z, a_im.node.clone()]).compute_bound().stateful();
                record::<B, C, 5>(kind, &operands, options, strategy)
            }
        }
    }

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        if is_tracked(&operands) || is_tracked_tensor::<B, C>(&cotangent) {
            return Err(OperationError::SecondDerivative);
        }
        let states = states.map(|states| states.primitive);
        let cotangent = cotangent.primitive;
        let found = B::bk_core_backward(inner(&operands), states, cotangent, needs, options, strategy)?;
        Ok(BkGradientPrimitives {
            a_re: found.a_re.map(Self::from_inner),
            a_im: found.a_im.map(Self::from_inner),
            b: found.b.map(Self::from_inner),
            c: found.c.map(Self::from_inner),
            z: found.z.map(Self::from_inner),
        })
    }

    fn check_backward(
        operands: &BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<(), OperationError> {
        if is_tracked(operands) {
            return Err(OperationError::SecondDerivative);
        }
        B::check_backward(&inner(operands), options, strategy)
    }
}

fn is_tracked_tensor<B: BkBackend, C: CheckpointStrategy>(tensor: &FloatTensor<Autodiff<B, C>>) -> bool {
    tensor.is_tracked()
}

fn is_tracked<B: BkBackend, C: CheckpointStrategy>(operands: &BkPrimitives<Autodiff<B, C>>) -> bool {
    let BkPrimitives { a_re, a_im, b, c, z } = operands;
    [a_re, b, c, z].into_iter().chain(a_im).any(is_tracked_tensor::<B, C>)
}

fn inner<B: BkBackend, C: CheckpointStrategy>(operands: &BkPrimitives<Autodiff<B, C>>) -> BkPrimitives<B> {
    BkPrimitives {
        a_re: operands.a_re.primitive.clone(),
        a_im: operands.a_im.as_ref().map(|a_im| a_im.primitive.clone()),
        b: operands.b.primitive.clone(),
        c: operands.c.primitive.clone(),
        z: operands.z.primitive.clone(),
    }
}

/// Computes the forward pass and, where a parent is tracked, records the step that goes back.
fn record<B: BkBackend, C: CheckpointStrategy, const N: usize>(
    kind: OpsKind<BkCoreBackward, B, State<B>, C, N>,
    operands: &BkPrimitives<Autodiff<B, C>>,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<FloatTensor<Autodiff<B, C>>, OperationError> {
    let primitives = inner(operands);
    match kind {
        OpsKind::UnTracked(preparation) => Ok(preparation.finish(B::bk_core(primitives, options, strategy)?)),
        OpsKind::Tracked(mut preparation) => {
            // The step itself has nobody to return an error to.
            B::check_backward(&primitives, options, strategy)?;
            let (output, states) = B::bk_core_keeping(primitives, options, strategy)?;
            let state = State {
                a_re: preparation.checkpoint(&operands.a_re),
                a_im: operands.a_im.as_ref().map(|a_im| preparation.checkpoint(a_im)),
                b: preparation.checkpoint(&operands.b),
                c: preparation.checkpoint(&operands.c),
                z: preparation.checkpoint(&operands.z),
                states,
                options: *options,
                strategy: *strategy,
            };
            Ok(preparation.finish(state, output))
        }
    }
}

/// The step of the backward pass; its parents are `a_re`, `b`, `c`, `z` and, fifth, `a_im` of a complex diagonal.
#[derive(Debug)]
struct BkCoreBackward;

/// The operands, by their nodes, what the forward pass has kept, and how the operation was called.
#[derive(Debug, Clone)]
struct State<B: Backend> {
    a_re: NodeId,
    a_im: Option<NodeId>,
    b: NodeId,
    c: NodeId,
    z: NodeId,
    states: Option<FloatTensor<B>>,
    options: BkOptions,
    strategy: Strategy,
}

impl<B: BkBackend, const N: usize> Backward<B, N> for BkCoreBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, N>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let State { a_re, a_im, b, c, z, states, options, strategy } = ops.state;
        let operands = BkPrimitives::<B> {
            a_re: checkpointer.retrieve_node_output(a_re),
            a_im: a_im.map(|a_im| checkpointer.retrieve_node_output(a_im)),
            b: checkpointer.retrieve_node_output(b),
            c: checkpointer.retrieve_node_output(c),
            z: checkpointer.retrieve_node_output(z),
        };
        let cotangent = grads.consume::<B>(&ops.node);
        let parent = |index: usize| ops.parents.get(index).and_then(Option::as_ref);
        let is_parent = |index: usize| parent(index).is_some();
        let needs = BkNeeds {
            a_re: is_parent(0),
            b: is_parent(1),
            c: is_parent(2),
            z: is_parent(3),
            a_im: is_parent(4),
        };
        let found = match B::bk_core_backward(operands, states, cotangent, needs, &options, &strategy) {
            Ok(found) => found,
            // `check_backward` has accepted these operands in the forward pass.
            Err(error) => panic!("bk_core_backward: {error}"),
        };
        for (index, gradient) in [found.a_re, found.b, found.c, found.z, found.a_im].into_iter().enumerate() {
            if let (Some(node), Some(gradient)) = (parent(index), gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
