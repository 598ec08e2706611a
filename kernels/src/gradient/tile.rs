//! The part of the batch that a cube works on, staged in shared memory with its cotangent.
//!
//! As in the forward pass: global memory is read and written in the order of the sites, each unit works on consecutive
//! sites of its own, and results take the place of what is no longer needed.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::{Complex, is_not_finite_real};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::operands::cotangent_at;
use crate::gradient::sites::Sites;
use crate::operands::Operands;
use crate::tile::{Place, rounds};

/// Entries of the tile, later its results.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct GradientTile {
    /// `Re d`, later `Re S`.
    re: SharedMemory<f32>,
    /// `Im d` of a complex diagonal, later `Im S`.
    im: SharedMemory<f32>,
    /// Coupling on the right of each site; `b` alone where the factors are kept.
    couplings: SharedMemory<f32>,
    /// `c`, where the factors are kept.
    factors: SharedMemory<f32>,
    /// `Re h`, later `Re kappa`.
    h_re: SharedMemory<f32>,
    /// `Im h`.
    h_im: SharedMemory<f32>,
    /// `Im d` of a real diagonal.
    uniform_im: f32,
    /// Groups of a chunk.
    pub(crate) groups: u32,
}

#[cube]
impl GradientTile {
    /// Loads the tile. Its reads are done when all units have passed the next barrier.
    pub(crate) fn load<V: Size>(
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) -> GradientTile {
        let base = comptime!(blueprint.base);
        let staged = comptime!(base.staged() as usize);
        let mut tile = GradientTile {
            re: SharedMemory::<f32>::new(staged),
            im: SharedMemory::<f32>::new(comptime!(if base.complex_diagonal { staged } else { 1 })),
            couplings: SharedMemory::<f32>::new(staged),
            factors: SharedMemory::<f32>::new(comptime!(if blueprint.keeps_factors() { staged } else { 1 })),
            h_re: SharedMemory::<f32>::new(staged),
            h_im: SharedMemory::<f32>::new(staged),
            uniform_im: -operands.z[1],
            groups: rounds(comptime!(base.chunk / GROUP), base),
        };
        // Loads of four rounds are in flight together; more would only be a longer program.
        for group in 0..tile.groups {
            #[unroll]
            for round in 0..GROUP {
                let index = UNIT_POS + (group * GROUP + round) * comptime!(base.units);
                tile.load_site::<V>(operands, cotangent, place, index, blueprint);
            }
        }
        tile
    }

    fn load_site<V: Size>(
        &mut self,
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        place: Place,
        index: u32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let base = comptime!(blueprint.base);
        let row = place.row + (index / comptime!(base.tile())) as usize;
        let site = place.site + (index % comptime!(base.tile())) as usize;
        let slot = slot_of(index, blueprint);
        let d = operands.diagonal(row, site, base.complex_diagonal);
        self.re[slot] = d.re;
        if comptime!(base.complex_diagonal) {
            self.im[slot] = d.im;
        }
        if comptime!(blueprint.keeps_factors()) {
            let (b, c) = factors_at(operands, row, site);
            self.couplings[slot] = b;
            self.factors[slot] = c;
        } else {
            self.couplings[slot] = operands.coupling(row, site);
        }
        let h = cotangent_at::<V>(cotangent, operands.batch, operands.n, row, site);
        self.h_re[slot] = h.re;
        self.h_im[slot] = h.im;
    }

    fn coupling(&self, slot: usize, #[comptime] blueprint: GradientBlueprint) -> f32 {
        let mut k = self.couplings[slot];
        if comptime!(blueprint.keeps_factors()) {
            k *= self.factors[slot];
        }
        k
    }

    /// Group `group` of this unit's chunk; `before` is the coupling on the left of the chunk.
    pub(crate) fn sites(&self, group: u32, before: f32, #[comptime] blueprint: GradientBlueprint) -> Sites {
        let base = UNIT_POS * comptime!(blueprint.base.pitch()) + group * GROUP;
        let inside = self.coupling(select(group == 0, base, base - 1) as usize, blueprint);
        let mut sites = Sites::new(select(group == 0, before, inside));
        #[unroll]
        for index in 0..GROUP {
            let slot = (base + index) as usize;
            let mut im = self.uniform_im;
            if comptime!(blueprint.base.complex_diagonal) {
                im = self.im[slot];
            }
            let h = Complex::new(self.h_re[slot], self.h_im[slot]);
            sites.set(index, Complex::new(self.re[slot], im), self.coupling(slot, blueprint), h);
        }
        sites
    }

