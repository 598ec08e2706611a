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
use crate::place::{BatchStart, Place, is_full, may_end_a_row};

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
    /// Loads the tile. A unit may read its own chunk, and the others after the next barrier of the cube.
    pub(crate) fn load(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> Tile {
        let mut tile = Tile::new(operands, blueprint);
        if is_full(operands, place, blueprint) {
            for batch in 0..rounds(2u32, blueprint) {
                let start = BatchStart::new(place, batch, blueprint);
                #[unroll]
                for round in 0..blueprint.half() {
                    let slot = start.slot_of(round, blueprint);
                    tile.fill(operands, start.place_of(round, blueprint), slot, round, blueprint);
                }
            }
        } else {
            for batch in 0..rounds(2u32, blueprint) {
                tile.fill_within(operands, BatchStart::new(place, batch, blueprint), blueprint);
            }
        }
        sync_staged(blueprint);
        tile
    }

    /// A tile that nothing has been loaded into.
    pub(crate) fn new(operands: &Operands, #[comptime] blueprint: Blueprint) -> Tile {
        let staged = comptime!(blueprint.staged() as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { staged } else { 1 });
        Tile {
            re: SharedMemory::<f32>::new(staged),
            im: SharedMemory::<f32>::new(imaginary),
            couplings: SharedMemory::<f32>::new(staged),
            uniform_im: -operands.z[1],
        }
    }

    /// Loads a site of the batch that this unit moves in `round`.
    pub(crate) fn fill(
        &mut self,
        operands: &Operands,
        at: Place,
        slot: usize,
        #[comptime] round: u32,
        #[comptime] blueprint: Blueprint,
    ) {
        let d = operands.diagonal_at(at, blueprint);
        self.re[slot] = d.re;
        if comptime!(blueprint.complex_diagonal) {
            self.im[slot] = d.im;
        }
        self.couplings[slot] = operands.coupling_at(at, comptime!(may_end_a_row(round, blueprint)));
    }

    /// Loads a batch of sites, or what is neutral where there are none. All are read before the first is staged, and without
    /// a condition: with one, a kernel from SPIR-V took three quarters longer (`docs/perf-log.md`).
    pub(crate) fn fill_within(
        &mut self,
        operands: &Operands,
        start: BatchStart,
        #[comptime] blueprint: Blueprint,
    ) {
        let sites = comptime!(blueprint.half() as usize);
        let imaginary = comptime!(if blueprint.complex_diagonal { sites } else { 1 });
        let mut re = Array::<f32>::new(sites);
        let mut im = Array::<f32>::new(imaginary);
        let mut b = Array::<f32>::new(sites);
        let mut c = Array::<f32>::new(sites);
        let last = operands.n - 1;
        #[unroll]
        for round in 0..blueprint.half() {
            let index = comptime!(round as usize);
            let place = start.place_of(round, blueprint);
            let at = place.nearest(operands, blueprint);
            re[index] = operands.a_re[at.row * operands.a_re_stride + at.site];
            if comptime!(blueprint.complex_diagonal) {
                im[index] = operands.a_im[at.row * operands.a_im_stride + at.site];
            }
            // The last coupling where there is none. A matrix of one site has none: its launcher binds another array.
            let link = at.site - select((place.site >= last) & (last > 0), 1usize, 0usize);
            b[index] = operands.b[at.row * operands.b_stride + link];
            c[index] = operands.c[at.row * operands.c_stride + link];
        }
        #[unroll]
        for round in 0..blueprint.half() {
            let index = comptime!(round as usize);
            let slot = start.slot_of(round, blueprint);
            let place = start.place_of(round, blueprint);
            let inside = place.is_inside(operands, blueprint);
            self.re[slot] = select(inside, re[index] - operands.z[0], 1.0f32);
            if comptime!(blueprint.complex_diagonal) {
                self.im[slot] = select(inside, im[index] + self.uniform_im, 0.0f32);
            }
            self.couplings[slot] = select(inside & (place.site < last), b[index] * c[index], 0.0f32);
        }
    }

    /// `d` at the site that is staged in `slot`.
    pub(crate) fn diagonal(&self, slot: u32, #[comptime] blueprint: Blueprint) -> Complex {
        let slot = slot as usize;
        let mut im = self.uniform_im;
        if comptime!(blueprint.complex_diagonal) {
            im = self.im[slot];
        }
        Complex::new(self.re[slot], im)
    }

    /// The coupling on the right of the site that is staged in `slot`.
    pub(crate) fn coupling(&self, slot: u32) -> f32 {
        self.couplings[slot as usize]
    }

    /// Group `group` of this unit's chunk; `before` is the coupling on the left of the chunk.
    pub(crate) fn group(&self, group: u32, before: f32, #[comptime] blueprint: Blueprint) -> Group {
        let base = chunk_slot(UNIT_POS, blueprint) + group * GROUP;
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
        self.coupling(chunk_slot(unit, blueprint) + comptime!(blueprint.chunk - 1))
    }

    /// Puts a result in the place of the entries in `slot`.
    pub(crate) fn put(&mut self, slot: u32, value: Complex) {
        self.re[slot as usize] = value.re;
        self.couplings[slot as usize] = value.im;
    }

    /// Puts a second result in the place of the imaginary part of a complex diagonal.
    pub(crate) fn put_second(&mut self, slot: u32, value: f32) {
        self.im[slot as usize] = value;
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
            self.write::<V>(output, operands, place, blueprint);
        } else {
            self.write_within::<V>(output, operands, place, blueprint);
        }
    }

    fn write<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: Blueprint,
    ) {
        for batch in 0..rounds(2u32, blueprint) {
            let start = BatchStart::new(place, batch, blueprint);
            #[unroll]
            for round in 0..blueprint.half() {
                let at = start.place_of(round, blueprint);
                let slot = start.slot_of(round, blueprint);
                output[at.row * operands.n + at.site] = paired::<V>(self.re[slot], self.couplings[slot]);
            }
        }
    }

    fn write_within<V: Size>(
        &self,
        output: &mut Array<Vector<f32, V>>,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: Blueprint,
    ) {
        for batch in 0..rounds(2u32, blueprint) {
            let start = BatchStart::new(place, batch, blueprint);
            #[unroll]
            for round in 0..blueprint.half() {
                let at = start.place_of(round, blueprint);
                let slot = start.slot_of(round, blueprint);
                if at.is_inside(operands, blueprint) {
                    output[at.row * operands.n + at.site] = paired::<V>(self.re[slot], self.couplings[slot]);
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

/// The barrier after which a unit may read its own chunk.
#[cube]
pub(crate) fn sync_staged(#[comptime] blueprint: Blueprint) {
    if comptime!(blueprint.crew() < blueprint.units) {
        sync_plane();
    } else {
        sync_cube();
    }
}

/// Where the first site of a unit's chunk is staged.
#[cube]
pub(crate) fn chunk_slot(unit: u32, #[comptime] blueprint: Blueprint) -> u32 {
    unit * comptime!(blueprint.pitch())
}

/// `(re, im)` as one vector of the output.
#[cube]
pub(crate) fn paired<V: Size>(re: f32, im: f32) -> Vector<f32, V> {
    let mut pair = Vector::<f32, V>::new(re);
    pair[1] = im;
    pair
}
