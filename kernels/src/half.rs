//! Half a chunk in registers, and the sweeps over it, for chunks without a cut.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::chunk::keep;
use crate::complex::{Complex, recur};
use crate::projective::{Pair, rescaling};
use crate::tile::Tile;
use crate::transfer::{Transfer, normalise_whole};

/// The entries of half a chunk.
#[derive(CubeType)]
pub(crate) struct Half {
    pub(crate) re: Array<f32>,
    pub(crate) im: Array<f32>,
    /// Coupling on the right of each site.
    pub(crate) couplings: Array<f32>,
    /// Coupling on the left of the first site.
    pub(crate) before: f32,
    /// Imaginary part of a diagonal that is real but for `z`.
    pub(crate) uniform_im: f32,
}

#[cube]
impl Half {
    /// No sites yet.
    pub(crate) fn new(uniform_im: f32, #[comptime] blueprint: Blueprint) -> Half {
        let sites = comptime!(blueprint.half() as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { sites } else { 1 });
        Half {
            re: Array::<f32>::new(sites),
            im: Array::<f32>::new(imaginary),
            couplings: Array::<f32>::new(sites),
            before: 0.0f32.runtime(),
            uniform_im,
        }
    }

    /// The sites that are staged from `slot` on; `before` is the coupling on their left.
    pub(crate) fn read(tile: &Tile, slot: u32, before: f32, #[comptime] blueprint: Blueprint) -> Half {
        let mut half = Half::new(tile.uniform_im, blueprint);
        half.before = before;
        #[unroll]
        for index in 0..blueprint.half() {
            let d = tile.diagonal(slot + index, blueprint);
            half.set(index, d, tile.coupling(slot + index), blueprint);
        }
        half
    }

    /// Sets a site and the coupling on its right.
    pub(crate) fn set(
        &mut self,
        #[comptime] index: u32,
        d: Complex,
        k: f32,
        #[comptime] blueprint: Blueprint,
    ) {
        let index = comptime!(index as usize);
        self.re[index] = d.re;
        if comptime!(blueprint.complex_diagonal) {
            self.im[index] = d.im;
        }
        self.couplings[index] = k;
    }

    pub(crate) fn diagonal(&self, #[comptime] index: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let mut im = self.uniform_im;
        if comptime!(blueprint.complex_diagonal) {
            im = self.im[comptime!(index as usize)];
        }
        Complex::new(self.re[comptime!(index as usize)], im)
    }

    pub(crate) fn coupling_after(&self, #[comptime] index: u32) -> f32 {
        self.couplings[comptime!(index as usize)]
    }

    pub(crate) fn coupling_before(&self, #[comptime] index: u32) -> f32 {
        if comptime!(index == 0) { self.before } else { self.couplings[comptime!(index as usize - 1)] }
    }

    /// Extends the transfer matrix of what is before these sites, or of nothing where they `open` it.
    pub(crate) fn extend(
        &self,
        chunk: Transfer,
        #[comptime] open: bool,
        #[comptime] blueprint: Blueprint,
    ) -> Transfer {
        let mut chunk = chunk;
        if comptime!(open) {
            chunk = Transfer::site(self.diagonal(0u32, blueprint));
        }
        #[unroll]
        for index in comptime!(u32::from(open))..blueprint.half() {
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

    /// The right state before these sites, from the one after them, which has crossed the coupling there.
    pub(crate) fn sweep_left(&self, right: Pair, #[comptime] blueprint: Blueprint) -> Pair {
        let mut right = right;
        #[unroll]
        for step in 0..blueprint.half() {
            let site = comptime!(blueprint.half() - 1 - step);
            right.enter(self.diagonal(site, blueprint), self.coupling_after(site));
            if comptime!(step % GROUP == GROUP - 1) {
                right.rescale(rescaling(right));
            }
        }
        right
    }

    /// Keeps the left states after each of these sites in `states`, from the one before them, which has crossed the coupling there.
    /// Returns the last.
    pub(crate) fn keep_left_states(
        &self,
        states: &mut Array<f32>,
        left: Pair,
        #[comptime] blueprint: Blueprint,
    ) -> Pair {
        let mut left = left;
        #[unroll]
        for site in 0..blueprint.half() {
            left.enter(self.diagonal(site, blueprint), self.coupling_before(site));
            keep(states, site, left);
            if comptime!(site % GROUP == GROUP - 1) {
                left.rescale(rescaling(left));
            }
        }
        left
    }

    /// Exchanges the entries of two halves, but not what is before them.
    pub(crate) fn exchange(&mut self, other: &mut Half, #[comptime] blueprint: Blueprint) {
        #[unroll]
        for index in 0..blueprint.half() {
            let index = comptime!(index as usize);
            let re = self.re[index];
            self.re[index] = other.re[index];
            other.re[index] = re;
            let k = self.couplings[index];
            self.couplings[index] = other.couplings[index];
            other.couplings[index] = k;
            if comptime!(blueprint.complex_diagonal) {
                let im = self.im[index];
                self.im[index] = other.im[index];
                other.im[index] = im;
            }
        }
    }

    /// The coupling on the right of the last site.
    pub(crate) fn last_coupling(&self, #[comptime] blueprint: Blueprint) -> f32 {
        self.coupling_after(comptime!(blueprint.half() - 1))
    }

    /// Couplings that are exactly zero.
    pub(crate) fn cuts(&self, #[comptime] blueprint: Blueprint) -> u32 {
        let mut zeros = 0u32;
        #[unroll]
        for index in 0..blueprint.half() {
            zeros += select(self.coupling_after(index) == 0.0, 1u32, 0u32);
        }
        zeros
    }
}

/// Couplings between two sites of a chunk that are exactly zero.
#[cube]
pub(crate) fn cuts_inside(first: &Half, second: &Half, #[comptime] blueprint: Blueprint) -> u32 {
    let cuts = first.cuts(blueprint) + second.cuts(blueprint);
    // The coupling to the next chunk is none of its own.
    cuts - select(second.last_coupling(blueprint) == 0.0, 1u32, 0u32)
}

/// The transfer matrix of the chunk of two halves, where none of its couplings cuts it.
#[cube]
pub(crate) fn summarise_halves(
    first: &mut Half,
    second: &mut Half,
    #[comptime] blueprint: Blueprint,
) -> Transfer {
    // Nothing enters the first site.
    first.before = 0.0f32.runtime();
    second.before = first.last_coupling(blueprint);
    let chunk = first.extend(Transfer::site(Complex::one()), true, blueprint);
    second.extend(chunk, false, blueprint)
}

/// A left state swept through the half `ahead` of it, and a right state through the half `back` of it.
#[cube]
pub(crate) fn sweep_halves(
    ahead: &Half,
    back: &Half,
    left: Pair,
    right: Pair,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let sites = comptime!(blueprint.half());
    let mut rightwards = left;
    let mut leftwards = right;
    #[unroll]
    for index in 0..sites {
        rightwards.enter(ahead.diagonal(index, blueprint), ahead.coupling_before(index));
        let mirrored = comptime!(sites - 1 - index);
        leftwards.enter(back.diagonal(mirrored, blueprint), back.coupling_after(mirrored));
        if comptime!(index % GROUP == GROUP - 1) {
            rightwards.rescale(rescaling(rightwards));
            leftwards.rescale(rescaling(leftwards));
        }
    }
    (rightwards, leftwards)
}