    /// The coupling on the right of the last site of `unit`'s chunk.
    pub(crate) fn coupling_after(&self, unit: u32, #[comptime] blueprint: GradientBlueprint) -> f32 {
        let chunk = comptime!(blueprint.base.chunk);
        let slot = unit * comptime!(blueprint.base.pitch()) + comptime!(chunk - 1);
        self.coupling(slot as usize, blueprint)
    }

    /// Replaces `h` at a site of this unit.
    pub(crate) fn put_cotangent(&mut self, site: u32, h: Complex, #[comptime] blueprint: GradientBlueprint) {
        let slot = (UNIT_POS * comptime!(blueprint.base.pitch()) + site) as usize;
        self.h_re[slot] = h.re;
        self.h_im[slot] = h.im;
    }

    /// Puts the results of a site of this unit in the place of its entries.
    pub(crate) fn put(
        &mut self,
        site: u32,
        s: Complex,
        kappa: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let slot = (UNIT_POS * comptime!(blueprint.base.pitch()) + site) as usize;
        self.re[slot] = s.re;
        if comptime!(blueprint.base.complex_diagonal) {
            self.im[slot] = s.im;
        }
        if comptime!(blueprint.wanted.couplings()) {
            self.h_re[slot] = kappa;
        }
    }

    /// Writes the wanted gradients; every unit must have put its own before.
    #[allow(clippy::too_many_arguments, reason = "one argument for each array of the kernel")]
    pub(crate) fn store(
        &self,
        a_re: &mut Array<f32>,
        a_im: &mut Array<f32>,
        b: &mut Array<f32>,
        c: &mut Array<f32>,
        batch: usize,
        n: usize,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let base = comptime!(blueprint.base);
        let wanted = comptime!(blueprint.wanted);
        for round in 0..GROUP * self.groups {
            let index = UNIT_POS + round * comptime!(base.units);
            let row = place.row + (index / comptime!(base.tile())) as usize;
            let site = place.site + (index % comptime!(base.tile())) as usize;
            let slot = slot_of(index, blueprint);
            if (row < batch) & (site < n) {
                if comptime!(wanted.a_re) {
                    a_re[row * n + site] = -self.re[slot];
                }
                if comptime!(wanted.a_im) {
                    a_im[row * n + site] = self.im[slot];
                }
            }
            if comptime!(wanted.couplings()) {
                self.store_link(b, c, batch, n, row, site, slot, blueprint);
            }
        }
    }

    /// Writes the gradients of the coupling on the right of a site.
    #[allow(clippy::too_many_arguments, reason = "kernel state is passed flat")]
    fn store_link(
        &self,
        b: &mut Array<f32>,
        c: &mut Array<f32>,
        batch: usize,
        n: usize,
        row: usize,
        site: usize,
        slot: usize,
        #[comptime] blueprint: GradientBlueprint,
    ) {
        let wanted = comptime!(blueprint.wanted);
        if (row < batch) & (site + 1 < n) {
            let link = row * (n - 1) + site;
            let kappa = self.h_re[slot];
            if comptime!(wanted.kappa) {
                b[link] = kappa;
            }
            if comptime!(wanted.b) {
                b[link] = times(self.factors[slot], kappa, blueprint);
            }
            if comptime!(wanted.c) {
                c[link] = times(self.couplings[slot], kappa, blueprint);
            }
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

/// `b` and `c` on the right of a site; zero at the end of the row and beyond.
#[cube]
fn factors_at(operands: &Operands, row: usize, site: usize) -> (f32, f32) {
    let inside = (row < operands.batch) & (site + 1 < operands.n);
    let row = min(row, operands.batch - 1);
    // A matrix of one site has no couplings: its launcher binds another array here.
    let site = select(inside, site, 0usize);
    let b = operands.b[row * operands.b_stride + site];
    let c = operands.c[row * operands.c_stride + site];
    (select(inside, b, 0.0f32), select(inside, c, 0.0f32))
}

/// Where the site with this index in the tile is staged.
#[cube]
fn slot_of(index: u32, #[comptime] blueprint: GradientBlueprint) -> usize {
    let chunk = comptime!(blueprint.base.chunk);
    ((index / chunk) * comptime!(blueprint.base.pitch()) + index % chunk) as usize
}
