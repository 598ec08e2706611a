//! The part of the batch that a cube works on, staged in shared memory with its cotangent.
//!
//! As in the forward pass, results take the place of entries that are no longer needed: `S` that of the diagonal,
//! `Re kappa` that of the couplings.

use cubecl::prelude::*;

use crate::complex::{Complex, read_complex, write_complex};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::operands::CotangentLayout;
use crate::gradient::write::{Factors, Gradients};
use crate::operands::Operands;
use crate::place::{BatchStart, Place, is_full, may_end_a_row};
use crate::tile::{Tile, rounds, sync_staged};

/// Entries of the tile, later its results.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct GradientTile {
    pub(crate) matrix: Tile,
    h_re: SharedMemory<f32>,
    h_im: SharedMemory<f32>,
}

#[cube]
impl GradientTile {
    /// Loads the tile. A unit may read its own chunk, and the others after the next barrier of the cube.
    pub(crate) fn stage<V: Size>(
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        layout: CotangentLayout,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) -> GradientTile {
        let base = comptime!(blueprint.base);
        let mut matrix = Tile::new(operands, base);
        let mut h_re = SharedMemory::<f32>::new(comptime!(base.staged() as usize));
        let mut h_im = SharedMemory::<f32>::new(comptime!(base.staged() as usize));
        if is_full(operands, place, base) {
            for batch in 0..rounds(2u32, base) {
                let start = BatchStart::new(place, batch, base);
                #[unroll]
                for round in 0..base.half() {
                    let at = start.place_of(round, base);
                    let slot = start.slot_of(round, base);
                    matrix.fill(operands, at, slot, round, base);
                    let pair = cotangent[at.row * layout.row_stride + at.site * layout.site_stride];
                    h_re[slot] = pair[0];
                    h_im[slot] = -pair[1];
                }
            }
        } else {
            for batch in 0..rounds(2u32, base) {
                let start = BatchStart::new(place, batch, base);
                matrix.fill_within(operands, start, base);
                // All before the first is staged, as the matrix.
                let mut parts = Array::<f32>::new(comptime!(2 * base.half() as usize));
                #[unroll]
                for round in 0..base.half() {
                    let at = start.place_of(round, base).nearest(operands, base);
                    let pair = cotangent[at.row * layout.row_stride + at.site * layout.site_stride];
                    let index = comptime!(2 * round as usize).runtime();
                    write_complex(&mut parts, index, Complex::new(pair[0], -pair[1]));
                }
                #[unroll]
                for round in 0..base.half() {
                    let slot = start.slot_of(round, base);
                    let inside = start.place_of(round, base).is_inside(operands, base);
                    let h = read_complex(&parts, comptime!(2 * round as usize).runtime());
                    h_re[slot] = select(inside, h.re, 0.0f32);
                    h_im[slot] = select(inside, h.im, 0.0f32);
                }
            }
        }
        sync_staged(base);
        GradientTile { matrix, h_re, h_im }
    }

    /// `h` at the site that is staged in `slot`.
    pub(crate) fn cotangent(&self, slot: u32) -> Complex {
        Complex::new(self.h_re[slot as usize], self.h_im[slot as usize])
    }

    /// Replaces it.
    pub(crate) fn put_cotangent_at(&mut self, slot: u32, h: Complex) {
        self.h_re[slot as usize] = h.re;
        self.h_im[slot as usize] = h.im;
    }

    /// Puts the results of a site in the place of its entries.
    pub(crate) fn put_at(
        &mut self,
        slot: u32,
        s: Complex,
        kappa: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        self.matrix.put(slot, Complex::new(s.re, kappa));
        if comptime!(blueprint.base.complex_diagonal) {
            self.matrix.put_second(slot, s.im);
        }
    }

    fn s(&self, slot: usize, #[comptime] blueprint: GradientBlueprint) -> Complex {
        self.matrix.diagonal(slot as u32, comptime!(blueprint.base))
    }

    fn kappa(&self, slot: usize) -> f32 {
        self.matrix.coupling(slot as u32)
    }

    /// Writes the wanted gradients; every unit must have put its own before.
    #[allow(clippy::collapsible_if, reason = "one condition is of compile time")]
    pub(crate) fn write(
        &self,
        gradients: &mut Gradients,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let base = comptime!(blueprint.base);
        let wanted = comptime!(blueprint.wanted);
        if is_full(operands, place, base) {
            for batch in 0..rounds(2u32, base) {
                let start = BatchStart::new(place, batch, base);
                // First all factors, so that their loads are in flight together.
                let mut factors = Factors::new(base);
                #[unroll]
                for round in 0..base.half() {
                    let ends = comptime!(may_end_a_row(round, base));
                    factors.load(operands, start.place_of(round, base), round, ends, blueprint);
                }
                #[unroll]
                for round in 0..base.half() {
                    let at = start.place_of(round, base);
                    let slot = start.slot_of(round, base);
                    gradients.write_site(operands, at, self.s(slot, blueprint), blueprint);
                    if comptime!(wanted.couplings()) {
                        if comptime!(may_end_a_row(round, base)) {
                            if at.site + 1 < operands.n {
                                gradients.write_link(
                                    operands,
                                    at,
                                    self.kappa(slot),
                                    &factors,
                                    round,
                                    blueprint,
                                );
                            }
                        } else {
                            gradients.write_link(operands, at, self.kappa(slot), &factors, round, blueprint);
                        }
                    }
                }
            }
        } else {
            for batch in 0..rounds(2u32, base) {
                let start = BatchStart::new(place, batch, base);
                let mut factors = Factors::new(base);
                #[unroll]
                for round in 0..base.half() {
                    let at = start.place_of(round, base).nearest(operands, base);
                    factors.load(operands, at, round, true, blueprint);
                }
                #[unroll]
                for round in 0..base.half() {
                    let at = start.place_of(round, base);
                    let slot = start.slot_of(round, base);
                    let inside = at.is_inside(operands, base);
                    if inside {
                        gradients.write_site(operands, at, self.s(slot, blueprint), blueprint);
                    }
                    if comptime!(wanted.couplings()) {
                        if inside & (at.site + 1 < operands.n) {
                            gradients.write_link(operands, at, self.kappa(slot), &factors, round, blueprint);
                        }
                    }
                }
            }
        }
    }
}
