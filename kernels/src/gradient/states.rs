//! The states at the edges of chunks: those of a scan, polished, or those that the forward pass has kept.

use cubecl::prelude::*;

use crate::exchange::{from_left, from_right};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::careful::sweep_with_care;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::finish::pass_through_finish;
use crate::gradient::multi_cube::{
    next_has_second, polished_left_end, polished_right_end, previous_has_second, scanned_ends,
};
use crate::gradient::operands::CotangentLayout;
use crate::halo::Halo;
use crate::kept::KeptRow;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, canonicalise, choose_pair, has_second};
use crate::resolvent::Finish;
use crate::routines::cube::{padding, segment_of};
use crate::scan::scan;
use crate::segment::Segment;

/// The states at the edges of a unit's chunk, and the scales of those at its neighbours' edges.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct ChunkStates {
    /// Left state before the chunk.
    pub(crate) left: Pair,
    /// Right state after it.
    pub(crate) right: Pair,
    /// Whether the left state after the chunk, as the next unit has it, is scaled by its second entry.
    pub(crate) right_second: bool,
    /// Whether the right state before the chunk, as the unit before has it, is.
    pub(crate) left_second: bool,
    /// Whether no coupling inside is exactly zero.
    pub(crate) whole: bool,
}

/// The states of this unit's chunk, and the cotangent behind clip and zeroing. Holds the barrier after which all of the
/// tile may be read.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn chunk_states<V: Size, C: GradientChunk>(
    chunk: &mut C,
    kept: &ChunkStates,
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    place: Place,
    edges: &Array<f32>,
    tiles: usize,
    finish: &Finish,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> (ChunkStates, Segment) {
    let base = comptime!(blueprint.base);
    let (ends, segment) = if comptime!(blueprint.resumes) {
        let whole = chunk.is_whole(padding(operands, place, base), blueprint);
        let segment = segment_of(operands, chunk.coupling_after(blueprint), place, base);
        let ChunkStates { left, right, right_second, left_second, .. } = *kept;
        (ChunkStates { left, right, right_second, left_second, whole }, segment)
    } else {
        scanned_states::<C>(chunk, operands, place, edges, tiles, mail, blueprint)
    };
    if comptime!(blueprint.finishes()) {
        pass_through_finish::<V, C>(
            chunk,
            operands,
            cotangent,
            layout,
            place,
            segment.couplings[UNIT_POS as usize],
            ends.whole,
            ends.left,
            ends.right,
            finish,
            blueprint,
        );
    }
    (ends, segment)
}

/// The states of this unit's chunk that the forward pass has kept, if it has. Read before the tile, so that no unit waits for
/// memory twice.
#[cube]
pub(crate) fn read_kept_states(
    operands: &Operands,
    place: Place,
    states: &Array<u32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let mut left = Pair::start();
    let mut right = Pair::start();
    let mut right_second = false.runtime();
    let mut left_second = false.runtime();
    if comptime!(blueprint.resumes) {
        let row = KeptRow::new(operands, place, base);
        let chunks = comptime!(base.kept_chunks() as usize);
        let first = row.tile + (UNIT_POS % base.units_per_row) as usize * chunks;
        let next = first + chunks;
        left = row.left(states, first);
        right = row.right(states, next - 1);
        // Of the neighbours only the scale matters.
        right_second = row.left_has_second(states, next);
        left_second = row.right_has_second(states, select(first == 0, 0usize, first - 1));
    }
    ChunkStates { left, right, right_second, left_second, whole: false.runtime() }
}

/// Those of a scan, polished.
#[cube]
fn scanned_states<C: GradientChunk>(
    chunk: &mut C,
    operands: &Operands,
    place: Place,
    edges: &Array<f32>,
    tiles: usize,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> (ChunkStates, Segment) {
    let base = comptime!(blueprint.base);
    let halo = Halo::load(operands, place, base);
    let (own, whole) = chunk.summarise(operands, place, blueprint);
    let segment = segment_of(operands, chunk.coupling_after(blueprint), place, base);
    let before = segment.couplings[UNIT_POS as usize];
    let (left_end, right_end) = scanned_ends(edges, blueprint);
    let (left, right) = scan(own, &segment, left_end, right_end, mail, base);
    let (left, right) = (canonicalise(left), canonicalise(right));
    let ends =
        polish::<C>(chunk, operands, place, &halo, edges, tiles, before, whole, left, right, mail, blueprint);
    (ends, segment)
}

/// Replaces the scanned states by ones that a neighbour swept to this unit's edge: see `routines::cube`.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn polish<C: GradientChunk>(
    chunk: &mut C,
    operands: &Operands,
    place: Place,
    halo: &Halo,
    edges: &Array<f32>,
    tiles: usize,
    before: f32,
    whole: bool,
    left: Pair,
    right: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let (mut rightwards, mut leftwards, ordinary) = chunk.sweep(before, left, right, blueprint);
    if !(whole & ordinary) {
        let (to_right, to_left) = sweep_with_care::<C>(chunk, operands, place, left, right, blueprint);
        rightwards = to_right;
        leftwards = to_left;
    }
    let from_left = from_left(rightwards, mail, base);
    let from_right = from_right(leftwards, mail, base);

    let position = UNIT_POS % comptime!(base.units_per_row);
    let is_first = position == 0;
    let is_last = position == comptime!(base.units_per_row - 1);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    let mut right_second = has_second(rightwards);
    let mut left_second = has_second(leftwards);
    if comptime!(base.tiled) {
        if is_first {
            left_end = polished_left_end(edges, halo, tiles, blueprint);
            left_second = previous_has_second(edges, tiles);
        }
        if is_last {
            right_end = polished_right_end(edges, halo, tiles, blueprint);
            right_second = next_has_second(edges, tiles);
        }
    }
    ChunkStates {
        left: choose_pair(is_first, left_end, from_left),
        right: choose_pair(is_last, right_end, from_right),
        right_second,
        left_second,
        whole,
    }
}
