//! The part of the batch that a cube works on, staged in shared memory.
//!
//! Global memory is read and written in the order of the sites, so that neighbouring units touch
//! neighbouring words; each unit then works on consecutive sites of its own. The results take the place
//! of the inputs that are no longer needed.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::group::Group;
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
    pub(crate) uniform_im: f32,
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
        if is_full(operands, place, blueprint) {
            tile.fill(operands, place, true, blueprint);
        } else {
            tile.fill(operands, place, false, blueprint);
        }
        tile
    }

    /// Without a bound on each site where the tile is `full`.
    fn fill(
        &mut self,
        operands: &Operands,
        place: Place,
        #[comptime] full: bool,
        #[comptime] blueprint: Blueprint,
    ) {
        let z = operands.z[0];
        #[unroll]
        for round in 0..blueprint.chunk {
            let at = place_of_round(place, round, blueprint);
            let slot = slot_of_round(round, blueprint);
            if comptime!(full) {
                self.re[slot] = operands.a_re[at.row * operands.a_re_stride + at.site] - z;
                if comptime!(blueprint.complex_diagonal) {
                    self.im[slot] = operands.a_im[at.row * operands.a_im_stride + at.site] + self.uniform_im;
                }
                let b = at.row * operands.b_stride + at.site;
                let c = at.row * operands.c_stride + at.site;
                if comptime!(may_end_a_row(round, blueprint)) {
                    // The last site of a row has no coupling.
                    let ends = at.site + 1 == operands.n;
                    let back = select(ends, 1usize, 0usize);
                    self.couplings[slot] = select(ends, 0.0f32, operands.b[b - back] * operands.c[c - back]);
                } else {
                    self.couplings[slot] = operands.b[b] * operands.c[c];
                }
            } else {
                let d = operands.diagonal(at.row, at.site, blueprint.complex_diagonal);
                self.re[slot] = d.re;
                if comptime!(blueprint.complex_diagonal) {
                    self.im[slot] = d.im;
                }
                self.couplings[slot] = operands.coupling(at.row, at.site);
            }
        }
    }

    /// `d` at the site `index` of this unit's chunk.
    pub(crate) fn diagonal(&self, #[comptime] index: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let slot = own_slot(index, blueprint);
        let mut im = self.uniform_im;
        if comptime!(blueprint.complex_diagonal) {
            im = self.im[slot];
        }
        Complex::new(self.re[slot], im)
    }

    /// The coupling on the right of the site `index` of this unit's chunk.
    pub(crate) fn coupling(&self, #[comptime] index: u32, #[comptime] blueprint: Blueprint) -> f32 {
        self.couplings[own_slot(index, blueprint)]
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

    /// Puts a value in the place of an entry of this unit's chunk.
    pub(crate) fn put(&mut self, index: u32, value: Complex, #[comptime] blueprint: Blueprint) {
        let slot = own_slot(index, blueprint);
        self.re[slot] = value.re;
        self.couplings[slot] = value.im;
    }

    /// The value that was put in the place of an entry.
    pub(crate) fn get(&self, #[comptime] index: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let slot = own_slot(index, blueprint);
        Complex::new(self.re[slot], self.couplings[slot])
    }

    /// Writes the results; every unit must have put its own before.
    pub(crate) fn store<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: Blueprint,
    ) {
        if is_full(operands, place, blueprint) {
            #[unroll]
            for round in 0..blueprint.chunk {
                let at = place_of_round(place, round, blueprint);
                let slot = slot_of_round(round, blueprint);
                output[at.row * operands.n + at.site] = paired::<V>(self.re[slot], self.couplings[slot]);
            }
        } else {
            #[unroll]
            for round in 0..blueprint.chunk {
                let at = place_of_round(place, round, blueprint);
                let slot = slot_of_round(round, blueprint);
                if (at.row < operands.batch) & (at.site < operands.n) {
                    output[at.row * operands.n + at.site] = paired::<V>(self.re[slot], self.couplings[slot]);
                }
            }
        }
    }
}

/// Whether every site of the tile is one of the batch.
#[cube]
fn is_full(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> bool {
    let rows = comptime!((blueprint.units / blueprint.units_per_row) as usize);
    (place.row + rows <= operands.batch)
        & (place.site + comptime!(blueprint.tile() as usize) <= operands.n)
        & (operands.n > 1)
}

/// The site that this unit moves between global and shared memory in a round.
#[cube]
fn place_of_round(place: Place, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> Place {
    let tile = blueprint.tile();
    let first = comptime!(round * blueprint.units);
    if comptime!(tile.is_multiple_of(blueprint.units)) {
        Place {
            row: place.row + comptime!((first / tile) as usize),
            site: place.site + comptime!((first % tile) as usize) + UNIT_POS as usize,
        }
    } else {
        let index = UNIT_POS + first;
        Place { row: place.row + (index / tile) as usize, site: place.site + (index % tile) as usize }
    }
}

/// Whether a site of this round can be the last of its row in a full tile.
fn may_end_a_row(round: u32, blueprint: Blueprint) -> bool {
    let sites = (round + 1) * blueprint.units;
    !blueprint.tile().is_multiple_of(blueprint.units) || sites.is_multiple_of(blueprint.tile())
}

/// Where that site is staged.
#[cube]
fn slot_of_round(#[comptime] round: u32, #[comptime] blueprint: Blueprint) -> usize {
    let chunk = blueprint.chunk;
    if comptime!(blueprint.units.is_multiple_of(chunk)) {
        let own = (UNIT_POS / chunk) * comptime!(blueprint.pitch()) + UNIT_POS % chunk;
        (own + comptime!(round * blueprint.units / chunk * blueprint.pitch())) as usize
    } else {
        let index = UNIT_POS + comptime!(round * blueprint.units);
        ((index / chunk) * comptime!(blueprint.pitch()) + index % chunk) as usize
    }
}

/// Where the site `index` of this unit's chunk is staged.
#[cube]
fn own_slot(index: u32, #[comptime] blueprint: Blueprint) -> usize {
    (UNIT_POS * comptime!(blueprint.pitch()) + index) as usize
}

/// `(re, im)` as one vector of the output.
#[cube]
pub(crate) fn paired<V: Size>(re: f32, im: f32) -> Vector<f32, V> {
    let mut pair = Vector::<f32, V>::new(re);
    pair[1] = im;
    pair
}
