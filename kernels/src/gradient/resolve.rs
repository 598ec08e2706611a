//! The gradients of a chunk, from what its two sides contribute.
//!
//! With `t` the pivot of a site from the left, `M = h + k_{j-1} u_{j-1}` what has come from there, and `(R, v)` the right
//! side after the site:
//!
//! ```text
//! G = 1 / (t - k R),   S = G^2 (M + k v),   kappa = G^2 (R M + t v)
//! ```

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{
    Complex, choose, is_not_finite, is_not_finite_real, multiply, read_complex, write_complex,
};
use crate::gradient::affine::add;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::fraction::{Fraction, choose_fraction, reciprocal, square, with, without};
use crate::gradient::sites::HalfSites;

/// What has come from the left of the sites of a half: `t` and `M`.
#[derive(CubeType)]
pub(crate) struct FromLeft {
    pivots: Array<f32>,
    collected: Array<f32>,
}

#[cube]
impl FromLeft {
    /// From the left side before the half.
    pub(crate) fn collect(sites: &HalfSites, left: Fraction, #[comptime] blueprint: Blueprint) -> FromLeft {
        let floats = comptime!(2 * blueprint.half() as usize);
        let mut pivots = Array::<f32>::new(floats);
        let mut collected = Array::<f32>::new(floats);
        let mut left = left;
        #[unroll]
        for site in 0..blueprint.half() {
            let k = sites.matrix.coupling_before(site);
            let pivot = without(sites.matrix.diagonal(site, blueprint), k, left.ratio);
            let from_left = with(sites.h.at(site), k, left.sum);
            write_complex(&mut pivots, comptime!(2 * site as usize).runtime(), pivot);
            write_complex(&mut collected, comptime!(2 * site as usize).runtime(), from_left);
            let (ratio, _) = reciprocal(pivot);
            left = Fraction::new(ratio, multiply(square(ratio), from_left));
        }
        FromLeft { pivots, collected }
    }

    fn pivot(&self, #[comptime] site: u32) -> Complex {
        read_complex(&self.pivots, comptime!(2 * site as usize).runtime())
    }

    fn collected(&self, #[comptime] site: u32) -> Complex {
        read_complex(&self.collected, comptime!(2 * site as usize).runtime())
    }
}

/// The gradients at a site.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Resolved {
    pub(crate) s: Complex,
    pub(crate) kappa: f32,
    /// The right side before the site.
    pub(crate) right: Fraction,
    /// Whether the gradients can be relied on.
    pub(crate) ordinary: bool,
}

/// Those of site `site` of a half, of diagonal `d`, coupling `k` on its right and cotangent `h`; `right` is the side after it.
#[cube]
pub(crate) fn resolve_site(
    from_left: &FromLeft,
    #[comptime] site: u32,
    d: Complex,
    k: f32,
    h: Complex,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> Resolved {
    let base = comptime!(blueprint.base);
    let pivot = from_left.pivot(site);
    let collected = from_left.collected(site);
    // Nothing comes over a cut, of which there is none inside a chunk.
    let mut arriving = right;
    if comptime!(site + 1 == blueprint.base.half()) {
        arriving = choose_fraction(k == 0.0, Fraction::new(Complex::zero(), Complex::zero()), right);
    }
    let (entry, ordinary) = reciprocal(without(pivot, k, arriving.ratio));
    let squared = square(entry);
    let mut s = multiply(squared, with(collected, k, arriving.sum));
    let mut kappa = 0.0f32.runtime();
    if comptime!(blueprint.wanted.couplings()) {
        let across = add(multiply(right.ratio, collected), multiply(pivot, right.sum));
        kappa = fma(squared.re, across.re, -(squared.im * across.im));
    }
    if comptime!(base.zero_non_finite) {
        s = choose(is_not_finite(s), Complex::zero(), s);
        let bad = is_not_finite_real(kappa);
        kappa = select(bad, 0.0f32, kappa);
    }
    let (ratio, _) = reciprocal(without(d, k, arriving.ratio));
    let right = Fraction::new(ratio, multiply(square(ratio), with(h, k, arriving.sum)));
    Resolved { s, kappa, right, ordinary }
}
