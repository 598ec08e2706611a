//! The exclusive scan of transfer matrices over the units of a row, in both directions at once.
//!
//! An xor butterfly: at level `l` each unit takes the matrix of its sibling block of `2^l` units and
//! composes. Coming back from the top level, a right half carries its left state through the sibling on its
//! left, a left half its right state through the sibling on its right. One pass of `log2(units)` levels gives
//! every unit both states at its own edges.
//!
//! A right half reads its matrices mirrored. So siblings meet where both end, and what a unit does is the same
//! in both halves, but for an exchange of two entries from level to level.
//!
//! All units of a block have the same matrix: it waits in shared memory for the way back, once a block. In
//! registers the levels would be half of all that a unit has.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::exchange::{get_transfer, put_transfer, shuffle_transfer, swap};
use crate::projective::{Pair, choose_pair};
use crate::transfer::{Transfer, carry_right, join, mirror};

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

    /// The coupling between this unit's block of `mask` units and its sibling.
    fn coupling_between(&self, mask: u32) -> f32 {
        let begin = self.position - (self.position & (2 * mask - 1));
        self.couplings[(self.first_unit + begin + mask) as usize]
    }

    /// Whether this unit's block of `2^level` units is the right one of two siblings.
    fn is_right(&self, level: u32) -> bool {
        ((self.position >> level) & 1) == 1
    }
}

/// The matrices that the way back needs, and the product of the whole row.
#[derive(CubeType)]
pub(crate) struct Siblings {
    /// The sibling of this unit alone, read as `join` reads it.
    pub(crate) nearest: Transfer,
    /// Blocks of two units, of four and so on, read likewise; word by word so that neighbours use different
    /// banks.
    blocks: SharedMemory<f32>,
    /// The transfer matrix of all chunks of the row.
    pub(crate) whole: Transfer,
}

#[cube]
impl Siblings {
    /// The sibling of this unit's block of `2^level` units for a level from 1 on, read likewise.
    pub(crate) fn block(&self, level: u32, #[comptime] blueprint: Blueprint) -> Transfer {
        get_transfer(&self.blocks, block_at(level, UNIT_POS, blueprint) ^ 1, blueprint)
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
    let shuffled = comptime!(blueprint.plane_size.max(1).ilog2().min(levels));
    let mut block = mirror(own, segment.is_right(0u32.runtime()));
    let mut nearest = block;
    if comptime!(levels > 0) {
        nearest = swap(block, 1u32, mail, blueprint);
        block = turn(join(block, nearest, segment.coupling_between(1u32)), 0u32.runtime(), segment);
    }
    for level in 1..shuffled {
        let mask = 1u32 << level;
        write_block(mail, block, level, segment, blueprint);
        let sibling = shuffle_transfer(block, mask);
        block = turn(join(block, sibling, segment.coupling_between(mask)), level, segment);
    }
    for level in comptime!(shuffled.max(1))..levels {
        write_block(mail, block, level, segment, blueprint);
        sync_cube();
        let sibling = get_transfer(mail, block_at(level, UNIT_POS, blueprint) ^ 1, blueprint);
        block = turn(join(block, sibling, segment.coupling_between(1u32 << level)), level, segment);
    }
    sync_cube();
    Siblings { nearest, blocks: *mail, whole: block }
}

/// What [`join`] made of the blocks of a level, from the outer end of this unit's, read as the next level does.
#[cube]
fn turn(joined: Transfer, level: u32, segment: &Segment) -> Transfer {
    mirror(joined, segment.is_right(level) != segment.is_right(level + 1))
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
    for step in 1..levels {
        let level = comptime!(levels) - step;
        let (left_in, right_in) =
            step_down(siblings.block(level, blueprint), level, left, right, segment, blueprint);
        left = left_in;
        right = right_in;
    }
    if comptime!(levels > 0) {
        let (left_in, right_in) =
            step_down(siblings.nearest, 0u32.runtime(), left, right, segment, blueprint);
        left = left_in;
        right = right_in;
    }
    (left, right)
}

/// The states at the ends of this unit's block of `2^level` units from those at the ends of that block and its
/// sibling.
#[cube]
fn step_down(
    sibling: Transfer,
    level: u32,
    left: Pair,
    right: Pair,
    segment: &Segment,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let is_right = segment.is_right(level);
    let begin = (segment.position >> (level + 1)) << (level + 1);
    let edge = select(is_right, begin, begin + (2u32 << level));
    let k = segment.coupling_before(edge, blueprint);
    let carried = carry_right(sibling, k, choose_pair(is_right, left, right));
    (choose_pair(is_right, carried, left), choose_pair(is_right, right, carried))
}

/// Where the matrix of the block of `unit` at a level from 1 on is kept.
#[cube]
fn block_at(level: u32, unit: u32, #[comptime] blueprint: Blueprint) -> u32 {
    let before = blueprint.units - (comptime!(2 * blueprint.units) >> level);
    before + (unit >> level)
}

/// Keeps the matrix of this unit's block: its first unit does.
#[cube]
fn write_block(
    blocks: &mut SharedMemory<f32>,
    value: Transfer,
    level: u32,
    segment: &Segment,
    #[comptime] blueprint: Blueprint,
) {
    if (segment.position & ((1u32 << level) - 1)) == 0 {
        put_transfer(blocks, value, block_at(level, UNIT_POS, blueprint), blueprint);
    }
}
