//! The chunk of a unit and its cotangent in registers, for devices whose drivers give little shared memory.
//!
//! Both halves are computed at once where the operations of one depend on those before: a multiprocessor has few other units to go
//! on with meanwhile.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::Complex;
use crate::gradient::affine::add;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::finish::finish_half;
use crate::gradient::fraction::{
    ChunkMaps, Fraction, Mapped, Sides, finish_maps, map_halves, ratio_over, sweep_ratios, swept_states,
};
use crate::gradient::operands::CotangentLayout;
use crate::gradient::resolve::{FromLeft, Resolved, resolve_site};
use crate::gradient::sites::{Cotangents, HalfSites};
use crate::gradient::write::{Factors, Gradients};
use crate::half::cuts_inside;
use crate::operands::Operands;
use crate::place::{Place, is_full};
use crate::projective::Pair;
use crate::routines::registers::summarise;
use crate::tile::rounds;
use crate::transfer::Transfer;
use crate::transpose::Mover;

/// Entries of the chunk and `h`; later its results, `S` in the place of the diagonal and `Re kappa` in that of the couplings.
#[derive(CubeType)]
pub(crate) struct GradientRegisters {
    first: HalfSites,
    second: HalfSites,
}

#[cube]
impl GradientRegisters {
    /// Sets the couplings on the left of the halves.
    fn enter_over(&mut self, before: f32, #[comptime] blueprint: GradientBlueprint) {
        self.first.matrix.before = before;
        self.second.matrix.before = self.first.matrix.last_coupling(comptime!(blueprint.base));
    }
}

#[cube]
impl GradientChunk for GradientRegisters {
    fn load<V: Size>(
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        layout: CotangentLayout,
        place: Place,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    ) -> Self {
        let base = comptime!(blueprint.base);
        let full = is_full(operands, place, base);
        let mut chunk = GradientRegisters {
            first: HalfSites::new(-operands.z[1], base),
            second: HalfSites::new(-operands.z[1], base),
        };
        let first = Mover::new(place, 0u32, base);
        let second = Mover::new(place, 1u32, base);
        // All is read before the first word is waited for.
        chunk.first.fetch::<V>(operands, cotangent, layout, first, full, base);
        chunk.second.fetch::<V>(operands, cotangent, layout, second, full, base);
        chunk.first.pass_to_owner(first, mail, base);
        chunk.second.pass_to_owner(second, mail, base);
        chunk
    }

    fn coupling_after(&self, #[comptime] blueprint: GradientBlueprint) -> f32 {
        self.second.matrix.last_coupling(comptime!(blueprint.base))
    }

    fn is_whole(&self, padding: u32, #[comptime] blueprint: GradientBlueprint) -> bool {
        cuts_inside(&self.first.matrix, &self.second.matrix, comptime!(blueprint.base)) <= padding
    }

    fn summarise(
        &mut self,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Transfer, bool) {
        let base = comptime!(blueprint.base);
        summarise(&mut self.first.matrix, &mut self.second.matrix, operands, place, base)
    }

    fn sweep(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Pair, Pair, bool) {
        let base = comptime!(blueprint.base);
        self.enter_over(before, blueprint);
        let (left, _) = ratio_over(left, before);
        let (right, _) = ratio_over(right, self.second.matrix.last_coupling(base));
        let (left, right) = sweep_ratios(&self.first.matrix, &self.second.matrix, left, right, base);
        let (left, right) = sweep_ratios(&self.second.matrix, &self.first.matrix, left, right, base);
        swept_states(left, right)
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
        self.enter_over(before, blueprint);
        let (left, _) = ratio_over(left, before);
        let (right, _) = ratio_over(right, self.second.matrix.last_coupling(base));
        let (middle_left, middle_right) =
            sweep_ratios(&self.first.matrix, &self.second.matrix, left, right, base);
        let (_, first_ordinary) = finish_half(&mut self.first, left, middle_right, max_magnitude, blueprint);
        let (_, second_ordinary) =
            finish_half(&mut self.second, middle_left, right, max_magnitude, blueprint);
        first_ordinary & second_ordinary
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
        self.enter_over(before, blueprint);
        let rightwards = Mapped::start(left, before);
        let leftwards = Mapped::start(right, self.second.matrix.last_coupling(base));
        let (middle_left, middle_right, first_ordinary) =
            map_halves(rightwards, leftwards, &self.first, &self.second, base);
        let (rightwards, leftwards, second_ordinary) =
            map_halves(middle_left, middle_right, &self.second, &self.first, base);
        let ordinary = first_ordinary & second_ordinary;
        finish_maps(rightwards, leftwards, middle_left, middle_right, right_second, left_second, ordinary)
    }

