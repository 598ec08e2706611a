//! The ordinary layers: linear, layer normalisation, GELU. Weights may be in half precision; sums over the
//! width are taken in float32 (or float64).

use bk_burn::{BkBackend, Precision, matmul};
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorPrimitive};

use crate::init::Init;

/// Added to a variance before its root is taken.
const EPSILON: f64 = 1e-5;

/// `x · weight + bias`. The weight is `[in, out]`, the transpose of PyTorch's.
#[derive(Module, Debug)]
pub struct Dense<B: Backend> {
    /// `[in, out]`.
    pub weight: Param<Tensor<B, 2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: BkBackend> Dense<B> {
    pub(crate) fn new(init: &mut Init<B>, input: usize, output: usize, bias: bool) -> Self {
        let weight = Param::from_tensor(init.linear(input, output));
        Self { weight, bias: bias.then(|| Param::from_tensor(init.bias(input, output))) }
    }

    /// `[B, N, in] -> [B, N, out]`, in the type of the weights.
    pub fn forward(&self, x: Tensor<B, 3>, precision: Precision) -> Tensor<B, 3> {
        let [batch, n, input] = x.dims();
        let weight = self.weight.val();
        let [_, output] = weight.dims();
        let x = to_dtype(x, weight.dtype()).reshape([batch * n, input]);
        let mut y = matmul(x, weight, precision);
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        y.reshape([batch, n, output])
    }

    pub(crate) fn cast(self, dtype: DType) -> Self {
        Self { weight: cast_param(self.weight, dtype), bias: self.bias.map(|bias| cast_param(bias, dtype)) }
    }
}

/// Layer normalisation over the width, eps 1e-5, in float32 whatever the weights of the model are.
#[derive(Module, Debug)]
pub struct Norm<B: Backend> {
    /// `[D]`.
    pub weight: Param<Tensor<B, 1>>,
    /// `[D]`.
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: BkBackend> Norm<B> {
    pub(crate) fn new(init: &Init<B>, width: usize) -> Self {
        Self {
            weight: Param::from_tensor(init.full(width, 1.0)),
            bias: Param::from_tensor(init.full(width, 0.0)),
        }
    }

    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [x, weight] = [x.into_primitive().tensor(), self.weight.val().into_primitive().tensor()];
        let bias = self.bias.val().into_primitive().tensor();
        Tensor::from_primitive(TensorPrimitive::Float(B::layer_norm(x, weight, Some(bias), EPSILON)))
    }

    pub(crate) fn cast(self, dtype: DType) -> Self {
        Self { weight: cast_param(self.weight, dtype), bias: cast_param(self.bias, dtype) }
    }
}

/// `x / 2 (1 + erf(x / sqrt 2))`. Burn's own `gelu` has this value and the gradient of another function,
/// the approximation by tanh.
pub(crate) fn gelu<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let half = x.clone() * 0.5;
    half.clone() * (x * core::f64::consts::FRAC_1_SQRT_2).erf() + half
}

/// A parameter in another type; no gradient is lost or gained.
pub(crate) fn cast_param<B: Backend, const D: usize>(
    param: Param<Tensor<B, D>>,
    dtype: DType,
) -> Param<Tensor<B, D>> {
    let trained = param.val().is_require_grad();
    param.map(|tensor| to_dtype(tensor, dtype).detach().set_require_grad(trained))
}

/// `tensor` as it is where it has the type already: a cast would be a copy.
pub(crate) fn to_dtype<B: Backend, const D: usize>(tensor: Tensor<B, D>, dtype: DType) -> Tensor<B, D> {
    if tensor.dtype() == dtype { tensor } else { tensor.cast(dtype) }
}
