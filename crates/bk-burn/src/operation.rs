//! The operation on tensors: shapes, types and devices are checked here, once for all backends.

use bk_kernels::native::ShapeError;
use bk_kernels::{BkError, BkOptions, NonFinite, Strategy};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorMetadata, TensorPrimitive};
use thiserror::Error;

use crate::backend::{BkBackend, BkNeeds, BkPrimitives};

/// A batch of tridiagonal matrices `T` and the spectral parameter.
#[derive(Debug, Clone)]
pub struct BkInputs<B: Backend> {
    /// Real part of the diagonal, `[B, N]`.
    pub a_re: Tensor<B, 2>,
    /// Imaginary part, `[B, N]`; `None` for a real diagonal.
    pub a_im: Option<Tensor<B, 2>>,
    /// Super-diagonal `T[i][i+1]`, `[B, N-1]`, or `[1, N-1]` shared by the batch. With N = 1 there is
    /// none: any `[1, 1]` tensor stands for it.
    pub b: Tensor<B, 2>,
    /// Sub-diagonal `T[i+1][i]`, likewise.
    pub c: Tensor<B, 2>,
    /// Spectral parameter `(Re z, Im z)`, `[2]`.
    pub z: Tensor<B, 1>,
}

/// Gradients of a real `L`, each of the shape of its operand, sums over the batch included.
#[derive(Debug, Clone)]
pub struct BkGradients<B: Backend> {
    /// `dL/dRe a`, `[B, N]`.
    pub a_re: Tensor<B, 2>,
    /// `dL/dIm a`, `[B, N]`; `None` for a real diagonal.
    pub a_im: Option<Tensor<B, 2>>,
    /// `dL/db`, `[B, N-1]` or `[1, N-1]`.
    pub b: Tensor<B, 2>,
    /// `dL/dc`, `[B, N-1]` or `[1, N-1]`.
    pub c: Tensor<B, 2>,
    /// `(dL/dRe z, dL/dIm z)`, `[2]`.
    pub z: Tensor<B, 1>,
}

