//! A row within a cube: chunks in the units, a butterfly between them, one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::butterfly::{Segment, ascend, descend};
use crate::chunk::{self, keep, kept};
use crate::exchange::{from_left, from_right};
use crate::group::{Entries, extend_by_group, resolve_group, sweep_left, sweep_right};
use crate::halo::Halo;
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::resolvent::Finish;
use crate::routines::multi_cube::{Edges, group_from_memory};
use crate::tile::{Place, Tile, rounds};
use crate::transfer::Transfer;

/// Resolvent diagonals of several rows a cube, or, `tiled`, of one tile of a row whose states at both
/// edges are in `edges`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn cube_kernel<V: Size>(
    operands: &Operands,
    edges: &Array<f32>,
    output: &mut Array<Vector<f32, V>>,
    finish: &Finish,
    cubes: usize,
    tiles: usize,
    #[comptime] blueprint: Blueprint,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let place = place_of_cube(tiles, blueprint);
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.mail() as usize));
    let mut tile = Tile::load(operands, place, blueprint);
    let halo = Halo::load(operands, place, blueprint);
    let segment = segment_of(operands, &tile, place, blueprint);
    let before = segment.couplings[UNIT_POS as usize];

    let padding = padding(operands, place, blueprint);
    let (own, whole) = summarise(&tile, before, padding, blueprint);
    let siblings = ascend(own, &segment, &mut mail, blueprint);
    let ends = Edges::scanned(edges, tiles, blueprint);
    let (left, right) = descend(&siblings, &segment, ends.left, ends.right, blueprint);

    let (rightwards, leftwards) = sweep(&tile, before, whole, left, right, blueprint);
    let (left, right) = polish(&halo, edges, tiles, rightwards, leftwards, &mut mail, blueprint);

    let mut done = false.runtime();
    if whole {
        done = chunk::resolve(&mut tile, before, left, right, finish, blueprint);
    }
    if !done {
        resolve_with_care(&mut tile, operands, place, left, right, finish, blueprint);
    }
    sync_cube();
    tile.store::<V>(output, operands, place, blueprint);
}

/// Where this cube's tile begins.
#[cube]
pub(crate) fn place_of_cube(tiles: usize, #[comptime] blueprint: Blueprint) -> Place {
    if comptime!(blueprint.tiled) {
        let site = (CUBE_POS % tiles) * comptime!(blueprint.tile() as usize);
        Place { row: CUBE_POS / tiles, site }
    } else {
        let rows = comptime!((blueprint.units / blueprint.units_per_row) as usize);
        Place { row: CUBE_POS * rows, site: 0usize.runtime() }
    }
}

/// Collects the couplings between the chunks. Holds the barrier after which the tile may be read.
#[cube]
pub(crate) fn segment_of(
    operands: &Operands,
    tile: &Tile,
    place: Place,
    #[comptime] blueprint: Blueprint,
) -> Segment {
    let position = UNIT_POS % comptime!(blueprint.units_per_row);
    let mut first_coupling = 0.0f32;
    let mut last_coupling = 0.0f32;
    if comptime!(blueprint.tiled) {
        let end = place.site + comptime!(blueprint.tile() as usize);
        first_coupling = operands.coupling_before(place.row, place.site);
        last_coupling = operands.coupling_before(place.row, end);
    }
    let mut couplings = SharedMemory::<f32>::new(comptime!(blueprint.units as usize));
    sync_cube();
    let before = tile.coupling_after(select(position == 0, UNIT_POS, UNIT_POS - 1), blueprint);
    couplings[UNIT_POS as usize] = select(position == 0, first_coupling, before);
    sync_cube();
    Segment { first_unit: UNIT_POS - position, position, first_coupling, last_coupling, couplings }
}

