//! The gradients of a chunk in the projective form: for any pivot and any cut, with nothing divided by but the local
//! determinant. Rare, so it is short rather than fast.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::{
    Complex, choose, invert, is_not_finite, is_not_finite_real, multiply, recur, scale, subtract,
};
use crate::gradient::affine::{Affine, add};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::running::{
    Mapping, RESCALE, Running, add_site, advance, advance_right, cross_sum, finish_map, keep, kept, map_left,
    map_right, rescale, state_left, state_right,
};
use crate::gradient::sites::Sites;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, canonicalise, cross_coupling};
use crate::resolvent::Finish;
use crate::tile::rounds;

/// Groups of a chunk, as a number that no compiler unrolls a loop for.
#[cube]
pub(crate) fn groups(#[comptime] blueprint: GradientBlueprint) -> u32 {
    rounds(comptime!(blueprint.base.chunk / GROUP), comptime!(blueprint.base))
}

/// The states at the far edges of this unit's chunk from those at its near ones, canonical as these.
#[cube]
pub(crate) fn sweep_with_care<C: GradientChunk>(
    chunk: &C,
    operands: &Operands,
    place: Place,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: GradientBlueprint,
) -> (Pair, Pair) {
    let groups = groups(blueprint);
    let mut rightwards = left;
    let mut leftwards = right;
    for group in 0..groups {
        rightwards = state_right(rightwards, &Sites::read::<C>(chunk, operands, place, group, blueprint));
        let mirrored = groups - 1 - group;
        leftwards = state_left(leftwards, &Sites::read::<C>(chunk, operands, place, mirrored, blueprint));
    }
    (canonicalise(rightwards), canonicalise(leftwards))
}

/// The affine maps of this unit's chunk between its two states; `right_second` and `left_second` are the scales of the
/// states at its far edges.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn map_with_care<C: GradientChunk>(
    chunk: &C,
    operands: &Operands,
    place: Place,
    left: Pair,
    right: Pair,
    right_second: bool,
    left_second: bool,
    #[comptime] blueprint: GradientBlueprint,
) -> (Affine, Affine) {
    let groups = groups(blueprint);
    let mut rightwards = Mapping::start(left);
    let mut leftwards = Mapping::start(right);
    for group in 0..groups {
        rightwards = map_right(rightwards, &Sites::read::<C>(chunk, operands, place, group, blueprint));
        let mirrored = groups - 1 - group;
        leftwards = map_left(leftwards, &Sites::read::<C>(chunk, operands, place, mirrored, blueprint));
    }
    (finish_map(rightwards, right_second), finish_map(leftwards, left_second))
}

/// Puts the gradients in the place of the chunk's entries, from its two sides, and returns the sum of `S` over it. The
/// left side is swept again for each group: kept, it would be registers that the quick path could not have.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn resolve_with_care<C: GradientChunk>(
    chunk: &mut C,
    operands: &Operands,
    place: Place,
    left: Running,
    right: Running,
    finish: &Finish,
    #[comptime] blueprint: GradientBlueprint,
) -> Complex {
    let groups = groups(blueprint);
    let mut right = right;
    let mut sum = Complex::zero();
    for step in 0..groups {
        let group = groups - 1 - step;
        let mut start = left;
        for before in 0..group {
            start = advance_right(start, &Sites::read::<C>(chunk, operands, place, before, blueprint));
        }
        let sites = Sites::read::<C>(chunk, operands, place, group, blueprint);
        let (next, part) = resolve_group::<C>(chunk, group, start, right, &sites, finish, blueprint);
        right = next;
        sum = add(sum, part);
    }
    sum
}

/// The gradients of a group from the left side before it and the right side after it, and the right side before it.
#[cube]
fn resolve_group<C: GradientChunk>(
    chunk: &mut C,
    group: u32,
    start: Running,
    end: Running,
    sites: &Sites,
    finish: &Finish,
    #[comptime] blueprint: GradientBlueprint,
) -> (Running, Complex) {
    // The left side before each site, computed again: all of the chunk would be too many registers.
    let mut lefts = Array::<f32>::new(comptime!(6 * GROUP as usize));
    let mut left = start;
    #[unroll]
    for index in 0..GROUP {
        keep(&mut lefts, index, left);
        if comptime!(index + 1 < GROUP) {
            let k = sites.coupling_before(index);
            left = advance(left, sites.diagonal(index), k, sites.cotangent(index));
            if comptime!(index % RESCALE == RESCALE - 1) {
                left = rescale(left);
            }
        }
    }
    let mut right = end;
    let mut sum = Complex::zero();
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let d = sites.diagonal(index);
        let h = sites.cotangent(index);
        let behind = kept(&lefts, index);
        let k_before = sites.coupling_before(index);
        let before = Running::new(cross_coupling(behind.state, k_before), cross_sum(behind.sum, k_before));
        let k = sites.coupling_after(index);
        let after = restart_at_cut(right, k);
        let (s, kappa) = resolve_site(before, after, d, k_before, k, h, finish, blueprint);
        chunk.put(group, index, s, kappa, blueprint);
        sum = add(sum, s);
        right = advance(right, d, k, h);
        if comptime!(index % RESCALE == 0) {
            right = rescale(right);
        }
    }
    (right, sum)
}

/// The right side at coupling `k`, not yet over it. Where `k` is a cut, the state starts anew but keeps its ratio, and
/// the sum is brought to the new scale: both serve the gradient of `k` alone.
#[cube]
fn restart_at_cut(right: Running, k: f32) -> Running {
    let mut state = right.state;
    let mut sum = right.sum;
    if k == 0.0 {
        let inverse = invert(state.x);
        state = Pair::new(Complex::one(), multiply(state.y, inverse));
        sum = multiply(inverse, multiply(inverse, sum));
    }
    Running::new(state, sum)
}

/// `S` and `Re kappa` at a site. `before` has crossed the coupling before it, `after` not yet that after it.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn resolve_site(
    before: Running,
    after: Running,
    d: Complex,
    k_before: f32,
    k: f32,
    h: Complex,
    finish: &Finish,
    #[comptime] blueprint: GradientBlueprint,
) -> (Complex, f32) {
    let left = before.state;
    let right = after.state;
    let including = recur(d, left.x, k_before, left.y);
    // Nothing of the block behind a cut.
    let beyond = choose(k == 0.0, Complex::zero(), scale(k, right.y));
    let denominator = subtract(multiply(including, right.x), multiply(left.x, beyond));
    let mut at_singular = Complex::new(finish.nan, finish.nan);
    if comptime!(blueprint.finishes()) {
        // What is clipped or zeroed there passes nothing on.
        at_singular = Complex::zero();
    }
    let inverse = choose(denominator.is_zero(), at_singular, invert(denominator));
    let u = multiply(right.x, inverse);
    let v = multiply(left.x, inverse);
    let towards_right = multiply(add_site(before.sum, h, left.x), u);
    let from_right = cross_sum(after.sum, k);
    let mut s = add(multiply(towards_right, u), multiply(multiply(from_right, v), v));
    let mut kappa = 0.0f32;
    if comptime!(blueprint.wanted.couplings()) {
        let rightwards = multiply(towards_right, multiply(right.y, inverse));
        let leftwards = multiply(multiply(after.sum, v), multiply(including, inverse));
        kappa = rightwards.re + leftwards.re;
    }
    if comptime!(blueprint.base.zero_non_finite) {
        s = choose(is_not_finite(s), Complex::zero(), s);
        let bad = is_not_finite_real(kappa);
        kappa = select(bad, 0.0f32, kappa);
    }
    (s, kappa)
}
