//! The cotangent of `G` from that of the value which clip and zeroing made of it.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::{
    Complex, choose, exponent_of, is_not_finite, multiply, power_of_two_for, read_complex, scale, subtract,
    write_complex,
};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::careful::groups;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::fraction::{reciprocal, without};
use crate::gradient::operands::{CotangentLayout, cotangent_at};
use crate::gradient::running::{state_left, state_right};
use crate::gradient::sites::{HalfSites, Sites, site_of_group};
use crate::half::Half;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, cross_coupling, enter_site, normalise, read_pair, write_pair};
use crate::resolvent::Finish;

/// Replaces `h` at every site of this unit's chunk, between its left and its right state.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn pass_through_finish<V: Size, C: GradientChunk>(
    chunk: &mut C,
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    place: Place,
    before: f32,
    whole: bool,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: GradientBlueprint,
) {
    let mut done = false.runtime();
    if whole {
        done = chunk.finish(before, left, right, finish.max_magnitude, blueprint);
    }
    if !done {
        let groups = groups(blueprint);
        let mut right = right;
        for step in 0..groups {
            let group = groups - 1 - step;
            let mut start = left;
            for before in 0..group {
                start = state_right(start, &Sites::read::<C>(chunk, operands, place, before, blueprint));
            }
            // Those of the chunk may have been replaced.
            let (row, site) = site_of_group(place, group, blueprint);
            #[unroll]
            for index in 0..GROUP {
                let site = site + comptime!(index as usize);
                let h = cotangent_at::<V>(cotangent, layout, operands.batch, operands.n, row, site);
                chunk.put_cotangent(group, index, h, blueprint);
            }
            let sites = Sites::read::<C>(chunk, operands, place, group, blueprint);
            finish_group::<C>(chunk, group, start, right, &sites, finish.max_magnitude, blueprint);
            right = state_left(right, &sites);
        }
    }
}

/// The ratio of a left state after the half.
#[cube]
pub(crate) fn ratio_after(half: &Half, ratio: Complex, #[comptime] blueprint: Blueprint) -> Complex {
    let mut ratio = ratio;
    #[unroll]
    for site in 0..blueprint.half() {
        let pivot = without(half.diagonal(site, blueprint), half.coupling_before(site), ratio);
        let (next, _) = reciprocal(pivot);
        ratio = next;
    }
    ratio
}

/// Replaces `h` of a half, between the ratios of the states on both sides of it; returns that of the right state before it, and
/// whether all can be relied on.
#[cube]
pub(crate) fn finish_half(
    sites: &mut HalfSites,
    left: Complex,
    right: Complex,
    max_magnitude: f32,
    #[comptime] blueprint: GradientBlueprint,
) -> (Complex, bool) {
    let base = comptime!(blueprint.base);
    let count = comptime!(blueprint.base.half());
    let mut pivots = Array::<f32>::new(comptime!(2 * count as usize));
    let mut ratio = left;
    let mut ordinary = true.runtime();
    #[unroll]
    for site in 0..count {
        let half = &sites.matrix;
        let pivot = without(half.diagonal(site, base), half.coupling_before(site), ratio);
        write_complex(&mut pivots, comptime!(2 * site as usize).runtime(), pivot);
        let (next, is_ordinary) = reciprocal(pivot);
        ratio = next;
        ordinary &= is_ordinary;
    }
    let mut right = right;
    #[unroll]
    for back in 0..count {
        let site = comptime!(count - 1 - back);
        let k = sites.matrix.coupling_after(site);
        let pivot = read_complex(&pivots, comptime!(2 * site as usize).runtime());
        let determinant = without(pivot, k, right);
        let (_, is_ordinary) = reciprocal(determinant);
        ordinary &= is_ordinary;
        let h = through_finish(sites.h.at(site), Complex::one(), determinant, max_magnitude, blueprint);
        sites.h.set(site, h);
        let (next, is_ordinary) = reciprocal(without(sites.matrix.diagonal(site, base), k, right));
        right = next;
        ordinary &= is_ordinary;
    }
    (right, ordinary)
}

/// The cotangents of a group from the left state before it and the right state after it.
#[cube]
fn finish_group<C: GradientChunk>(
    chunk: &mut C,
    group: u32,
    start: Pair,
    end: Pair,
    sites: &Sites,
    max_magnitude: f32,
    #[comptime] blueprint: GradientBlueprint,
) {
    let mut states = Array::<f32>::new(comptime!(4 * GROUP as usize));
    let mut left = start;
    #[unroll]
    for index in 0..GROUP {
        let k = sites.coupling_before(index);
        left = enter_site(cross_coupling(left, k), sites.diagonal(index), k);
        write_pair(&mut states, comptime!(4 * index as usize).runtime(), left);
    }
    let mut right = end;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let k = sites.coupling_after(index);
        let crossed = cross_coupling(right, k);
        let including = normalise(read_pair(&states, comptime!(4 * index as usize).runtime()));
        let numerator = multiply(including.y, crossed.x);
        let denominator =
            subtract(multiply(including.x, crossed.x), scale(k, multiply(including.y, crossed.y)));
        let h = through_finish(sites.cotangent(index), numerator, denominator, max_magnitude, blueprint);
        chunk.put_cotangent(group, index, h, blueprint);
        right = enter_site(crossed, sites.diagonal(index), k);
    }
}

/// `h` for `G = numerator / denominator`: where `|G| > m`, `(m / |G|) (h - Re(h G) conj(G) / |G|^2)`. Nothing where `G`
/// is exactly singular, or was zeroed.
#[cube]
fn through_finish(
    h: Complex,
    numerator: Complex,
    denominator: Complex,
    max_magnitude: f32,
    #[comptime] blueprint: GradientBlueprint,
) -> Complex {
    let factor = power_of_two_for(exponent_of(denominator));
    let scaled = scale(factor, denominator);
    let norm = fma(scaled.re, scaled.re, scaled.im * scaled.im);
    // `G` still divided by `factor`, as in the forward pass: it cannot overflow.
    let quotient = scale(1.0 / norm, multiply(numerator, Complex::new(scaled.re, -scaled.im)));
    let mut passed = h;
    if comptime!(blueprint.base.clip) {
        let unit_factor = power_of_two_for(exponent_of(quotient));
        let unit = scale(unit_factor, quotient);
        let length = f32::sqrt(fma(unit.re, unit.re, unit.im * unit.im));
        let direction = scale(1.0 / length, unit);
        let limit = max_magnitude / factor * unit_factor;
        let along = multiply(h, direction).re;
        let across = subtract(h, scale(along, Complex::new(direction.re, -direction.im)));
        passed = choose(length > limit, scale(limit / length, across), h);
    }
    if comptime!(blueprint.base.zero_non_finite) {
        // A clip makes an overflow finite, but not a NaN.
        let mut value = scale(factor, quotient);
        if comptime!(blueprint.base.clip) {
            value = quotient;
        }
        passed = choose(is_not_finite(value), Complex::zero(), passed);
    }
    choose(denominator.is_zero(), Complex::zero(), passed)
}
