//! A row within a cube, or a tile of one: two scans, of states and of sums, and one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::chunk::is_whole;
use crate::complex::{Complex, choose, multiply};
use crate::exchange::{from_left, from_right};
use crate::gradient::affine::{Affine, scan_affine};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::careful::{map_with_care, resolve_with_care, sweep_with_care};
use crate::gradient::finish::pass_through_finish;
use crate::gradient::fraction::{Fraction, Mapped, map_chunk, ratio_of, ratio_over, sweep_chunk};
use crate::gradient::multi_cube::{
    carried_over, next_has_second, polished_left_end, polished_right_end, previous_has_second, scanned_ends,
};
use crate::gradient::operands::CotangentLayout;
use crate::gradient::resolve::resolve;
use crate::gradient::running::Running;
use crate::gradient::sums::sum_over_cube;
use crate::gradient::tile::{GradientTile, Gradients};
use crate::halo::Halo;
use crate::kept::KeptRow;
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise, choose_pair, has_second};
use crate::resolvent::Finish;
use crate::routines::cube::{padding, place_of_cube, segment_of, summarise};
use crate::scan::scan;
use crate::segment::Segment;
use crate::tile::Place;

/// Gradients of several rows a cube, or, `tiled`, of one tile of a row whose states at both edges are in `edges` and
/// whose sums there are in `carried`. `states` has those at the edges of all chunks where the forward pass has kept them, in the place of
/// `edges`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn gradient_kernel<V: Size>(
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    edges: &Array<f32>,
    states: &Array<u32>,
    carried: &Array<f32>,
    gradients: &mut Gradients,
    sums: &mut Array<f32>,
    finish: &Finish,
    cubes: usize,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let base = comptime!(blueprint.base);
    let place = place_from_end(cubes, tiles, base);
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.base.mail() as usize));
    let kept = kept_states(operands, place, states, blueprint);
    let mut tile = GradientTile::load::<V>(operands, cotangent, layout, place, blueprint);
    let (chunk, segment) = chunk_states::<V>(
        &mut tile, &kept, operands, cotangent, layout, place, edges, tiles, finish, &mut mail, blueprint,
    );
    let before = segment.couplings[UNIT_POS as usize];
    let maps = map(&tile, operands, place, before, &chunk, blueprint);
    let scanned = scan_affine(maps.rightwards, maps.leftwards, &segment, &mut mail, base);
    let (at_left_end, at_right_end) = carried_over(carried, blueprint);
    let from_left = scanned.reaching_from_left(at_left_end, &mail, base);
    let from_right = scanned.reaching_from_right(at_right_end, &mail, base);

    let mut sum = Complex::zero();
    let mut done = false.runtime();
    if maps.ordinary {
        let (left, middle, right) = sides(before, &chunk, &maps.middle, from_left, from_right);
        let (part, ordinary) = resolve(&mut tile, before, left, middle, right, blueprint);
        sum = part;
        done = ordinary;
    }
    if !done {
        let left = Running::new(chunk.left, from_left);
        let right = Running::new(chunk.right, from_right);
        sum = resolve_with_care(&mut tile, operands, place, left, right, finish, blueprint);
    }
    sync_cube();
    tile.store(gradients, operands, place, blueprint);
    if comptime!(blueprint.wanted.z) {
        let total = sum_over_cube(sum, &mut mail, base.units);
        if UNIT_POS == 0 {
            sums[2 * CUBE_POS] = total.re;
            sums[2 * CUBE_POS + 1] = total.im;
        }
    }
}

/// Where this cube's tile begins; of whole rows the last are first, which a forward pass before has left in the cache.
#[cube]
fn place_from_end(cubes: usize, tiles: usize, #[comptime] blueprint: Blueprint) -> Place {
    if comptime!(blueprint.tiled) {
        place_of_cube(tiles, blueprint)
    } else {
        let rows = comptime!((blueprint.units / blueprint.units_per_row) as usize);
        Place { row: (cubes - 1 - CUBE_POS) * rows, site: 0usize.runtime() }
    }
}

/// The left side before a chunk and in its middle, and the right side after it.
#[cube]
fn sides(
    before: f32,
    chunk: &ChunkStates,
    middle: &Mapped,
    from_left: Complex,
    from_right: Complex,
) -> (Fraction, Fraction, Fraction) {
    // Nothing comes over a cut, not even a NaN.
    let from_left = choose(before == 0.0, Complex::zero(), from_left);
    let (left, from_scale) = ratio_over(chunk.left, before);
    let (right, to_scale) = ratio_of(chunk.right);
    (
        Fraction::new(left, multiply(from_scale, from_left)),
        middle.at(from_left),
        Fraction::new(right, multiply(to_scale, from_right)),
    )
}

/// The states at the edges of a unit's chunk, and the scales of those at its neighbours' edges.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct ChunkStates {
    /// Left state before the chunk.
    pub(crate) left: Pair,
    /// Right state after it.
    pub(crate) right: Pair,
    /// Whether the left state after the chunk, as the next unit has it, is scaled by its second entry.
    right_second: bool,
    /// Whether the right state before the chunk, as the unit before has it, is.
    left_second: bool,
    /// Whether no coupling inside is exactly zero.
    whole: bool,
}