/// Why the operation was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperationError {
    /// A tensor does not have the shape that the others ask for.
    #[error("`{operand}` has shape {found:?}, expected {expected}")]
    Shape {
        /// Name of the operand.
        operand: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// A type that this backend has no implementation for.
    #[error("`{operand}` has elements of type {found:?}, expected {expected}")]
    ElementType {
        /// Name of the operand.
        operand: &'static str,
        /// Its type.
        found: DType,
        /// What would do.
        expected: String,
    },
    /// Operands on different devices.
    #[error("`{operand}` is on another device than `a_re`: move all operands to one")]
    Device {
        /// Name of the operand.
        operand: &'static str,
    },
    /// A backend left out a gradient that it was asked for.
    #[error("this backend gives no gradient of `{operand}`")]
    MissingGradient {
        /// Name of the operand.
        operand: &'static str,
    },
    /// A gradient of a gradient.
    #[error("the gradient of `bk_core` has no gradient of its own: detach its operands")]
    SecondDerivative,
    /// The kernel's own checks.
    #[error(transparent)]
    Kernel(#[from] BkError),
    /// The CPU scan's own checks.
    #[error(transparent)]
    Scan(#[from] ShapeError),
}

/// `G_ii = [(T - zI)^-1]_ii` as `[B, N, 2]`, `(Re, Im)`, by the backend's own implementation.
///
/// Operands in float16 or bfloat16 are computed with in float32, and the output is in their type.
///
/// # Errors
/// [`OperationError`] for operands that do not fit each other or the backend.
pub fn bk_core<B: BkBackend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
) -> Result<Tensor<B, 3>, OperationError> {
    bk_core_with(inputs, options, &Strategy::default())
}

/// [`bk_core`] by a forced routine of the CubeCL kernel.
///
/// # Errors
/// As [`bk_core`], and where the routine cannot take the problem.
pub fn bk_core_with<B: BkBackend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<Tensor<B, 3>, OperationError> {
    inputs.check()?;
    options.check()?;
    in_float32(inputs, options, |inputs| {
        let output = B::bk_core(inputs.into_primitives(), options, strategy)?;
        Ok(Tensor::from_primitive(TensorPrimitive::Float(output)))
    })
}

/// States that a forward pass has kept for the backward pass: a quarter of a float a site.
#[derive(Debug, Clone)]
pub struct BkStates<B: Backend>(FloatTensor<B>);

/// [`bk_core_with`], and the states with which [`bk_core_backward_from`] need not compute them again; `None` where the
/// backend, or a forced layout, keeps none.
///
/// This is what `Autodiff` does, for use without it.
///
/// # Errors
/// As [`bk_core_with`].
pub fn bk_core_keeping<B: BkBackend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<(Tensor<B, 3>, Option<BkStates<B>>), OperationError> {
    inputs.check()?;
    options.check()?;
    let mut kept = None;
    let output = in_float32(inputs, options, |inputs| {
        let (output, states) = B::bk_core_keeping(inputs.into_primitives(), options, strategy)?;
        kept = states.map(BkStates);
        Ok(Tensor::from_primitive(TensorPrimitive::Float(output)))
    })?;
    Ok((output, kept))
}

/// `compute` on operands in half precision as on their values in float32, with the output in their type again; on others
/// as they are.
///
/// With [`NonFinite::Zero`] a value beyond the range of the half type is 0 like every other that is not finite.
pub(crate) fn in_float32<B: Backend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
    compute: impl FnOnce(BkInputs<B>) -> Result<Tensor<B, 3>, OperationError>,
) -> Result<Tensor<B, 3>, OperationError> {
    let stored = inputs.a_re.dtype();
    let computed = computed_in(stored);
    let output = compute(inputs.cast(computed))?.cast(stored);
    if stored == computed || options.non_finite == NonFinite::Propagate {
        return Ok(output);
    }
    let beyond = output.clone().is_finite().bool_not();
    Ok(output.mask_fill(beyond, 0.0))
}

