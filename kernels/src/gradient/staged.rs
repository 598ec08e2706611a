//! The chunk of a unit in the tile of its cube, in shared memory.
//!
//! Half a chunk is in registers at a time.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::chunk;
use crate::complex::Complex;
use crate::gradient::affine::add;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::finish::{finish_half, ratio_after};
use crate::gradient::fraction::{
    ChunkMaps, Fraction, Mapped, Sides, choose_fraction, finish_maps, map_halves, ratio_over, sweep_ratios,
    swept_states,
};
use crate::gradient::operands::CotangentLayout;
use crate::gradient::resolve::{FromLeft, resolve_site};
use crate::gradient::sites::{Cotangents, HalfSites};
use crate::gradient::tile::{GradientTile, GradientTileExpand};
use crate::gradient::write::Gradients;
use crate::half::Half;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::Pair;
use crate::routines::cube::summarise;
use crate::tile::{Tile, chunk_slot, rounds};
use crate::transfer::Transfer;

#[cube]
impl GradientChunk for GradientTile {
    fn load<V: Size>(
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        layout: CotangentLayout,
        place: Place,
        _mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    ) -> Self {
        GradientTile::stage::<V>(operands, cotangent, layout, place, blueprint)
    }

    fn coupling_after(&self, #[comptime] blueprint: GradientBlueprint) -> f32 {
        self.matrix.coupling_after(UNIT_POS, comptime!(blueprint.base))
    }

    fn is_whole(&self, padding: u32, #[comptime] blueprint: GradientBlueprint) -> bool {
        chunk::is_whole(&self.matrix, padding, comptime!(blueprint.base))
    }

    fn summarise(
        &mut self,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Transfer, bool) {
        summarise(&self.matrix, operands, place, comptime!(blueprint.base))
    }

    fn sweep(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Pair, Pair, bool) {
        let base = comptime!(blueprint.base);
        let sites = comptime!(blueprint.base.half());
        let own = chunk_slot(UNIT_POS, base);
        let (mut rightwards, _) = ratio_over(left, before);
        let (mut leftwards, _) = ratio_over(right, self.matrix.coupling_after(UNIT_POS, base));
        for half in rounds(0u32, base)..rounds(2u32, base) {
            let slot = own + half * sites;
            let ahead =
                Half::read(&self.matrix, slot, entered_over(&self.matrix, slot, half == 0, before), base);
            let back = Half::read(&self.matrix, own + (1 - half) * sites, 0.0f32.runtime(), base);
            let (to_right, to_left) = sweep_ratios(&ahead, &back, rightwards, leftwards, base);
            rightwards = to_right;
            leftwards = to_left;
        }
        swept_states(rightwards, leftwards)
    }

    fn finish(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        max_magnitude: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) -> bool {
        let base = comptime!(blueprint.base);
        let sites = comptime!(blueprint.base.half());
        let own = chunk_slot(UNIT_POS, base);
        let (start, _) = ratio_over(left, before);
        let (mut right, _) = ratio_over(right, self.matrix.coupling_after(UNIT_POS, base));
        let mut ordinary = true.runtime();
        for step in rounds(0u32, base)..rounds(2u32, base) {
            let slot = own + (1 - step) * sites;
            // To the middle for the second half, which comes first.
            let mut ratio = start;
            for _ in step..rounds(1u32, base) {
                ratio = ratio_after(&Half::read(&self.matrix, own, before, base), ratio, base);
            }
            let mut half = read_half(self, slot, step == 1, before, base);
            let (next, is_ordinary) = finish_half(&mut half, ratio, right, max_magnitude, blueprint);
            right = next;
            ordinary &= is_ordinary;
            #[unroll]
            for index in 0..sites {
                self.put_cotangent_at(slot + index, half.h.at(index));
            }
        }
        ordinary
    }

    fn map(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        right_second: bool,
        left_second: bool,
        #[comptime] blueprint: GradientBlueprint,
    ) -> ChunkMaps {
        let base = comptime!(blueprint.base);
        let sites = comptime!(blueprint.base.half());
        let own = chunk_slot(UNIT_POS, base);
        let mut rightwards = Mapped::start(left, before);
        let mut leftwards = Mapped::start(right, self.matrix.coupling_after(UNIT_POS, base));
        let mut middle_left = rightwards;
        let mut middle_right = leftwards;
        let mut ordinary = true.runtime();
        for half in rounds(0u32, base)..rounds(2u32, base) {
            if half == 1 {
                middle_left = rightwards;
                middle_right = leftwards;
            }
            let ahead = read_half(self, own + half * sites, half == 0, before, base);
            let back = read_half(self, own + (1 - half) * sites, half == 1, before, base);
            let (to_right, to_left, is_ordinary) = map_halves(rightwards, leftwards, &ahead, &back, base);
            rightwards = to_right;
            leftwards = to_left;
            ordinary &= is_ordinary;
        }
        finish_maps(rightwards, leftwards, middle_left, middle_right, right_second, left_second, ordinary)
    }

