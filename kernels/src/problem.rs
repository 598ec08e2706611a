//! The sizes of a problem and the buffers that hold it.

use cubecl::server::Handle;

use crate::error::BkError;
use crate::options::BkOptions;

/// Elements of a buffer whose bytes, at four each, still have a signed 64-bit count.
const MOST_ELEMENTS: usize = i64::MAX as usize / 4;

/// Sizes of a batch of tridiagonal matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BkProblem {
    /// Rows `B`.
    pub batch: usize,
    /// Sites of a row `N`.
    pub n: usize,
    /// Whether the diagonal has an imaginary part.
    pub complex_diagonal: bool,
}

impl BkProblem {
    /// Floating-point operations of the serial algorithm: left sweep, right sweep, combination.
    pub fn flops(&self) -> u64 {
        const PER_SITE: u64 = 60;
        PER_SITE * self.sites()
    }

    /// Bytes of the inputs, each read once; `shared` when the batch shares `b` and `c`.
    pub fn bytes_read(&self, shared: bool) -> u64 {
        let diagonal = if self.complex_diagonal { 2 } else { 1 } * self.sites();
        let coupling_rows = if shared { 1 } else { self.batch as u64 };
        4 * (diagonal + 2 * coupling_rows * (self.n as u64 - 1)) + 8
    }

    /// Bytes of the output `[B, N, 2]`.
    pub fn bytes_written(&self) -> u64 {
        8 * self.sites()
    }

    fn sites(&self) -> u64 {
        self.batch as u64 * self.n as u64
    }
}

/// A two-dimensional float32 operand whose rows are contiguous.
#[derive(Debug, Clone)]
pub struct Operand {
    /// Its buffer, beginning at the first row.
    pub handle: Handle,
    /// Elements between rows; 0 when the batch shares one row.
    pub row_stride: usize,
}

/// The buffers of one call.
#[derive(Debug, Clone)]
pub struct BkOperands {
    /// Real part of the diagonal, `[B, N]`.
    pub a_re: Operand,
    /// Imaginary part, `[B, N]`.
    pub a_im: Option<Operand>,
    /// Super-diagonal, `[B, N-1]` or `[1, N-1]`.
    pub b: Operand,
    /// Sub-diagonal, `[B, N-1]` or `[1, N-1]`.
    pub c: Operand,
    /// `[Re z, Im z]`.
    pub z: Handle,
    /// Receives the diagonal of the resolvent, `[B, N, 2]`, contiguous.
    pub output: Handle,
    /// What the forward pass keeps for the backward pass, as long as [`kept_states`](crate::kept_states) says: the one
    /// writes it, and with it the other does not scan the states again.
    pub states: Option<Handle>,
}

impl BkOperands {
    /// Checks sizes, strides and buffers against the problem, and the options.
    pub(crate) fn validate(&self, problem: &BkProblem, options: &BkOptions) -> Result<(), BkError> {
        self.validate_matrix(problem, options)?;
        check_buffer("output", &self.output, 2 * problem.batch * problem.n)
    }

    /// [`BkOperands::validate`] without the output.
    pub(crate) fn validate_matrix(&self, problem: &BkProblem, options: &BkOptions) -> Result<(), BkError> {
        let BkProblem { batch, n, complex_diagonal } = *problem;
        if batch == 0 || n == 0 {
            return Err(BkError::Empty { batch, n });
        }
        let too_large = BkError::TooLarge { batch, n };
        let outputs = batch.checked_mul(n).and_then(|sites| sites.checked_mul(2));
        outputs.filter(|count| *count <= MOST_ELEMENTS).ok_or(too_large)?;
        if complex_diagonal != self.a_im.is_some() {
            let name = |complex| if complex { "complex" } else { "real" };
            return Err(BkError::Diagonal {
                found: name(self.a_im.is_some()),
                described: name(complex_diagonal),
            });
        }
        check_operand("a_re", &self.a_re, problem, n)?;
        if let Some(a_im) = &self.a_im {
            check_operand("a_im", a_im, problem, n)?;
        }
        check_operand("b", &self.b, problem, n - 1)?;
        check_operand("c", &self.c, problem, n - 1)?;
        check_buffer("z", &self.z, 2)?;
        options.check()
    }
}

fn check_operand(
    name: &'static str,
    operand: &Operand,
    problem: &BkProblem,
    columns: usize,
) -> Result<(), BkError> {
    let BkProblem { batch, n, .. } = *problem;
    let stride = operand.row_stride;
    let shared = stride == 0 && matches!(name, "b" | "c");
    if batch > 1 && !shared && stride < columns {
        return Err(BkError::Stride { operand: name, stride, needed: columns });
    }
    let elements = (batch - 1).checked_mul(stride).and_then(|rows| rows.checked_add(columns));
    let elements = elements.filter(|count| *count <= MOST_ELEMENTS);
    check_buffer(name, &operand.handle, elements.ok_or(BkError::TooLarge { batch, n })?)
}

/// Elements from the first to the last that a kernel reads; a checked operand has no more than fit.
pub(crate) fn elements(operand: &Operand, batch: usize, columns: usize) -> usize {
    operand.row_stride * (batch - 1) + columns
}

pub(crate) fn check_buffer(name: &'static str, handle: &Handle, elements: usize) -> Result<(), BkError> {
    let needed = (elements as u64).saturating_mul(4);
    let found = handle.size_in_used();
    if found < needed {
        return Err(BkError::Buffer { operand: name, found, needed });
    }
    Ok(())
}
