//! The recursions over a group of sites, and the scales at the edges of chunks.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::{
    Complex, choose, exponent_of, invert, multiply, power_of_two_for, read_complex, scale, write_complex,
};
use crate::gradient::affine::{Affine, add};
use crate::gradient::sites::Sites;
use crate::projective::{Pair, choose_pair, cross_coupling, enter_site, normalise, read_pair, write_pair};

/// Sites between two rescalings: half of the forward pass's, since states are squared.
pub(crate) const RESCALE: u32 = 2;

/// A state, and what the sites behind it contribute in the scale of its square: neither has crossed the coupling
/// ahead.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) state: Pair,
    pub(crate) sum: Complex,
}

#[cube]
impl Running {
    pub(crate) fn new(state: Pair, sum: Complex) -> Running {
        Running { state, sum }
    }
}

/// Keeps one side of a site in registers.
#[cube]
pub(crate) fn keep(slots: &mut Array<f32>, #[comptime] slot: u32, running: Running) {
    let base = comptime!(6 * slot as usize);
    write_pair(slots, base.runtime(), running.state);
    write_complex(slots, comptime!(base + 4).runtime(), running.sum);
}

/// What [`keep`] kept.
#[cube]
pub(crate) fn kept(slots: &Array<f32>, #[comptime] slot: u32) -> Running {
    let base = comptime!(6 * slot as usize);
    Running::new(read_pair(slots, base.runtime()), read_complex(slots, comptime!(base + 4).runtime()))
}

/// `sum` over coupling `k`. Nothing crosses a cut.
#[cube]
pub(crate) fn cross_sum(sum: Complex, k: f32) -> Complex {
    choose(k == 0.0, Complex::zero(), scale(k, sum))
}

/// `sum + h w^2`: what a site adds, `w` being the determinant of the sites behind it.
#[cube]
pub(crate) fn add_site(sum: Complex, h: Complex, w: Complex) -> Complex {
    add(sum, multiply(h, multiply(w, w)))
}

/// Over coupling `k` and a site of diagonal `d` and cotangent `h`.
#[cube]
pub(crate) fn advance(running: Running, d: Complex, k: f32, h: Complex) -> Running {
    let crossed = cross_coupling(running.state, k);
    let sum = add_site(cross_sum(running.sum, k), h, crossed.x);
    Running::new(enter_site(crossed, d, k), sum)
}

/// The power of two that [`rescale`] uses.
#[cube]
pub(crate) fn scale_of(state: Pair) -> f32 {
    power_of_two_for(max(exponent_of(state.x), exponent_of(state.y)))
}

/// Brings the state's largest part into `[1, 2)`, exactly, and the sum along.
#[cube]
pub(crate) fn rescale(running: Running) -> Running {
    let factor = scale_of(running.state);
    let state = Pair::new(scale(factor, running.state.x), scale(factor, running.state.y));
    // One after the other: the square may leave the range.
    Running::new(state, scale(factor, scale(factor, running.sum)))
}

/// The left side after the group from the one before it.
#[cube]
pub(crate) fn advance_right(running: Running, sites: &Sites) -> Running {
    let mut running = running;
    #[unroll]
    for index in 0..GROUP {
        let k = sites.coupling_before(index);
        running = advance(running, sites.diagonal(index), k, sites.cotangent(index));
        if comptime!(index % RESCALE == RESCALE - 1) {
            running = rescale(running);
        }
    }
    running
}

/// A state, and the affine map of what the sites behind contribute.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) running: Running,
    /// What comes through of the sum at the start: real until the scale is made canonical.
    pub(crate) factor: f32,
}

#[cube]
impl Mapping {
    pub(crate) fn start(state: Pair) -> Mapping {
        Mapping { running: Running::new(state, Complex::zero()), factor: 1.0f32.runtime() }
    }
}

#[cube]
fn map_site(mapping: Mapping, d: Complex, k: f32, h: Complex, #[comptime] rescales: bool) -> Mapping {
    let mut running = advance(mapping.running, d, k, h);
    let mut factor = select(k == 0.0, 0.0f32, k * mapping.factor);
    if comptime!(rescales) {
        let by = scale_of(running.state);
        running = rescale(running);
        factor = by * (by * factor);
    }
    Mapping { running, factor }
}

/// The map after the group, from the left.
#[cube]
pub(crate) fn map_right(mapping: Mapping, sites: &Sites) -> Mapping {
    let mut mapping = mapping;
    #[unroll]
    for index in 0..GROUP {
        let k = sites.coupling_before(index);
        let rescales = comptime!(index % RESCALE == RESCALE - 1);
        mapping = map_site(mapping, sites.diagonal(index), k, sites.cotangent(index), rescales);
    }
    mapping
}

/// The map before the group, from the right.
#[cube]
pub(crate) fn map_left(mapping: Mapping, sites: &Sites) -> Mapping {
    let mut mapping = mapping;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let k = sites.coupling_after(index);
        let rescales = comptime!(index % RESCALE == 0);
        mapping = map_site(mapping, sites.diagonal(index), k, sites.cotangent(index), rescales);
    }
    mapping
}

/// The left state after the group.
#[cube]
pub(crate) fn state_right(state: Pair, sites: &Sites) -> Pair {
    let mut state = state;
    #[unroll]
    for index in 0..GROUP {
        let k = sites.coupling_before(index);
        state = enter_site(cross_coupling(state, k), sites.diagonal(index), k);
    }
    normalise(state)
}

/// The right state before the group.
#[cube]
pub(crate) fn state_left(state: Pair, sites: &Sites) -> Pair {
    let mut state = state;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let k = sites.coupling_after(index);
        state = enter_site(cross_coupling(state, k), sites.diagonal(index), k);
    }
    normalise(state)
}

/// `1 /` the entry of `state` that is to become 1; 1 where it is zero, as in an exactly singular block.
#[cube]
pub(crate) fn canonical_factor(state: Pair, second: bool) -> Complex {
    let pivot = choose(second, state.y, state.x);
    choose(pivot.is_zero(), Complex::one(), invert(pivot))
}

/// `state` in the scale in which the first or the second entry is exactly 1.
#[cube]
pub(crate) fn in_scale(state: Pair, second: bool) -> Pair {
    let factor = canonical_factor(state, second);
    let pivot = choose(second, state.y, state.x);
    let ratio = multiply(choose(second, state.x, state.y), factor);
    let canonical = Pair::new(choose(second, ratio, Complex::one()), choose(second, Complex::one(), ratio));
    choose_pair(pivot.is_zero(), state, canonical)
}

/// The map of a chunk, its image in the neighbour's scale.
#[cube]
pub(crate) fn finish_map(mapping: Mapping, second: bool) -> Affine {
    let by = canonical_factor(mapping.running.state, second);
    let through = multiply(by, scale(mapping.factor, by));
    let offset = multiply(by, multiply(by, mapping.running.sum));
    let cut = mapping.factor == 0.0;
    Affine::new(choose(cut, Complex::zero(), through), offset)
}
