//! Transfer matrices of chunks of the chain, and their associative product.
//!
//! A chunk of rows `i..j` is summarised by four determinants,
//! `W = [[a, b], [c, e]] = [[K(i..j), K(i+1..j)], [K(i..j-1), K(i+1..j-1)]]`, up to a common factor.
//! Two neighbours with coupling `k` between them compose to `W_XY = W_Y diag(1, -k) W_X`, which is
//! associative, and one `W` serves both directions: a left state crosses the chunk by
//! `[[a, -k b], [c, -k e]]`, a right state by `[[a, -k c], [b, -k e]]`.
//!
//! A coupling that is exactly zero inside the chunk cuts it. Then only the two outer blocks matter to the
//! neighbours: the left-out pair, kept in `(a, c)`, and the right-out pair, kept in `(e, b)`. The flag `cut`
//! selects that reading, so that no bit of one block reaches another, not even a NaN.

use cubecl::prelude::*;

use crate::complex::{Complex, choose, cross, exponent_bits, larger_part, power_of_two_for, recur, scale};
use crate::projective::{Pair, choose_pair, cross_coupling, normalise};

/// The transfer matrix of a chunk.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) a: Complex,
    pub(crate) b: Complex,
    pub(crate) c: Complex,
    pub(crate) e: Complex,
    /// Whether a coupling inside the chunk is exactly zero.
    pub(crate) cut: bool,
}

#[cube]
impl Transfer {
    pub(crate) fn new(a: Complex, b: Complex, c: Complex, e: Complex, cut: bool) -> Transfer {
        Transfer { a, b, c, e, cut }
    }

    /// The chunk of the single site `d`: `[[d, 1], [1, 0]]`.
    pub(crate) fn site(d: Complex) -> Transfer {
        Transfer { a: d, b: Complex::one(), c: Complex::one(), e: Complex::zero(), cut: false.runtime() }
    }
}

/// The chunk read from its other end, where `mirrors`: `b` and `c` change places, or the pairs of the two outer
/// blocks of a cut chunk.
#[cube]
pub(crate) fn mirror(chunk: Transfer, mirrors: bool) -> Transfer {
    let ends = mirrors & chunk.cut;
    Transfer::new(
        choose(ends, chunk.e, chunk.a),
        choose(mirrors, chunk.c, chunk.b),
        choose(mirrors, chunk.b, chunk.c),
        choose(ends, chunk.a, chunk.e),
        chunk.cut,
    )
}

/// The chunk extended on its right by a site with diagonal `d` over coupling `k`.
#[cube]
pub(crate) fn extend(chunk: Transfer, d: Complex, k: f32) -> Transfer {
    let cuts_here = k == 0.0;
    let first_cut = cuts_here & !chunk.cut;
    // At the first cut the right-out pair (a, b) is complete: it moves to (e, b) and stays.
    let e = choose(first_cut, chunk.a, chunk.e);
    let left = cross_coupling(Pair::new(chunk.a, chunk.c), k);
    let cut = chunk.cut | cuts_here;
    Transfer::new(
        recur(d, left.x, k, left.y),
        choose(cut, chunk.b, recur(d, chunk.b, k, e)),
        left.x,
        choose(cut, e, chunk.b),
        cut,
    )
}

/// Scales by powers of two; the two pairs of a cut chunk are independent and scaled apart.
#[cube]
pub(crate) fn normalise_transfer(chunk: Transfer) -> Transfer {
    let left = max(larger_part(chunk.a), larger_part(chunk.c));
    let right = max(larger_part(chunk.b), larger_part(chunk.e));
    let both = max(left, right);
    let left_factor = power_of_two_for(exponent_bits(select(chunk.cut, left, both)));
    let right_factor = power_of_two_for(exponent_bits(select(chunk.cut, right, both)));
    Transfer::new(
        scale(left_factor, chunk.a),
        scale(right_factor, chunk.b),
        scale(left_factor, chunk.c),
        scale(right_factor, chunk.e),
        chunk.cut,
    )
}

/// As [`normalise_transfer`], for a chunk that is not cut.
#[cube]
pub(crate) fn normalise_whole(chunk: Transfer) -> Transfer {
    let left = max(larger_part(chunk.a), larger_part(chunk.c));
    let right = max(larger_part(chunk.b), larger_part(chunk.e));
    let factor = power_of_two_for(exponent_bits(max(left, right)));
    Transfer::new(
        scale(factor, chunk.a),
        scale(factor, chunk.b),
        scale(factor, chunk.c),
        scale(factor, chunk.e),
        false.runtime(),
    )
}

/// A left state after it entered `chunk` over coupling `k` and left it on the right.
#[cube]
pub(crate) fn carry_right(chunk: Transfer, k: f32, state: Pair) -> Pair {
    let state = cross_coupling(state, k);
    let y = scale(k, state.y);
    let through = Pair::new(cross(chunk.a, state.x, chunk.b, y), cross(chunk.c, state.x, chunk.e, y));
    normalise(choose_pair(chunk.cut, Pair::new(chunk.a, chunk.c), through))
}

/// A right state after it entered `chunk` over coupling `k` and left it on the left.
#[cube]
pub(crate) fn carry_left(chunk: Transfer, k: f32, state: Pair) -> Pair {
    let state = cross_coupling(state, k);
    let y = scale(k, state.y);
    let through = Pair::new(cross(chunk.a, state.x, chunk.c, y), cross(chunk.b, state.x, chunk.e, y));
    normalise(choose_pair(chunk.cut, Pair::new(chunk.e, chunk.b), through))
}

/// The chunk made of `left` and `right` with coupling `k` between them.
#[cube]
pub(crate) fn compose(left: Transfer, k: f32, right: Transfer) -> Transfer {
    let kc = scale(k, left.c);
    let ke = scale(k, left.e);
    let mut whole = normalise_whole(Transfer::new(
        cross(right.a, left.a, right.b, kc),
        cross(right.a, left.b, right.b, ke),
        cross(right.c, left.a, right.e, kc),
        cross(right.c, left.b, right.e, ke),
        false.runtime(),
    ));
    if left.cut | right.cut | (k == 0.0) {
        // Both are normalised.
        let left_out = carry_right(right, k, Pair::new(left.a, left.c));
        let right_pair = Pair::new(choose(right.cut, right.e, right.a), right.b);
        let right_out = carry_left(left, k, right_pair);
        whole = Transfer::new(left_out.x, right_out.y, left_out.y, right_out.x, true.runtime());
    }
    whole
}

#[cube]
pub(crate) fn choose_transfer(condition: bool, yes: Transfer, no: Transfer) -> Transfer {
    Transfer::new(
        choose(condition, yes.a, no.a),
        choose(condition, yes.b, no.b),
        choose(condition, yes.c, no.c),
        choose(condition, yes.e, no.e),
        select(condition, yes.cut, no.cut),
    )
}
