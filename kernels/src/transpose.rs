//! Half chunks on their way between global memory and registers.
//!
//! Global memory is read and written in the order of the sites, so that neighbouring units touch neighbouring words; but a unit
//! works on consecutive sites of its own. One array of one half of each chunk at a time is transposed
//! in shared memory, so that a cube needs a quarter of what its tile would take, and a driver that gives little of it
//! lets more cubes run.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::place::Place;
use crate::tile::sync_staged;

/// The sites that a unit moves in the place of its own: one each round, of one half of the chunks of its crew.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Mover {
    /// First row and site of the tile.
    tile: Place,
    /// 0 for the first halves of chunks, 1 for the second.
    which: u32,
    /// Index of the first among the sites of such halves in the tile.
    index: u32,
    /// The site of the first round, and where it is in the transposed array.
    place: Place,
    slot: u32,
}

#[cube]
impl Mover {
    pub(crate) fn new(tile: Place, which: u32, #[comptime] blueprint: Blueprint) -> Mover {
        let crew = comptime!(blueprint.crew());
        let first = UNIT_POS % crew;
        let index = (UNIT_POS - first) * comptime!(blueprint.half()) + first;
        let place = place_at(tile, which, index, blueprint);
        Mover { tile, which, index, place, slot: slot_at(index, blueprint) }
    }

    /// The site that is moved in `round`.
    pub(crate) fn place_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> Place {
        let (crew, half) = comptime!((blueprint.crew(), blueprint.half()));
        if comptime!(crew.is_multiple_of(half)) {
            // Powers of two all: the chunks of later rounds lie at the same distance for every unit.
            let chunks = comptime!(round * (crew / half));
            let rows = comptime!((chunks / blueprint.units_per_row) as usize);
            let sites = comptime!((chunks % blueprint.units_per_row * blueprint.chunk) as usize);
            Place { row: self.place.row + rows, site: self.place.site + sites }
        } else {
            place_at(self.tile, self.which, self.index + comptime!(round * crew), blueprint)
        }
    }

    /// Where the site of a round is in the transposed array.
    fn slot_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> usize {
        let (crew, half) = comptime!((blueprint.crew(), blueprint.half()));
        if comptime!(crew.is_multiple_of(half)) {
            (self.slot + comptime!(round * (crew / half) * blueprint.half_pitch())) as usize
        } else {
            slot_at(self.index + comptime!(round * crew), blueprint) as usize
        }
    }

    /// From what this unit moves, one value a round, to its own half chunk. Every unit of the cube must call this
    /// together.
    pub(crate) fn to_owner(
        self,
        values: &mut Array<f32>,
        scratch: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        #[unroll]
        for round in 0..blueprint.half() {
            scratch[self.slot_of(round, blueprint)] = values[comptime!(round as usize)];
        }
        sync_staged(blueprint);
        #[unroll]
        for index in 0..blueprint.half() {
            values[comptime!(index as usize)] = scratch[own_slot(index, blueprint)];
        }
        sync_staged(blueprint);
    }

    /// The way back. Every unit of the cube must call this together.
    pub(crate) fn to_mover(
        self,
        values: &mut Array<f32>,
        scratch: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        #[unroll]
        for index in 0..blueprint.half() {
            scratch[own_slot(index, blueprint)] = values[comptime!(index as usize)];
        }
        sync_staged(blueprint);
        #[unroll]
        for round in 0..blueprint.half() {
            values[comptime!(round as usize)] = scratch[self.slot_of(round, blueprint)];
        }
        sync_staged(blueprint);
    }
}

/// Whether a full tile may have the last site of a row in a round.
pub(crate) fn may_end_a_row(round: u32, blueprint: Blueprint) -> bool {
    !blueprint.has_one_row() || round + 1 == blueprint.half()
}

/// The site with this index among those of first, or second, halves of chunks.
#[cube]
fn place_at(tile: Place, which: u32, index: u32, #[comptime] blueprint: Blueprint) -> Place {
    let half = comptime!(blueprint.half());
    let chunk = index / half;
    let site = chunk % blueprint.units_per_row * blueprint.chunk + which * half + index % half;
    Place { row: tile.row + (chunk / blueprint.units_per_row) as usize, site: tile.site + site as usize }
}

/// Where it is in the transposed array.
#[cube]
fn slot_at(index: u32, #[comptime] blueprint: Blueprint) -> u32 {
    let half = comptime!(blueprint.half());
    index / half * comptime!(blueprint.half_pitch()) + index % half
}

#[cube]
fn own_slot(#[comptime] index: u32, #[comptime] blueprint: Blueprint) -> usize {
    (UNIT_POS * comptime!(blueprint.half_pitch()) + index) as usize
}
