//! The part of the batch that a cube works on, staged in shared memory with its cotangent.
//!
//! As in the forward pass, results take the place of entries that are no longer needed: `S` that of the diagonal,
//! `Re kappa` that of the couplings. The factors of the couplings are read again for the gradients that contain them:
//! staged beside their product, they would let fewer cubes share a multiprocessor.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, is_not_finite_real, read_complex, write_complex};
use crate::gradient::blueprint::{GradientBlueprint, Wanted};
use crate::gradient::operands::CotangentLayout;
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

/// Where the wanted gradients are written.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Gradients {
    pub(crate) a_re: Array<f32>,
    pub(crate) a_im: Array<f32>,
    pub(crate) b: Array<f32>,
    pub(crate) c: Array<f32>,
}

#[cube]
impl GradientTile {
    /// Loads the tile. A unit may read its own chunk, and the others after the next barrier of the cube.
    pub(crate) fn load<V: Size>(
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
    pub(crate) fn put_cotangent(&mut self, slot: u32, h: Complex) {
        self.h_re[slot as usize] = h.re;
        self.h_im[slot as usize] = h.im;
    }

    /// Puts the results of a site in the place of its entries.
    pub(crate) fn put(
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

    /// Writes the wanted gradients; every unit must have put its own before.
    #[allow(clippy::collapsible_if, reason = "one condition is of compile time")]
    pub(crate) fn store(
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
                    self.write_site(gradients, operands, at, slot, blueprint);
                    if comptime!(wanted.couplings()) {
                        if comptime!(may_end_a_row(round, base)) {
                            if at.site + 1 < operands.n {
                                self.write_link(gradients, operands, at, slot, &factors, round, blueprint);
                            }
                        } else {
                            self.write_link(gradients, operands, at, slot, &factors, round, blueprint);
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
                        self.write_site(gradients, operands, at, slot, blueprint);
                    }
                    if comptime!(wanted.couplings()) {
                        if inside & (at.site + 1 < operands.n) {
                            self.write_link(gradients, operands, at, slot, &factors, round, blueprint);
                        }
                    }
                }
            }
        }
    }

    /// The gradients of the diagonal at a site.
    fn write_site(
        &self,
        gradients: &mut Gradients,
        operands: &Operands,
        at: Place,
        slot: usize,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let index = at.row * operands.n + at.site;
        if comptime!(blueprint.wanted.a_re) {
            gradients.a_re[index] = -self.matrix.diagonal(slot as u32, comptime!(blueprint.base)).re;
        }
        if comptime!(blueprint.wanted.a_im) {
            gradients.a_im[index] = self.matrix.diagonal(slot as u32, comptime!(blueprint.base)).im;
        }
    }

    /// The gradients of the coupling on the right of a site, whose factors were loaded in `round`.
    #[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
    fn write_link(
        &self,
        gradients: &mut Gradients,
        operands: &Operands,
        at: Place,
        slot: usize,
        factors: &Factors,
        #[comptime] round: u32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let Wanted { kappa: sum, b, c, .. } = comptime!(blueprint.wanted);
        let link = at.row * (operands.n - 1) + at.site;
        let kappa = self.matrix.coupling(slot as u32);
        if comptime!(sum) {
            gradients.b[link] = kappa;
        }
        if comptime!(b) {
            gradients.b[link] = times(factors.c[comptime!(round as usize)], kappa, blueprint);
        }
        if comptime!(c) {
            gradients.c[link] = times(factors.b[comptime!(round as usize)], kappa, blueprint);
        }
    }
}

/// The factors of the couplings that a unit moves at a time.
#[derive(CubeType)]
struct Factors {
    b: Array<f32>,
    c: Array<f32>,
}

#[cube]
impl Factors {
    fn new(#[comptime] blueprint: Blueprint) -> Factors {
        Factors {
            b: Array::<f32>::new(comptime!(blueprint.half() as usize)),
            c: Array::<f32>::new(comptime!(blueprint.half() as usize)),
        }
    }

    /// Loads those that the wanted gradients contain. Where the site may have no coupling, and has none, those of the one
    /// before it.
    fn load(
        &mut self,
        operands: &Operands,
        at: Place,
        #[comptime] round: u32,
        #[comptime] may_have_none: bool,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let mut back = 0usize;
        if comptime!(may_have_none) {
            back = select(at.site + 1 < operands.n, 0usize, 1usize);
        }
        if comptime!(blueprint.wanted.b) {
            self.c[comptime!(round as usize)] = operands.c[at.row * operands.c_stride + at.site - back];
        }
        if comptime!(blueprint.wanted.c) {
            self.b[comptime!(round as usize)] = operands.b[at.row * operands.b_stride + at.site - back];
        }
    }
}

/// The gradient of one factor of `k`. Where the other is 0 there is no way through, not even for a NaN.
#[cube]
fn times(factor: f32, kappa: f32, #[comptime] blueprint: GradientBlueprint) -> f32 {
    let product = select(factor == 0.0, 0.0f32, factor * kappa);
    let mut gradient = product;
    if comptime!(blueprint.base.zero_non_finite) {
        let bad = is_not_finite_real(product);
        gradient = select(bad, 0.0f32, product);
    }
    gradient
}
