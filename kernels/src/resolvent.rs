//! The diagonal of the resolvent from the states on both sides of a site.
//!
//! `G_ii = num / den` with `num = n_i U_{i+1}` and the local determinant
//! `den = D_i U_{i+1} - k_i n_i m_{i+1}`, where `(D_i, n_i)` is the left state after site `i` and
//! `(U, m)_{i+1}` the right state before it. Nothing else is divided by, so a zero pivot is nothing special.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{
    Complex, choose, conjugate, cross, exponent_of, is_not_finite, multiply, norm, power_of_two_for,
    quick_reciprocal, scale, subtract,
};
use crate::projective::{Pair, normalise};

/// What happens to an entry before it is stored.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(crate) struct Finish {
    /// Bound on `|G|`, used where the blueprint clips.
    pub(crate) max_magnitude: f32,
    /// A NaN from the host: shader compilers reject the constant.
    pub(crate) nan: f32,
}

/// Bits of 2^-80, and how far those of 2^80 are from them: determinants whose square lies between need no care.
const LEAST_NORM: u32 = (127 - 80) << 23;
const ORDINARY_NORMS: u32 = 160 << 23;

/// `G_ii` from the left state after site `i` (which includes it) and the right state that has crossed `k_i`.
#[cube]
pub(crate) fn resolvent(
    left: Pair,
    k: f32,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> Complex {
    let (quick, ordinary) = quick_resolvent(left, k, right, finish, blueprint);
    let mut entry = quick;
    if !ordinary {
        entry = careful_resolvent(left, k, right, finish, blueprint);
    }
    entry
}

/// As [`resolvent`], without a branch, and whether it can be relied on: whether the local determinant is
/// neither zero, nor NaN, nor so large or small that its square leaves the range of float32.
#[cube]
pub(crate) fn quick_resolvent(
    left: Pair,
    k: f32,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> (Complex, bool) {
    let numerator = multiply(left.y, right.x);
    let denominator = cross(left.x, right.x, left.y, scale(k, right.y));
    let size = norm(denominator);
    let mut entry = scale(quick_reciprocal(size), multiply(numerator, conjugate(denominator)));
    let mut ordinary = u32::reinterpret(size) - LEAST_NORM < ORDINARY_NORMS;
    if comptime!(blueprint.clip) {
        let magnitude = norm(entry);
        ordinary &= u32::reinterpret(magnitude) < comptime!(LEAST_NORM + ORDINARY_NORMS);
        if magnitude > finish.max_magnitude * finish.max_magnitude {
            entry = scale(finish.max_magnitude / f32::sqrt(magnitude), entry);
        }
    }
    if comptime!(blueprint.zero_non_finite) {
        ordinary &= !is_not_finite(entry);
    }
    (entry, ordinary)
}

/// As [`resolvent`], for any size of the determinant, and for none.
#[cube]
fn careful_resolvent(
    left: Pair,
    k: f32,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> Complex {
    let left = normalise(left);
    let numerator = multiply(left.y, right.x);
    let denominator = subtract(multiply(left.x, right.x), scale(k, multiply(left.y, right.y)));
    let factor = power_of_two_for(exponent_of(denominator));
    let scaled = scale(factor, denominator);
    // The quotient still divided by `factor`: it cannot overflow, so a clip keeps its phase.
    let quotient = scale(1.0 / norm(scaled), multiply(numerator, conjugate(scaled)));
    let singular = denominator.is_zero();
    let mut entry = scale(factor, quotient);
    if comptime!(blueprint.clip) {
        let direction = choose(singular, numerator, quotient);
        let limit = select(singular, 0.0f32, finish.max_magnitude / factor);
        let clipped = clip(direction, limit, finish.max_magnitude, entry);
        entry = choose(singular & numerator.is_zero(), Complex::zero(), clipped);
    } else {
        entry = choose(singular, Complex::new(finish.nan, finish.nan), entry);
    }
    if comptime!(blueprint.zero_non_finite) {
        entry = choose(is_not_finite(entry), Complex::zero(), entry);
    }
    entry
}

/// `entry`, or `max_magnitude` in its direction where `|direction| > limit`.
#[cube]
fn clip(direction: Complex, limit: f32, max_magnitude: f32, entry: Complex) -> Complex {
    let factor = power_of_two_for(exponent_of(direction));
    let unit = scale(factor, direction);
    let magnitude = f32::sqrt(norm(unit));
    let clipped = scale(max_magnitude / magnitude, unit);
    choose(magnitude > limit * factor, clipped, entry)
}
