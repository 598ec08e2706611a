//! The cotangent of `G` from that of the value which clip and zeroing made of it.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::{
    Complex, choose, exponent_of, is_not_finite, multiply, power_of_two_for, scale, subtract,
};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::running::{Running, keep, kept_at, state_left, state_right};
use crate::gradient::sites::Sites;
use crate::gradient::tile::GradientTile;
use crate::projective::{Pair, cross_coupling, enter_site, normalise};

/// Replaces `h` at every site of this unit's chunk, between its left and its right state.
#[cube]
pub(crate) fn pass_through_finish(
    tile: &mut GradientTile,
    before: f32,
    left: Pair,
    right: Pair,
    max_magnitude: f32,
    #[comptime] blueprint: GradientBlueprint,
) {
    let groups = comptime!(blueprint.base.chunk / GROUP);
    let mut starts = Array::<f32>::new(comptime!(6 * groups as usize));
    let mut left = left;
    #[unroll]
    for group in 0..groups {
        keep(&mut starts, group, Running::new(left, Complex::zero()));
        if comptime!(group + 1 < groups) {
            left = state_right(left, &tile.sites(group.runtime(), before, blueprint));
        }
    }
    let mut right = right;
    for step in 0..tile.groups {
        let group = tile.groups - 1 - step;
        let sites = tile.sites(group, before, blueprint);
        let start = kept_at(&starts, group, groups);
        finish_group(tile, group, start.state, right, &sites, max_magnitude, blueprint);
        right = state_left(right, &sites);
    }
}

#[cube]
fn finish_group(
    tile: &mut GradientTile,
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
        let base = comptime!(4 * index as usize);
        states[base] = left.x.re;
        states[base + 1] = left.x.im;
        states[base + 2] = left.y.re;
        states[base + 3] = left.y.im;
    }
    let mut right = end;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let base = comptime!(4 * index as usize);
        let k = sites.coupling_after(index);
        let crossed = cross_coupling(right, k);
        let including = normalise(Pair::new(
            Complex::new(states[base], states[base + 1]),
            Complex::new(states[base + 2], states[base + 3]),
        ));
        let numerator = multiply(including.y, crossed.x);
        let denominator =
            subtract(multiply(including.x, crossed.x), scale(k, multiply(including.y, crossed.y)));
        let h = through_finish(sites.cotangent(index), numerator, denominator, max_magnitude, blueprint);
        tile.put_cotangent(group * GROUP + index, h, blueprint);
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