/// Sites of this unit's chunk that are beyond the end of the row, or of a row that is beyond the batch.
#[cube]
pub(crate) fn padding(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> u32 {
    let chunk = blueprint.chunk;
    let row = place.row + (UNIT_POS / blueprint.units_per_row) as usize;
    let end = place.site + ((UNIT_POS % blueprint.units_per_row + 1) * chunk) as usize;
    let beyond = select(end <= operands.n, 0u32, min((end - operands.n) as u32, chunk));
    select(row < operands.batch, beyond, chunk)
}

/// The transfer matrix of this unit's chunk, and whether no coupling inside is exactly zero.
#[cube]
pub(crate) fn summarise(
    tile: &Tile,
    before: f32,
    padding: u32,
    #[comptime] blueprint: Blueprint,
) -> (Transfer, bool) {
    let (mut transfer, whole) = chunk::summarise(tile, before, padding, blueprint);
    if !whole {
        transfer = extend_by_group(transfer, &tile.group(0, before, blueprint), true);
        for group in 1..rounds(comptime!(blueprint.chunk / GROUP), blueprint) {
            transfer = extend_by_group(transfer, &tile.group(group, before, blueprint), false);
        }
    }
    (transfer, whole)
}

/// Sweeps over this unit's chunk in both directions, from the states at its edges.
#[cube]
fn sweep(
    tile: &Tile,
    before: f32,
    whole: bool,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let mut rightwards = canonicalise(left);
    let mut leftwards = canonicalise(right);
    if whole {
        let (right_end, left_end) = chunk::sweep(tile, before, rightwards, leftwards, blueprint);
        rightwards = right_end;
        leftwards = left_end;
    } else {
        let groups = rounds(comptime!(blueprint.chunk / GROUP), blueprint);
        for group in 0..groups {
            rightwards = sweep_right(rightwards, &tile.group(group, before, blueprint));
            leftwards = sweep_left(leftwards, &tile.group(groups - 1 - group, before, blueprint));
        }
    }
    (canonicalise(rightwards), canonicalise(leftwards))
}

/// Replaces the scanned states by ones that a neighbour swept to this unit's edge.
///
/// A composed matrix is nearly of rank one, and a state can sit in the direction that it contracts: then
/// the scanned state is off by far more than rounding. One sweep over a chunk forgets that direction.
/// The neighbours of the first and the last unit of a tile are in other cubes, so those units sweep the
/// chunk beyond the edge themselves.
#[cube]
fn polish(
    halo: &Halo,
    edges: &Array<f32>,
    tiles: usize,
    rightwards: Pair,
    leftwards: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let from_left = from_left(rightwards, mail, blueprint);
    let from_right = from_right(leftwards, mail, blueprint);

    let position = UNIT_POS % comptime!(blueprint.units_per_row);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    if comptime!(blueprint.tiled) {
        if position == 0 {
            left_end = Edges::polished_left(edges, halo, tiles, blueprint);
        }
        if position == comptime!(blueprint.units_per_row - 1) {
            right_end = Edges::polished_right(edges, halo, tiles, blueprint);
        }
    }
    (
        choose_pair(position == 0, left_end, from_left),
        choose_pair(position == comptime!(blueprint.units_per_row - 1), right_end, from_right),
    )
}

/// [`Chunk::resolve`] for a chunk with cuts or with entries that need care: sweeps right keeping the state
/// at the start of each group, then left computing the entries. Rare, so it is short rather than fast: it
/// reads the entries from global memory, since the tile may hold results already.
#[cube]
fn resolve_with_care(
    tile: &mut Tile,
    operands: &Operands,
    place: Place,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) {
    let groups = rounds(comptime!(blueprint.chunk / GROUP), blueprint);
    let unit = (UNIT_POS % blueprint.units_per_row) as usize;
    let row = place.row + (UNIT_POS / blueprint.units_per_row) as usize;
    let first = place.site + unit * comptime!(blueprint.chunk as usize);
    let mut starts = Array::<f32>::new(comptime!(blueprint.chunk as usize));
    let mut left = left;
    for group in 0..groups {
        keep(&mut starts, group, left);
        let site = first + (group * GROUP) as usize;
        left = sweep_right(left, &group_from_memory(operands, row, site, blueprint));
    }
    let mut right = right;
    let mut entries = Entries::new();
    for step in 0..groups {
        let group = groups - 1 - step;
        let start = kept(&starts, group);
        let site = first + (group * GROUP) as usize;
        let sites = group_from_memory(operands, row, site, blueprint);
        right = resolve_group(start, right, &sites, &mut entries, finish, blueprint);
        #[unroll]
        for index in 0..GROUP {
            tile.put(group * GROUP + index, entries.at(index), blueprint);
        }
    }
}
