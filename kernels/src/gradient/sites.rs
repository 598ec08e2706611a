//! Consecutive sites in registers: the matrix and the cotangent.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::Complex;

/// `GROUP` consecutive sites.
#[derive(CubeType)]
pub(crate) struct Sites {
    re: Array<f32>,
    im: Array<f32>,
    /// Coupling on the right of each site.
    couplings: Array<f32>,
    h_re: Array<f32>,
    h_im: Array<f32>,
    /// Coupling on the left of the first site.
    before: f32,
}

#[cube]
impl Sites {
    pub(crate) fn new(before: f32) -> Sites {
        Sites {
            re: Array::<f32>::new(comptime!(GROUP as usize)),
            im: Array::<f32>::new(comptime!(GROUP as usize)),
            couplings: Array::<f32>::new(comptime!(GROUP as usize)),
            h_re: Array::<f32>::new(comptime!(GROUP as usize)),
            h_im: Array::<f32>::new(comptime!(GROUP as usize)),
            before,
        }
    }

    /// Sets the site at `index`, the coupling on its right and its `h`.
    pub(crate) fn set(&mut self, #[comptime] index: u32, d: Complex, coupling: f32, h: Complex) {
        self.re[comptime!(index as usize)] = d.re;
        self.im[comptime!(index as usize)] = d.im;
        self.couplings[comptime!(index as usize)] = coupling;
        self.h_re[comptime!(index as usize)] = h.re;
        self.h_im[comptime!(index as usize)] = h.im;
    }

    pub(crate) fn diagonal(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.re[comptime!(index as usize)], self.im[comptime!(index as usize)])
    }

    pub(crate) fn cotangent(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.h_re[comptime!(index as usize)], self.h_im[comptime!(index as usize)])
    }

    pub(crate) fn coupling_after(&self, #[comptime] index: u32) -> f32 {
        self.couplings[comptime!(index as usize)]
    }

    pub(crate) fn coupling_before(&self, #[comptime] index: u32) -> f32 {
        if comptime!(index == 0) { self.before } else { self.couplings[comptime!(index as usize - 1)] }
    }
}
