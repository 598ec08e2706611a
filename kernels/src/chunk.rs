//! The sweeps over the consecutive sites of one unit, a stretch of them in registers at a time.
//!
//! Loops over stretches rather than straight code: a whole chunk unrolled is more instructions than a
//! multiprocessor's cache holds, and more registers than let it keep enough cubes.
//!
//! Nearly every chain is coupled throughout. Where a coupling inside the chunk is exactly zero the unit
//! takes the sweeps of `group` instead, which test each coupling; where none is, both give the same bits,
//! and these need no tests.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::{Complex, recur};
use crate::projective::{Pair, cross_coupling, rescaling};
use crate::resolvent::{Finish, quick_resolvent};
use crate::tile::Tile;
use crate::transfer::{Transfer, normalise_whole};

/// The entries of some consecutive sites of a unit.
#[derive(CubeType)]
struct Stretch {
    re: Array<f32>,
    im: Array<f32>,
    /// Coupling on the right of each site.
    couplings: Array<f32>,
    /// Coupling on the left of the first site.
    before: f32,
    /// Imaginary part of a diagonal that is real but for `z`.
    uniform_im: f32,
}

#[cube]
impl Stretch {
    /// The sites from `first` on of this unit's chunk; `before` is the coupling on their left.
    fn read(tile: &Tile, first: u32, before: f32, #[comptime] blueprint: Blueprint) -> Stretch {
        let sites = comptime!(blueprint.stretch() as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { sites } else { 1 });
        let mut stretch = Stretch {
            re: Array::<f32>::new(sites),
            im: Array::<f32>::new(imaginary),
            couplings: Array::<f32>::new(sites),
            before,
            uniform_im: tile.uniform_im,
        };
        #[unroll]
        for index in 0..blueprint.stretch() {
            let d = tile.diagonal(first + index, blueprint);
            let index_of = comptime!(index as usize);
            stretch.re[index_of] = d.re;
            if comptime!(blueprint.complex_diagonal) {
                stretch.im[index_of] = d.im;
            }
            stretch.couplings[index_of] = tile.coupling(first + index, blueprint);
        }
        stretch
    }

    fn diagonal(&self, #[comptime] index: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let mut im = self.uniform_im;
        if comptime!(blueprint.complex_diagonal) {
            im = self.im[comptime!(index as usize)];
        }
        Complex::new(self.re[comptime!(index as usize)], im)
    }

    fn coupling_after(&self, #[comptime] index: u32) -> f32 {
        self.couplings[comptime!(index as usize)]
    }

    fn coupling_before(&self, #[comptime] index: u32) -> f32 {
        if comptime!(index == 0) { self.before } else { self.couplings[comptime!(index as usize - 1)] }
    }

    /// Extends the transfer matrix of what is before these sites, or of nothing where they `open` it.
    fn extend(&self, chunk: Transfer, #[comptime] open: bool, #[comptime] blueprint: Blueprint) -> Transfer {
        let mut chunk = chunk;
        if comptime!(open) {
            chunk = Transfer::site(self.diagonal(0u32, blueprint));
        }
        #[unroll]
        for index in comptime!(u32::from(open))..blueprint.stretch() {
            let d = self.diagonal(index, blueprint);
            let k = self.coupling_before(index);
            // In this order: see `Pair::enter`.
            let a = recur(d, chunk.a, k, chunk.c);
            let b = recur(d, chunk.b, k, chunk.e);
            chunk.c = chunk.a;
            chunk.e = chunk.b;
            chunk.a = a;
            chunk.b = b;
            if comptime!(index % GROUP == GROUP - 1) {
                chunk = normalise_whole(chunk);
            }
        }
        chunk
    }

    /// Couplings that are exactly zero.
    fn cuts(&self, #[comptime] blueprint: Blueprint) -> u32 {
        let mut zeros = 0u32;
        #[unroll]
        for index in 0..blueprint.stretch() {
            zeros += select(self.coupling_after(index) == 0.0, 1u32, 0u32);
        }
        zeros
    }
}

/// The transfer matrix of this unit's chunk, and whether it is right: whether no coupling between two of its
/// sites is exactly zero. Those beyond the end of the row, of which the chunk has `padding` sites, cut
/// nothing: what is beyond them is never read.
#[cube]
pub(crate) fn summarise(
    tile: &Tile,
    before: f32,
    padding: u32,
    #[comptime] blueprint: Blueprint,
) -> (Transfer, bool) {
    let last = comptime!(blueprint.chunk - 1);
    let opening = Stretch::read(tile, 0u32.runtime(), before, blueprint);
    let mut zeros = opening.cuts(blueprint);
    let mut chunk = opening.extend(Transfer::site(Complex::one()), true, blueprint);
    for index in 1..tile.stretches {
        let first = index * comptime!(blueprint.stretch());
        let stretch = Stretch::read(tile, first, tile.coupling(first - 1, blueprint), blueprint);
        zeros += stretch.cuts(blueprint);
        chunk = stretch.extend(chunk, false, blueprint);
    }
    // The coupling to the next chunk is none of its own.
    zeros -= select(tile.coupling(last.runtime(), blueprint) == 0.0, 1u32, 0u32);
    (chunk, zeros <= padding)
}

