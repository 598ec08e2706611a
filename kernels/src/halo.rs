//! The chunks beyond both edges of a tile, staged in shared memory.
//!
//! The units at the edges polish their states over them (`routines::edges`). All units load them
//! together with the tile: one unit alone would wait for memory once for each group of sites.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::group::{Group, sweep_left, sweep_right};
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::{Pair, canonicalise};
use crate::tile::rounds;

/// Entries of the chunk before the tile, then of the one after it.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Halo {
    re: SharedMemory<f32>,
    im: SharedMemory<f32>,
    /// Coupling on the left of each site.
    before: SharedMemory<f32>,
    /// Coupling on its right.
    after: SharedMemory<f32>,
}

#[cube]
impl Halo {
    /// Loads both chunks. They may be read when all units have passed the next barrier.
    pub(crate) fn load(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> Halo {
        let sites = comptime!(blueprint.halo() as usize);
        let mut halo = Halo {
            re: SharedMemory::<f32>::new(sites),
            im: SharedMemory::<f32>::new(sites),
            before: SharedMemory::<f32>::new(sites),
            after: SharedMemory::<f32>::new(sites),
        };
        if comptime!(blueprint.tiled) {
            let chunk = blueprint.chunk;
            for round in 0..comptime!((2 * chunk).div_ceil(blueprint.units)) {
                let index = UNIT_POS + round * blueprint.units;
                if index < comptime!(2 * chunk) {
                    // The first tile has nothing before it: what is loaded instead is not used.
                    let first = select(place.site == 0, comptime!(chunk as usize).runtime(), place.site);
                    let before = first - comptime!(chunk as usize) + index as usize;
                    let after = place.site + comptime!((blueprint.tile() - chunk) as usize) + index as usize;
                    let site = select(index < chunk, before, after);
                    let d = operands.diagonal(place.row, site, blueprint.complex_diagonal);
                    halo.re[index as usize] = d.re;
                    halo.im[index as usize] = d.im;
                    halo.before[index as usize] = operands.coupling_before(place.row, site);
                    halo.after[index as usize] = operands.coupling(place.row, site);
                }
            }
        }
        halo
    }

    /// Group `group` of the two chunks.
    fn group(&self, group: u32) -> Group {
        let base = group * GROUP;
        let mut sites = Group::new(self.before[base as usize]);
        #[unroll]
        for index in 0..GROUP {
            let at = (base + index) as usize;
            sites.set(index, Complex::new(self.re[at], self.im[at]), self.after[at]);
        }
        sites
    }

    /// A left state before the first chunk, swept to the tile's left edge.
    pub(crate) fn sweep_to_left_edge(&self, state: Pair, #[comptime] blueprint: Blueprint) -> Pair {
        let mut state = state;
        for group in 0..rounds(comptime!(blueprint.chunk / GROUP), blueprint) {
            state = sweep_right(state, &self.group(group));
        }
        canonicalise(state)
    }

    /// A right state after the second chunk, swept to the tile's right edge.
    pub(crate) fn sweep_to_right_edge(&self, state: Pair, #[comptime] blueprint: Blueprint) -> Pair {
        let mut state = state;
        for step in 0..rounds(comptime!(blueprint.chunk / GROUP), blueprint) {
            let group = comptime!(2 * (blueprint.chunk / GROUP) - 1) - step;
            state = sweep_left(state, &self.group(group));
        }
        canonicalise(state)
    }
}
