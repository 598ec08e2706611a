//! `Flex`: the element type is known at run time.

use bk_kernels::native::{Entry, Real};
use bk_kernels::{BkOptions, Strategy};
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Element, Shape, TensorData};

use super::scan::{Slices, scan, scan_gradients};
use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives};
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

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        _states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        match operands.a_re.dtype() {
            DType::F32 => gradients_of::<f32>(operands, &cotangent, needs, options),
            DType::F64 => gradients_of::<f64>(operands, &cotangent, needs, options),
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

/// Contiguous tensors; a copy where they were not.
struct Contiguous {
    a_re: FlexTensor,
    a_im: Option<FlexTensor>,
    b: FlexTensor,
    c: FlexTensor,
    z: FlexTensor,
}

impl Contiguous {
    fn new(operands: &BkPrimitives<Flex>) -> Self {
        Self {
            a_re: operands.a_re.to_contiguous(),
            a_im: operands.a_im.as_ref().map(FlexTensor::to_contiguous),
            b: operands.b.to_contiguous(),
            c: operands.c.to_contiguous(),
            z: operands.z.to_contiguous(),
        }
    }

    /// `[B, N]`.
    fn sizes(&self) -> [usize; 2] {
        let shape = self.a_re.layout().shape();
        [shape[0], shape[1]]
    }

    fn slices<E: Element + bytemuck::Pod>(&self) -> Result<Slices<'_, E>, OperationError> {
        Ok(Slices {
            a_re: elements("a_re", &self.a_re)?,
            a_im: self.a_im.as_ref().map(|a_im| elements("a_im", a_im)).transpose()?,
            b: elements("b", &self.b)?,
            c: elements("c", &self.c)?,
            z: elements("z", &self.z)?,
        })
    }
}

fn gradients_of<E: Real + Entry<E> + Element + bytemuck::Pod>(
    operands: BkPrimitives<Flex>,
    cotangent: &FlexTensor,
    needs: BkNeeds,
    options: &BkOptions,
) -> Result<BkGradientPrimitives<Flex>, OperationError> {
    let contiguous = Contiguous::new(&operands);
    let cotangent = cotangent.to_contiguous();
    let found = scan_gradients(
        contiguous.sizes(),
        &contiguous.slices::<E>()?,
        elements("cotangent", &cotangent)?,
        options,
    )?;
    let like = |wanted: bool, values: Vec<E>, operand: &FlexTensor| {
        let shape = operand.layout().shape().clone();
        wanted.then(|| FlexTensor::from_data(TensorData::new(values, shape)))
    };
    Ok(BkGradientPrimitives {
        a_re: like(needs.a_re, found.a_re, &operands.a_re),
        a_im: found.a_im.and_then(|a_im| like(needs.a_im, a_im, &operands.a_re)),
        b: like(needs.b, found.b, &operands.b),
        c: like(needs.c, found.c, &operands.c),
        z: like(needs.z, found.z.to_vec(), &operands.z),
    })
}

fn scan_tensors<E: Real + Entry<E> + Element + bytemuck::Pod>(
    operands: BkPrimitives<Flex>,
    options: &BkOptions,
) -> Result<FlexTensor, OperationError> {
    let contiguous = Contiguous::new(&operands);
    let sizes = contiguous.sizes();
    let output = scan(sizes, &contiguous.slices::<E>()?, options)?;
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
