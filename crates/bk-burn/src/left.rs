//! The left-connected resolvent, `g_i = 1 / (d_i - k_{i-1} g_{i-1})` with `d = a - z`, `k_i = b_i c_i`.
//!
//! `g_i` is the last diagonal entry of the resolvent of the leading `i + 1` sites, so it depends on the
//! sites up to `i` alone: what a causal model needs where the diagonal of the whole resolvent looks ahead.
//! As a pair `(x_i, y_i) ~ (det_i, det_{i-1})`, defined up to a scale, it never divides by a small number
//! on its way: `x_i = d_i x_{i-1} - k_{i-1} y_{i-1}`, `y_i = x_{i-1}`, and `g_i = y_i / x_i` at the end.
//!
//! [`left_resolvent`] takes all sites at once, in `log2 N` rounds of products of 2x2 matrices;
//! [`left_step`] takes one more site. A NaN poisons the sites after it. Unlike in [`crate::bk_core`], a
//! coupling of zero after an exactly singular block does not start afresh.

use bk_kernels::{BkError, BkOptions, NonFinite};
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

use crate::left_scan::{Complex, LAST_RESORT, Pairs, adjoint, clip, clip_adjoint};
use crate::operation::{BkInputs, OperationError};

/// `g [B, N, 2]`, `(Re, Im)`. The operands are those of [`crate::bk_core`].
///
/// # Errors
/// [`OperationError`] for operands that do not fit each other.
pub fn left_resolvent<B: LeftResolvent>(
    inputs: BkInputs<B>,
    options: &BkOptions,
) -> Result<Tensor<B, 3>, OperationError> {
    let chain = LeftChain::new(inputs, options)?;
    let [d_re, d_im, k] = [chain.d.re, chain.d.im, chain.k].map(|tensor| tensor.into_primitive().tensor());
    let output = B::left_resolvent(LeftPrimitives { d_re, d_im, k }, options);
    Ok(Tensor::from_primitive(TensorPrimitive::Float(output)))
}

/// [`left_resolvent`] and the pair after the last site, `[B, 4]`, which [`left_step`] goes on from.
///
/// # Errors
/// As [`left_resolvent`].
pub fn left_resolvent_with_pair<B: Backend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
) -> Result<(Tensor<B, 3>, Tensor<B, 2>), OperationError> {
    let chain = LeftChain::new(inputs, options)?;
    let [batch, n] = chain.d.re.dims();
    let pairs = Pairs::scan(chain.d, chain.k);
    let last = pairs.0.clone().slice([0..batch, n - 1..n]).reshape([batch, 4]);
    Ok((clip(&pairs.ratio(), options).stacked(), last))
}

/// The pair before the first site of `rows` chains, `[B, 4]`.
pub fn left_start<B: Backend>(rows: usize, device: &B::Device, dtype: DType) -> Tensor<B, 2> {
    let unit = Tensor::<B, 1>::from_data([1.0, 0.0, 0.0, 0.0], (device, dtype));
    unit.reshape([1, 4]).expand([rows, 4])
}

/// One more site: from the pair before it to `(g [B, 2], pair [B, 4])`.
///
/// `d` is `a - z` as `[B, 2]`; `k [1]` is the coupling to the site before, anything before the first.
pub fn left_step<B: Backend>(
    pair: Tensor<B, 2>,
    d: &Tensor<B, 2>,
    k: Tensor<B, 1>,
    options: &BkOptions,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let [rows, _] = pair.dims();
    let d = Complex::unstacked(&d.clone().reshape([rows, 1, 2]));
    let pairs = Pairs(pair.reshape([rows, 1, 4])).advanced(&d, k.reshape([1, 1]));
    let g = clip(&pairs.ratio(), options).stacked().reshape([rows, 2]);
    (g, pairs.0.reshape([rows, 4]))
}

/// The operands as a backend stores them.
#[derive(Debug, Clone)]
pub struct LeftPrimitives<B: Backend> {
    /// Real part of `a - z`, `[B, N]`.
    pub d_re: FloatTensor<B>,
    /// Imaginary part, `[B, N]`.
    pub d_im: FloatTensor<B>,
    /// `b c` on the left of each site, `[B, N]` or `[1, N]`, 0 for the first.
    pub k: FloatTensor<B>,
}

/// A backend that computes left-connected resolvents: every one, in plain tensor operations.
pub trait LeftResolvent: Backend {
    /// `g [B, N, 2]`, `(Re, Im)`.
    fn left_resolvent(operands: LeftPrimitives<Self>, options: &BkOptions) -> FloatTensor<Self> {
        let (d, k) = operands.tensors();
        clip(&Pairs::scan(d, k).ratio(), options).stacked().into_primitive().tensor()
    }
}

