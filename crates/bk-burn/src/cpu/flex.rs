//! `Flex`: the element type is known at run time.

use bk_kernels::native::{Entry, Real};
use bk_kernels::{BkOptions, Strategy};
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Element, Shape, TensorData};

use super::scan::{Slices, scan};
use crate::backend::{BkBackend, BkPrimitives};
use crate::operation::OperationError;

impl BkBackend for Flex {
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        match operands.a_re.dtype() {
            DType::F32 => scan_tensors::<f32>(operands, options),
            DType::F64 => scan_tensors::<f64>(operands, options),
            found => Err(unsupported("a_re", found)),
        }
    }
}

fn scan_tensors<E: Real + Entry<E> + Element + bytemuck::Pod>(
    operands: BkPrimitives<Flex>,
    options: &BkOptions,
) -> Result<FlexTensor, OperationError> {
    let shape = operands.a_re.layout().shape();
    let sizes = [shape[0], shape[1]];
    let [a_re, b, c, z] =
        [operands.a_re, operands.b, operands.c, operands.z].map(|tensor| tensor.to_contiguous());
    let a_im = operands.a_im.map(|tensor| tensor.to_contiguous());
    let slices = Slices {
        a_re: elements::<E>("a_re", &a_re)?,
        a_im: a_im.as_ref().map(|a_im| elements::<E>("a_im", a_im)).transpose()?,
        b: elements::<E>("b", &b)?,
        c: elements::<E>("c", &c)?,
        z: elements::<E>("z", &z)?,
    };
    let output = scan(sizes, slices, options)?;
    Ok(FlexTensor::from_data(TensorData::new(output, Shape::new([sizes[0], sizes[1], 2]))))
}

fn elements<'a, E: Element + bytemuck::Pod>(
    operand: &'static str,
    tensor: &'a FlexTensor,
) -> Result<&'a [E], OperationError> {
    tensor.as_slice::<E>().ok_or_else(|| unsupported(operand, tensor.dtype()))
}

fn unsupported(operand: &'static str, found: DType) -> OperationError {
    OperationError::ElementType { operand, found, expected: "F32 or F64 for all operands".to_owned() }
}
