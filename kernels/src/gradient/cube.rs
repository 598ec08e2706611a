//! A row within a cube, or a tile of one: two scans, of states and of sums, and one pass over memory.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, choose, multiply};
use crate::gradient::affine::scan_affine;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::careful::{map_with_care, resolve_with_care};
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::fraction::{ChunkMaps, Fraction, Sides, ratio_of, ratio_over};
use crate::gradient::multi_cube::carried_over;
use crate::gradient::operands::CotangentLayout;
use crate::gradient::running::Running;
use crate::gradient::states::{ChunkStates, chunk_states, read_kept_states};
use crate::gradient::sums::sum_over_cube;
use crate::gradient::write::Gradients;
use crate::operands::Operands;
use crate::place::Place;
use crate::resolvent::Finish;
use crate::routines::cube::place_of_cube;

/// Gradients of several rows a cube, or, `tiled`, of one tile of a row whose states at both edges are in `edges` and
/// whose sums there are in `carried`. Where the forward pass has kept states, `states` has those at the edges of all chunks, in the place of
/// `edges`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn gradient_kernel<V: Size, C: GradientChunk>(
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
    let kept = read_kept_states(operands, place, states, blueprint);
    let mut chunk = C::load::<V>(operands, cotangent, layout, place, &mut mail, blueprint);
    let (ends, segment) = chunk_states::<V, C>(
        &mut chunk, &kept, operands, cotangent, layout, place, edges, tiles, finish, &mut mail, blueprint,
    );
    let before = segment.couplings[UNIT_POS as usize];
    let maps = map::<C>(&mut chunk, operands, place, before, &ends, blueprint);
    let scanned = scan_affine(maps.rightwards, maps.leftwards, &segment, &mut mail, base);
    let (at_left_end, at_right_end) = carried_over(carried, blueprint);
    let from_left = scanned.reaching_from_left(at_left_end, &mail, base);
    let from_right = scanned.reaching_from_right(at_right_end, &mail, base);

    let mut sum = Complex::zero();
    let mut done = false.runtime();
    if maps.ordinary {
        let after = chunk.coupling_after(blueprint);
        let sides = sides(before, after, &ends, &maps, from_left, from_right);
        let (part, ordinary) = chunk.resolve(before, &sides, blueprint);
        sum = part;
        done = ordinary;
    }
    if !done {
        let left = Running::new(ends.left, from_left);
        let right = Running::new(ends.right, from_right);
        sum = resolve_with_care::<C>(&mut chunk, operands, place, left, right, finish, blueprint);
    }
    sync_cube();
    chunk.store(gradients, operands, place, &mut mail, blueprint);
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

/// The sides of a chunk, from what reaches it.
#[cube]
fn sides(
    before: f32,
    after: f32,
    ends: &ChunkStates,
    maps: &ChunkMaps,
    from_left: Complex,
    from_right: Complex,
) -> Sides {
    let (left, from_scale) = ratio_over(ends.left, before);
    let (right, to_scale) = ratio_of(ends.right);
    // Nothing comes over a cut, not even a NaN.
    let entering = choose(before == 0.0, Complex::zero(), from_left);
    let leaving = choose(after == 0.0, Complex::zero(), from_right);
    Sides {
        left: Fraction::new(left, multiply(from_scale, entering)),
        middle_left: maps.middle_left.at(entering),
        middle_right: maps.middle_right.at(leaving),
        right: Fraction::new(right, multiply(to_scale, from_right)),
    }
}

/// The maps of a unit's chunk; what is in its middle only where `ordinary`.
#[cube]
pub(crate) fn map<C: GradientChunk>(
    chunk: &mut C,
    operands: &Operands,
    place: Place,
    before: f32,
    ends: &ChunkStates,
    #[comptime] blueprint: GradientBlueprint,
) -> ChunkMaps {
    let ChunkStates { left, right, right_second, left_second, whole } = *ends;
    let quick = chunk.map(before, left, right, right_second, left_second, blueprint);
    let mut rightwards = quick.rightwards;
    let mut leftwards = quick.leftwards;
    let ordinary = whole & quick.ordinary;
    if !ordinary {
        let (to_right, to_left) =
            map_with_care::<C>(chunk, operands, place, left, right, right_second, left_second, blueprint);
        rightwards = to_right;
        leftwards = to_left;
    }
    let ChunkMaps { middle_left, middle_right, .. } = quick;
    ChunkMaps { rightwards, leftwards, middle_left, middle_right, ordinary }
}