    fn resolve(
        &mut self,
        before: f32,
        sides: &Sides,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Complex, bool) {
        let base = comptime!(blueprint.base);
        self.enter_over(before, blueprint);
        let first_left = FromLeft::collect(&self.first, sides.left, base);
        let second_left = FromLeft::collect(&self.second, sides.middle_left, base);
        let mut first_right = sides.middle_right;
        let mut second_right = sides.right;
        let mut first_sum = Complex::zero();
        let mut second_sum = Complex::zero();
        let mut ordinary = true.runtime();
        // Both at once: a unit has few others beside it that could fill its waits.
        #[unroll]
        for step in 0..base.half() {
            let site = comptime!(base.half() - 1 - step);
            let first = resolve_in_place(&mut self.first, &first_left, site, first_right, blueprint);
            let second = resolve_in_place(&mut self.second, &second_left, site, second_right, blueprint);
            first_right = first.right;
            second_right = second.right;
            first_sum = add(first_sum, first.s);
            second_sum = add(second_sum, second.s);
            ordinary &= first.ordinary & second.ordinary;
        }
        (add(second_sum, first_sum), ordinary)
    }

    fn cotangents(&self, group: u32, #[comptime] blueprint: GradientBlueprint) -> Cotangents {
        let mut h = Cotangents::new(GROUP);
        #[unroll]
        for each in 0..comptime!(blueprint.base.half() / GROUP) {
            let other = comptime!(blueprint.base.half() / GROUP + each);
            #[unroll]
            for index in 0..GROUP {
                let site = comptime!(GROUP * each + index);
                if group == each {
                    h.set(index, self.first.h.at(site));
                }
                if group == other {
                    h.set(index, self.second.h.at(site));
                }
            }
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
        #[unroll]
        for each in 0..comptime!(blueprint.base.half() / GROUP) {
            let other = comptime!(blueprint.base.half() / GROUP + each);
            let site = comptime!(GROUP * each + index);
            if group == each {
                self.first.h.set(site, h);
            }
            if group == other {
                self.second.h.set(site, h);
            }
        }
    }

    fn put(
        &mut self,
        group: u32,
        #[comptime] index: u32,
        s: Complex,
        kappa: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let base = comptime!(blueprint.base);
        #[unroll]
        for each in 0..comptime!(blueprint.base.half() / GROUP) {
            let other = comptime!(blueprint.base.half() / GROUP + each);
            let site = comptime!(GROUP * each + index);
            if group == each {
                self.first.matrix.set(site, s, kappa, base);
            }
            if group == other {
                self.second.matrix.set(site, s, kappa, base);
            }
        }
    }

    fn store(
        &mut self,
        gradients: &mut Gradients,
        operands: &Operands,
        place: Place,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let base = comptime!(blueprint.base);
        let full = is_full(operands, place, base);
        for which in rounds(0u32, base)..rounds(2u32, base) {
            let mover = Mover::new(place, which, base);
            let mut factors = Factors::new(base);
            #[unroll]
            for round in 0..base.half() {
                let at = mover.place_of(round, base).nearest(operands, base);
                factors.load(operands, at, round, true, blueprint);
            }
            self.first.results_to_mover(mover, mail, base);
            #[unroll]
            for round in 0..base.half() {
                let at = mover.place_of(round, base);
                if full | at.is_inside(operands, base) {
                    gradients.write_site(operands, at, self.first.matrix.diagonal(round, base), blueprint);
                    if at.site + 1 < operands.n {
                        let kappa = self.first.matrix.coupling_after(round);
                        gradients.write_link(operands, at, kappa, &factors, round, blueprint);
                    }
                }
            }
            self.first.matrix.exchange(&mut self.second.matrix, base);
        }
    }
}

/// Puts the gradients of a site in the place of its entries.
#[cube]
fn resolve_in_place(
    sites: &mut HalfSites,
    from_left: &FromLeft,
    #[comptime] site: u32,
    right: Fraction,
    #[comptime] blueprint: GradientBlueprint,
) -> Resolved {
    let base = comptime!(blueprint.base);
    let d = sites.matrix.diagonal(site, base);
    let k = sites.matrix.coupling_after(site);
    let resolved = resolve_site(from_left, site, d, k, sites.h.at(site), right, blueprint);
    sites.matrix.set(site, resolved.s, resolved.kappa, base);
    resolved
}
