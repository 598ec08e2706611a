//! `NdArray`: the element type is a variant of the tensor.

use bk_kernels::native::{Entry, Real};
use bk_kernels::{BkOptions, Strategy};
use burn::backend::ndarray::{
    FloatNdArrayElement, IntNdArrayElement, NdArray, NdArrayTensor, QuantElement, SharedArray,
};
use burn::tensor::DType;
use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;

use super::scan::{Slices, scan};
use crate::backend::{BkBackend, BkPrimitives};
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
            DType::F32 => scan_arrays(operands, options, |tensor| match tensor {
                NdArrayTensor::F32(storage) => Ok(storage.into_shared()),
                other => Err(other.dtype()),
            }),
            DType::F64 => scan_arrays(operands, options, |tensor| match tensor {
                NdArrayTensor::F64(storage) => Ok(storage.into_shared()),
                other => Err(other.dtype()),
            }),
            found => Err(unsupported("a_re", found)),
        }
    }
}

/// `open` takes an array of the one element type out of a tensor, or tells the type that is there.
fn scan_arrays<B, E>(
    operands: BkPrimitives<B>,
    options: &BkOptions,
    open: impl Fn(NdArrayTensor) -> Result<SharedArray<E>, DType>,
) -> Result<NdArrayTensor, OperationError>
where
    B: burn::tensor::backend::Backend<FloatTensorPrimitive = NdArrayTensor>,
    E: Real + Entry<E>,
    NdArrayTensor: From<SharedArray<E>>,
{
    let open = |operand, tensor| open(tensor).map_err(|found| unsupported(operand, found));
    let a_re = open("a_re", operands.a_re)?;
    let a_im = operands.a_im.map(|a_im| open("a_im", a_im)).transpose()?;
    let [b, c, z] = [("b", operands.b), ("c", operands.c), ("z", operands.z)]
        .map(|(operand, tensor)| open(operand, tensor));
    let (b, c, z) = (b?, c?, z?);
    let sizes = [a_re.shape()[0], a_re.shape()[1]];
    // Views may be strided; the standard layout of a contiguous array is the array itself.
    let (a_re, b, c, z) =
        (a_re.as_standard_layout(), b.as_standard_layout(), c.as_standard_layout(), z.as_standard_layout());
    let a_im = a_im.as_ref().map(|a_im| a_im.as_standard_layout());
    let slices = Slices {
        a_re: a_re.as_slice().unwrap_or_default(),
        a_im: a_im.as_ref().map(|a_im| a_im.as_slice().unwrap_or_default()),
        b: b.as_slice().unwrap_or_default(),
        c: c.as_slice().unwrap_or_default(),
        z: z.as_slice().unwrap_or_default(),
    };
    let output = scan(sizes, slices, options)?;
    let output = SharedArray::from_shape_vec(vec![sizes[0], sizes[1], 2], output)
        .unwrap_or_else(|error| unreachable!("the scan wrote B * N * 2 values: {error}"));
    Ok(output.into())
}

fn unsupported(operand: &'static str, found: DType) -> OperationError {
    OperationError::ElementType { operand, found, expected: "F32 or F64 for all operands".to_owned() }
}
