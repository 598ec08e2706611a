//! The diagonal of the resolvent from the states on both sides of a site.
//!
//! `G_ii = num / den` with `num = n_i U_{i+1}` and the local determinant
//! `den = D_i U_{i+1} - k_i n_i m_{i+1}`, where `(D_i, n_i)` is the left state after site `i` and
//! `(U, m)_{i+1}` the right state before it. Nothing else is divided by, so a zero pivot is nothing special.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{
    Complex, choose, exponent_of, is_not_finite, multiply, power_of_two_for, scale, subtract,
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

/// `G_ii` from the left state after site `i` (which includes it) and the right state that has crossed `k_i`.
#[cube]
pub(crate) fn resolvent(
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
    let norm = fma(scaled.re, scaled.re, scaled.im * scaled.im);
    let conjugate = Complex::new(scaled.re, -scaled.im);
    // The quotient still divided by `factor`: it cannot overflow, so a clip keeps its phase.
    let quotient = scale(1.0 / norm, multiply(numerator, conjugate));
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
    let magnitude = f32::sqrt(fma(unit.re, unit.re, unit.im * unit.im));
    let clipped = scale(max_magnitude / magnitude, unit);
    choose(magnitude > limit * factor, clipped, entry)
}
