//! A row over several cubes: reduce each tile to its transfer matrix, scan the matrices of a row, apply.
//!
//! Three launches, since no backend but CUDA promises that one cube progresses while another waits for it; two where each cube
//! scans its row by itself (`edges`).
//! The reduction also keeps the tile without its last chunk and without its first, from which the scan gets
//! the states one chunk beyond each edge: the apply step starts there, which polishes the tile's edges.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::group::Group;
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise, write_pair};
use crate::register_chunk::RegisterChunk;
use crate::routines::cube::{place_of_cube, segment_of, summarise};
use crate::routines::registers;
use crate::scan::{products, scan};
use crate::segment::Segment;
use crate::tile::Tile;
use crate::transfer::{Transfer, carry_left, carry_right, compose};

/// Floats of a transfer matrix in global memory, flag included.
const MATRIX: usize = 9;
/// The matrices of a tile: of the whole, of all but the last chunk, of all but the first.
pub(crate) const WHOLE: usize = 0;
pub(crate) const ALL_BUT_LAST: usize = 1;
pub(crate) const ALL_BUT_FIRST: usize = 2;
/// Floats that `reduce_kernel` writes for a tile.
pub(crate) const SUMMARY: usize = 3 * MATRIX;
/// Floats that `scan_kernel` writes for a tile: four pairs.
pub(crate) const EDGES: usize = 16;
/// Where they are: the left state at the tile's left edge, and the right state at its right edge.
pub(crate) const LEFT: usize = 0;
pub(crate) const RIGHT: usize = 4;
/// The left state a chunk before the tile, and the right state a chunk after it.
pub(crate) const BEFORE: usize = 8;
pub(crate) const AFTER: usize = 12;

/// The group that begins at `site`.
#[cube]
pub(crate) fn group_from_memory(
    operands: &Operands,
    row: usize,
    site: usize,
    #[comptime] blueprint: Blueprint,
) -> Group {
    let mut group = Group::new(operands.coupling_before(row, site));
    #[unroll]
    for index in 0..GROUP {
        let site = site + comptime!(index as usize);
        let d = operands.diagonal(row, site, blueprint.complex_diagonal);
        group.set(index, d, operands.coupling(row, site));
    }
    group
}

/// Transfer matrices of each tile, `[SUMMARY, B, tiles]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn reduce_kernel(
    operands: &Operands,
    summaries: &mut Array<f32>,
    cubes: usize,
    tiles: usize,
    #[comptime] blueprint: Blueprint,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let place = place_of_cube(tiles, blueprint);
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.mail() as usize));
    let (own, after) = if comptime!(blueprint.in_registers) {
        let mut chunk = RegisterChunk::load(operands, place, &mut mail, blueprint);
        let (transfer, _whole) =
            registers::summarise(&mut chunk.first, &mut chunk.second, operands, place, blueprint);
        (transfer, chunk.coupling_after(blueprint))
    } else {
        let tile = Tile::load(operands, place, blueprint);
        let (transfer, _whole) = summarise(&tile, operands, place, blueprint);
        (transfer, tile.coupling_after(UNIT_POS, blueprint))
    };
    let segment = segment_of(operands, after, place, blueprint);
    let products = products(own, &segment, &mut mail, blueprint);
    if UNIT_POS == 0 {
        write_transfer(summaries, CUBE_POS, cubes, WHOLE, products.whole);
        write_transfer(summaries, CUBE_POS, cubes, ALL_BUT_FIRST, products.after_first);
    }
    if UNIT_POS == products.last {
        write_transfer(summaries, CUBE_POS, cubes, ALL_BUT_LAST, products.before_last);
    }
}

/// What [`reduce_kernel`] wrote for a tile, and the couplings at its edges.
#[derive(CubeType, Clone, Copy)]
struct Summary {
    whole: Transfer,
    all_but_last: Transfer,
    all_but_first: Transfer,
    /// Coupling on the left of the tile, and on its right.
    before: f32,
    after: f32,
}

#[cube]
impl Summary {
    fn read(
        operands: &Operands,
        summaries: &Array<f32>,
        row: usize,
        index: usize,
        tiles: usize,
        tile: usize,
    ) -> Summary {
        let (place, places) = (row * tiles + index, operands.batch * tiles);
        Summary {
            whole: read_transfer(summaries, place, places, WHOLE.runtime()),
            all_but_last: read_transfer(summaries, place, places, ALL_BUT_LAST.runtime()),
            all_but_first: read_transfer(summaries, place, places, ALL_BUT_FIRST.runtime()),
            before: operands.coupling_before(row, index * tile),
            after: operands.coupling_before(row, (index + 1) * tile),
        }
    }

