//! The recursions in ratios: a continued fraction from each side, and what the sites behind contribute.
//!
//! With the state scaled so that its determinant is 1, the left side after a site is its ratio `L = n / D` and the sum
//! `u` in that scale, and a site of diagonal `d` and cotangent `h`, entered over coupling `k`, makes of it
//!
//! ```text
//! pivot = d - k L,   L' = 1 / pivot,   u' = L'^2 (h + k u)
//! ```
//!
//! A third of the operations of the projective form and nothing to rescale. But a pivot can vanish or leave the range of
//! float32, and a cut has to keep a NaN: a chunk where that happens is told, and goes through `running` instead.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{
    Complex, choose, conjugate, invert, is_not_finite, multiply, norm, quick_reciprocal, scale,
};
use crate::gradient::affine::{Affine, add};
use crate::gradient::sites::HalfSites;
use crate::half::Half;
use crate::projective::{Pair, choose_pair, has_second};

/// Bits of 2^-60, and how far those of 2^60 are from them: pivots and determinants whose square lies between need no
/// care, for the squares of their reciprocals stay in the range of float32 too.
const LEAST_NORM: u32 = (127 - 60) << 23;
const ORDINARY_NORMS: u32 = 120 << 23;

/// One side of a site: the ratio of its state, and the sum of the sites behind in the scale where the determinant is 1.
/// Neither has crossed the coupling ahead.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Fraction {
    pub(crate) ratio: Complex,
    pub(crate) sum: Complex,
}

#[cube]
impl Fraction {
    pub(crate) fn new(ratio: Complex, sum: Complex) -> Fraction {
        Fraction { ratio, sum }
    }
}

#[cube]
pub(crate) fn choose_fraction(condition: bool, yes: Fraction, no: Fraction) -> Fraction {
    Fraction::new(choose(condition, yes.ratio, no.ratio), choose(condition, yes.sum, no.sum))
}

/// `value - k ratio`.
#[cube]
pub(crate) fn without(value: Complex, k: f32, ratio: Complex) -> Complex {
    Complex::new(fma(-k, ratio.re, value.re), fma(-k, ratio.im, value.im))
}

/// `value + k sum`.
#[cube]
pub(crate) fn with(value: Complex, k: f32, sum: Complex) -> Complex {
    Complex::new(fma(k, sum.re, value.re), fma(k, sum.im, value.im))
}

#[cube]
pub(crate) fn square(value: Complex) -> Complex {
    Complex::new(fma(value.re, value.re, -(value.im * value.im)), (value.re + value.re) * value.im)
}

/// `1 / value`, and whether it can be relied on.
#[cube]
pub(crate) fn reciprocal(value: Complex) -> (Complex, bool) {
    let size = norm(value);
    let ordinary = u32::reinterpret(size) - LEAST_NORM < ORDINARY_NORMS;
    (scale(quick_reciprocal(size), conjugate(value)), ordinary)
}

/// The ratio of a canonical state, and the factor of a sum from its scale to that in which the determinant is 1.
#[cube]
pub(crate) fn ratio_of(state: Pair) -> (Complex, Complex) {
    let second = has_second(state);
    let inverse = invert(state.x);
    (choose(second, inverse, state.y), choose(second, square(inverse), Complex::one()))
}

/// [`ratio_of`] for a state that is to cross coupling `k`: nothing crosses a cut, not even a NaN.
#[cube]
pub(crate) fn ratio_over(state: Pair, k: f32) -> (Complex, Complex) {
    let (ratio, factor) = ratio_of(state);
    let cut = k == 0.0;
    (choose(cut, Complex::zero(), ratio), choose(cut, Complex::zero(), factor))
}

/// The canonical state of a ratio.
#[cube]
fn state_of(ratio: Complex) -> Pair {
    let second = ratio.taxicab() > 1.0;
    choose_pair(second, Pair::new(invert(ratio), Complex::one()), Pair::new(Complex::one(), ratio))
}

/// Ratios of a left state swept through the half `ahead` of it, and of a right state through the half `back` of it.
#[cube]
pub(crate) fn sweep_ratios(
    ahead: &Half,
    back: &Half,
    left: Complex,
    right: Complex,
    #[comptime] blueprint: Blueprint,
) -> (Complex, Complex) {
    let sites = comptime!(blueprint.half());
    let mut rightwards = left;
    let mut leftwards = right;
    #[unroll]
    for index in 0..sites {
        let pivot = without(ahead.diagonal(index, blueprint), ahead.coupling_before(index), rightwards);
        rightwards = scale(quick_reciprocal(norm(pivot)), conjugate(pivot));
        let index = comptime!(sites - 1 - index);
        let pivot = without(back.diagonal(index, blueprint), back.coupling_after(index), leftwards);
        leftwards = scale(quick_reciprocal(norm(pivot)), conjugate(pivot));
    }
    (rightwards, leftwards)
}

