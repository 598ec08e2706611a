//! `CubeBackend`: the CubeCL kernel, on CUDA and wgpu.

use bk_kernels::{
    BkGradientOperands, BkOperands, BkOptions, BkProblem, Cotangent, Operand, Strategy, kept_states,
    plan_backward,
};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::{empty_device_contiguous_dtype, zeros_client};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::server::Handle;

use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives, KeptOutput};
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
        let (output, _) = forward(operands, options, strategy, false)?;
        Ok(output)
    }

    fn kept_states(batch: usize, n: usize, options: &BkOptions, strategy: &Strategy) -> Option<[usize; 3]> {
        // An imaginary part of the diagonal is no matter.
        kept_states(&BkProblem { batch, n, complex_diagonal: false }, options, strategy)
    }

    fn bk_core_keeping(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<KeptOutput<Self>, OperationError> {
        forward(operands, options, strategy, true)
    }

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        check_type("a_re", operands.a_re.dtype)?;
        check_type("cotangent", cotangent.dtype)?;
        if let Some(states) = &states {
            check_type("states", states.dtype)?;
        }
        let states = states.map(|states| into_contiguous(states).handle);
        let problem = problem_of(&operands);
        let BkProblem { n, complex_diagonal, .. } = problem;
        let (client, device) = (operands.a_re.client.clone(), operands.a_re.device.clone());
        let like = |wanted: bool, operand: &CubeTensor<R>| {
            let shape = operand.meta.shape().clone();
            wanted.then(|| empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32))
        };
        // What stands for the couplings of one site has no influence.
        let like_coupling = |wanted: bool, operand: &CubeTensor<R>| match n {
            1 if wanted && operand.meta.shape().num_elements() > 0 => {
                let shape = operand.meta.shape().clone();
                Some(zeros_client(client.clone(), device.clone(), shape, DType::F32))
            }
            _ => like(wanted, operand),
        };
        let found = BkGradientPrimitives::<Self> {
            a_re: like(needs.a_re, &operands.a_re),
            a_im: like(needs.a_im && complex_diagonal, &operands.a_re),
            b: like_coupling(needs.b, &operands.b),
            c: like_coupling(needs.c, &operands.c),
            z: like(needs.z, &operands.z),
        };
        let handle = |gradient: &Option<CubeTensor<R>>| gradient.as_ref().map(|tensor| tensor.handle.clone());
        let coupling = |gradient: &Option<CubeTensor<R>>| {
            let gradient = gradient.as_ref().filter(|_| n > 1)?;
            let is_shared = gradient.meta.shape()[0] == 1;
            Some(Operand { handle: gradient.handle.clone(), row_stride: if is_shared { 0 } else { n - 1 } })
        };
        let cotangent = cotangent_of(cotangent);
        let gradients = BkGradientOperands {
            cotangent: cotangent.clone(),
            a_re: handle(&found.a_re),
            a_im: handle(&found.a_im),
            b: coupling(&found.b),
            c: coupling(&found.c),
            z: handle(&found.z),
        };
        // The output is not touched.
        let operands = buffers(operands, &problem, cotangent.handle, states);
        bk_kernels::bk_core_backward(&client, &problem, &operands, &gradients, options, strategy)?;
        Ok(found)
    }

    fn check_backward(
        operands: &BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<(), OperationError> {
        check_type("a_re", operands.a_re.dtype)?;
        plan_backward(&operands.a_re.client, &problem_of(operands), options, strategy)?;
        Ok(())
    }
}

/// The forward pass, with what it keeps if that is wanted and there is any.
fn forward<B, R: CubeRuntime>(
    operands: BkPrimitives<B>,
    options: &BkOptions,
    strategy: &Strategy,
    keeps: bool,
) -> Result<(CubeTensor<R>, Option<CubeTensor<R>>), OperationError>
where
    B: Backend<FloatTensorPrimitive = CubeTensor<R>>,
{
    check_type("a_re", operands.a_re.dtype)?;
    let (client, device) = (operands.a_re.client.clone(), operands.a_re.device.clone());
    let problem = problem_of(&operands);
    let empty = |shape: [usize; 3]| {
        empty_device_contiguous_dtype(client.clone(), device.clone(), Shape::new(shape), DType::F32)
    };
    let output = empty([problem.batch, problem.n, 2]);
    let states = if keeps { kept_states(&problem, options, strategy).map(empty) } else { None };
    let kept = states.as_ref().map(|states| states.handle.clone());
    let operands = buffers(operands, &problem, output.handle.clone(), kept);
    bk_kernels::bk_core(&client, &problem, &operands, options, strategy)?;
    Ok((output, states))
}

fn check_type(operand: &'static str, found: DType) -> Result<(), OperationError> {
    if found == DType::F32 {
        return Ok(());
    }
    let expected = "F32, F16 or BF16: the kernel computes in F32".to_owned();
    Err(OperationError::ElementType { operand, found, expected })
}

fn problem_of<B, R: CubeRuntime>(operands: &BkPrimitives<B>) -> BkProblem
where
    B: Backend<FloatTensorPrimitive = CubeTensor<R>>,
{
    let shape = operands.a_re.meta.shape();
    BkProblem { batch: shape[0], n: shape[1], complex_diagonal: operands.a_im.is_some() }
}

fn buffers<B, R: CubeRuntime>(
    operands: BkPrimitives<B>,
    problem: &BkProblem,
    output: Handle,
    states: Option<Handle>,
) -> BkOperands
where
    B: Backend<FloatTensorPrimitive = CubeTensor<R>>,
{
    let BkProblem { batch, n, .. } = *problem;
    BkOperands {
        a_re: rows_of(operands.a_re, n),
        a_im: operands.a_im.map(|a_im| rows_of(a_im, n)),
        b: couplings_of(operands.b, batch, n),
        c: couplings_of(operands.c, batch, n),
        z: into_contiguous(operands.z).handle,
        output,
        states,
    }
}

/// A cotangent `[B, N, 2]` with its strides, in place where both parts of each entry are a pair; other layouts are copied.
fn cotangent_of<R: CubeRuntime>(cotangent: CubeTensor<R>) -> Cotangent {
    let shape = cotangent.meta.shape();
    let (batch, n) = (shape[0], shape[1]);
    // What a dimension of one entry has for a stride says nothing.
    let pairs = |stride: usize, length: usize, least: usize| match stride {
        _ if length == 1 => Some(least),
        stride if stride.is_multiple_of(2) && stride / 2 >= least => Some(stride / 2),
        _ => None,
    };
    let strides = cotangent.meta.strides();
    let in_place = (strides[2] == 1)
        .then(|| pairs(strides[1], n, 1))
        .flatten()
        .and_then(|site_stride| Some((pairs(strides[0], batch, n * site_stride)?, site_stride)));
    match in_place {
        Some((row_stride, site_stride)) => Cotangent { handle: cotangent.handle, row_stride, site_stride },
        None => Cotangent::contiguous(into_contiguous(cotangent).handle, n),
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