/// The states of this unit's chunk, and the cotangent behind clip and zeroing. Holds the barrier after which all of the
/// tile may be read.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
pub(crate) fn chunk_states<V: Size>(
    tile: &mut GradientTile,
    kept: &ChunkStates,
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    place: Place,
    edges: &Array<f32>,
    tiles: usize,
    finish: &Finish,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> (ChunkStates, Segment) {
    let base = comptime!(blueprint.base);
    let (chunk, segment) = if comptime!(blueprint.resumes) {
        let whole = is_whole(&tile.matrix, padding(operands, place, base), base);
        let segment = segment_of(operands, &tile.matrix, place, base);
        let ChunkStates { left, right, right_second, left_second, .. } = *kept;
        (ChunkStates { left, right, right_second, left_second, whole }, segment)
    } else {
        scanned_states(tile, operands, place, edges, tiles, mail, blueprint)
    };
    if comptime!(blueprint.finishes()) {
        pass_through_finish::<V>(
            tile,
            operands,
            cotangent,
            layout,
            place,
            segment.couplings[UNIT_POS as usize],
            chunk.whole,
            chunk.left,
            chunk.right,
            finish,
            blueprint,
        );
    }
    (chunk, segment)
}

/// The states of this unit's chunk that the forward pass has kept, if it has. Read before the tile, so that no unit waits for
/// memory twice.
#[cube]
pub(crate) fn kept_states(
    operands: &Operands,
    place: Place,
    states: &Array<u32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let mut left = Pair::start();
    let mut right = Pair::start();
    let mut right_second = false.runtime();
    let mut left_second = false.runtime();
    if comptime!(blueprint.resumes) {
        let row = KeptRow::new(operands, place, base);
        let chunks = comptime!(base.kept_chunks() as usize);
        let first = row.tile + (UNIT_POS % base.units_per_row) as usize * chunks;
        let next = first + chunks;
        left = row.left(states, first);
        right = row.right(states, next - 1);
        // Of the neighbours only the scale matters.
        right_second = row.left_has_second(states, next);
        left_second = row.right_has_second(states, select(first == 0, 0usize, first - 1));
    }
    ChunkStates { left, right, right_second, left_second, whole: false.runtime() }
}

/// Those of a scan, polished.
#[cube]
fn scanned_states(
    tile: &GradientTile,
    operands: &Operands,
    place: Place,
    edges: &Array<f32>,
    tiles: usize,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> (ChunkStates, Segment) {
    let base = comptime!(blueprint.base);
    let halo = Halo::load(operands, place, base);
    let (own, whole) = summarise(&tile.matrix, operands, place, base);
    let segment = segment_of(operands, &tile.matrix, place, base);
    let before = segment.couplings[UNIT_POS as usize];
    let (left_end, right_end) = scanned_ends(edges, tiles, blueprint);
    let (left, right) = scan(own, &segment, left_end, right_end, mail, base);
    let (left, right) = (canonicalise(left), canonicalise(right));
    let chunk =
        polish(tile, operands, place, &halo, edges, tiles, before, whole, left, right, mail, blueprint);
    (chunk, segment)
}

/// Replaces the scanned states by ones that a neighbour swept to this unit's edge: see `routines::cube`.
#[cube]
#[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
fn polish(
    tile: &GradientTile,
    operands: &Operands,
    place: Place,
    halo: &Halo,
    edges: &Array<f32>,
    tiles: usize,
    before: f32,
    whole: bool,
    left: Pair,
    right: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkStates {
    let base = comptime!(blueprint.base);
    let (mut rightwards, mut leftwards, ordinary) = sweep_chunk(&tile.matrix, before, left, right, base);
    if !(whole & ordinary) {
        let (to_right, to_left) = sweep_with_care(tile, operands, place, left, right, blueprint);
        rightwards = to_right;
        leftwards = to_left;
    }
    let from_left = from_left(rightwards, mail, base);
    let from_right = from_right(leftwards, mail, base);

    let position = UNIT_POS % comptime!(base.units_per_row);
    let is_first = position == 0;
    let is_last = position == comptime!(base.units_per_row - 1);
    let mut left_end = Pair::start();
    let mut right_end = Pair::start();
    let mut right_second = has_second(rightwards);
    let mut left_second = has_second(leftwards);
    if comptime!(base.tiled) {
        if is_first {
            left_end = polished_left_end(edges, halo, tiles, blueprint);
            left_second = previous_has_second(edges, tiles);
        }
        if is_last {
            right_end = polished_right_end(edges, halo, tiles, blueprint);
            right_second = next_has_second(edges, tiles);
        }
    }
    ChunkStates {
        left: choose_pair(is_first, left_end, from_left),
        right: choose_pair(is_last, right_end, from_right),
        right_second,
        left_second,
        whole,
    }
}

/// The affine maps of a unit's chunk.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Maps {
    pub(crate) rightwards: Affine,
    pub(crate) leftwards: Affine,
    /// The left side in the middle of the chunk.
    middle: Mapped,
    /// Whether that, and the pivots behind it, can be relied on.
    ordinary: bool,
}

#[cube]
pub(crate) fn map(
    tile: &GradientTile,
    operands: &Operands,
    place: Place,
    before: f32,
    chunk: &ChunkStates,
    #[comptime] blueprint: GradientBlueprint,
) -> Maps {
    let ChunkStates { left, right, right_second, left_second, whole } = *chunk;
    let quick = map_chunk(tile, before, left, right, right_second, left_second, blueprint);
    let mut rightwards = quick.rightwards;
    let mut leftwards = quick.leftwards;
    let ordinary = whole & quick.ordinary;
    if !ordinary {
        let (to_right, to_left) =
            map_with_care(tile, operands, place, left, right, right_second, left_second, blueprint);
        rightwards = to_right;
        leftwards = to_left;
    }
    Maps { rightwards, leftwards, middle: quick.middle, ordinary }
}
