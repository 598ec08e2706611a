//! The original's approximations of the gradient by the diagonal, from the values of the forward pass.

use cubecl::prelude::*;

use crate::complex::{Complex, invert, multiply, scale};
use crate::gradient::affine::add;
use crate::options::{APPROXIMATION_LIMIT, SMALLEST_SQUARE, SQUARE_OFFSET};

/// Which parts of the gradient are written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Approximation {
    pub(crate) a_re: bool,
    pub(crate) a_im: bool,
    /// Whether the quotient has a part in it.
    pub(crate) blends: bool,
}

/// [`crate::GradMode::Blend`] at every site; `values` and `cotangent` are `[B, N, 2]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn approximate_kernel<V: Size>(
    values: &Array<Vector<f32, V>>,
    cotangent: &Array<Vector<f32, V>>,
    a_re: &mut Array<f32>,
    a_im: &mut Array<f32>,
    alpha: f32,
    sites: usize,
    #[comptime] approximation: Approximation,
) {
    let site = ABSOLUTE_POS;
    if site >= sites {
        terminate!();
    }
    let value = values[site];
    let g = Complex::new(value[0], value[1]);
    let pair = cotangent[site];
    let h = Complex::new(pair[0], -pair[1]);
    let square = multiply(g, g);
    let mut s = multiply(h, square);
    if comptime!(approximation.blends) {
        let size = f32::sqrt(fma(square.re, square.re, square.im * square.im));
        let smallest = comptime!(SMALLEST_SQUARE).runtime();
        // The phase of an exact 0 is 0.
        let factor = select(size < smallest, smallest / size, 1.0f32);
        let is_zero = size == 0.0;
        let re = select(is_zero, smallest, factor * square.re);
        let im = select(is_zero, 0.0f32, factor * square.im);
        let quotient = multiply(h, invert(Complex::new(re + comptime!(SQUARE_OFFSET), im)));
        s = add(scale(1.0 - alpha, s), scale(alpha, quotient));
    }
    if comptime!(approximation.a_re) {
        a_re[site] = limited(-s.re);
    }
    if comptime!(approximation.a_im) {
        a_im[site] = limited(s.im);
    }
}

/// Between the limits; NaN stays, which `min` and `max` would not promise.
#[cube]
fn limited(value: f32) -> f32 {
    let limit = comptime!(APPROXIMATION_LIMIT).runtime();
    let above = select(value > limit, limit, value);
    select(value < -limit, -limit, above)
}

/// Zero in every element: the gradients that an approximation does not have.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn zero_kernel(values: &mut Array<f32>, count: usize) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    values[ABSOLUTE_POS] = 0.0;
}
