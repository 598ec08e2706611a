//! Where the gradients go, and what those of the couplings contain beside `kappa`.
//!
//! The factors of the couplings are read again: kept beside their product, they would let fewer cubes share a multiprocessor.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, is_not_finite_real};
use crate::gradient::blueprint::{GradientBlueprint, Wanted};
use crate::operands::Operands;
use crate::place::Place;

/// Where the wanted gradients are written.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Gradients {
    pub(crate) a_re: Array<f32>,
    pub(crate) a_im: Array<f32>,
    pub(crate) b: Array<f32>,
    pub(crate) c: Array<f32>,
}

#[cube]
impl Gradients {
    /// Those of the diagonal at a site, from `S`.
    pub(crate) fn write_site(
        &mut self,
        operands: &Operands,
        at: Place,
        s: Complex,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let index = at.row * operands.n + at.site;
        if comptime!(blueprint.wanted.a_re) {
            self.a_re[index] = -s.re;
        }
        if comptime!(blueprint.wanted.a_im) {
            self.a_im[index] = s.im;
        }
    }

    /// Those of the coupling on the right of a site, from `Re kappa`; its factors were loaded in `round`.
    pub(crate) fn write_link(
        &mut self,
        operands: &Operands,
        at: Place,
        kappa: f32,
        factors: &Factors,
        #[comptime] round: u32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let Wanted { kappa: sum, b, c, .. } = comptime!(blueprint.wanted);
        let link = at.row * (operands.n - 1) + at.site;
        if comptime!(sum) {
            self.b[link] = kappa;
        }
        if comptime!(b) {
            self.b[link] = times(factors.c[comptime!(round as usize)], kappa, blueprint);
        }
        if comptime!(c) {
            self.c[link] = times(factors.b[comptime!(round as usize)], kappa, blueprint);
        }
    }
}

/// The factors of the couplings that a unit moves at a time.
#[derive(CubeType)]
pub(crate) struct Factors {
    b: Array<f32>,
    c: Array<f32>,
}

#[cube]
impl Factors {
    pub(crate) fn new(#[comptime] blueprint: Blueprint) -> Factors {
        Factors {
            b: Array::<f32>::new(comptime!(blueprint.half() as usize)),
            c: Array::<f32>::new(comptime!(blueprint.half() as usize)),
        }
    }

    /// Loads those that the wanted gradients contain. Where the site may have no coupling, and has none, those of the one
    /// before it.
    pub(crate) fn load(
        &mut self,
        operands: &Operands,
        at: Place,
        #[comptime] round: u32,
        #[comptime] may_have_none: bool,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let mut back = 0usize;
        if comptime!(may_have_none) {
            back = select(at.site + 1 < operands.n, 0usize, 1usize);
        }
        if comptime!(blueprint.wanted.b) {
            self.c[comptime!(round as usize)] = operands.c[at.row * operands.c_stride + at.site - back];
        }
        if comptime!(blueprint.wanted.c) {
            self.b[comptime!(round as usize)] = operands.b[at.row * operands.b_stride + at.site - back];
        }
    }
}

/// The gradient of one factor of `k`. Where the other is 0 there is no way through, not even for a NaN.
#[cube]
fn times(factor: f32, kappa: f32, #[comptime] blueprint: GradientBlueprint) -> f32 {
    let product = select(factor == 0.0, 0.0f32, factor * kappa);
    let mut gradient = product;
    if comptime!(blueprint.base.zero_non_finite) {
        let bad = is_not_finite_real(product);
        gradient = select(bad, 0.0f32, product);
    }
    gradient
}