/// The left state after this unit's chunk from the one before it, and the right state before it from the one
/// after it.
#[cube]
pub(crate) fn sweep(
    tile: &Tile,
    before: f32,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let sites = comptime!(blueprint.stretch());
    let last = comptime!(blueprint.chunk - 1);
    let mut rightwards = cross_coupling(left, before);
    let mut leftwards = cross_coupling(right, tile.coupling(last.runtime(), blueprint));
    let mut k = before;
    for step in 0..tile.stretches {
        let ahead = Stretch::read(tile, step * sites, k, blueprint);
        let behind = Stretch::read(
            tile,
            comptime!(blueprint.chunk - sites) - step * sites,
            0.0f32.runtime(),
            blueprint,
        );
        #[unroll]
        for index in 0..sites {
            rightwards.enter(ahead.diagonal(index, blueprint), ahead.coupling_before(index));
            let mirrored = comptime!(sites - 1 - index);
            leftwards.enter(behind.diagonal(mirrored, blueprint), behind.coupling_after(mirrored));
            if comptime!(index % GROUP == GROUP - 1) {
                rightwards.rescale(rescaling(rightwards));
                leftwards.rescale(rescaling(leftwards));
            }
        }
        k = ahead.coupling_after(comptime!(sites - 1));
    }
    (rightwards, leftwards)
}

/// Puts `G` in the place of the chunk's entries in the tile, from the states at its edges, and tells
/// whether all of them can be relied on.
///
/// The sweep to the right keeps the state before each stretch. The one to the left computes those inside
/// again: they would be two registers a site.
#[cube]
pub(crate) fn resolve(
    tile: &mut Tile,
    before: f32,
    left: Pair,
    right: Pair,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> bool {
    let sites = comptime!(blueprint.stretch());
    let count = tile.stretches;
    let last = comptime!(blueprint.chunk - 1);
    let mut starts = Array::<f32>::new(comptime!(4 * (blueprint.chunk / sites) as usize));
    let mut left = cross_coupling(left, before);
    let mut k = before;
    keep(&mut starts, 0u32.runtime(), left);
    for index in 1..count {
        let stretch = Stretch::read(tile, (index - 1) * sites, k, blueprint);
        #[unroll]
        for site in 0..sites {
            left.enter(stretch.diagonal(site, blueprint), stretch.coupling_before(site));
            if comptime!(site % GROUP == GROUP - 1) {
                left.rescale(rescaling(left));
            }
        }
        k = stretch.coupling_after(comptime!(sites - 1));
        keep(&mut starts, index, left);
    }
    let mut right = cross_coupling(right, tile.coupling(last.runtime(), blueprint));
    let mut reliable = true.runtime();
    for step in 0..count {
        let index = count - 1 - step;
        let first = index * sites;
        let inside = tile.coupling(select(index == 0, 0u32, first - 1), blueprint);
        let stretch = Stretch::read(tile, first, select(index == 0, before, inside), blueprint);
        let mut states = Array::<f32>::new(comptime!(4 * sites as usize));
        let mut left = kept(&starts, index);
        #[unroll]
        for site in 0..sites {
            left.enter(stretch.diagonal(site, blueprint), stretch.coupling_before(site));
            keep(&mut states, site, left);
            if comptime!(site % GROUP == GROUP - 1) {
                left.rescale(rescaling(left));
            }
        }
        #[unroll]
        for back in 0..sites {
            let site = comptime!(sites - 1 - back);
            let k = stretch.coupling_after(site);
            let (entry, ordinary) = quick_resolvent(kept(&states, site), k, right, finish, blueprint);
            reliable &= ordinary;
            tile.put(first + site, entry, blueprint);
            right.enter(stretch.diagonal(site, blueprint), k);
            if comptime!(site % GROUP == 0) {
                right.rescale(rescaling(right));
            }
        }
    }
    reliable
}

/// Keeps a state in a register array.
#[cube]
pub(crate) fn keep(slots: &mut Array<f32>, slot: u32, state: Pair) {
    let base = 4 * slot as usize;
    slots[base] = state.x.re;
    slots[base + 1] = state.x.im;
    slots[base + 2] = state.y.re;
    slots[base + 3] = state.y.im;
}

/// What [`keep`] kept.
#[cube]
pub(crate) fn kept(slots: &Array<f32>, slot: u32) -> Pair {
    let base = 4 * slot as usize;
    Pair::new(Complex::new(slots[base], slots[base + 1]), Complex::new(slots[base + 2], slots[base + 3]))
}
