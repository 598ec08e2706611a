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
    /// Stretches of a chunk.
    pub(crate) stretches: u32,
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
            stretches: rounds(comptime!(blueprint.chunk / blueprint.stretch()), blueprint),
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
        for batch in 0..self.stretches {
            let start = BatchStart::new(place, batch, blueprint);
            #[unroll]
            for round in 0..blueprint.stretch() {
                let at = start.place_of(round, blueprint);
                let slot = start.slot_of(round, blueprint);
                if comptime!(full) {
                    self.re[slot] = operands.a_re[at.row * operands.a_re_stride + at.site] - z;
                    if comptime!(blueprint.complex_diagonal) {
                        self.im[slot] =
                            operands.a_im[at.row * operands.a_im_stride + at.site] + self.uniform_im;
                    }
                    let b = at.row * operands.b_stride + at.site;
                    let c = at.row * operands.c_stride + at.site;
                    if comptime!(may_end_a_row(round, blueprint)) {
                        // The last site of a row has no coupling.
                        let ends = at.site + 1 == operands.n;
                        let back = select(ends, 1usize, 0usize);
                        let k = operands.b[b - back] * operands.c[c - back];
                        self.couplings[slot] = select(ends, 0.0f32, k);
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
    }

    /// `d` at the site `index` of this unit's chunk.
    pub(crate) fn diagonal(&self, index: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let slot = own_slot(index, blueprint);
        let mut im = self.uniform_im;
        if comptime!(blueprint.complex_diagonal) {
            im = self.im[slot];
        }
        Complex::new(self.re[slot], im)
    }

    /// The coupling on the right of the site `index` of this unit's chunk.
    pub(crate) fn coupling(&self, index: u32, #[comptime] blueprint: Blueprint) -> f32 {
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

    /// Writes the results; every unit must have put its own before.
    pub(crate) fn store<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: Blueprint,
    ) {
        if is_full(operands, place, blueprint) {
            self.write::<V>(output, operands, place, true, blueprint);
        } else {
            self.write::<V>(output, operands, place, false, blueprint);
        }
    }

    #[allow(
        clippy::if_same_then_else,
        reason = "one test is made when the kernel is compiled, the other when it runs"
    )]
    fn write<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        #[comptime] full: bool,
        #[comptime] blueprint: Blueprint,
    ) {
        for batch in 0..self.stretches {
            let start = BatchStart::new(place, batch, blueprint);
            #[unroll]
            for round in 0..blueprint.stretch() {
                let at = start.place_of(round, blueprint);
                let slot = start.slot_of(round, blueprint);
                let entry = paired::<V>(self.re[slot], self.couplings[slot]);
                if comptime!(full) {
                    output[at.row * operands.n + at.site] = entry;
                } else if (at.row < operands.batch) & (at.site < operands.n) {
                    output[at.row * operands.n + at.site] = entry;
                }
            }
        }
    }
}

/// `count` rounds of a loop, computed from the size of the cube so that they are no constant: CUDA's compiler
/// would unroll the loop, and the program outgrow the instruction cache (`docs/perf-log.md`).
#[cube]
pub(crate) fn rounds(#[comptime] count: u32, #[comptime] blueprint: Blueprint) -> u32 {
    CUBE_DIM_X - comptime!(blueprint.units) + count
}

/// Whether every site of the tile is one of the batch.
#[cube]
fn is_full(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> bool {
    let rows = comptime!((blueprint.units / blueprint.units_per_row) as usize);
    (place.row + rows <= operands.batch)
        & (place.site + comptime!(blueprint.tile() as usize) <= operands.n)
        & (operands.n > 1)
}

/// Where this unit begins to move a batch of sites between global and shared memory, in rounds of one site a
/// unit.
#[derive(CubeType, Clone, Copy)]
struct BatchStart {
    /// First row and site of the tile.
    tile: Place,
    /// Row and site that this unit moves first.
    place: Place,
    /// Index in the tile.
    index: u32,
    slot: u32,
}

#[cube]
impl BatchStart {
    fn new(tile: Place, batch: u32, #[comptime] blueprint: Blueprint) -> BatchStart {
        let sites = comptime!(blueprint.stretch() * blueprint.units);
        let index = batch * sites + UNIT_POS;
        BatchStart { tile, place: place_at(tile, index, blueprint), index, slot: slot_at(index, blueprint) }
    }

    /// The site of a round.
    fn place_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> Place {
        let ahead = comptime!(round * blueprint.units);
        if comptime!(rows_of_batch(blueprint).is_some()) {
            let rows = comptime!((ahead / blueprint.tile()) as usize);
            let sites = comptime!((ahead % blueprint.tile()) as usize);
            Place { row: self.place.row + rows, site: self.place.site + sites }
        } else {
            place_at(self.tile, self.index + ahead, blueprint)
        }
    }

    /// Where the site of a round is staged.
    fn slot_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> usize {
        let ahead = comptime!(round * blueprint.units);
        if comptime!(blueprint.units.is_multiple_of(blueprint.chunk)) {
            (self.slot + comptime!(ahead / blueprint.chunk * blueprint.pitch())) as usize
        } else {
            slot_at(self.index + ahead, blueprint) as usize
        }
    }
}

/// Rows that a batch ends, where its rounds lie alike in every batch: where a batch is some whole rows, or a
/// row some whole batches of which the last ends it.
fn rows_of_batch(blueprint: Blueprint) -> Option<u32> {
    let (tile, batch) = (blueprint.tile(), blueprint.stretch() * blueprint.units);
    let whole_rounds = tile.is_multiple_of(blueprint.units);
    (whole_rounds && (batch.is_multiple_of(tile) || tile.is_multiple_of(batch))).then(|| batch / tile)
}

/// Whether a site of this round can be the last of its row in a full tile.
fn may_end_a_row(round: u32, blueprint: Blueprint) -> bool {
    let sites = (round + 1) * blueprint.units;
    match rows_of_batch(blueprint) {
        None => true,
        Some(0) => round + 1 == blueprint.stretch(),
        Some(_) => sites.is_multiple_of(blueprint.tile()),
    }
}

/// The site with this index in the tile.
#[cube]
fn place_at(tile: Place, index: u32, #[comptime] blueprint: Blueprint) -> Place {
    let sites = blueprint.tile();
    Place { row: tile.row + (index / sites) as usize, site: tile.site + (index % sites) as usize }
}

/// Where the site with this index in the tile is staged.
#[cube]
fn slot_at(index: u32, #[comptime] blueprint: Blueprint) -> u32 {
    let chunk = blueprint.chunk;
    (index / chunk) * comptime!(blueprint.pitch()) + index % chunk
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
