//! The chunk of a unit, all of it in registers.
//!
//! What [`crate::tile`] keeps in shared memory, for devices whose drivers give little of that: sweeps go over the unit's own
//! chunk only, and the states at its edges come from its neighbours. Where it pays the two halves take turns in the same code.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::chunk::kept;
use crate::half::{Half, sweep_halves};
use crate::operands::Operands;
use crate::place::{Place, is_full};
use crate::projective::{Pair, canonicalise, choose_pair, cross_coupling, rescaling};
use crate::resolvent::{Finish, quick_resolvent};
use crate::tile::{paired, rounds};
use crate::transpose::{Mover, may_end_a_row};

/// Entries of the chunk, later its results: `Re G` in the place of `Re d`, `Im G` in that of the coupling.
#[derive(CubeType)]
pub(crate) struct RegisterChunk {
    pub(crate) first: Half,
    pub(crate) second: Half,
}

/// The states of a chunk.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Inner {
    /// In its middle: the left state before the second half, and the right state after the first.
    pub(crate) left: Pair,
    pub(crate) right: Pair,
    /// At its edges, beyond the chunk: the left state after it, and the right state before it.
    pub(crate) left_after: Pair,
    pub(crate) right_before: Pair,
}

#[cube]
impl RegisterChunk {
    /// Loads the chunks of the cube, through `scratch`. Every unit of the cube must call this together.
    pub(crate) fn load(
        operands: &Operands,
        place: Place,
        scratch: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) -> RegisterChunk {
        let uniform_im = -operands.z[1];
        let mut chunk = RegisterChunk {
            first: Half::new(uniform_im, blueprint),
            second: Half::new(uniform_im, blueprint),
        };
        for which in rounds(0u32, blueprint)..rounds(2u32, blueprint) {
            let mover = Mover::new(place, which, blueprint);
            fetch(&mut chunk.first, operands, mover, is_full(operands, place, blueprint), blueprint);
            mover.to_owner(&mut chunk.first.re, scratch, blueprint);
            if comptime!(blueprint.complex_diagonal) {
                mover.to_owner(&mut chunk.first.im, scratch, blueprint);
            }
            mover.to_owner(&mut chunk.first.couplings, scratch, blueprint);
            chunk.take_turns(blueprint);
        }
        chunk
    }

    /// Exchanges the halves.
    fn take_turns(&mut self, #[comptime] blueprint: Blueprint) {
        self.first.exchange(&mut self.second, blueprint);
    }

    /// The coupling between the halves.
    pub(crate) fn coupling_between(&self, #[comptime] blueprint: Blueprint) -> f32 {
        self.first.last_coupling(blueprint)
    }

    /// The coupling on the right of the chunk.
    pub(crate) fn coupling_after(&self, #[comptime] blueprint: Blueprint) -> f32 {
        self.second.last_coupling(blueprint)
    }

    /// Sweeps through the chunk from both edges, for a chunk without a cut.
    pub(crate) fn sweep(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        #[comptime] blueprint: Blueprint,
    ) -> Inner {
        self.first.before = before;
        self.second.before = self.coupling_between(blueprint);
        let entering = cross_coupling(left, before);
        let leaving = cross_coupling(right, self.coupling_after(blueprint));
        let (left, right) = sweep_halves(&self.first, &self.second, entering, leaving, blueprint);
        let (left, right) = if comptime!(blueprint.has_polished_middle()) {
            (canonicalise(left), canonicalise(right))
        } else {
            (left, right)
        };
        let (left_after, right_before) = sweep_halves(&self.second, &self.first, left, right, blueprint);
        Inner { left, right, left_after, right_before }
    }

