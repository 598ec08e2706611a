//! The cotangent and the gradients of one call.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::complex::Complex;
use crate::error::BkError;
use crate::problem::{BkOperands, BkProblem, Operand, check_buffer};

/// `(dL/dRe G, dL/dIm G)` of a real `L`, `[B, N, 2]`, the two parts of an entry next to each other.
#[derive(Debug, Clone)]
pub struct Cotangent {
    /// Its buffer, beginning at the first entry.
    pub handle: Handle,
    /// Pairs between rows.
    pub row_stride: usize,
    /// Pairs between the entries of a row.
    pub site_stride: usize,
}

impl Cotangent {
    /// One without gaps, of `n` sites a row.
    pub fn contiguous(handle: Handle, n: usize) -> Self {
        Self { handle, row_stride: n, site_stride: 1 }
    }

    /// Pairs from the first to the last.
    pub(crate) fn extent(&self, problem: &BkProblem) -> usize {
        let last_row = (problem.batch - 1).saturating_mul(self.row_stride);
        last_row.saturating_add((problem.n - 1).saturating_mul(self.site_stride)).saturating_add(1)
    }

    pub(crate) fn layout<R: Runtime>(&self) -> CotangentLayoutLaunch<R> {
        CotangentLayoutLaunch::new(self.row_stride, self.site_stride)
    }
}

/// Buffers of the backward pass beside those of the matrix.
#[derive(Debug, Clone)]
pub struct BkGradientOperands {
    /// The gradients by the values of the forward pass.
    pub cotangent: Cotangent,
    /// Receives `dL/dRe a`, `[B, N]`, contiguous; `None` where it is not wanted.
    pub a_re: Option<Handle>,
    /// Receives `dL/dIm a`, `[B, N]`, of a complex diagonal.
    pub a_im: Option<Handle>,
    /// Receives `dL/db`, contiguous: `[B, N-1]`, or with a row stride of 0 the sum over the batch, `[1, N-1]`.
    pub b: Option<Operand>,
    /// Receives `dL/dc`, likewise.
    pub c: Option<Operand>,
    /// Receives `(dL/dRe z, dL/dIm z)`, `[2]`, the sum over the batch.
    pub z: Option<Handle>,
}

impl BkGradientOperands {
    /// Checks the buffers against the problem, and against the operands, which were checked before.
    pub(crate) fn validate(&self, problem: &BkProblem, operands: &BkOperands) -> Result<(), BkError> {
        let BkProblem { batch, n, complex_diagonal } = *problem;
        let sites = batch * n;
        for (stride, needed) in [(self.cotangent.site_stride, 1), (self.cotangent.row_stride, n)] {
            if stride < needed {
                return Err(BkError::Stride { operand: "cotangent", stride, needed });
            }
        }
        check_buffer("cotangent", &self.cotangent.handle, self.cotangent.extent(problem).saturating_mul(2))?;
        if let Some(a_re) = &self.a_re {
            check_buffer("gradient of a_re", a_re, sites)?;
        }
        if let Some(a_im) = &self.a_im {
            if !complex_diagonal {
                return Err(BkError::Diagonal { found: "complex", described: "real" });
            }
            check_buffer("gradient of a_im", a_im, sites)?;
        }
        let couplings = [("gradient of b", &self.b, &operands.b), ("gradient of c", &self.c, &operands.c)];
        for (name, gradient, operand) in couplings {
            let Some(gradient) = gradient else { continue };
            let (stride, links) = (gradient.row_stride, n - 1);
            let is_summed = batch > 1 && stride == 0;
            if !is_summed && batch > 1 && stride != links {
                return Err(BkError::Stride { operand: name, stride, needed: links });
            }
            // One gradient for the batch of what is not one value for the batch has no meaning.
            if is_summed && operand.row_stride != 0 {
                return Err(BkError::Stride { operand: name, stride, needed: operand.row_stride });
            }
            check_buffer(name, &gradient.handle, if is_summed { links } else { batch * links })?;
        }
        match &self.z {
            Some(z) => check_buffer("gradient of z", z, 2),
            None => Ok(()),
        }
    }
}

/// Where the pairs of the cotangent are.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(crate) struct CotangentLayout {
    /// Pairs between rows.
    pub(crate) row_stride: usize,
    /// Pairs between sites.
    pub(crate) site_stride: usize,
}

/// `h`, the conjugate of the cotangent, at a site; zero beyond the matrix.
#[cube]
pub(crate) fn cotangent_at<V: Size>(
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    batch: usize,
    n: usize,
    row: usize,
    site: usize,
) -> Complex {
    let inside = (row < batch) & (site < n);
    // Selections, since CubeCL 0.10 writes an ambiguous `min` of 64-bit indices on CUDA.
    let row = select(inside, row, 0usize);
    let site = select(inside, site, 0usize);
    let pair = cotangent[row * layout.row_stride + site * layout.site_stride];
    Complex::new(select(inside, pair[0], 0.0f32), select(inside, -pair[1], 0.0f32))
}