#[cfg(feature = "ndarray")]
impl<E, I, Q> LeftResolvent for NdArray<E, I, Q>
where
    E: FloatNdArrayElement,
    I: IntNdArrayElement,
    Q: QuantElement,
    NdArrayTensor: From<SharedArray<E>>,
    NdArrayTensor: From<SharedArray<I>>,
{
}

#[cfg(feature = "flex")]
impl LeftResolvent for burn::backend::flex::Flex {}

impl<R, F, I, BT> LeftResolvent for burn_cubecl::CubeBackend<R, F, I, BT>
where
    R: burn_cubecl::CubeRuntime,
    F: burn_cubecl::FloatElement,
    I: burn_cubecl::IntElement,
    BT: burn_cubecl::BoolElement,
{
}

#[cfg(feature = "fusion")]
impl<B: burn_fusion::FusionBackend> LeftResolvent for burn_fusion::Fusion<B> {}

impl<B: LeftResolvent, C: CheckpointStrategy> LeftResolvent for Autodiff<B, C> {
    fn left_resolvent(operands: LeftPrimitives<Self>, options: &BkOptions) -> FloatTensor<Self> {
        let LeftPrimitives { d_re, d_im, k } = operands;
        let nodes = [d_re.node.clone(), d_im.node.clone(), k.node.clone()];
        match LeftAdjoint.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let k_node = prepared.checkpoint(&k);
                let inner =
                    LeftPrimitives::<B> { d_re: d_re.primitive, d_im: d_im.primitive, k: k.primitive };
                let (d, k) = inner.tensors();
                let raw = Pairs::scan(d, k).ratio();
                let output = clip(&raw, options).stacked().into_primitive().tensor();
                let raw = raw.stacked().into_primitive().tensor();
                prepared.finish((raw, k_node, *options), output)
            }
            OpsKind::UnTracked(prepared) => {
                let inner = LeftPrimitives { d_re: d_re.primitive, d_im: d_im.primitive, k: k.primitive };
                prepared.finish(B::left_resolvent(inner, options))
            }
        }
    }
}

/// The exact gradient, itself a scan (see [`adjoint`]).
#[derive(Debug)]
struct LeftAdjoint;

impl<B: Backend> Backward<B, 3> for LeftAdjoint {
    type State = (FloatTensor<B>, NodeId, BkOptions);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let cotangent = from_primitive::<B, 3>(gradients.consume::<B>(&ops.node));
        let (raw, k, options) = ops.state;
        let raw = Complex::unstacked(&from_primitive::<B, 3>(raw));
        let k = from_primitive::<B, 2>(checkpointer.retrieve_node_output(k));
        let cotangent = Complex::unstacked(&cotangent);
        let h = clip_adjoint(&Complex { re: cotangent.re, im: -cotangent.im }, &raw, &options);
        let [d_re, d_im, d_k] = adjoint(&h, &raw, k);
        for (node, gradient) in ops.parents.into_iter().zip([d_re, d_im, d_k]) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient.into_primitive().tensor());
            }
        }
    }
}

fn from_primitive<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

impl<B: Backend> LeftPrimitives<B> {
    fn tensors(self) -> (Complex<B>, Tensor<B, 2>) {
        let d = Complex { re: from_primitive(self.d_re), im: from_primitive(self.d_im) };
        (d, from_primitive(self.k))
    }
}

/// `d = a - z` and the couplings to the left.
struct LeftChain<B: Backend> {
    d: Complex<B>,
    k: Tensor<B, 2>,
}

impl<B: Backend> LeftChain<B> {
    fn new(inputs: BkInputs<B>, options: &BkOptions) -> Result<Self, OperationError> {
        inputs.check()?;
        if let Some(bound) = options
            .max_magnitude
            .filter(|bound| !(bound.is_finite() && *bound > 0.0 && *bound <= LAST_RESORT))
        {
            return Err(BkError::MaxMagnitude(bound.to_string()).into());
        }
        let BkInputs { a_re, a_im, b, c, z } = inputs;
        let [_, n] = a_re.dims();
        let z_part = |part: usize| z.clone().narrow(0, part, 1).reshape([1, 1]);
        let start = b.clone().slice([0..b.dims()[0], 0..1]).zeros_like();
        let k = if n == 1 { start } else { Tensor::cat(vec![start, b * c], 1) };
        let im = match a_im {
            Some(a_im) => a_im - z_part(1),
            None => a_re.zeros_like() - z_part(1),
        };
        Ok(Self { d: Complex { re: a_re - z_part(0), im }, k })
    }
}

/// Whether entries that are not finite are to become 0.
pub(crate) fn zeroes(options: &BkOptions) -> bool {
    options.non_finite == NonFinite::Zero
}
