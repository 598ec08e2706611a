//! A row within a cube, its entries in registers: [`crate::routines::cube`] with little shared memory.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::chunk::{keep, kept};
use crate::complex::Complex;
use crate::exchange::from_both_sides;
use crate::group::{Entries, Group, extend_by_group, resolve_group, sweep_left, sweep_right};
use crate::half::{Half, cuts_inside, summarise_halves};
use crate::halo::Halo;
use crate::kept::KeptRow;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::register_chunk::{Inner, RegisterChunk};
use crate::resolvent::Finish;
use crate::routines::cube::{padding, place_of_cube, segment_of};
use crate::routines::edges::Edges;
use crate::routines::multi_cube::group_from_memory;
use crate::scan::scan;
use crate::segment::Segment;
use crate::tile::rounds;
use crate::transfer::Transfer;

/// [`cube_kernel`](crate::routines::cube::cube_kernel), with the entries in registers.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn register_kernel<V: Size>(
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
    let mut chunk = RegisterChunk::load(operands, place, &mut mail, blueprint);
    let halo = Halo::load(operands, place, blueprint);
    let edges = Edges::new(edges, operands, place, tiles, &mut mail, blueprint);
    let (own, whole) = summarise(&mut chunk.first, &mut chunk.second, operands, place, blueprint);
    let segment = segment_of(operands, chunk.coupling_after(blueprint), place, blueprint);
    let before = segment.couplings[UNIT_POS as usize];
    let (left_end, right_end) = (edges.left(blueprint), edges.right(blueprint));
    let (left, right) = scan(own, &segment, left_end, right_end, &mut mail, blueprint);

    let left = canonicalise(left);
    let right = canonicalise(right);
    let mut inner = chunk.sweep(before, left, right, blueprint);
    if !whole {
        inner = sweep_with_care(operands, place, left, right, blueprint);
    }
    let (from_left, from_right) =
        states_at_edges(&inner, &halo, &edges, tiles, &segment, &mut mail, blueprint);
    keep_states(from_left, &inner, from_right, operands, place, states, blueprint);

    let mut done = false.runtime();
    if whole {
        done = chunk.resolve(before, from_left, &inner, from_right, finish, blueprint);
    }
    if !done {
        resolve_with_care(&mut chunk, operands, place, from_left, &inner, from_right, finish, blueprint);
    }
    sync_cube();
    chunk.store::<V>(output, operands, place, &mut mail, blueprint);
}

/// The transfer matrix of this unit's chunk, and whether no coupling inside is exactly zero.
#[cube]
pub(crate) fn summarise(
    first: &mut Half,
    second: &mut Half,
    operands: &Operands,
    place: Place,
    #[comptime] blueprint: Blueprint,
) -> (Transfer, bool) {
    let whole = cuts_inside(first, second, blueprint) <= padding(operands, place, blueprint);
    let mut transfer = summarise_halves(first, second, blueprint);
    if !whole {
        transfer = summarise_with_care(operands, place, blueprint);
    }
    (transfer, whole)
}

