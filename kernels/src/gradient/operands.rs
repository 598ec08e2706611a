//! The cotangent and the gradients of one call.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::complex::Complex;
use crate::error::BkError;
use crate::problem::{BkOperands, BkProblem, Operand, check_buffer};

/// Buffers of the backward pass beside those of the matrix.
#[derive(Debug, Clone)]
pub struct BkGradientOperands {
    /// `(dL/dRe G, dL/dIm G)` of a real `L`, `[B, N, 2]`, contiguous.
    pub cotangent: Handle,
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
        check_buffer("cotangent", &self.cotangent, 2 * sites)?;
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

/// `h`, the conjugate of the cotangent, at a site; zero beyond the matrix.
#[cube]
pub(crate) fn cotangent_at<V: Size>(
    cotangent: &Array<Vector<f32, V>>,
    batch: usize,
    n: usize,
    row: usize,
    site: usize,
) -> Complex {
    let inside = (row < batch) & (site < n);
    let pair = cotangent[min(row, batch - 1) * n + min(site, n - 1)];
    Complex::new(select(inside, pair[0], 0.0f32), select(inside, -pair[1], 0.0f32))
}
