//! The exclusive scan of transfer matrices over lanes of a row, in both directions at once.
//!
//! An xor butterfly: at level `l` each lane takes the matrix of its sibling block of `2^l` lanes and composes. Coming
//! back from the top level, a right half carries its left state through the sibling on its left, a left half its right
//! state through the sibling on its right. One pass of `log2(lanes)` levels gives every lane both states at its own
//! edges.
//!
//! A right half reads its matrices mirrored. So siblings meet where both end, and what a lane does is the same in both
//! halves, but for an exchange of two entries from level to level.
//!
//! All lanes of a block have the same matrix: it waits in shared memory for the way back, once a block. In registers the
//! levels would have to be written out, and fill the instruction cache.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::exchange::{get_transfer, put_transfer, shuffle_transfer, swap};
use crate::projective::{Pair, choose_pair};
use crate::segment::Segment;
use crate::transfer::{Transfer, carry_right, compose, join, mirror};

/// The matrices that the way back needs, and the product of the whole row.
#[derive(CubeType)]
pub(crate) struct Siblings {
    /// The sibling of this lane alone, read as `join` reads it.
    nearest: Transfer,
    /// Blocks of two lanes, of four and so on, read likewise; word by word so that neighbours use different banks.
    blocks: SharedMemory<f32>,
    /// Before the way up, the transfer matrix of this lane; after it, that of all of the row, as its first lane reads it.
    pub(crate) whole: Transfer,
}

#[cube]
impl Siblings {
    /// Before the way up, of the chunks that a lane has. `blocks` holds a transfer matrix for each lane.
    pub(crate) fn new(own: Transfer, blocks: SharedMemory<f32>) -> Siblings {
        Siblings { nearest: own, blocks, whole: own }
    }

    /// The sibling of this lane's block of `2^level` lanes, for a level from 1 on.
    fn block(&self, level: u32, lane: u32, #[comptime] blueprint: Blueprint) -> Transfer {
        get_transfer(&self.blocks, block_at(level, lane, blueprint) ^ 1, blueprint)
    }

    /// In the row's first lane: the transfer matrix of all others. The row has two lanes at least.
    pub(crate) fn after_first(&self, segment: &Segment, #[comptime] blueprint: Blueprint) -> Transfer {
        // They are on its right, and read from there.
        let mut rest = mirror(self.nearest, true);
        for level in 1u32..comptime!(blueprint.units_per_row.ilog2()) {
            let k = segment.coupling_before(1u32 << level, blueprint);
            rest = join(rest, self.block(level, segment.lane(), blueprint), k);
        }
        rest
    }

    /// In the row's last lane: the transfer matrix of all others.
    pub(crate) fn before_last(&self, segment: &Segment, #[comptime] blueprint: Blueprint) -> Transfer {
        let mut rest = self.nearest;
        for level in 1u32..comptime!(blueprint.units_per_row.ilog2()) {
            let k = segment.coupling_before(blueprint.units_per_row - (1u32 << level), blueprint);
            rest = compose(self.block(level, segment.lane(), blueprint), k, rest);
        }
        rest
    }
}

/// Up the tree: composes the blocks of a row, keeping what the way back needs. A barrier of the cube must follow before
/// that is read.
#[cube]
pub(crate) fn ascend(siblings: &mut Siblings, segment: &Segment, #[comptime] blueprint: Blueprint) {
    let levels = comptime!(blueprint.units_per_row.ilog2());
    let shuffled = comptime!(blueprint.plane_size.max(1).ilog2().min(levels));
    let mut block = mirror(siblings.whole, segment.is_right(0u32.runtime()));
    if comptime!(levels > 0) {
        siblings.nearest = swap(block, 1u32, &mut siblings.blocks, blueprint);
        let joined = join(block, siblings.nearest, segment.coupling_between(1u32.runtime()));
        block = turn(joined, 0u32.runtime(), segment);
    }
    for level in 1..shuffled {
        let mask = 1u32 << level;
        write_block(&mut siblings.blocks, block, level, segment, blueprint);
        let sibling = shuffle_transfer(block, mask);
        block = turn(join(block, sibling, segment.coupling_between(mask)), level, segment);
    }
    // Only without planes: they are all of the cube's units.
    for level in comptime!(shuffled.max(1))..levels {
        write_block(&mut siblings.blocks, block, level, segment, blueprint);
        sync_cube();
        let sibling = siblings.block(level, segment.lane(), blueprint);
        block = turn(join(block, sibling, segment.coupling_between(1u32 << level)), level, segment);
    }
    siblings.whole = block;
}

/// What [`join`] made of the blocks of a level, from the outer end of this lane's, read as the next level does.
#[cube]
fn turn(joined: Transfer, level: u32, segment: &Segment) -> Transfer {
    mirror(joined, segment.is_right(level) != segment.is_right(level + 1))
}

/// Down the tree: the left state before and the right state after this lane's block, given those at the ends of the row.
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
        let sibling = siblings.block(level, segment.lane(), blueprint);
        let (left_in, right_in) = step_down(sibling, level, left, right, segment, blueprint);
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

/// The states at the ends of this lane's block of `2^level` lanes from those at the ends of that block and its sibling.
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

/// Where the matrix of the block of `lane` at a level from 1 on is kept.
#[cube]
fn block_at(level: u32, lane: u32, #[comptime] blueprint: Blueprint) -> u32 {
    let before = blueprint.units - (comptime!(2 * blueprint.units) >> level);
    before + (lane >> level)
}

/// Keeps the matrix of this lane's block: its first lane does.
#[cube]
fn write_block(
    blocks: &mut SharedMemory<f32>,
    value: Transfer,
    level: u32,
    segment: &Segment,
    #[comptime] blueprint: Blueprint,
) {
    if (segment.position & ((1u32 << level) - 1)) == 0 {
        put_transfer(blocks, value, block_at(level, segment.lane(), blueprint), blueprint);
    }
}
