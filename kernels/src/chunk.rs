//! The consecutive sites of one unit, held in registers, and the sweeps over them.
//!
//! Nearly every chain is coupled throughout. Where a coupling inside the chunk is exactly zero the unit
//! takes the sweeps of `group` instead, which test each coupling and read the tile; where none is, both
//! give the same bits, and these need no tests.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::{Complex, recur, scale};
use crate::projective::{Pair, cross_coupling, rescaling};
use crate::resolvent::{Finish, quick_resolvent};
use crate::tile::Tile;
use crate::transfer::{Transfer, normalise_whole};

/// The entries of a unit's sites.
#[derive(CubeType)]
pub(crate) struct Chunk {
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
impl Chunk {
    /// Reads this unit's sites from the tile.
    pub(crate) fn read(tile: &Tile, before: f32, #[comptime] blueprint: Blueprint) -> Chunk {
        let sites = comptime!(blueprint.chunk as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { sites } else { 1 });
        let mut chunk = Chunk {
            re: Array::<f32>::new(sites),
            im: Array::<f32>::new(imaginary),
            couplings: Array::<f32>::new(sites),
            before,
            uniform_im: tile.uniform_im,
        };
        #[unroll]
        for index in 0..blueprint.chunk {
            let d = tile.diagonal(index, blueprint);
            let index_of = comptime!(index as usize);
            chunk.re[index_of] = d.re;
            if comptime!(blueprint.complex_diagonal) {
                chunk.im[index_of] = d.im;
            }
            chunk.couplings[index_of] = tile.coupling(index, blueprint);
        }
        chunk
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

    /// Whether a coupling between two of its sites is exactly zero. Those beyond the end of the row, of
    /// which the chunk has `padding` sites, cut nothing: what is beyond them is never read.
    pub(crate) fn is_cut(&self, padding: u32, #[comptime] blueprint: Blueprint) -> bool {
        let mut zeros = 0u32;
        #[unroll]
        for index in 0..comptime!(blueprint.chunk - 1) {
            zeros += select(self.coupling_after(index) == 0.0, 1u32, 0u32);
        }
        zeros > padding
    }

    /// The transfer matrix of the chunk.
    pub(crate) fn summarise(&self, #[comptime] blueprint: Blueprint) -> Transfer {
        let mut chunk = Transfer::site(self.diagonal(0u32, blueprint));
        #[unroll]
        for index in 1..blueprint.chunk {
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

    /// The left state after the chunk from the one before it.
    pub(crate) fn sweep_right(&self, state: Pair, #[comptime] blueprint: Blueprint) -> Pair {
        let mut state = cross_coupling(state, self.before);
        #[unroll]
        for index in 0..blueprint.chunk {
            state.enter(self.diagonal(index, blueprint), self.coupling_before(index));
            if comptime!(index % GROUP == GROUP - 1) {
                state.rescale(rescaling(state));
            }
        }
        state
    }

    /// The right state before the chunk from the one after it.
    pub(crate) fn sweep_left(&self, state: Pair, #[comptime] blueprint: Blueprint) -> Pair {
        let last = comptime!(blueprint.chunk - 1);
        let mut state = cross_coupling(state, self.coupling_after(last));
        #[unroll]
        for step in 0..blueprint.chunk {
            let index = comptime!(last - step);
            state.enter(self.diagonal(index, blueprint), self.coupling_after(index));
            if comptime!(index % GROUP == 0) {
                state.rescale(rescaling(state));
            }
        }
        state
    }

    /// Puts `G` in the place of the chunk's entries in the tile, from the states at its edges, and tells
    /// whether all of them can be relied on.
    ///
    /// The sweep to the right leaves each `D_i` there, and the one to the left turns it into `G_ii`.
    pub(crate) fn resolve(
        &self,
        tile: &mut Tile,
        left: Pair,
        right: Pair,
        finish: &Finish,
        #[comptime] blueprint: Blueprint,
    ) -> bool {
        let last = comptime!(blueprint.chunk - 1);
        let mut factors = Array::<f32>::new(comptime!((blueprint.chunk / GROUP) as usize));
        let start = cross_coupling(left, self.before);
        let mut left = start;
        #[unroll]
        for index in 0..blueprint.chunk {
            left.enter(self.diagonal(index, blueprint), self.coupling_before(index));
            tile.put(index, left.x, blueprint);
            if comptime!(index % GROUP == GROUP - 1) {
                let factor = rescaling(left);
                factors[comptime!((index / GROUP) as usize)] = factor;
                left.rescale(factor);
            }
        }
        let mut right = cross_coupling(right, self.coupling_after(last));
        // D of the site, in the scale of its group until it is the one before the group.
        let mut whole = tile.get(last, blueprint);
        let mut reliable = true.runtime();
        #[unroll]
        for step in 0..blueprint.chunk {
            let index = comptime!(last - step);
            let k = self.coupling_after(index);
            let mut before = start.x;
            if comptime!(index > 0) {
                before = tile.get(comptime!(index - 1), blueprint);
            }
            let mut shorter = before;
            if comptime!(index > 0 && index % GROUP == 0) {
                shorter = scale(factors[comptime!((index / GROUP) as usize - 1)], before);
            }
            let (entry, ordinary) = quick_resolvent(Pair::new(whole, shorter), k, right, finish, blueprint);
            reliable &= ordinary;
            tile.put(index, entry, blueprint);
            whole = before;
            right.enter(self.diagonal(index, blueprint), k);
            if comptime!(index % GROUP == 0) {
                right.rescale(rescaling(right));
            }
        }
        reliable
    }
}