    /// Writes the left state of the tile, and the one a chunk before the tile that follows; returns the left state there, if
    /// the unit goes on to that tile.
    fn carry_right(
        self,
        edges: &mut Array<f32>,
        place: usize,
        is_last: bool,
        goes_on: bool,
        state: Pair,
    ) -> Pair {
        write_pair(edges, place * comptime!(EDGES) + comptime!(LEFT), state);
        if !is_last {
            let halo = canonicalise(carry_right(self.all_but_last, self.before, state));
            write_pair(edges, (place + 1) * comptime!(EDGES) + comptime!(BEFORE), halo);
        }
        let mut beyond = state;
        if goes_on {
            beyond = canonicalise(carry_right(self.whole, self.before, state));
        }
        beyond
    }

    /// Writes the right state of the tile, and the one a chunk after the tile that precedes; returns the right state there.
    fn carry_left(self, edges: &mut Array<f32>, place: usize, is_first: bool, state: Pair) -> Pair {
        write_pair(edges, place * comptime!(EDGES) + comptime!(RIGHT), state);
        if !is_first {
            let halo = canonicalise(carry_left(self.all_but_first, self.after, state));
            write_pair(edges, (place - 1) * comptime!(EDGES) + comptime!(AFTER), halo);
        }
        canonicalise(carry_left(self.whole, self.after, state))
    }
}

/// States at the edges of each tile, `[B, tiles, EDGES]`: one cube scans the tiles of a row, each unit a share of them.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn scan_kernel(
    operands: &Operands,
    summaries: &Array<f32>,
    edges: &mut Array<f32>,
    tiles: usize,
    tile: usize,
    #[comptime] blueprint: Blueprint,
) {
    if CUBE_POS >= operands.batch {
        terminate!();
    }
    let row = CUBE_POS;
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.mail() as usize));
    let mut couplings = SharedMemory::<f32>::new(comptime!(blueprint.units as usize));
    let share = tiles.div_ceil(comptime!(blueprint.units as usize));
    let begin = UNIT_POS as usize * share;
    let end = min(begin + share, tiles);
    // All that a unit reads of its first tile, at once: later each would be waited for.
    let first = Summary::read(operands, summaries, row, select(begin < tiles, begin, 0usize), tiles, tile);
    couplings[UNIT_POS as usize] = first.before;
    sync_cube();
    let segment = Segment::of_units(couplings);

    // A unit beyond the last tile holds a decoupled site, which is neutral.
    let mut own = Transfer::site(Complex::one());
    if begin < tiles {
        own = first.whole;
    }
    for index in begin + 1..end {
        let next = Summary::read(operands, summaries, row, index, tiles, tile);
        own = compose(own, next.before, next.whole);
    }
    let (left, right) = scan(own, &segment, Pair::start(), Pair::start(), &mut mail, blueprint);
    let mut left = canonicalise(left);
    let mut right = canonicalise(right);
    if begin < tiles {
        left = first.carry_right(edges, row * tiles + begin, begin + 1 == tiles, begin + 1 < end, left);
    }
    for index in begin + 1..end {
        let next = Summary::read(operands, summaries, row, index, tiles, tile);
        left = next.carry_right(edges, row * tiles + index, index + 1 == tiles, index + 1 < end, left);
    }
    for step in begin + 1..end {
        let index = end - step + begin;
        let next = Summary::read(operands, summaries, row, index, tiles, tile);
        right = next.carry_left(edges, row * tiles + index, false, right);
    }
    if begin < tiles {
        first.carry_left(edges, row * tiles + begin, begin == 0, right);
    }
}

/// The matrix at `place` of `places`, word by word: neighbouring units read neighbouring words.
#[cube]
pub(crate) fn read_transfer(array: &Array<f32>, place: usize, places: usize, matrix: usize) -> Transfer {
    let base = matrix * comptime!(MATRIX) * places + place;
    Transfer::new(
        Complex::new(array[base], array[base + places]),
        Complex::new(array[base + 2 * places], array[base + 3 * places]),
        Complex::new(array[base + 4 * places], array[base + 5 * places]),
        Complex::new(array[base + 6 * places], array[base + 7 * places]),
        array[base + 8 * places],
    )
}

#[cube]
fn write_transfer(
    array: &mut Array<f32>,
    place: usize,
    places: usize,
    #[comptime] matrix: usize,
    value: Transfer,
) {
    let base = comptime!(matrix * MATRIX) * places + place;
    array[base] = value.a.re;
    array[base + places] = value.a.im;
    array[base + 2 * places] = value.b.re;
    array[base + 3 * places] = value.b.im;
    array[base + 4 * places] = value.c.re;
    array[base + 5 * places] = value.c.im;
    array[base + 6 * places] = value.e.re;
    array[base + 7 * places] = value.e.im;
    array[base + 8 * places] = value.cuts;
}
