//! The exclusive scan of transfer matrices over the units of a row, in both directions at once.
//!
//! An xor butterfly: at level `l` each unit takes the matrix of its sibling block of `2^l` units, keeps it
//! and composes. Coming back from the top level, a right half carries its left state through the sibling
//! on its left, a left half its right state through the sibling on its right. One pass of
//! `log2(units)` levels gives every unit both states at its own edges.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::Complex;
use crate::exchange::swap;
use crate::projective::Pair;
use crate::transfer::{Transfer, carry_left, carry_right, choose_transfer, compose};

/// The units that share a row, and the couplings between their chunks.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Segment {
    /// Index of the row's first unit in the cube.
    pub(crate) first_unit: u32,
    /// Index of this unit in the row.
    pub(crate) position: u32,
    /// Coupling on the left of the row's first chunk.
    pub(crate) first_coupling: f32,
    /// Coupling on the right of the row's last chunk.
    pub(crate) last_coupling: f32,
    /// Coupling on the left of each unit's chunk.
    pub(crate) couplings: SharedMemory<f32>,
}

#[cube]
impl Segment {
    /// The coupling on the left of the chunk of the row's unit `position`, which may be one past the last.
    pub(crate) fn coupling_before(&self, position: u32, #[comptime] blueprint: Blueprint) -> f32 {
        let last = comptime!(blueprint.units_per_row - 1);
        let inside = self.couplings[(self.first_unit + min(position, last)) as usize];
        let right = select(position > last, self.last_coupling, inside);
        select(position == 0, self.first_coupling, right)
    }
}

/// The matrices that the way back needs, and the product of the whole row.
#[derive(CubeType)]
pub(crate) struct Siblings {
    /// Eight floats a level: `a`, `b`, `c`, `e`.
    words: Array<f32>,
    cuts: Array<bool>,
    /// The transfer matrix of all chunks of the row.
    pub(crate) whole: Transfer,
}

#[cube]
impl Siblings {
    fn keep(&mut self, #[comptime] level: u32, value: Transfer) {
        let base = comptime!(8 * level as usize);
        self.words[base] = value.a.re;
        self.words[base + 1] = value.a.im;
        self.words[base + 2] = value.b.re;
        self.words[base + 3] = value.b.im;
        self.words[base + 4] = value.c.re;
        self.words[base + 5] = value.c.im;
        self.words[base + 6] = value.e.re;
        self.words[base + 7] = value.e.im;
        self.cuts[comptime!(level as usize)] = value.cut;
    }

    /// The sibling of level `level`.
    pub(crate) fn at(&self, #[comptime] level: u32) -> Transfer {
        let base = comptime!(8 * level as usize);
        Transfer::new(
            Complex::new(self.words[base], self.words[base + 1]),
            Complex::new(self.words[base + 2], self.words[base + 3]),
            Complex::new(self.words[base + 4], self.words[base + 5]),
            Complex::new(self.words[base + 6], self.words[base + 7]),
            self.cuts[comptime!(level as usize)],
        )
    }
}

/// Up the tree: composes the chunks of a row, keeping the sibling of each level.
#[cube]
pub(crate) fn ascend(
    own: Transfer,
    segment: &Segment,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Siblings {
    let levels = comptime!(blueprint.units_per_row.ilog2());
    let mut siblings = Siblings {
        words: Array::<f32>::new(comptime!(8 * levels.max(1) as usize)),
        cuts: Array::<bool>::new(comptime!(levels.max(1) as usize)),
        whole: own,
    };
    #[unroll]
    for level in 0..levels {
        let mask = comptime!(1u32 << level);
        let sibling = swap(siblings.whole, mask, mail, blueprint);
        siblings.keep(level, sibling);
        let is_right = (segment.position & mask) != 0;
        let middle = ((segment.position >> comptime!(level + 1)) << comptime!(level + 1)) + mask;
        siblings.whole = compose(
            choose_transfer(is_right, sibling, siblings.whole),
            segment.coupling_before(middle, blueprint),
            choose_transfer(is_right, siblings.whole, sibling),
        );
    }
    siblings
}

/// Down the tree: the left state before and the right state after this unit's chunk, given those at the
/// ends of the row.
#[cube]
pub(crate) fn descend(
    siblings: &Siblings,
    segment: &Segment,
    left_end: Pair,
    right_end: Pair,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let levels = comptime!(blueprint.units_per_row.ilog2());
    let mut left = left_end;
    let mut right = right_end;
    #[unroll]
    for step in 0..levels {
        let level = comptime!(levels - 1 - step);
        let mask = comptime!(1u32 << level);
        let begin = (segment.position >> comptime!(level + 1)) << comptime!(level + 1);
        if (segment.position & mask) != 0 {
            left = carry_right(siblings.at(level), segment.coupling_before(begin, blueprint), left);
        } else {
            let end = begin + comptime!(2 * mask);
            right = carry_left(siblings.at(level), segment.coupling_before(end, blueprint), right);
        }
    }
    (left, right)
}
