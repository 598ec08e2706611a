//! A row over several cubes: after the states of the tiles, the affine maps of the tiles, scanned in turn.
//!
//! Five launches: the two of the forward pass that give the states at the edges of tiles, unless it has kept states; one
//! that maps each tile, one that scans the maps of a row, and the kernel for a row within a cube, begun with what is carried
//! over the edges.

use cubecl::prelude::*;

use crate::complex::{Complex, read_complex, write_complex};
use crate::gradient::affine::{Affine, scan_affine, then};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::chunk::GradientChunk;
use crate::gradient::cube::map;
use crate::gradient::operands::CotangentLayout;
use crate::gradient::running::in_scale;
use crate::gradient::states::{chunk_states, read_kept_states};
use crate::halo::Halo;
use crate::operands::Operands;
use crate::projective::{Pair, has_second, read_pair};
use crate::resolvent::Finish;
use crate::routines::cube::place_of_cube;
use crate::routines::multi_cube::{AFTER, BEFORE, EDGES, LEFT, RIGHT};
use crate::segment::Segment;

/// Floats of the two maps of a tile.
pub(crate) const MAPS: usize = 8;
/// Floats of what is carried over the two edges of a tile.
pub(crate) const CARRIED: usize = 4;

/// The scanned states at the two ends of the part of a row that a cube has.
#[cube]
pub(crate) fn scanned_ends(edges: &Array<f32>, #[comptime] blueprint: GradientBlueprint) -> (Pair, Pair) {
    if comptime!(blueprint.base.tiled) {
        let base = CUBE_POS * comptime!(EDGES);
        (read_pair(edges, base + comptime!(LEFT)), read_pair(edges, base + comptime!(RIGHT)))
    } else {
        (Pair::start(), Pair::start())
    }
}

/// The left state at the tile's left edge, swept over the chunk before it, in the scale that the tile before sees.
#[cube]
pub(crate) fn polished_left_end(
    edges: &Array<f32>,
    halo: &Halo,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) -> Pair {
    let base = CUBE_POS * comptime!(EDGES);
    let mut state = Pair::start();
    if !CUBE_POS.is_multiple_of(tiles) {
        state =
            halo.sweep_to_left_edge(read_pair(edges, base + comptime!(BEFORE)), comptime!(blueprint.base));
    }
    in_scale(state, has_second(read_pair(edges, base + comptime!(LEFT))))
}

/// The right state at the tile's right edge, swept over the chunk after it, in the scale that the tile after sees.
#[cube]
pub(crate) fn polished_right_end(
    edges: &Array<f32>,
    halo: &Halo,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) -> Pair {
    let base = CUBE_POS * comptime!(EDGES);
    let mut state = Pair::start();
    if CUBE_POS % tiles + 1 != tiles {
        state =
            halo.sweep_to_right_edge(read_pair(edges, base + comptime!(AFTER)), comptime!(blueprint.base));
    }
    in_scale(state, has_second(read_pair(edges, base + comptime!(RIGHT))))
}

/// The scale of the left state at the next tile's left edge: that of the scanned one, which both tiles can read.
#[cube]
pub(crate) fn next_has_second(edges: &Array<f32>, tiles: usize) -> bool {
    let is_last = CUBE_POS % tiles + 1 == tiles;
    let next = select(is_last, CUBE_POS, CUBE_POS + 1);
    has_second(read_pair(edges, next * comptime!(EDGES) + comptime!(LEFT)))
}

/// The scale of the right state at the right edge of the tile before.
#[cube]
pub(crate) fn previous_has_second(edges: &Array<f32>, tiles: usize) -> bool {
    let index = CUBE_POS % tiles;
    let previous = select(index == 0, CUBE_POS, CUBE_POS - 1);
    has_second(read_pair(edges, previous * comptime!(EDGES) + comptime!(RIGHT)))
}