/// The type of the arithmetic for operands of a type. Burn's cast to the type that a tensor has does nothing.
fn computed_in(stored: DType) -> DType {
    match stored {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}

/// The gradients of a real `L` from its derivatives by the output of [`bk_core`], `cotangent` `[B, N, 2]`.
///
/// This is what `Autodiff` computes in its backward pass, for use without it.
///
/// # Errors
/// As [`bk_core_with`].
pub fn bk_core_backward<B: BkBackend>(
    inputs: BkInputs<B>,
    cotangent: Tensor<B, 3>,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<BkGradients<B>, OperationError> {
    bk_core_backward_from(inputs, None, cotangent, options, strategy)
}

/// [`bk_core_backward`] from the states that [`bk_core_keeping`] kept for the same inputs, options and strategy. Those of
/// others give wrong gradients.
///
/// # Errors
/// As [`bk_core_with`].
pub fn bk_core_backward_from<B: BkBackend>(
    inputs: BkInputs<B>,
    states: Option<BkStates<B>>,
    cotangent: Tensor<B, 3>,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<BkGradients<B>, OperationError> {
    inputs.check()?;
    options.check()?;
    let [batch, n] = inputs.a_re.dims();
    expect_shape("cotangent", cotangent.dims().to_vec(), &[vec![batch, n, 2]])?;
    if cotangent.dtype() != inputs.a_re.dtype() {
        let expected = format!("{:?}, the type of `a_re`", inputs.a_re.dtype());
        return Err(OperationError::ElementType { operand: "cotangent", found: cotangent.dtype(), expected });
    }
    if cotangent.device() != inputs.a_re.device() {
        return Err(OperationError::Device { operand: "cotangent" });
    }
    let stored = inputs.a_re.dtype();
    let computed = computed_in(stored);
    let operands = inputs.cast(computed).into_primitives();
    let cotangent = cotangent.cast(computed).into_primitive().tensor();
    let states = states.map(|BkStates(states)| states);
    if let (Some(states), Some(kept)) = (&states, B::kept_states(batch, n, options, strategy)) {
        expect_shape("states", states.shape().to_vec(), &[kept.to_vec()])?;
    }
    let found = B::bk_core_backward(operands, states, cotangent, BkNeeds::ALL, options, strategy)?;
    let missing = |operand| OperationError::MissingGradient { operand };
    Ok(BkGradients {
        a_re: tensor(found.a_re.ok_or(missing("a_re"))?, stored),
        a_im: found.a_im.map(|a_im| tensor(a_im, stored)),
        b: tensor(found.b.ok_or(missing("b"))?, stored),
        c: tensor(found.c.ok_or(missing("c"))?, stored),
        z: tensor(found.z.ok_or(missing("z"))?, stored),
    })
}

fn tensor<B: BkBackend, const D: usize>(primitive: FloatTensor<B>, stored: DType) -> Tensor<B, D> {
    let computed: Tensor<B, D> = Tensor::from_primitive(TensorPrimitive::Float(primitive));
    computed.cast(stored)
}

impl<B: Backend> BkInputs<B> {
    /// The operands in another type.
    #[must_use]
    pub fn cast(self, dtype: DType) -> Self {
        Self {
            a_re: self.a_re.cast(dtype),
            a_im: self.a_im.map(|a_im| a_im.cast(dtype)),
            b: self.b.cast(dtype),
            c: self.c.cast(dtype),
            z: self.z.cast(dtype),
        }
    }

    fn into_primitives(self) -> BkPrimitives<B> {
        let primitive = |tensor: Tensor<B, 2>| tensor.into_primitive().tensor();
        BkPrimitives {
            a_re: primitive(self.a_re),
            a_im: self.a_im.map(primitive),
            b: primitive(self.b),
            c: primitive(self.c),
            z: self.z.into_primitive().tensor(),
        }
    }

    /// Checks shapes, types and devices against `a_re`.
    pub(crate) fn check(&self) -> Result<(), OperationError> {
        let [batch, n] = self.a_re.dims();
        if batch == 0 || n == 0 {
            return Err(OperationError::Kernel(BkError::Empty { batch, n }));
        }
        if let Some(a_im) = &self.a_im {
            expect_shape("a_im", a_im.dims().to_vec(), &[[batch, n].to_vec()])?;
        }
        let links = (n - 1).max(1);
        let accepted: Vec<Vec<usize>> = if n == 1 {
            vec![vec![1, 1], vec![batch, 1], vec![batch, 0], vec![1, 0]]
        } else {
            vec![vec![batch, links], vec![1, links]]
        };
        expect_shape("b", self.b.dims().to_vec(), &accepted)?;
        expect_shape("c", self.c.dims().to_vec(), &accepted)?;
        expect_shape("z", self.z.dims().to_vec(), &[vec![2]])?;
        self.check_types_and_devices()
    }

    fn check_types_and_devices(&self) -> Result<(), OperationError> {
        let (dtype, device) = (self.a_re.dtype(), self.a_re.device());
        let mut others = vec![
            ("b", self.b.dtype(), self.b.device()),
            ("c", self.c.dtype(), self.c.device()),
            ("z", self.z.dtype(), self.z.device()),
        ];
        others.extend(self.a_im.as_ref().map(|a_im| ("a_im", a_im.dtype(), a_im.device())));
        for (operand, found, place) in others {
            if found != dtype {
                let expected = format!("{dtype:?}, the type of `a_re`");
                return Err(OperationError::ElementType { operand, found, expected });
            }
            if place != device {
                return Err(OperationError::Device { operand });
            }
        }
        Ok(())
    }
}

fn expect_shape(
    operand: &'static str,
    found: Vec<usize>,
    accepted: &[Vec<usize>],
) -> Result<(), OperationError> {
    if accepted.contains(&found) {
        return Ok(());
    }
    let expected: Vec<String> = accepted.iter().map(|shape| format!("{shape:?}")).collect();
    Err(OperationError::Shape { operand, found, expected: expected.join(" or ") })
}
