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

use crate::complex::{Complex, choose, cross, larger_part, normalising, recur, scale};
use crate::projective::{Pair, choose_pair, cross_coupling, normalise};

/// The transfer matrix of a chunk.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) a: Complex,
    pub(crate) b: Complex,
    pub(crate) c: Complex,
    pub(crate) e: Complex,
    /// 1 where a coupling inside the chunk is exactly zero, else 0: a float, since it travels with the others.
    pub(crate) cuts: f32,
}

#[cube]
impl Transfer {
    pub(crate) fn new(a: Complex, b: Complex, c: Complex, e: Complex, cuts: f32) -> Transfer {
        Transfer { a, b, c, e, cuts }
    }

    /// The chunk of the single site `d`: `[[d, 1], [1, 0]]`.
    pub(crate) fn site(d: Complex) -> Transfer {
        Transfer { a: d, b: Complex::one(), c: Complex::one(), e: Complex::zero(), cuts: 0.0f32.runtime() }
    }

    /// Whether a coupling inside the chunk is exactly zero.
    pub(crate) fn is_cut(self) -> bool {
        self.cuts != 0.0
    }
}

/// The chunk read from its other end, where `mirrors`: `b` and `c` change places, and the pairs of the two outer
/// blocks of a cut chunk.
#[cube]
pub(crate) fn mirror(chunk: Transfer, mirrors: bool) -> Transfer {
    let ends = mirrors & chunk.is_cut();
    Transfer::new(
        choose(ends, chunk.e, chunk.a),
        choose(mirrors, chunk.c, chunk.b),
        choose(mirrors, chunk.b, chunk.c),
        choose(ends, chunk.a, chunk.e),
        chunk.cuts,
    )
}

/// The chunk extended on its right by a site with diagonal `d` over coupling `k`.
#[cube]
pub(crate) fn extend(chunk: Transfer, d: Complex, k: f32) -> Transfer {
    let cuts_here = k == 0.0;
    let first_cut = cuts_here & !chunk.is_cut();
    // At the first cut the right-out pair (a, b) is complete: it moves to (e, b) and stays.
    let e = choose(first_cut, chunk.a, chunk.e);
    let left = cross_coupling(Pair::new(chunk.a, chunk.c), k);
    let cut = chunk.is_cut() | cuts_here;
    Transfer::new(
        recur(d, left.x, k, left.y),
        choose(cut, chunk.b, recur(d, chunk.b, k, e)),
        left.x,
        choose(cut, e, chunk.b),
        select(cuts_here, 1.0f32, chunk.cuts),
    )
}

/// Scales by powers of two; the two pairs of a cut chunk are independent and scaled apart.
#[cube]
pub(crate) fn normalise_transfer(chunk: Transfer) -> Transfer {
    let left = max(larger_part(chunk.a), larger_part(chunk.c));
    let right = max(larger_part(chunk.b), larger_part(chunk.e));
    let both = max(left, right);
    let left_factor = normalising(select(chunk.is_cut(), left, both));
    let right_factor = normalising(select(chunk.is_cut(), right, both));
    Transfer::new(
        scale(left_factor, chunk.a),
        scale(right_factor, chunk.b),
        scale(left_factor, chunk.c),
        scale(right_factor, chunk.e),
        chunk.cuts,
    )
}

/// As [`normalise_transfer`], for a chunk that is not cut.
#[cube]
pub(crate) fn normalise_whole(chunk: Transfer) -> Transfer {
    let left = max(larger_part(chunk.a), larger_part(chunk.c));
    let right = max(larger_part(chunk.b), larger_part(chunk.e));
    let factor = normalising(max(left, right));
    Transfer::new(
        scale(factor, chunk.a),
        scale(factor, chunk.b),
        scale(factor, chunk.c),
        scale(factor, chunk.e),
        0.0f32.runtime(),
    )
}

/// A left state after it entered `chunk` over coupling `k` and left it on the right.
#[cube]
pub(crate) fn carry_right(chunk: Transfer, k: f32, state: Pair) -> Pair {
    let y = scale(k, state.y);
    let through = Pair::new(cross(chunk.a, state.x, chunk.b, y), cross(chunk.c, state.x, chunk.e, y));
    // What comes over a cut is nothing, and nothing crosses a chunk with one.
    let alone = chunk.is_cut() | (k == 0.0);
    normalise(choose_pair(alone, Pair::new(chunk.a, chunk.c), through))
}

/// A right state after it entered `chunk` over coupling `k` and left it on the left.
#[cube]
pub(crate) fn carry_left(chunk: Transfer, k: f32, state: Pair) -> Pair {
    carry_right(mirror(chunk, true), k, state)
}

/// The chunk made of `own` and of its sibling, `k` being the coupling between them. Both are read so that they end, on
/// their right as it were, where they meet. So is the whole: from the outer end of `own` to that of the sibling.
#[cube]
pub(crate) fn join(own: Transfer, sibling: Transfer, k: f32) -> Transfer {
    let kc = scale(k, own.c);
    let ke = scale(k, own.e);
    let mut whole = normalise_whole(Transfer::new(
        cross(own.a, sibling.a, kc, sibling.c),
        cross(own.b, sibling.a, ke, sibling.c),
        cross(own.a, sibling.b, kc, sibling.e),
        cross(own.b, sibling.b, ke, sibling.e),
        0.0f32.runtime(),
    ));
    if (own.cuts + sibling.cuts != 0.0) | (k == 0.0) {
        // Both are normalised.
        let far = carry_left(sibling, k, Pair::new(own.a, own.c));
        let near = carry_left(own, k, Pair::new(sibling.a, sibling.c));
        whole = Transfer::new(far.x, near.y, far.y, near.x, 1.0f32.runtime());
    }
    whole
}

/// The chunk made of `left` and `right` with coupling `k` between them.
#[cube]
pub(crate) fn compose(left: Transfer, k: f32, right: Transfer) -> Transfer {
    join(left, mirror(right, true), k)
}
