//! The sweeps over the consecutive sites of one unit, half a chunk of them in registers at a time.
//!
//! A half is straight code, and the entries of both are computed by a loop: unrolled for a whole chunk they are more
//! instructions than a multiprocessor's cache holds, and more registers than let it keep enough cubes.
//!
//! Nearly every chain is coupled throughout. Where a coupling inside the chunk is exactly zero the unit
//! takes the sweeps of `group` instead, which test each coupling; where none is, both give the same bits,
//! and these need no tests.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::half::{Half, sweep_halves};
use crate::kept::KeptRow;
use crate::projective::{Pair, choose_pair, cross_coupling, read_pair, rescaling, write_pair};
use crate::resolvent::{Finish, quick_resolvent};
use crate::span::Span;
use crate::tile::{Tile, chunk_slot, rounds};
use crate::transfer::Transfer;

/// The transfer matrix of this unit's chunk, and whether it is right: whether no coupling between two of its
/// sites is exactly zero. Those beyond the end of the row, of which the chunk has `padding` sites, cut
/// nothing: what is beyond them is never read.
#[cube]
pub(crate) fn summarise(tile: &Tile, padding: u32, #[comptime] blueprint: Blueprint) -> (Transfer, bool) {
    let own = chunk_slot(UNIT_POS, blueprint);
    // Nothing enters the first site.
    let first = Half::read(tile, own, 0.0f32.runtime(), blueprint);
    let mut zeros = first.cuts(blueprint);
    let mut chunk = first.extend(Transfer::site(Complex::one()), true, blueprint);
    let slot = own + comptime!(blueprint.half());
    let second = Half::read(tile, slot, tile.coupling(slot - 1), blueprint);
    zeros += second.cuts(blueprint);
    chunk = second.extend(chunk, false, blueprint);
    // The coupling to the next chunk is none of its own.
    zeros -= select(tile.coupling_after(UNIT_POS, blueprint) == 0.0, 1u32, 0u32);
    (chunk, zeros <= padding)
}

/// Whether no coupling between two sites of this unit's chunk is exactly zero, but for its `padding`.
#[cube]
pub(crate) fn is_whole(tile: &Tile, padding: u32, #[comptime] blueprint: Blueprint) -> bool {
    let own = chunk_slot(UNIT_POS, blueprint);
    let mut zeros = 0u32;
    #[unroll]
    for index in 0..comptime!(blueprint.chunk - 1) {
        zeros += select(tile.coupling(own + index) == 0.0, 1u32, 0u32);
    }
    zeros <= padding
}

/// The states in the middle of this unit's chunk from those at its edges: the left state after the first half and
/// the right state before the second, not yet over the coupling between them.
#[cube]
pub(crate) fn sweep_to_middle(
    tile: &Tile,
    before: f32,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let sites = comptime!(blueprint.half());
    let own = chunk_slot(UNIT_POS, blueprint);
    let first = Half::read(tile, own, before, blueprint);
    let second = Half::read(tile, own + sites, 0.0f32.runtime(), blueprint);
    let entering = cross_coupling(left, before);
    let leaving = cross_coupling(right, second.coupling_after(comptime!(sites - 1)));
    sweep_halves(&first, &second, entering, leaving, blueprint)
}