    /// Puts `G` in the place of the entries, from the states in the middle and those that come from beyond the edges, and tells
    /// whether all of them can be relied on.
    pub(crate) fn resolve(
        &mut self,
        before: f32,
        from_left: Pair,
        inner: &Inner,
        from_right: Pair,
        finish: &Finish,
        #[comptime] blueprint: Blueprint,
    ) -> bool {
        let between = self.coupling_between(blueprint);
        let entering = cross_coupling(from_left, before);
        let leaving = cross_coupling(from_right, self.coupling_after(blueprint));
        let in_middle = if comptime!(blueprint.has_polished_middle()) {
            inner.right
        } else {
            self.second.sweep_left(leaving, blueprint)
        };
        let mut left = entering;
        let mut reliable = true.runtime();
        for turn in rounds(0u32, blueprint)..rounds(2u32, blueprint) {
            let in_first = turn == 0;
            self.first.before = select(in_first, before, between);
            let right = choose_pair(in_first, in_middle, leaving);
            let (left_after, ordinary) = resolve_half(&mut self.first, left, right, finish, blueprint);
            left = if comptime!(blueprint.has_polished_middle()) { inner.left } else { left_after };
            reliable &= ordinary;
            self.take_turns(blueprint);
        }
        reliable
    }

    /// Takes over results, two floats a site.
    pub(crate) fn put_all(&mut self, results: &Array<f32>, #[comptime] blueprint: Blueprint) {
        #[unroll]
        for index in 0..blueprint.half() {
            let (place, second) = comptime!((index as usize, (index + blueprint.half()) as usize));
            self.first.re[place] = results[comptime!(2 * place)];
            self.first.couplings[place] = results[comptime!(2 * place + 1)];
            self.second.re[place] = results[comptime!(2 * second)];
            self.second.couplings[place] = results[comptime!(2 * second + 1)];
        }
    }

    /// Writes the results, through `scratch`. Every unit of the cube must call this together.
    pub(crate) fn store<V: Size>(
        &mut self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        scratch: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        for which in rounds(0u32, blueprint)..rounds(2u32, blueprint) {
            let mover = Mover::new(place, which, blueprint);
            mover.to_mover(&mut self.first.re, scratch, blueprint);
            mover.to_mover(&mut self.first.couplings, scratch, blueprint);
            let full = is_full(operands, place, blueprint);
            #[unroll]
            for round in 0..blueprint.half() {
                let at = mover.place_of(round, blueprint);
                if full | at.is_inside(operands, blueprint) {
                    let index = comptime!(round as usize);
                    output[at.row * operands.n + at.site] =
                        paired::<V>(self.first.re[index], self.first.couplings[index]);
                }
            }
            self.take_turns(blueprint);
        }
    }
}

/// Reads the sites that this unit moves.
#[cube]
pub(crate) fn fetch(
    half: &mut Half,
    operands: &Operands,
    mover: Mover,
    full: bool,
    #[comptime] blueprint: Blueprint,
) {
    if full {
        #[unroll]
        for round in 0..blueprint.half() {
            let at = mover.place_of(round, blueprint);
            let may_end = comptime!(may_end_a_row(round, blueprint));
            half.set(
                round,
                operands.diagonal_at(at, blueprint),
                operands.coupling_at(at, may_end),
                blueprint,
            );
        }
    } else {
        #[unroll]
        for round in 0..blueprint.half() {
            let place = mover.place_of(round, blueprint);
            let (d, k) = operands.nearest_entries(place, blueprint);
            half.set(round, d, k, blueprint);
        }
    }
}

/// Puts `G` in the place of the entries of a half, from the states on both sides of it. Returns the left state after it, and
/// whether all entries can be relied on.
#[cube]
fn resolve_half(
    half: &mut Half,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> (Pair, bool) {
    let sites = comptime!(blueprint.half());
    let mut states = Array::<f32>::new(comptime!(4 * sites as usize));
    let left_after = half.keep_left_states(&mut states, left, blueprint);
    let mut right = right;
    let mut reliable = true.runtime();
    #[unroll]
    for step in 0..sites {
        let site = comptime!(sites - 1 - step);
        let index = comptime!(site as usize);
        let k = half.coupling_after(site);
        let d = half.diagonal(site, blueprint);
        let (entry, ordinary) = quick_resolvent(kept(&states, site), k, right, finish, blueprint);
        reliable &= ordinary;
        right.enter(d, k);
        half.re[index] = entry.re;
        half.couplings[index] = entry.im;
        if comptime!(step % GROUP == GROUP - 1) {
            right.rescale(rescaling(right));
        }
    }
    (left_after, reliable)
}