/// The canonical states of two swept ratios, and whether they can be relied on.
#[cube]
pub(crate) fn swept_states(rightwards: Complex, leftwards: Complex) -> (Pair, Pair, bool) {
    // A pivot that vanished has left a NaN.
    let ordinary = !is_not_finite(rightwards) & !is_not_finite(leftwards);
    (state_of(rightwards), state_of(leftwards), ordinary)
}

/// A side in the middle of a chunk as the image of the sum at its start.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Mapped {
    /// The side where that sum is zero.
    pub(crate) offset: Fraction,
    /// What comes through of it.
    pub(crate) factor: Complex,
    /// The last pivot.
    pivot: Complex,
}

#[cube]
impl Mapped {
    pub(crate) fn start(state: Pair, k: f32) -> Mapped {
        let (ratio, factor) = ratio_over(state, k);
        Mapped { offset: Fraction::new(ratio, Complex::zero()), factor, pivot: Complex::one() }
    }

    /// The side here for the sum at the start, in the scale of the state there.
    pub(crate) fn at(self, sum: Complex) -> Fraction {
        Fraction::new(self.offset.ratio, add(multiply(self.factor, sum), self.offset.sum))
    }

    /// The map to here, its image in the neighbour's scale.
    fn finish(self, second: bool) -> Affine {
        let by = choose(second, square(self.pivot), Complex::one());
        Affine::new(multiply(by, self.factor), multiply(by, self.offset.sum))
    }
}

/// Over coupling `k` and a site; and whether its pivot is ordinary.
#[cube]
fn map_site(mapped: Mapped, d: Complex, k: f32, h: Complex) -> (Mapped, bool) {
    let pivot = without(d, k, mapped.offset.ratio);
    let (ratio, ordinary) = reciprocal(pivot);
    let through = square(ratio);
    let sum = multiply(through, with(h, k, mapped.offset.sum));
    let factor = multiply(through, scale(k, mapped.factor));
    (Mapped { offset: Fraction::new(ratio, sum), factor, pivot }, ordinary)
}

/// What is on both sides of the halves of a chunk.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Sides {
    /// The left side before the chunk, which has crossed the coupling there, and that in its middle.
    pub(crate) left: Fraction,
    pub(crate) middle_left: Fraction,
    /// The right side in the middle, and that after the chunk.
    pub(crate) middle_right: Fraction,
    pub(crate) right: Fraction,
}

/// The maps of a chunk, the two sides in its middle, and whether these, and the pivots behind them, can be relied on.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct ChunkMaps {
    pub(crate) rightwards: Affine,
    pub(crate) leftwards: Affine,
    pub(crate) middle_left: Mapped,
    pub(crate) middle_right: Mapped,
    pub(crate) ordinary: bool,
}

/// What is left of a chunk goes through the half `ahead` of it, and what is right through the half `back` of it; and whether
/// all pivots are ordinary.
#[cube]
pub(crate) fn map_halves(
    rightwards: Mapped,
    leftwards: Mapped,
    ahead: &HalfSites,
    back: &HalfSites,
    #[comptime] blueprint: Blueprint,
) -> (Mapped, Mapped, bool) {
    let sites = comptime!(blueprint.half());
    let mut rightwards = rightwards;
    let mut leftwards = leftwards;
    let mut ordinary = true.runtime();
    #[unroll]
    for index in 0..sites {
        let matrix = &ahead.matrix;
        let (next, is_ordinary) = map_site(
            rightwards,
            matrix.diagonal(index, blueprint),
            matrix.coupling_before(index),
            ahead.h.at(index),
        );
        rightwards = next;
        ordinary &= is_ordinary;
        let index = comptime!(sites - 1 - index);
        let matrix = &back.matrix;
        let (next, is_ordinary) = map_site(
            leftwards,
            matrix.diagonal(index, blueprint),
            matrix.coupling_after(index),
            back.h.at(index),
        );
        leftwards = next;
        ordinary &= is_ordinary;
    }
    (rightwards, leftwards, ordinary)
}

/// The maps of a chunk from what went through both halves; `right_second` and `left_second` are the scales of the states at its
/// far edges.
#[cube]
pub(crate) fn finish_maps(
    rightwards: Mapped,
    leftwards: Mapped,
    middle_left: Mapped,
    middle_right: Mapped,
    right_second: bool,
    left_second: bool,
    ordinary: bool,
) -> ChunkMaps {
    let rightwards = rightwards.finish(right_second);
    let leftwards = leftwards.finish(left_second);
    let ordinary = ordinary & rightwards.is_finite() & leftwards.is_finite();
    ChunkMaps { rightwards, leftwards, middle_left, middle_right, ordinary }
}
