//! `NdArray`: the element type is a variant of the tensor.

use bk_kernels::native::{Entry, Real};
use bk_kernels::{BkOptions, Strategy};
use burn::backend::ndarray::{
    FloatNdArrayElement, IntNdArrayElement, NdArray, NdArrayTensor, QuantElement, SharedArray,
};
use burn::tensor::DType;
use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;

use super::scan::{Slices, scan, scan_gradients};
use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives};
use crate::operation::OperationError;

impl<E, I, Q> BkBackend for NdArray<E, I, Q>
where
    E: FloatNdArrayElement,
    I: IntNdArrayElement,
    Q: QuantElement,
    NdArrayTensor: From<SharedArray<E>>,
    NdArrayTensor: From<SharedArray<I>>,
{
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        match operands.a_re.dtype() {
            DType::F32 => scan_arrays(operands, options, open_f32),
            DType::F64 => scan_arrays(operands, options, open_f64),
            found => Err(unsupported("a_re", found)),
        }
    }

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        _states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        match operands.a_re.dtype() {
            DType::F32 => gradients_of(operands, cotangent, needs, options, open_f32),
            DType::F64 => gradients_of(operands, cotangent, needs, options, open_f64),
            found => Err(unsupported("a_re", found)),
        }
    }

    fn check_backward(
        operands: &BkPrimitives<Self>,
        _options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<(), OperationError> {
        match operands.a_re.dtype() {
            DType::F32 | DType::F64 => Ok(()),
            found => Err(unsupported("a_re", found)),
        }
    }
}

/// Takes an array of one element type out of a tensor, or tells the type that is there.
type Open<E> = fn(NdArrayTensor) -> Result<SharedArray<E>, DType>;

fn open_f32(tensor: NdArrayTensor) -> Result<SharedArray<f32>, DType> {
    match tensor {
        NdArrayTensor::F32(storage) => Ok(storage.into_shared()),
        other => Err(other.dtype()),
    }
}

fn open_f64(tensor: NdArrayTensor) -> Result<SharedArray<f64>, DType> {
    match tensor {
        NdArrayTensor::F64(storage) => Ok(storage.into_shared()),
        other => Err(other.dtype()),
    }
}

/// Operands in standard layout: views may be strided, and a contiguous array is its own standard layout.
struct Standard<E> {
    a_re: SharedArray<E>,
    a_im: Option<SharedArray<E>>,
    b: SharedArray<E>,
    c: SharedArray<E>,
    z: SharedArray<E>,
}

impl<E: Clone> Standard<E> {
    fn new<B>(operands: BkPrimitives<B>, open: Open<E>) -> Result<Self, OperationError>
    where
        B: burn::tensor::backend::Backend<FloatTensorPrimitive = NdArrayTensor>,
    {
        Ok(Self {
            a_re: standard("a_re", operands.a_re, open)?,
            a_im: operands.a_im.map(|a_im| standard("a_im", a_im, open)).transpose()?,
            b: standard("b", operands.b, open)?,
            c: standard("c", operands.c, open)?,
            z: standard("z", operands.z, open)?,
        })
    }

    /// `[B, N]`.
    fn sizes(&self) -> [usize; 2] {
        [self.a_re.shape()[0], self.a_re.shape()[1]]
    }

    fn slices(&self) -> Slices<'_, E> {
        Slices {
            a_re: self.a_re.as_slice().unwrap_or_default(),
            a_im: self.a_im.as_ref().map(|a_im| a_im.as_slice().unwrap_or_default()),
            b: self.b.as_slice().unwrap_or_default(),
            c: self.c.as_slice().unwrap_or_default(),
            z: self.z.as_slice().unwrap_or_default(),
        }
    }
}

fn standard<E: Clone>(
    operand: &'static str,
    tensor: NdArrayTensor,
    open: Open<E>,
) -> Result<SharedArray<E>, OperationError> {
    let array = open(tensor).map_err(|found| unsupported(operand, found))?;
    Ok(if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned().into_shared() })
}

fn scan_arrays<B, E>(
    operands: BkPrimitives<B>,
    options: &BkOptions,
    open: Open<E>,
) -> Result<NdArrayTensor, OperationError>
where
    B: burn::tensor::backend::Backend<FloatTensorPrimitive = NdArrayTensor>,
    E: Real + Entry<E>,
    NdArrayTensor: From<SharedArray<E>>,
{
    let standard = Standard::new(operands, open)?;
    let [batch, n] = standard.sizes();
    let output = scan([batch, n], &standard.slices(), options)?;
    Ok(tensor(vec![batch, n, 2], output))
}

fn gradients_of<B, E>(
    operands: BkPrimitives<B>,
    cotangent: NdArrayTensor,
    needs: BkNeeds,
    options: &BkOptions,
    open: Open<E>,
) -> Result<BkGradientPrimitives<B>, OperationError>
where
    B: burn::tensor::backend::Backend<FloatTensorPrimitive = NdArrayTensor>,
    E: Real + Entry<E>,
    NdArrayTensor: From<SharedArray<E>>,
{
    let operands = Standard::new(operands, open)?;
    let cotangent = standard("cotangent", cotangent, open)?;
    let cotangent = cotangent.as_slice().unwrap_or_default();
    let found = scan_gradients(operands.sizes(), &operands.slices(), cotangent, options)?;
    let like = |wanted: bool, values: Vec<E>, operand: &SharedArray<E>| {
        wanted.then(|| tensor(operand.shape().to_vec(), values))
    };
    Ok(BkGradientPrimitives {
        a_re: like(needs.a_re, found.a_re, &operands.a_re),
        a_im: found.a_im.and_then(|a_im| like(needs.a_im, a_im, &operands.a_re)),
        b: like(needs.b, found.b, &operands.b),
        c: like(needs.c, found.c, &operands.c),
        z: like(needs.z, found.z.to_vec(), &operands.z),
    })
}

/// `values` in a shape that the scan wrote them for.
fn tensor<E>(shape: Vec<usize>, values: Vec<E>) -> NdArrayTensor
where
    NdArrayTensor: From<SharedArray<E>>,
{
    let array = SharedArray::from_shape_vec(shape, values)
        .unwrap_or_else(|error| unreachable!("the scan fills the shape: {error}"));
    array.into()
}

fn unsupported(operand: &'static str, found: DType) -> OperationError {
    OperationError::ElementType { operand, found, expected: "F32 or F64 for all operands".to_owned() }
}
