//! A row within a cube, or a tile of one: two scans, of states and of sums, and one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::butterfly::{Segment, ascend, descend};
use crate::exchange::{from_left, from_right};
use crate::gradient::affine::{Scanned, scan_affine};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::finish::pass_through_finish;
use crate::gradient::multi_cube::{
    carried_over, next_has_second, polished_left_end, polished_right_end, previous_has_second, scanned_ends,
};
use crate::gradient::resolve::resolve;
use crate::gradient::running::{
    Mapping, Running, finish_map, has_second, map_left, map_right, state_left, state_right,
};
use crate::gradient::sums::sum_over_cube;
use crate::gradient::tile::GradientTile;
use crate::halo::Halo;
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::resolvent::Finish;
use crate::routines::cube::place_of_cube;
use crate::tile::Place;
use crate::transfer::{Transfer, extend, normalise_transfer};

/// Gradients of several rows a cube, or, `tiled`, of one tile of a row whose states at both edges are in `edges` and
/// whose sums there are in `carried`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn gradient_kernel<V: Size>(
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    edges: &Array<f32>,
    carried: &Array<f32>,
    a_re: &mut Array<f32>,
    a_im: &mut Array<f32>,
    b: &mut Array<f32>,
    c: &mut Array<f32>,
    sums: &mut Array<f32>,
    finish: &Finish,
    cubes: usize,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let base = comptime!(blueprint.base);
    let place = place_of_cube(tiles, base);
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.base.mail() as usize));
    let mut tile = GradientTile::load::<V>(operands, cotangent, place, blueprint);
    let halo = Halo::load(operands, place, base);
    let segment = segment_of(operands, &tile, place, blueprint);
    let before = segment.couplings[UNIT_POS as usize];

    let chunk = chunk_states(&mut tile, &halo, edges, tiles, &segment, finish, &mut mail, blueprint);
    let scanned = scan_sums(&tile, before, &chunk, &segment, &mut mail, blueprint);
    let (at_left_end, at_right_end) = carried_over(carried, blueprint);
    let from_left = scanned.before.apply(at_left_end);
    let from_right = scanned.after.apply(at_right_end);

    sync_cube();
    let left = Running::new(chunk.left, from_left);
    let right = Running::new(chunk.right, from_right);
    let sum = resolve(&mut tile, before, left, right, finish, blueprint);
    sync_cube();
    tile.store(a_re, a_im, b, c, operands.batch, operands.n, place, blueprint);
    if comptime!(blueprint.wanted.z) {
        let total = sum_over_cube(sum, &mut mail, base.units);
        if UNIT_POS == 0 {
            sums[2 * CUBE_POS] = total.re;
            sums[2 * CUBE_POS + 1] = total.im;
        }
    }
}

/// The states at the edges of a unit's chunk, and the scales of those at its neighbours' edges.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct ChunkStates {
    /// Left state before the chunk.
    pub(crate) left: Pair,
    /// Right state after it.
    pub(crate) right: Pair,
    /// Whether the left state after the chunk, as the next unit has it, is scaled by its second entry.
    right_second: bool,
    /// Whether the right state before the chunk, as the unit before has it, is.
    left_second: bool,
}

/// Collects the couplings between the chunks. Holds the barrier after which the tile may be read.
#[cube]
pub(crate) fn segment_of(
    operands: &Operands,
    tile: &GradientTile,
    place: Place,
    #[comptime] blueprint: GradientBlueprint,
) -> Segment {
    let base = comptime!(blueprint.base);
    let position = UNIT_POS % comptime!(base.units_per_row);
    let mut first_coupling = 0.0f32;
    let mut last_coupling = 0.0f32;
    if comptime!(base.tiled) {
        let end = place.site + comptime!(base.tile() as usize);
        first_coupling = operands.coupling_before(place.row, place.site);
        last_coupling = operands.coupling_before(place.row, end);
    }
    let mut couplings = SharedMemory::<f32>::new(comptime!(base.units as usize));
    sync_cube();
    let before = tile.coupling_after(select(position == 0, UNIT_POS, UNIT_POS - 1), blueprint);
    couplings[UNIT_POS as usize] = select(position == 0, first_coupling, before);
    sync_cube();
    Segment { first_unit: UNIT_POS - position, position, first_coupling, last_coupling, couplings }
}

/// The scan of the states, its polish, and the cotangent behind clip and zeroing.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn chunk_states(
    tile: &mut GradientTile,
    halo: &Halo,
    edges: &Array<f32>,
    tiles: usize,
    segment: &Segment,
    finish: &Finish,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let before = segment.couplings[UNIT_POS as usize];
    let own = summarise(tile, before, blueprint);
    let siblings = ascend(own, segment, mail, base);
    let (left_end, right_end) = scanned_ends(edges, tiles, blueprint);
    let (left, right) = descend(&siblings, segment, left_end, right_end, base);
    let chunk = polish(tile, halo, edges, tiles, before, left, right, mail, blueprint);
    if comptime!(blueprint.finishes()) {
        pass_through_finish(tile, before, chunk.left, chunk.right, finish.max_magnitude, blueprint);
    }
    chunk
}

/// The transfer matrix of this unit's chunk.
#[cube]
fn summarise(tile: &GradientTile, before: f32, #[comptime] blueprint: GradientBlueprint) -> Transfer {
    let first = tile.sites(0, before, blueprint);
    let mut chunk = Transfer::site(first.diagonal(0u32));
    #[unroll]
    for index in 1..GROUP {
        chunk = extend(chunk, first.diagonal(index), first.coupling_before(index));
    }
    chunk = normalise_transfer(chunk);
    for group in 1..tile.groups {
        let sites = tile.sites(group, before, blueprint);
        #[unroll]
        for index in 0..GROUP {
            chunk = extend(chunk, sites.diagonal(index), sites.coupling_before(index));
        }
        chunk = normalise_transfer(chunk);
    }
    chunk
}

/// Replaces the scanned states by ones that a neighbour swept to this unit's edge, as in the forward pass.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn polish(
    tile: &GradientTile,
    halo: &Halo,
    edges: &Array<f32>,
    tiles: usize,
    before: f32,
    left: Pair,
    right: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let groups = tile.groups;
    let mut rightwards = canonicalise(left);
    let mut leftwards = canonicalise(right);
    for group in 0..groups {
        rightwards = state_right(rightwards, &tile.sites(group, before, blueprint));
        leftwards = state_left(leftwards, &tile.sites(groups - 1 - group, before, blueprint));
    }
    let rightwards = canonicalise(rightwards);
    let leftwards = canonicalise(leftwards);
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
    }
}

/// The affine maps of all chunks, scanned.
#[cube]
pub(crate) fn scan_sums(
    tile: &GradientTile,
    before: f32,
    chunk: &ChunkStates,
    segment: &Segment,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> Scanned {
    let groups = tile.groups;
    let mut rightwards = Mapping::start(chunk.left);
    let mut leftwards = Mapping::start(chunk.right);
    for group in 0..groups {
        rightwards = map_right(rightwards, &tile.sites(group, before, blueprint));
        leftwards = map_left(leftwards, &tile.sites(groups - 1 - group, before, blueprint));
    }
    let rightwards = finish_map(rightwards, chunk.right_second);
    let leftwards = finish_map(leftwards, chunk.left_second);
    scan_affine(rightwards, leftwards, segment, mail, comptime!(blueprint.base))
}
