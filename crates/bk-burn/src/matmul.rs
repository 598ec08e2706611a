//! Matrix products in true float32.
//!
//! On a GPU with tensor cores Burn's float32 matrix product rounds its inputs to TF32, 10 bits of mantissa:
//! autotuning picks such a kernel and no switch of Burn's forbids it. [`Precision::Exact`] calls a routine
//! that multiplies and accumulates in float32 on the ordinary cores. It is slower, and it is what parity
//! with a float64 reference needs.
//!
//! | backend | `Exact` |
//! |---|---|
//! | `CubeBackend` (CUDA, wgpu) | the `simple unit` routine of cubek, no tensor cores |
//! | `NdArray`, `Flex` | their own product, which is exact already |
//! | `Autodiff<B>` | that of `B`, in the gradient too |
//! | `Fusion<B>` (feature `fusion`) | that of `B`, as a custom operation of the lazy stream |

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
#[cfg(feature = "ndarray")]
use burn::backend::ndarray::{
    FloatNdArrayElement, IntNdArrayElement, NdArray, NdArrayTensor, QuantElement, SharedArray,
};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_cubecl::kernel::matmul::init_matmul_output;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems, MatmulSetupError};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::std::InputBinding;

use crate::backend::BkBackend;

/// How a matrix product of float32 tensors may round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As the backend likes: TF32 where there are tensor cores.
    #[default]
    Fast,
    /// Products and sums in float32.
    Exact,
}

/// `lhs · rhs`, `[.., M, K] x [.., K, N]`, with equal leading dimensions.
///
/// `precision` matters to float32 alone: half precision has one kind of product, float64 is exact.
///
/// # Panics
/// Where shapes do not fit, as Burn's own product does.
pub fn matmul<B: BkBackend, const D: usize>(
    lhs: Tensor<B, D>,
    rhs: Tensor<B, D>,
    precision: Precision,
) -> Tensor<B, D> {
    if precision == Precision::Fast || lhs.dtype() != DType::F32 {
        return lhs.matmul(rhs);
    }
    let (left, right) = (lhs.dims(), rhs.dims());
    assert!(
        D >= 2 && left[..D - 2] == right[..D - 2] && left[D - 1] == right[D - 2],
        "matmul: {left:?} and {right:?} do not fit; leading dimensions have to be equal"
    );
    let product = B::matmul_exact(lhs.into_primitive().tensor(), rhs.into_primitive().tensor());
    Tensor::from_primitive(TensorPrimitive::Float(product))
}

/// A backend with a matrix product that does not round its inputs.
pub trait ExactMatmul: Backend {
    /// `lhs · rhs` of float32 tensors of equal leading dimensions.
    ///
    /// # Panics
    /// Where shapes do not fit.
    fn matmul_exact(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(lhs, rhs)
    }
}

#[cfg(feature = "ndarray")]
impl<E, I, Q> ExactMatmul for NdArray<E, I, Q>
where
    E: FloatNdArrayElement,
    I: IntNdArrayElement,
    Q: QuantElement,
    NdArrayTensor: From<SharedArray<E>>,
    NdArrayTensor: From<SharedArray<I>>,
{
}

#[cfg(feature = "flex")]
impl ExactMatmul for burn::backend::flex::Flex {}

impl<R, F, I, BT> ExactMatmul for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn matmul_exact(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = init_matmul_output(&lhs, &rhs, lhs.dtype);
        let launch = |strategy: &Strategy| -> Result<(), MatmulSetupError> {
            let (lhs, rhs, output) = (lhs.clone(), rhs.clone(), output.clone());
            let element = lhs.dtype.into();
            let mut elements =
                MatmulElems::from_globals(&MatmulGlobalElems { lhs: element, rhs: element, out: element });
            let client = output.client.clone();
            let (lhs, rhs) =
                (InputBinding::new(lhs.binding(), element), InputBinding::new(rhs.binding(), element));
            launch_ref(strategy, &client, lhs, rhs, output.binding(), &mut elements)
        };
        // The naive routine takes any shape, also with fewer elements than a tile of the other has.
        launch(&Strategy::SimpleUnit(cubek::matmul::routines::BlueprintStrategy::default()))
            .or_else(|_| launch(&Strategy::Naive))
            .unwrap_or_else(|error| panic!("matmul: no float32 routine takes these tensors: {error:?}"));
        output
    }
}

impl<B: ExactMatmul, C: CheckpointStrategy> ExactMatmul for Autodiff<B, C> {
    fn matmul_exact(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let (need_lhs, need_rhs) = (rhs.is_tracked(), lhs.is_tracked());
        match ExactProduct.prepare::<C>([lhs.node.clone(), rhs.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let lhs_state = need_lhs.then(|| prepared.checkpoint(&lhs));
                let rhs_state = need_rhs.then(|| prepared.checkpoint(&rhs));
                prepared.finish((lhs_state, rhs_state), B::matmul_exact(lhs.primitive, rhs.primitive))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::matmul_exact(lhs.primitive, rhs.primitive)),
        }
    }
}

#[cfg(feature = "fusion")]
impl<B: burn_fusion::FusionBackend + ExactMatmul> ExactMatmul for burn_fusion::Fusion<B> {
    fn matmul_exact(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        crate::fusion_matmul::matmul_exact::<B>(lhs, rhs)
    }
}

/// `d lhs = g rhs^T` and `d rhs = lhs^T g`.
#[derive(Debug)]
struct ExactProduct;

impl<B: ExactMatmul> Backward<B, 2> for ExactProduct {
    type State = (Option<NodeId>, Option<NodeId>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [lhs_node, rhs_node] = ops.parents;
        let (lhs, rhs) = ops.state;
        if let (Some(node), Some(rhs)) = (lhs_node, rhs) {
            let rhs: FloatTensor<B> = checkpointer.retrieve_node_output(rhs);
            gradients.register::<B>(node.id, B::matmul_exact(gradient.clone(), B::float_transpose(rhs)));
        }
        if let (Some(node), Some(lhs)) = (rhs_node, lhs) {
            let lhs: FloatTensor<B> = checkpointer.retrieve_node_output(lhs);
            gradients.register::<B>(node.id, B::matmul_exact(B::float_transpose(lhs), gradient));
        }
    }
}
