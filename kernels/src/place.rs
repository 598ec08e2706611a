//! Which sites of the batch a cube has, and in what order its units move them between global and shared memory.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::operands::Operands;

/// The rows and sites of a cube.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Place {
    /// First row.
    pub(crate) row: usize,
    /// First site.
    pub(crate) site: usize,
}

#[cube]
impl Place {
    /// Whether the batch has this site.
    pub(crate) fn is_inside(self, operands: &Operands, #[comptime] blueprint: Blueprint) -> bool {
        // The only row of a cube is one of the batch.
        if comptime!(blueprint.has_one_row()) {
            self.site < operands.n
        } else {
            (self.site < operands.n) & (self.row < operands.batch)
        }
    }

    /// The site of the batch that is nearest to this one.
    pub(crate) fn nearest(self, operands: &Operands, #[comptime] blueprint: Blueprint) -> Place {
        let site = self.site - excess(self.site, operands.n - 1);
        if comptime!(blueprint.has_one_row()) {
            Place { row: self.row, site }
        } else {
            Place { row: self.row - excess(self.row, operands.batch - 1), site }
        }
    }
}

/// The smaller of two indices. A selection, since with 64-bit indices CubeCL 0.10 writes an ambiguous `min` on CUDA where one comes
/// from 32 bits.
#[cube]
pub(crate) fn lesser(left: usize, right: usize) -> usize {
    select(left < right, left, right)
}

/// By how much an index exceeds the last.
#[cube]
fn excess(index: usize, last: usize) -> usize {
    select(index > last, index - last, 0usize)
}

/// Whether every site of the tile is one of the batch.
#[cube]
pub(crate) fn is_full(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> bool {
    let rows = comptime!((blueprint.units / blueprint.units_per_row) as usize);
    (place.row + rows <= operands.batch)
        & (place.site + comptime!(blueprint.tile() as usize) <= operands.n)
        & (operands.n > 1)
}

/// Where this unit begins to move a batch of sites between global and shared memory, in rounds of one site a
/// unit.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct BatchStart {
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
    pub(crate) fn new(tile: Place, batch: u32, #[comptime] blueprint: Blueprint) -> BatchStart {
        let index = first_index(blueprint) + batch * comptime!(blueprint.half() * blueprint.crew());
        BatchStart { tile, place: place_at(tile, index, blueprint), index, slot: slot_at(index, blueprint) }
    }

    /// The site of a round.
    pub(crate) fn place_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> Place {
        let ahead = comptime!(round * blueprint.crew());
        if comptime!(rows_of_batch(blueprint).is_some()) {
            let rows = comptime!((ahead / blueprint.tile()) as usize);
            let sites = comptime!((ahead % blueprint.tile()) as usize);
            Place { row: self.place.row + rows, site: self.place.site + sites }
        } else {
            place_at(self.tile, self.index + ahead, blueprint)
        }
    }

    /// Where the site of a round is staged.
    pub(crate) fn slot_of(self, #[comptime] round: u32, #[comptime] blueprint: Blueprint) -> usize {
        let ahead = comptime!(round * blueprint.crew());
        if comptime!(blueprint.crew().is_multiple_of(blueprint.chunk)) {
            (self.slot + comptime!(ahead / blueprint.chunk * blueprint.pitch())) as usize
        } else {
            slot_at(self.index + ahead, blueprint) as usize
        }
    }
}

/// Rows that a batch ends, where its rounds lie alike in every batch: where a batch is some whole rows, or a
/// row some whole batches of which the last ends it.
fn rows_of_batch(blueprint: Blueprint) -> Option<u32> {
    let (tile, batch) = (blueprint.tile(), blueprint.half() * blueprint.crew());
    let whole_rounds = tile.is_multiple_of(blueprint.crew());
    (whole_rounds && (batch.is_multiple_of(tile) || tile.is_multiple_of(batch))).then(|| batch / tile)
}

/// Whether a site of this round can be the last of its row in a full tile.
pub(crate) fn may_end_a_row(round: u32, blueprint: Blueprint) -> bool {
    let sites = (round + 1) * blueprint.crew();
    match rows_of_batch(blueprint) {
        None => true,
        Some(0) => round + 1 == blueprint.half(),
        Some(_) => sites.is_multiple_of(blueprint.tile()),
    }
}

/// Index in the tile of the site that this unit moves first. A crew moves the chunks of its own units.
#[cube]
fn first_index(#[comptime] blueprint: Blueprint) -> u32 {
    let crew = comptime!(blueprint.crew());
    (UNIT_POS / crew) * comptime!(blueprint.crew() * blueprint.chunk) + UNIT_POS % crew
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