/// Puts `G` in the place of the span's entries in the tile and tells whether all of them can be relied on. The states at
/// the edges of chunks are kept in `states`.
///
/// Left states inside are computed twice in the second half of this unit's chunk, once to enter the next chunk:
/// kept, they would be two registers a site.
#[cube]
pub(crate) fn resolve(
    tile: &mut Tile,
    span: &Span,
    kept: &KeptRow,
    states: &mut Array<u32>,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> bool {
    let sites = comptime!(blueprint.half());
    let second = chunk_slot(UNIT_POS, blueprint) + sites;
    let next = chunk_slot(span.next, blueprint);

    let start = cross_coupling(span.left, span.coupling);
    let mut over = start;
    let half = Half::read(tile, second, span.coupling, blueprint);
    #[unroll]
    for site in 0..sites {
        over.enter(half.diagonal(site, blueprint), half.coupling_before(site));
        if comptime!(site % GROUP == GROUP - 1) {
            over.rescale(rescaling(over));
        }
    }
    let over = span.left_over_edge(over);
    span.keep_left(over, kept, states, blueprint);
    let over = cross_coupling(over, span.edge);

    let mut right = cross_coupling(span.right, tile.coupling(next + comptime!(sites - 1)));
    let mut reliable = true.runtime();
    for step in rounds(0u32, blueprint)..rounds(2u32, blueprint) {
        let in_next = step == 0;
        if !in_next {
            let k = tile.coupling_after(UNIT_POS, blueprint);
            right = span.right_over_edge(right);
            span.keep_right(right, kept, states, blueprint);
            right = cross_coupling(right, k);
        }
        let (right_in, ordinary) = resolve_half(
            tile,
            select(in_next, next, second),
            select(in_next, span.edge, span.coupling),
            choose_pair(in_next, over, start),
            right,
            finish,
            blueprint,
        );
        right = right_in;
        reliable &= ordinary;
    }
    reliable
}

/// [`resolve`] for the half in `slot`, from the states on both sides; returns the right state before it.
#[cube]
fn resolve_half(
    tile: &mut Tile,
    slot: u32,
    before: f32,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> (Pair, bool) {
    let sites = comptime!(blueprint.half());
    let half = Half::read(tile, slot, before, blueprint);
    let mut states = Array::<f32>::new(comptime!(4 * sites as usize));
    half.keep_left_states(&mut states, left, blueprint);
    // The same slots, which the compiler cannot know: else it would keep the entries beside the states.
    let again = slot + GROUP * rounds(0u32, blueprint);
    let mut right = right;
    let mut reliable = true.runtime();
    #[unroll]
    for step in 0..comptime!(sites / GROUP) {
        let first = comptime!(sites - GROUP - step * GROUP);
        let (right_in, ordinary) =
            resolve_group_quickly(tile, again + first, &states, first, right, finish, blueprint);
        right = right_in;
        reliable &= ordinary;
    }
    (right, reliable)
}

/// Puts `G` in the place of the entries of the group in `slot`. `states` holds the left states after its sites from
/// `first` on, and `right` is the right state after it; returns the one before it, and whether `G` can be relied on.
#[cube]
fn resolve_group_quickly(
    tile: &mut Tile,
    slot: u32,
    states: &Array<f32>,
    #[comptime] first: u32,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> (Pair, bool) {
    let mut couplings = Array::<f32>::new(comptime!(GROUP as usize));
    let mut re = Array::<f32>::new(comptime!(GROUP as usize));
    let mut im = Array::<f32>::new(comptime!(GROUP as usize));
    #[unroll]
    for index in 0..GROUP {
        let d = tile.diagonal(slot + index, blueprint);
        re[comptime!(index as usize)] = d.re;
        im[comptime!(index as usize)] = d.im;
        couplings[comptime!(index as usize)] = tile.coupling(slot + index);
    }
    let mut right = right;
    let mut reliable = true.runtime();
    #[unroll]
    for back in 0..GROUP {
        let index = comptime!((GROUP - 1 - back) as usize);
        let k = couplings[index];
        let d = Complex::new(re[index], im[index]);
        let state = kept(states, comptime!(first + GROUP - 1 - back));
        let (entry, ordinary) = quick_resolvent(state, k, right, finish, blueprint);
        reliable &= ordinary;
        right.enter(d, k);
        re[index] = entry.re;
        couplings[index] = entry.im;
    }
    right.rescale(rescaling(right));
    #[unroll]
    for index in 0..GROUP {
        let entry = Complex::new(re[comptime!(index as usize)], couplings[comptime!(index as usize)]);
        tile.put(slot + index, entry);
    }
    (right, reliable)
}

/// Keeps a state in a register array.
#[cube]
pub(crate) fn keep(slots: &mut Array<f32>, slot: u32, state: Pair) {
    write_pair(slots, 4 * slot as usize, state);
}

/// What [`keep`] kept.
#[cube]
pub(crate) fn kept(slots: &Array<f32>, slot: u32) -> Pair {
    read_pair(slots, 4 * slot as usize)
}
