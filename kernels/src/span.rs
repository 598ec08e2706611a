//! The sites whose resolvent a unit computes: from the middle of its chunk to the middle of the next.
//!
//! Scanned states belong to the edges of chunks, and are best after a sweep over some sites (see
//! `routines::cube`). Sweeps from both edges of a chunk meet in its middle, so there are the states to start from.
//!
//! The last unit of a row has no chunk after its own: it takes the first half of the row's first one instead.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::kept::KeptRow;
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::tile::chunk_slot;

/// Second half of this unit's chunk, then first half of the next, with the states at both ends.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Span {
    /// Unit whose chunk is the next.
    pub(crate) next: u32,
    /// Whether the next chunk is the first of the row, or of the tile.
    pub(crate) wraps: bool,
    /// Left state before the span, and the coupling over which it enters.
    pub(crate) left: Pair,
    pub(crate) coupling: f32,
    /// Coupling on the left of the next chunk.
    pub(crate) edge: f32,
    /// Right state after the span.
    pub(crate) right: Pair,
    /// Left state at the left end of the row, or of the tile.
    pub(crate) left_end: Pair,
    /// Right state at its right end.
    pub(crate) right_end: Pair,
}

#[cube]
impl Span {
    /// Where group `index` of the span is staged; the first `half` groups are in this unit's chunk.
    pub(crate) fn slot(&self, index: u32, half: u32, #[comptime] blueprint: Blueprint) -> u32 {
        let own = chunk_slot(UNIT_POS, blueprint) + (index + half) * GROUP;
        let next = chunk_slot(self.next, blueprint) + (index - half) * GROUP;
        select(index < half, own, next)
    }

    /// First site of group `index` of the span, counted from the first of the row, or of the tile.
    pub(crate) fn first_site(&self, index: u32, half: u32, #[comptime] blueprint: Blueprint) -> usize {
        let chunk = blueprint.chunk;
        let own = (UNIT_POS % blueprint.units_per_row) * chunk + (index + half) * GROUP;
        let next = (self.next % blueprint.units_per_row) * chunk + (index - half) * GROUP;
        select(index < half, own, next) as usize
    }

    /// The left state that enters the next chunk, from the one after this unit's.
    pub(crate) fn left_over_edge(&self, left: Pair) -> Pair {
        choose_pair(self.wraps, self.left_end, left)
    }

    /// The right state that enters this unit's chunk, from the one before the next.
    pub(crate) fn right_over_edge(&self, right: Pair) -> Pair {
        choose_pair(self.wraps, self.right_end, right)
    }

    /// Keeps the left states of the span for a backward pass: the one at its start, and `over`, which enters the next chunk.
    pub(crate) fn keep_left(
        &self,
        over: Pair,
        kept: &KeptRow,
        states: &mut Array<u32>,
        #[comptime] blueprint: Blueprint,
    ) {
        if comptime!(blueprint.keeps_states) {
            let next = (self.next % blueprint.units_per_row) * comptime!(blueprint.kept_chunks());
            kept.keep_left(states, next, canonicalise(over));
            if comptime!(blueprint.kept_chunks() == 2) {
                let own = 2 * (UNIT_POS % blueprint.units_per_row) + 1;
                kept.keep_left(states, own, self.left);
            }
        }
    }

    /// Keeps the right states of the span: the one at its end, and `over`, which enters this unit's chunk.
    pub(crate) fn keep_right(
        &self,
        over: Pair,
        kept: &KeptRow,
        states: &mut Array<u32>,
        #[comptime] blueprint: Blueprint,
    ) {
        if comptime!(blueprint.keeps_states) {
            let last = comptime!(blueprint.kept_chunks() - 1);
            let own = (UNIT_POS % blueprint.units_per_row) * comptime!(blueprint.kept_chunks()) + last;
            kept.keep_right(states, own, canonicalise(over));
            if comptime!(blueprint.kept_chunks() == 2) {
                kept.keep_right(states, 2 * (self.next % blueprint.units_per_row), self.right);
            }
        }
    }
}
