//! The inputs of a kernel as it sees them: arrays with row strides, and the matrix entries they stand for.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, choose};
use crate::place::Place;

/// The arrays of a batch of tridiagonal matrices.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Operands {
    /// Real part of the diagonal, `[B, N]`.
    pub(crate) a_re: Array<f32>,
    /// Imaginary part, `[B, N]`; any array where the diagonal is real.
    pub(crate) a_im: Array<f32>,
    /// Super-diagonal, `[B, N-1]` or `[1, N-1]`.
    pub(crate) b: Array<f32>,
    /// Sub-diagonal, likewise.
    pub(crate) c: Array<f32>,
    /// Spectral parameter `[Re z, Im z]`.
    pub(crate) z: Array<f32>,
    /// Rows `B`.
    pub(crate) batch: usize,
    /// Sites of a row `N`.
    pub(crate) n: usize,
    /// Elements between rows of `a_re`.
    pub(crate) a_re_stride: usize,
    /// Elements between rows of `a_im`.
    pub(crate) a_im_stride: usize,
    /// Elements between rows of `b`, 0 where the batch shares one.
    pub(crate) b_stride: usize,
    /// Elements between rows of `c`, 0 where the batch shares one.
    pub(crate) c_stride: usize,
}

#[cube]
impl Operands {
    /// `d` at a site of the batch.
    pub(crate) fn diagonal_at(&self, at: Place, #[comptime] blueprint: Blueprint) -> Complex {
        let re = self.a_re[at.row * self.a_re_stride + at.site] - self.z[0];
        let mut im = -self.z[1];
        if comptime!(blueprint.complex_diagonal) {
            im += self.a_im[at.row * self.a_im_stride + at.site];
        }
        Complex::new(re, im)
    }

    /// `k` on the right of a site of the batch, of several to a row, which may be its last.
    pub(crate) fn coupling_at(&self, at: Place, #[comptime] may_end_row: bool) -> f32 {
        let b = at.row * self.b_stride + at.site;
        let c = at.row * self.c_stride + at.site;
        if comptime!(may_end_row) {
            // The last site of a row has no coupling.
            let ends = at.site + 1 == self.n;
            let back = select(ends, 1usize, 0usize);
            let k = self.b[b - back] * self.c[c - back];
            select(ends, 0.0f32, k)
        } else {
            self.b[b] * self.c[c]
        }
    }

    /// `d` at a site and `k` on its right, or what is neutral where the batch has no such site: read without a condition.
    pub(crate) fn nearest_entries(&self, place: Place, #[comptime] blueprint: Blueprint) -> (Complex, f32) {
        let at = place.nearest(self, blueprint);
        let inside = place.is_inside(self, blueprint);
        let last = self.n - 1;
        // The last coupling where there is none. A matrix of one site has none: its launcher binds another array.
        let link = at.site - select((place.site >= last) & (last > 0), 1usize, 0usize);
        let d = self.diagonal_at(at, blueprint);
        let k = self.b[at.row * self.b_stride + link] * self.c[at.row * self.c_stride + link];
        (choose(inside, d, Complex::one()), select(inside & (place.site < last), k, 0.0f32))
    }

    /// `d = a - z` at a site. Beyond the matrix it is 1, which together with zero couplings is neutral.
    ///
    /// The load is unconditional at a clamped index, so that loads of several sites can be in flight.
    pub(crate) fn diagonal(&self, row: usize, site: usize, #[comptime] complex: bool) -> Complex {
        let inside = (row < self.batch) & (site < self.n);
        let row = self.clamped(row);
        let site = select(site < self.n, site, self.n - 1);
        let re = self.a_re[row * self.a_re_stride + site] - self.z[0];
        let mut im = -self.z[1];
        if comptime!(complex) {
            im += self.a_im[row * self.a_im_stride + site];
        }
        Complex::new(select(inside, re, 1.0f32), select(inside, im, 0.0f32))
    }

    /// `k = b c` on the right of a site; zero at the end of the row and beyond.
    pub(crate) fn coupling(&self, row: usize, site: usize) -> f32 {
        let inside = (row < self.batch) & (site + 1 < self.n);
        let row = self.clamped(row);
        // A matrix of one site has no couplings: its launcher binds another array here.
        let site = select(inside, site, 0usize);
        let k = self.b[row * self.b_stride + site] * self.c[row * self.c_stride + site];
        select(inside, k, 0.0f32)
    }

    /// A row of the batch. A selection, since CubeCL 0.10 writes an ambiguous `min` of 64-bit indices on CUDA.
    fn clamped(&self, row: usize) -> usize {
        select(row < self.batch, row, self.batch - 1)
    }

    /// `k` on the left of a site.
    pub(crate) fn coupling_before(&self, row: usize, site: usize) -> f32 {
        let before = self.coupling(row, select(site == 0, 0usize, site - 1));
        select(site == 0, 0.0f32, before)
    }
}