/// What the sites before the tile contribute, and those after it.
#[cube]
pub(crate) fn carried_over(
    carried: &Array<f32>,
    #[comptime] blueprint: GradientBlueprint,
) -> (Complex, Complex) {
    let mut from_left = Complex::zero();
    let mut from_right = Complex::zero();
    if comptime!(blueprint.base.tiled) {
        from_left = read_complex(carried, CUBE_POS * comptime!(CARRIED));
        from_right = read_complex(carried, CUBE_POS * comptime!(CARRIED) + 2);
    }
    (from_left, from_right)
}

/// The affine maps of each tile, `[B, tiles, MAPS]`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn map_kernel<V: Size, C: GradientChunk>(
    operands: &Operands,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    edges: &Array<f32>,
    states: &Array<u32>,
    maps: &mut Array<f32>,
    finish: &Finish,
    cubes: usize,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let place = place_of_cube(tiles, comptime!(blueprint.base));
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.base.mail() as usize));
    let kept = read_kept_states(operands, place, states, blueprint);
    let mut chunk = C::load::<V>(operands, cotangent, layout, place, &mut mail, blueprint);
    let (states, segment) = chunk_states::<V, C>(
        &mut chunk, &kept, operands, cotangent, layout, place, edges, tiles, finish, &mut mail, blueprint,
    );
    let before = segment.couplings[UNIT_POS as usize];
    let own = map::<C>(&mut chunk, operands, place, before, &states, blueprint);
    let base = comptime!(blueprint.base);
    let scanned = scan_affine(own.rightwards, own.leftwards, &segment, &mut mail, base);
    if UNIT_POS == 0 {
        let (rightwards, leftwards) = scanned.whole(&mail, base);
        let place = CUBE_POS * comptime!(MAPS);
        write_map(maps, place, rightwards);
        write_map(maps, place + 4, leftwards);
    }
}

/// What is carried over the edges of each tile, `[B, tiles, CARRIED]`: one cube scans the tiles of a row.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn scan_maps_kernel(
    maps: &Array<f32>,
    carried: &mut Array<f32>,
    rows: usize,
    tiles: usize,
    #[comptime] blueprint: GradientBlueprint,
) {
    if CUBE_POS >= rows {
        terminate!();
    }
    let base = comptime!(blueprint.base);
    let mut mail = SharedMemory::<f32>::new(comptime!(blueprint.base.mail() as usize));
    let share = tiles.div_ceil(comptime!(base.units as usize));
    let begin = UNIT_POS as usize * share;
    let end = min(begin + share, tiles);
    // The scan of maps has no use for couplings.
    let segment = Segment::of_units(SharedMemory::<f32>::new(1usize));
    let row = CUBE_POS * tiles;
    let mut rightwards = Affine::identity();
    let mut leftwards = Affine::identity();
    for index in begin..end {
        rightwards = then(rightwards, read_map(maps, (row + index) * comptime!(MAPS)));
        let mirrored = begin + end - 1 - index;
        leftwards = then(leftwards, read_map(maps, (row + mirrored) * comptime!(MAPS) + 4));
    }
    let scanned = scan_affine(rightwards, leftwards, &segment, &mut mail, base);
    let mut from_left = scanned.reaching_from_left(Complex::zero(), &mail, base);
    let mut from_right = scanned.reaching_from_right(Complex::zero(), &mail, base);
    for index in begin..end {
        let place = row + index;
        carried[place * comptime!(CARRIED)] = from_left.re;
        carried[place * comptime!(CARRIED) + 1] = from_left.im;
        from_left = read_map(maps, place * comptime!(MAPS)).apply(from_left);
        let place = row + (begin + end - 1 - index);
        carried[place * comptime!(CARRIED) + 2] = from_right.re;
        carried[place * comptime!(CARRIED) + 3] = from_right.im;
        from_right = read_map(maps, place * comptime!(MAPS) + 4).apply(from_right);
    }
}

#[cube]
fn read_map(array: &Array<f32>, base: usize) -> Affine {
    Affine::new(read_complex(array, base), read_complex(array, base + 2))
}

#[cube]
fn write_map(array: &mut Array<f32>, base: usize, map: Affine) {
    write_complex(array, base, map.factor);
    write_complex(array, base + 2, map.offset);
}
