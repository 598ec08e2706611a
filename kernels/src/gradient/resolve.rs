//! The gradients of a chunk, from what its two sides contribute.
//!
//! With `t` the pivot of a site from the left, `M = h + k_{j-1} u_{j-1}` what has come from there, and `(R, v)` the right
//! side after the site:
//!
//! ```text
//! G = 1 / (t - k R),   S = G^2 (M + k v),   kappa = G^2 (R M + t v)
//! ```

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::{
    Complex, choose, is_not_finite, is_not_finite_real, multiply, read_complex, write_complex,
};
use crate::gradient::affine::add;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::fraction::{Fraction, choose_fraction, entered_over, reciprocal, square, with, without};
use crate::gradient::tile::GradientTile;
use crate::half::Half;
use crate::tile::{chunk_slot, rounds};

/// Puts the gradients in the place of the chunk's entries. `left` is the side before it, `middle` that in its middle and
/// `right` the side after it. Returns the sum of `S` over the chunk and whether all can be relied on.
#[cube]
pub(crate) fn resolve(
    tile: &mut GradientTile,
    before: f32,
    left: Fraction,
    middle: Fraction,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> (Complex, bool) {
    let base = comptime!(blueprint.base);
    let own = chunk_slot(UNIT_POS, base);
    let mut right = right;
    let mut sum = Complex::zero();
    let mut ordinary = true.runtime();
    for step in rounds(0u32, base)..rounds(2u32, base) {
        let is_first = step == 1;
        let slot = own + (1 - step) * base.half();
        let before = entered_over(&tile.matrix, slot, is_first, before);
        let start = choose_fraction(is_first, left, middle);
        let (next, part, is_ordinary) = resolve_half(tile, slot, before, start, right, blueprint);
        right = next;
        sum = add(sum, part);
        ordinary &= is_ordinary;
    }
    (sum, ordinary)
}

/// [`resolve`] for the half in `slot`; returns the right side before it too.
#[cube]
fn resolve_half(
    tile: &mut GradientTile,
    slot: u32,
    before: f32,
    left: Fraction,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> (Fraction, Complex, bool) {
    let base = comptime!(blueprint.base);
    let sites = comptime!(blueprint.base.half());
    let half = Half::read(&tile.matrix, slot, before, base);
    let mut pivots = Array::<f32>::new(comptime!(2 * sites as usize));
    let mut collected = Array::<f32>::new(comptime!(2 * sites as usize));
    let mut left = left;
    #[unroll]
    for site in 0..sites {
        let k = half.coupling_before(site);
        let pivot = without(half.diagonal(site, base), k, left.ratio);
        let from_left = with(tile.cotangent(slot + site), k, left.sum);
        keep(&mut pivots, site, pivot);
        keep(&mut collected, site, from_left);
        let (ratio, _) = reciprocal(pivot);
        left = Fraction::new(ratio, multiply(square(ratio), from_left));
    }
    // The same slots, which the compiler cannot know: else it would keep the entries beside the left sides.
    let again = slot + GROUP * rounds(0u32, base);
    let mut right = right;
    let mut sum = Complex::zero();
    let mut ordinary = true.runtime();
    #[unroll]
    for step in 0..comptime!(sites / GROUP) {
        let first = comptime!(sites - GROUP - step * GROUP);
        let (next, part, is_ordinary) =
            resolve_group(tile, again + first, &pivots, &collected, first, right, blueprint);
        right = next;
        sum = add(sum, part);
        ordinary &= is_ordinary;
    }
    (right, sum, ordinary)
}

/// [`resolve`] for the group in `slot`; `pivots` and `collected` have what comes from the left of its sites from `first`
/// on.
#[cube]
fn resolve_group(
    tile: &mut GradientTile,
    slot: u32,
    pivots: &Array<f32>,
    collected: &Array<f32>,
    #[comptime] first: u32,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> (Fraction, Complex, bool) {
    let base = comptime!(blueprint.base);
    let mut found = Array::<f32>::new(comptime!(2 * GROUP as usize));
    let mut kappas = Array::<f32>::new(comptime!(GROUP as usize));
    let mut right = right;
    let mut sum = Complex::zero();
    let mut ordinary = true.runtime();
    #[unroll]
    for back in 0..GROUP {
        let index = comptime!(GROUP - 1 - back);
        let k = tile.matrix.coupling(slot + index);
        let d = tile.matrix.diagonal(slot + index, base);
        let h = tile.cotangent(slot + index);
        let pivot = kept(pivots, comptime!(first + index));
        let from_left = kept(collected, comptime!(first + index));
        // Nothing comes over a cut, of which there is none inside a chunk.
        let mut arriving = right;
        if comptime!(first + index + 1 == blueprint.base.half()) {
            arriving = choose_fraction(k == 0.0, Fraction::new(Complex::zero(), Complex::zero()), right);
        }
        let (entry, is_ordinary) = reciprocal(without(pivot, k, arriving.ratio));
        ordinary &= is_ordinary;
        let squared = square(entry);
        let mut s = multiply(squared, with(from_left, k, arriving.sum));
        let mut kappa = 0.0f32.runtime();
        if comptime!(blueprint.wanted.couplings()) {
            let across = add(multiply(right.ratio, from_left), multiply(pivot, right.sum));
            kappa = fma(squared.re, across.re, -(squared.im * across.im));
        }
        if comptime!(base.zero_non_finite) {
            s = choose(is_not_finite(s), Complex::zero(), s);
            let bad = is_not_finite_real(kappa);
            kappa = select(bad, 0.0f32, kappa);
        }
        sum = add(sum, s);
        keep(&mut found, index, s);
        kappas[comptime!(index as usize)] = kappa;
        let (ratio, _) = reciprocal(without(d, k, arriving.ratio));
        right = Fraction::new(ratio, multiply(square(ratio), with(h, k, arriving.sum)));
    }
    #[unroll]
    for index in 0..GROUP {
        tile.put(slot + index, kept(&found, index), kappas[comptime!(index as usize)], blueprint);
    }
    (right, sum, ordinary)
}

#[cube]
fn keep(slots: &mut Array<f32>, #[comptime] slot: u32, value: Complex) {
    write_complex(slots, comptime!(2 * slot as usize).runtime(), value);
}

#[cube]
fn kept(slots: &Array<f32>, #[comptime] slot: u32) -> Complex {
    read_complex(slots, comptime!(2 * slot as usize).runtime())
}