/// [`summarise`] for a chunk with cuts, from global memory. Rare, so it is short rather than fast.
#[cube]
fn summarise_with_care(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> Transfer {
    let nothing = Transfer::site(Complex::one());
    let mut transfer = extend_by_group(nothing, &group(operands, place, 0u32, blueprint), true);
    for index in 1..rounds(comptime!(blueprint.chunk / GROUP), blueprint) {
        transfer = extend_by_group(transfer, &group(operands, place, index, blueprint), false);
    }
    transfer
}

/// Group `index` of this unit's chunk, from global memory.
#[cube]
fn group(operands: &Operands, place: Place, index: u32, #[comptime] blueprint: Blueprint) -> Group {
    let row = place.row + (UNIT_POS / blueprint.units_per_row) as usize;
    let first = (UNIT_POS % blueprint.units_per_row) * blueprint.chunk + index * GROUP;
    group_from_memory(operands, row, place.site + first as usize, blueprint)
}

/// [`RegisterChunk::sweep`] for a chunk with cuts. Rare, so it is short rather than fast.
#[cube]
fn sweep_with_care(
    operands: &Operands,
    place: Place,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: Blueprint,
) -> Inner {
    let half = rounds(comptime!(blueprint.half() / GROUP), blueprint);
    let mut rightwards = left;
    let mut leftwards = right;
    for index in 0..half {
        let mirrored = 2 * half - 1 - index;
        rightwards = sweep_right(rightwards, &group(operands, place, index, blueprint));
        leftwards = sweep_left(leftwards, &group(operands, place, mirrored, blueprint));
    }
    let left = canonicalise(rightwards);
    let right = canonicalise(leftwards);
    let mut left_after = left;
    let mut right_before = right;
    for index in half..2 * half {
        let mirrored = 2 * half - 1 - index;
        left_after = sweep_right(left_after, &group(operands, place, index, blueprint));
        right_before = sweep_left(right_before, &group(operands, place, mirrored, blueprint));
    }
    Inner { left, right, left_after, right_before }
}

/// The left state before this unit's chunk and the right state after it, as its neighbours have swept them. At the ends of a
/// tile the neighbour is another cube: its first and its last unit sweep the chunk beyond themselves.
#[cube]
fn states_at_edges(
    inner: &Inner,
    halo: &Halo,
    edges: &Edges,
    tiles: usize,
    segment: &Segment,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let is_first = segment.position == 0;
    let is_last = segment.position == comptime!(blueprint.units_per_row - 1);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    if comptime!(blueprint.tiled) {
        if is_first {
            left_end = edges.polished_left(halo, tiles, blueprint);
        }
        if is_last {
            right_end = edges.polished_right(halo, tiles, blueprint);
        }
    }
    let (from_left, from_right) = from_both_sides(inner.left_after, inner.right_before, mail, blueprint);
    (choose_pair(is_first, left_end, from_left), choose_pair(is_last, right_end, from_right))
}

/// Keeps the states of the chunk for a backward pass.
#[cube]
fn keep_states(
    from_left: Pair,
    inner: &Inner,
    from_right: Pair,
    operands: &Operands,
    place: Place,
    states: &mut Array<u32>,
    #[comptime] blueprint: Blueprint,
) {
    if comptime!(blueprint.keeps_states) {
        let kept = KeptRow::new(operands, place, blueprint);
        let first = (UNIT_POS % blueprint.units_per_row) * comptime!(blueprint.kept_chunks());
        let last = first + comptime!(blueprint.kept_chunks() - 1);
        kept.keep_left(states, first, canonicalise(from_left));
        kept.keep_right(states, last, canonicalise(from_right));
        if comptime!(blueprint.kept_chunks() == 2) {
            kept.keep_left(states, last, inner.left);
            kept.keep_right(states, first, inner.right);
        }
    }
}

/// [`RegisterChunk::resolve`] for a chunk with cuts or with entries that need care: sweeps right keeping the state
/// at the start of each group, then left computing the entries. Rare, so it is short rather than fast.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn resolve_with_care(
    chunk: &mut RegisterChunk,
    operands: &Operands,
    place: Place,
    from_left: Pair,
    inner: &Inner,
    from_right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) {
    let half = rounds(comptime!(blueprint.half() / GROUP), blueprint);
    let mut starts = Array::<f32>::new(comptime!(blueprint.chunk as usize));
    let mut results = Array::<f32>::new(comptime!(2 * blueprint.chunk as usize));
    let mut left = from_left;
    for index in 0..2 * half {
        if comptime!(blueprint.has_polished_middle()) {
            left = choose_pair(index == half, inner.left, left);
        }
        keep(&mut starts, index, left);
        left = sweep_right(left, &group(operands, place, index, blueprint));
    }
    let mut right = from_right;
    let mut entries = Entries::new();
    for step in 0..2 * half {
        let index = 2 * half - 1 - step;
        if comptime!(blueprint.has_polished_middle()) {
            right = choose_pair(index + 1 == half, inner.right, right);
        }
        let sites = group(operands, place, index, blueprint);
        right = resolve_group(kept(&starts, index), right, &sites, &mut entries, finish, blueprint);
        #[unroll]
        for site in 0..GROUP {
            let at = (2 * (index * GROUP + site)) as usize;
            let entry = entries.at(site);
            results[at] = entry.re;
            results[at + 1] = entry.im;
        }
    }
    chunk.put_all(&results, blueprint);
}
