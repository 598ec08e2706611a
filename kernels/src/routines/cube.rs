//! A row within a cube: chunks in the units, a butterfly between them, one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::butterfly::{Segment, ascend, descend};
use crate::exchange::{from_left, from_right};
use crate::group::{Entries, extend_by_group, resolve_group, sweep_left, sweep_right};
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::resolvent::Finish;
use crate::routines::multi_cube::Edges;
use crate::tile::{Place, Tile};
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
    let segment = segment_of(operands, &tile, place, blueprint);
    let before = segment.couplings[UNIT_POS as usize];

    let own = summarise(&tile, before, blueprint);
    let siblings = ascend(own, &segment, &mut mail, blueprint);
    let ends = Edges::scanned(edges, tiles, blueprint);
    let (left, right) = descend(&siblings, &segment, ends.left, ends.right, blueprint);
    let (left, right) =
        polish(&tile, operands, edges, place, tiles, before, left, right, &mut mail, blueprint);

    sync_cube();
    resolve(&mut tile, before, left, right, finish, blueprint);
    sync_cube();
    tile.store::<V>(output, operands.batch, operands.n, place, blueprint);
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

/// The transfer matrix of this unit's chunk.
#[cube]
pub(crate) fn summarise(tile: &Tile, before: f32, #[comptime] blueprint: Blueprint) -> Transfer {
    let first = tile.group(0, before, blueprint);
    let mut chunk = extend_by_group(Transfer::site(crate::complex::Complex::one()), &first, true);
    for group in 1..comptime!(blueprint.chunk / GROUP) {
        chunk = extend_by_group(chunk, &tile.group(group, before, blueprint), false);
    }
    chunk
}

/// Replaces the scanned states by ones that a neighbour swept to this unit's edge.
///
/// A composed matrix is nearly of rank one, and a state can sit in the direction that it contracts: then
/// the scanned state is off by far more than rounding. One sweep over a chunk forgets that direction.
/// The neighbours of the first and the last unit of a tile are in other cubes, so those units sweep the
/// chunk beyond the edge themselves.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn polish(
    tile: &Tile,
    operands: &Operands,
    edges: &Array<f32>,
    place: Place,
    tiles: usize,
    before: f32,
    left: Pair,
    right: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let groups = comptime!(blueprint.chunk / GROUP);
    let mut rightwards = canonicalise(left);
    let mut leftwards = canonicalise(right);
    for group in 0..groups {
        rightwards = sweep_right(rightwards, &tile.group(group, before, blueprint));
        leftwards = sweep_left(leftwards, &tile.group(groups - 1 - group, before, blueprint));
    }
    let from_left = from_left(canonicalise(rightwards), mail, blueprint);
    let from_right = from_right(canonicalise(leftwards), mail, blueprint);

    let position = UNIT_POS % comptime!(blueprint.units_per_row);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    if comptime!(blueprint.tiled) {
        if position == 0 {
            left_end = Edges::polished_left(edges, operands, place, tiles, blueprint);
        }
        if position == comptime!(blueprint.units_per_row - 1) {
            right_end = Edges::polished_right(edges, operands, place, tiles, blueprint);
        }
    }
    (
        choose_pair(position == 0, left_end, from_left),
        choose_pair(position == comptime!(blueprint.units_per_row - 1), right_end, from_right),
    )
}

/// Sweeps right keeping the state at the start of each group, then left computing the entries.
#[cube]
fn resolve(
    tile: &mut Tile,
    before: f32,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) {
    let groups = comptime!(blueprint.chunk / GROUP);
    let mut starts = Array::<f32>::new(comptime!(4 * groups as usize));
    let mut left = left;
    #[unroll]
    for group in 0..groups {
        let base = comptime!(4 * group as usize);
        starts[base] = left.x.re;
        starts[base + 1] = left.x.im;
        starts[base + 2] = left.y.re;
        starts[base + 3] = left.y.im;
        if comptime!(group + 1 < groups) {
            left = sweep_right(left, &tile.group(group.runtime(), before, blueprint));
        }
    }
    let mut right = right;
    let mut entries = Entries::new();
    #[unroll]
    for step in 0..groups {
        let group = comptime!(groups - 1 - step);
        let base = comptime!(4 * group as usize);
        let start = Pair::new(
            crate::complex::Complex::new(starts[base], starts[base + 1]),
            crate::complex::Complex::new(starts[base + 2], starts[base + 3]),
        );
        let sites = tile.group(group.runtime(), before, blueprint);
        right = resolve_group(start, right, &sites, &mut entries, finish, blueprint);
        tile.put(group, &entries, blueprint);
    }
}
