//! A row within a cube: chunks in the units, a butterfly between them, one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::chunk::{self, keep, kept};
use crate::exchange::{Letter, from_next};
use crate::group::{Entries, extend_by_group, resolve_group, sweep_left, sweep_right};
use crate::halo::Halo;
use crate::kept::KeptRow;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, canonicalise};
use crate::resolvent::Finish;
use crate::routines::edges::Edges;
use crate::routines::multi_cube::group_from_memory;
use crate::scan::scan;
use crate::segment::Segment;
use crate::span::Span;
use crate::tile::{Tile, chunk_slot, rounds};
use crate::transfer::Transfer;

/// Resolvent diagonals of several rows a cube, or, `tiled`, of one tile of a row whose states at both
/// edges come from `edges` ([`Edges::new`]). Those at the edges of chunks are kept in `states`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn cube_kernel<V: Size>(
    operands: &Operands,
    edges: &Array<f32>,
    output: &mut Array<Vector<f32, V>>,
    states: &mut Array<u32>,
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
    let edges = Edges::new(edges, operands, place, tiles, &mut mail, blueprint);
    let (own, whole) = summarise(&tile, operands, place, blueprint);
    let segment = segment_of(operands, tile.coupling_after(UNIT_POS, blueprint), place, blueprint);
    let before = segment.couplings[UNIT_POS as usize];
    let (left_end, right_end) = (edges.left(blueprint), edges.right(blueprint));
    let (left, right) = scan(own, &segment, left_end, right_end, &mut mail, blueprint);

    let (left, right) = meet(&tile, before, whole, left, right, blueprint);
    let (span, whole) =
        span_of(&tile, &halo, &edges, tiles, &segment, left, right, whole, &mut mail, blueprint);

    let kept = KeptRow::new(operands, place, blueprint);
    let mut done = false.runtime();
    if whole {
        done = chunk::resolve(&mut tile, &span, &kept, states, finish, blueprint);
    }
    if !done {
        resolve_with_care(&mut tile, operands, place, &span, &kept, states, finish, blueprint);
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

/// Collects the couplings between the chunks. Holds the barrier after which all of the tile may be read.
#[cube]
pub(crate) fn segment_of(
    operands: &Operands,
    after: f32,
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
    // Those on the left: each unit has the one for its neighbour, and the first of the row its own.
    let mut couplings = SharedMemory::<f32>::new(comptime!(blueprint.units as usize));
    if position == 0 {
        couplings[UNIT_POS as usize] = first_coupling;
    }
    if position < comptime!(blueprint.units_per_row - 1) {
        couplings[(UNIT_POS + 1) as usize] = after;
    }
    sync_cube();
    let share = 1u32.runtime();
    Segment { first: UNIT_POS - position, position, share, first_coupling, last_coupling, couplings }
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
    operands: &Operands,
    place: Place,
    #[comptime] blueprint: Blueprint,
) -> (Transfer, bool) {
    let (mut transfer, whole) = chunk::summarise(tile, padding(operands, place, blueprint), blueprint);
    if !whole {
        // Nothing enters the first group.
        let none = 0.0f32.runtime();
        transfer = extend_by_group(transfer, &tile.group(0, none, blueprint), true);
        for group in 1..rounds(comptime!(blueprint.chunk / GROUP), blueprint) {
            transfer = extend_by_group(transfer, &tile.group(group, none, blueprint), false);
        }
    }
    (transfer, whole)
}

/// Sweeps from both edges of this unit's chunk to its middle.
///
/// A composed matrix is nearly of rank one, and a state can sit in the direction that it contracts: then the scanned
/// state is off by far more than rounding. A sweep over some sites forgets that direction.
#[cube]
fn meet(
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
        let (left_in, right_in) = chunk::sweep_to_middle(tile, before, rightwards, leftwards, blueprint);
        rightwards = left_in;
        leftwards = right_in;
    } else {
        let half = rounds(comptime!(blueprint.half() / GROUP), blueprint);
        for group in 0..half {
            rightwards = sweep_right(rightwards, &tile.group(group, before, blueprint));
            leftwards = sweep_left(leftwards, &tile.group(2 * half - 1 - group, before, blueprint));
        }
    }
    (canonicalise(rightwards), canonicalise(leftwards))
}

/// The sites between the middles of this unit's chunk and the next, and whether no coupling in either is exactly
/// zero. At the ends of a tile nothing was swept by a neighbour, for that is another cube: its first and its last
/// unit sweep the chunk beyond themselves.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn span_of(
    tile: &Tile,
    halo: &Halo,
    edges: &Edges,
    tiles: usize,
    segment: &Segment,
    left: Pair,
    right: Pair,
    whole: bool,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Span, bool) {
    let wraps = segment.position == comptime!(blueprint.units_per_row - 1);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    if comptime!(blueprint.tiled) {
        if segment.position == 0 {
            left_end = edges.polished_left(halo, tiles, blueprint);
        }
        if wraps {
            right_end = edges.polished_right(halo, tiles, blueprint);
        }
    }
    let middle = chunk_slot(UNIT_POS, blueprint) + comptime!(blueprint.half() - 1);
    let coupling = tile.coupling(middle);
    let next = select(wraps, segment.first, UNIT_POS + 1);
    let letter = from_next(Letter { right, whole, left_end }, next, mail, blueprint);
    let span = Span {
        next,
        wraps,
        left,
        coupling,
        edge: segment.couplings[next as usize],
        right: letter.right,
        left_end: letter.left_end,
        right_end,
    };
    (span, whole & letter.whole)
}

/// [`chunk::resolve`] for a span with cuts or with entries that need care: sweeps right keeping the state
/// at the start of each group, then left computing the entries. Rare, so it is short rather than fast: it
/// reads the entries from global memory, since the tile may hold results already.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn resolve_with_care(
    tile: &mut Tile,
    operands: &Operands,
    place: Place,
    span: &Span,
    kept_row: &KeptRow,
    states: &mut Array<u32>,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) {
    let half = rounds(comptime!(blueprint.half() / GROUP), blueprint);
    let row = place.row + (UNIT_POS / blueprint.units_per_row) as usize;
    let mut starts = Array::<f32>::new(comptime!(blueprint.chunk as usize));
    let mut left = span.left;
    for group in 0..2 * half {
        if group == half {
            left = span.left_over_edge(left);
            span.keep_left(left, kept_row, states, blueprint);
        }
        keep(&mut starts, group, left);
        let site = place.site + span.first_site(group, half, blueprint);
        left = sweep_right(left, &group_from_memory(operands, row, site, blueprint));
    }
    let mut right = span.right;
    let mut entries = Entries::new();
    for step in 0..2 * half {
        let group = 2 * half - 1 - step;
        if group + 1 == half {
            right = span.right_over_edge(right);
            span.keep_right(right, kept_row, states, blueprint);
        }
        let start = kept(&starts, group);
        let site = place.site + span.first_site(group, half, blueprint);
        let sites = group_from_memory(operands, row, site, blueprint);
        right = resolve_group(start, right, &sites, &mut entries, finish, blueprint);
        let slot = span.slot(group, half, blueprint);
        #[unroll]
        for index in 0..GROUP {
            tile.put(slot + index, entries.at(index));
        }
    }
}
