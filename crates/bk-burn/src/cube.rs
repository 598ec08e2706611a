//! `CubeBackend`: the CubeCL kernel, on CUDA and wgpu.

use bk_kernels::{BkOperands, BkOptions, BkProblem, Operand, Strategy};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives};
use crate::operation::OperationError;

impl<R, F, I, BT> BkBackend for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        let BkPrimitives { a_re, a_im, b, c, z } = operands;
        if a_re.dtype != DType::F32 {
            let expected = "F32: the kernel takes no other type yet".to_owned();
            return Err(OperationError::ElementType { operand: "a_re", found: a_re.dtype, expected });
        }
        let (batch, n) = (a_re.meta.shape()[0], a_re.meta.shape()[1]);
        let problem = BkProblem { batch, n, complex_diagonal: a_im.is_some() };
        let client = a_re.client.clone();
        let device = a_re.device.clone();
        let output =
            empty_device_contiguous_dtype(client.clone(), device, Shape::new([batch, n, 2]), DType::F32);
        let operands = BkOperands {
            a_re: rows_of(a_re, n),
            a_im: a_im.map(|a_im| rows_of(a_im, n)),
            b: couplings_of(b, batch, n),
            c: couplings_of(c, batch, n),
            z: into_contiguous(z).handle,
            output: output.handle.clone(),
        };
        bk_kernels::bk_core(&client, &problem, &operands, options, strategy)?;
        Ok(output)
    }

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        _cotangent: FloatTensor<Self>,
        _needs: BkNeeds,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        Self::check_backward(&operands, options, strategy)?;
        Err(OperationError::MissingGradient { operand: "a_re" })
    }

    fn check_backward(
        _operands: &BkPrimitives<Self>,
        _options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<(), OperationError> {
        Err(OperationError::MissingGradient { operand: "a_re" })
    }
}

/// The rows of a matrix with their stride: pitched and sliced rows are read in place, other layouts copied.
fn rows_of<R: CubeRuntime>(matrix: CubeTensor<R>, columns: usize) -> Operand {
    let batch = matrix.meta.shape()[0];
    let unit_columns = columns == 1 || matrix.meta.strides()[1] == 1;
    let apart = batch == 1 || matrix.meta.strides()[0] >= columns;
    let matrix = if unit_columns && apart { matrix } else { into_contiguous(matrix) };
    // A single row has no stride that matters, and some layouts give it one that its buffer does not have.
    let row_stride = if batch == 1 { columns } else { matrix.meta.strides()[0] };
    Operand { handle: matrix.handle, row_stride }
}

/// As [`rows_of`], and stride 0 where one row serves the batch.
fn couplings_of<R: CubeRuntime>(matrix: CubeTensor<R>, batch: usize, n: usize) -> Operand {
    if n == 1 {
        return Operand { handle: matrix.handle, row_stride: 0 };
    }
    let rows = matrix.meta.shape()[0];
    let expanded = rows > 1 && matrix.meta.strides()[0] == 0 && matrix.meta.strides()[1] == 1;
    if expanded {
        return Operand { handle: matrix.handle, row_stride: 0 };
    }
    let operand = rows_of(matrix, n - 1);
    if rows == 1 && batch > 1 { Operand { row_stride: 0, ..operand } } else { operand }
}
