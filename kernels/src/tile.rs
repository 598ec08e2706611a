//! The part of the batch that a cube works on, staged in shared memory.
//!
//! Global memory is read and written in the order of the sites, so that neighbouring units touch
//! neighbouring words; each unit then works on consecutive sites of its own. The results take the place
//! of the inputs that are no longer needed.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::group::{Entries, Group};
use crate::operands::Operands;

/// The rows and sites of a cube.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Place {
    /// First row.
    pub(crate) row: usize,
    /// First site.
    pub(crate) site: usize,
}

/// Entries of the tile, later its results.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Tile {
    /// `Re d`, later `Re G`.
    re: SharedMemory<f32>,
    /// `Im d` of a complex diagonal.
    im: SharedMemory<f32>,
    /// Coupling on the right of each site, later `Im G`.
    couplings: SharedMemory<f32>,
    /// `Im d` of a real diagonal.
    uniform_im: f32,
}

#[cube]
impl Tile {
    /// Loads the tile. Its reads are done when all units have passed the next barrier.
    pub(crate) fn load(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> Tile {
        let staged = comptime!(blueprint.staged() as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { staged } else { 1 });
        let mut tile = Tile {
            re: SharedMemory::<f32>::new(staged),
            im: SharedMemory::<f32>::new(imaginary),
            couplings: SharedMemory::<f32>::new(staged),
            uniform_im: -operands.z[1],
        };
        #[unroll]
        for round in 0..blueprint.chunk {
            let index = UNIT_POS + comptime!(round * blueprint.units);
            let row = place.row + (index / comptime!(blueprint.tile())) as usize;
            let site = place.site + (index % comptime!(blueprint.tile())) as usize;
            let slot = slot_of(index, blueprint);
            let d = operands.diagonal(row, site, blueprint.complex_diagonal);
            tile.re[slot] = d.re;
            if comptime!(blueprint.complex_diagonal) {
                tile.im[slot] = d.im;
            }
            tile.couplings[slot] = operands.coupling(row, site);
        }
        tile
    }

    /// Group `group` of this unit's chunk; `before` is the coupling on the left of the chunk.
    pub(crate) fn group(&self, group: u32, before: f32, #[comptime] blueprint: Blueprint) -> Group {
        let base = UNIT_POS * comptime!(blueprint.pitch()) + group * GROUP;
        let inside = self.couplings[select(group == 0, base, base - 1) as usize];
        let mut sites = Group::new(select(group == 0, before, inside));
        #[unroll]
        for index in 0..GROUP {
            let slot = (base + index) as usize;
            let mut im = self.uniform_im;
            if comptime!(blueprint.complex_diagonal) {
                im = self.im[slot];
            }
            sites.set(index, Complex::new(self.re[slot], im), self.couplings[slot]);
        }
        sites
    }

    /// The coupling on the right of the last site of `unit`'s chunk.
    pub(crate) fn coupling_after(&self, unit: u32, #[comptime] blueprint: Blueprint) -> f32 {
        self.couplings[(unit * comptime!(blueprint.pitch()) + comptime!(blueprint.chunk - 1)) as usize]
    }

    /// Puts the results of a group in the place of its entries.
    pub(crate) fn put(
        &mut self,
        #[comptime] group: u32,
        entries: &Entries,
        #[comptime] blueprint: Blueprint,
    ) {
        #[unroll]
        for index in 0..GROUP {
            let slot = (UNIT_POS * comptime!(blueprint.pitch()) + comptime!(group * GROUP + index)) as usize;
            let entry = entries.at(index);
            self.re[slot] = entry.re;
            self.couplings[slot] = entry.im;
        }
    }

    /// Writes the results; every unit must have put its own before.
    pub(crate) fn store<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        batch: usize,
        n: usize,
        place: Place,
        #[comptime] blueprint: Blueprint,
    ) {
        #[unroll]
        for round in 0..blueprint.chunk {
            let index = UNIT_POS + comptime!(round * blueprint.units);
            let row = place.row + (index / comptime!(blueprint.tile())) as usize;
            let site = place.site + (index % comptime!(blueprint.tile())) as usize;
            let slot = slot_of(index, blueprint);
            if (row < batch) & (site < n) {
                output[row * n + site] = paired::<V>(self.re[slot], self.couplings[slot]);
            }
        }
    }
}

/// Where the site with this index in the tile is staged.
#[cube]
fn slot_of(index: u32, #[comptime] blueprint: Blueprint) -> usize {
    let chunk = comptime!(blueprint.chunk);
    ((index / chunk) * comptime!(blueprint.pitch()) + index % chunk) as usize
}

/// `(re, im)` as one vector of the output.
#[cube]
pub(crate) fn paired<V: Size>(re: f32, im: f32) -> Vector<f32, V> {
    let mut pair = Vector::<f32, V>::new(re);
    pair[1] = im;
    pair
}