    fn resolve(
        &mut self,
        before: f32,
        sides: &Sides,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Complex, bool) {
        let base = comptime!(blueprint.base);
        let own = chunk_slot(UNIT_POS, base);
        let mut right = sides.right;
        let mut sum = Complex::zero();
        let mut ordinary = true.runtime();
        for step in rounds(0u32, base)..rounds(2u32, base) {
            let slot = own + (1 - step) * base.half();
            let start = choose_fraction(step == 1, sides.left, sides.middle_left);
            let half = read_half(self, slot, step == 1, before, base);
            let (next, part, is_ordinary) = resolve_half(self, slot, &half, start, right, blueprint);
            right = next;
            sum = add(sum, part);
            ordinary &= is_ordinary;
        }
        (sum, ordinary)
    }

    fn cotangents(&self, group: u32, #[comptime] blueprint: GradientBlueprint) -> Cotangents {
        let slot = slot_of_group(group, comptime!(blueprint.base));
        let mut h = Cotangents::new(GROUP);
        #[unroll]
        for index in 0..GROUP {
            h.set(index, self.cotangent(slot + index));
        }
        h
    }

    fn put_cotangent(
        &mut self,
        group: u32,
        #[comptime] index: u32,
        h: Complex,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        self.put_cotangent_at(slot_of_group(group, comptime!(blueprint.base)) + index, h);
    }

    fn put(
        &mut self,
        group: u32,
        #[comptime] index: u32,
        s: Complex,
        kappa: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        self.put_at(slot_of_group(group, comptime!(blueprint.base)) + index, s, kappa, blueprint);
    }

    fn store(
        &mut self,
        gradients: &mut Gradients,
        operands: &Operands,
        place: Place,
        _mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        self.write(gradients, operands, place, blueprint);
    }
}

/// The sites in `slot`, the first or the second half of a chunk.
#[cube]
fn read_half(
    tile: &GradientTile,
    slot: u32,
    is_first: bool,
    before: f32,
    #[comptime] blueprint: Blueprint,
) -> HalfSites {
    let entered = entered_over(&tile.matrix, slot, is_first, before);
    let matrix = Half::read(&tile.matrix, slot, entered, blueprint);
    let mut h = Cotangents::new(comptime!(blueprint.half()));
    #[unroll]
    for index in 0..blueprint.half() {
        h.set(index, tile.cotangent(slot + index));
    }
    HalfSites { matrix, h }
}

/// The coupling on the left of the half in `slot`.
#[cube]
fn entered_over(tile: &Tile, slot: u32, is_first: bool, before: f32) -> f32 {
    let inside = tile.coupling(select(is_first, slot, slot - 1));
    select(is_first, before, inside)
}

#[cube]
fn slot_of_group(group: u32, #[comptime] blueprint: Blueprint) -> u32 {
    chunk_slot(UNIT_POS, blueprint) + group * GROUP
}

/// The gradients of the half in `slot`; returns the right side before it and the sum of `S` too.
#[cube]
fn resolve_half(
    tile: &mut GradientTile,
    slot: u32,
    half: &HalfSites,
    left: Fraction,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> (Fraction, Complex, bool) {
    let base = comptime!(blueprint.base);
    let sites = comptime!(blueprint.base.half());
    let from_left = FromLeft::collect(half, left, base);
    // The same slots, which the compiler cannot know: else it would keep the entries beside the left sides.
    let again = slot + GROUP * rounds(0u32, base);
    let mut right = right;
    let mut sum = Complex::zero();
    let mut ordinary = true.runtime();
    #[unroll]
    for step in 0..comptime!(sites / GROUP) {
        let first = comptime!(sites - GROUP - step * GROUP);
        let mut found = Array::<f32>::new(comptime!(3 * GROUP as usize));
        #[unroll]
        for back in 0..GROUP {
            let index = comptime!(GROUP - 1 - back);
            let slot = again + comptime!(first + index);
            let d = tile.matrix.diagonal(slot, base);
            let k = tile.matrix.coupling(slot);
            let site = comptime!(first + index);
            let resolved = resolve_site(&from_left, site, d, k, tile.cotangent(slot), right, blueprint);
            right = resolved.right;
            sum = add(sum, resolved.s);
            ordinary &= resolved.ordinary;
            found[comptime!(3 * index as usize)] = resolved.s.re;
            found[comptime!(3 * index as usize + 1)] = resolved.s.im;
            found[comptime!(3 * index as usize + 2)] = resolved.kappa;
        }
        #[unroll]
        for index in 0..GROUP {
            let at = comptime!(3 * index as usize);
            let s = Complex::new(found[at], found[comptime!(at + 1)]);
            tile.put_at(again + comptime!(first + index), s, found[comptime!(at + 2)], blueprint);
        }
    }
    (right, sum, ordinary)
}
