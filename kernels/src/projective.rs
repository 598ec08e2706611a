//! Projective states: pairs `(x, y)` that matter up to a common factor.
//!
//! With `K(i..j)` the determinant of rows `i..j` of `T - zI`, a left state before site `i` is
//! `(D, n) ~ (K(0..i-1), K(0..i-2))` and a right state after it `(U, m) ~ (K(i+1..N-1), K(i+2..N-1))`.
//! Both obey one recurrence, `(x, y) <- (d x - k y, x)`, in their own direction. A determinant leaves the
//! range of float32 after some hundred sites; the pair, rescaled by powers of two, never does.

use cubecl::prelude::*;

use crate::complex::{
    Complex, choose, invert_normalised, larger_part, multiply, normalising, read_complex, recur, scale,
    write_complex,
};

/// A pair of determinants up to a common factor.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) x: Complex,
    pub(crate) y: Complex,
}

#[cube]
impl Pair {
    pub(crate) fn new(x: Complex, y: Complex) -> Pair {
        Pair { x, y }
    }

    /// The state at the end of the chain: nothing beyond it.
    pub(crate) fn start() -> Pair {
        Pair { x: Complex::one(), y: Complex::zero() }
    }

    /// [`enter_site`] in place. `y` is assigned before `x`: an assignment of CubeCL 0.10 refers to its
    /// operands, so a pair made of its own `x` would see the new one.
    pub(crate) fn enter(&mut self, d: Complex, k: f32) {
        let x = recur(d, self.x, k, self.y);
        self.y = self.x;
        self.x = x;
    }

    /// Multiplies by a factor in place.
    pub(crate) fn rescale(&mut self, factor: f32) {
        self.x = scale(factor, self.x);
        self.y = scale(factor, self.y);
    }
}

#[cube]
pub(crate) fn choose_pair(condition: bool, yes: Pair, no: Pair) -> Pair {
    Pair::new(choose(condition, yes.x, no.x), choose(condition, yes.y, no.y))
}

/// The state as it crosses coupling `k`. At `k = 0` the chain is cut and starts anew: by a selection, not
/// by a product with zero, so that a NaN beyond the cut stays there.
#[cube]
pub(crate) fn cross_coupling(state: Pair, k: f32) -> Pair {
    choose_pair(k == 0.0, Pair::start(), state)
}

/// The state after a site with diagonal `d`, entered over coupling `k`; `state` has crossed `k` already.
#[cube]
pub(crate) fn enter_site(state: Pair, d: Complex, k: f32) -> Pair {
    Pair::new(recur(d, state.x, k, state.y), state.x)
}

/// Scales by a power of two so that the largest part is in `[1, 4)`: exact.
#[cube]
pub(crate) fn normalise(state: Pair) -> Pair {
    let factor = rescaling(state);
    Pair::new(scale(factor, state.x), scale(factor, state.y))
}

/// The power of two by which [`normalise`] multiplies.
#[cube]
pub(crate) fn rescaling(state: Pair) -> f32 {
    normalising(max(larger_part(state.x), larger_part(state.y)))
}

/// Divides by the larger entry, which becomes exactly 1.
///
/// Power-of-two scaling keeps a common phase that grows along the chain as a random walk; where
/// `|Im G| << |G|` that phase costs the digits of `Im G`. At the edges of chunks it is divided out.
#[cube]
pub(crate) fn canonicalise(state: Pair) -> Pair {
    let scaled = normalise(state);
    let second = scaled.y.taxicab() > scaled.x.taxicab();
    let pivot = choose(second, scaled.y, scaled.x);
    let inverse = invert_normalised(pivot);
    let ratio = multiply(choose(second, scaled.x, scaled.y), inverse);
    let canonical = Pair::new(choose(second, ratio, Complex::one()), choose(second, Complex::one(), ratio));
    // The zero pair of an exactly singular block has no direction to keep.
    choose_pair(pivot.is_zero(), scaled, canonical)
}

/// Whether the second entry of a canonical pair is the one that is exactly 1: also the scale of a sum
/// beside it.
///
/// Neighbours have to agree on this to the bit, so it is read off the pair that they share and never decided again by
/// comparing magnitudes.
#[cube]
pub(crate) fn has_second(canonical: Pair) -> bool {
    // CubeCL 0.10 cannot fold an `&` of two constant conditions.
    (canonical.x.re - 1.0).abs() + canonical.x.im.abs() != 0.0
}

/// The pair whose four floats are at `base` and after it.
#[cube]
pub(crate) fn read_pair(array: &Array<f32>, base: usize) -> Pair {
    Pair::new(read_complex(array, base), read_complex(array, base + 2))
}

/// Puts a pair there.
#[cube]
pub(crate) fn write_pair(array: &mut Array<f32>, base: usize, value: Pair) {
    write_complex(array, base, value.x);
    write_complex(array, base + 2, value.y);
}
