//! Sweeps over a group of consecutive sites held in registers.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::projective::{Pair, cross_coupling, enter_site, normalise};
use crate::resolvent::{Finish, resolvent};
use crate::transfer::{Transfer, extend, normalise_transfer};

/// The entries of `GROUP` consecutive sites.
#[derive(CubeType)]
pub(crate) struct Group {
    re: Array<f32>,
    im: Array<f32>,
    /// Coupling on the right of each site.
    couplings: Array<f32>,
    /// Coupling on the left of the first site.
    before: f32,
}

#[cube]
impl Group {
    pub(crate) fn new(before: f32) -> Group {
        Group {
            re: Array::<f32>::new(comptime!(GROUP as usize)),
            im: Array::<f32>::new(comptime!(GROUP as usize)),
            couplings: Array::<f32>::new(comptime!(GROUP as usize)),
            before,
        }
    }

    /// Sets the site at `index` and the coupling on its right.
    pub(crate) fn set(&mut self, #[comptime] index: u32, d: Complex, coupling: f32) {
        self.re[comptime!(index as usize)] = d.re;
        self.im[comptime!(index as usize)] = d.im;
        self.couplings[comptime!(index as usize)] = coupling;
    }

    pub(crate) fn diagonal(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.re[comptime!(index as usize)], self.im[comptime!(index as usize)])
    }

    pub(crate) fn coupling_after(&self, #[comptime] index: u32) -> f32 {
        self.couplings[comptime!(index as usize)]
    }

    pub(crate) fn coupling_before(&self, #[comptime] index: u32) -> f32 {
        if comptime!(index == 0) { self.before } else { self.couplings[comptime!(index as usize - 1)] }
    }
}

/// The chunk `[.., group]`, or the group alone where it opens its chunk.
#[cube]
pub(crate) fn extend_by_group(chunk: Transfer, group: &Group, #[comptime] opens: bool) -> Transfer {
    let mut chunk = chunk;
    if comptime!(opens) {
        chunk = Transfer::site(group.diagonal(0u32));
    }
    let first = comptime!(if opens { 1u32 } else { 0u32 });
    #[unroll]
    for index in first..GROUP {
        chunk = extend(chunk, group.diagonal(index), group.coupling_before(index));
    }
    normalise_transfer(chunk)
}

/// The left state after the group from the one before it.
#[cube]
pub(crate) fn sweep_right(state: Pair, group: &Group) -> Pair {
    let mut state = state;
    #[unroll]
    for index in 0..GROUP {
        let k = group.coupling_before(index);
        state = enter_site(cross_coupling(state, k), group.diagonal(index), k);
    }
    normalise(state)
}

/// The right state before the group from the one after it.
#[cube]
pub(crate) fn sweep_left(state: Pair, group: &Group) -> Pair {
    let mut state = state;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let k = group.coupling_after(index);
        state = enter_site(cross_coupling(state, k), group.diagonal(index), k);
    }
    normalise(state)
}

/// Real and imaginary parts of the resolvent at the sites of a group.
#[derive(CubeType)]
pub(crate) struct Entries {
    re: Array<f32>,
    im: Array<f32>,
}

#[cube]
impl Entries {
    pub(crate) fn new() -> Entries {
        Entries {
            re: Array::<f32>::new(comptime!(GROUP as usize)),
            im: Array::<f32>::new(comptime!(GROUP as usize)),
        }
    }

    pub(crate) fn at(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.re[comptime!(index as usize)], self.im[comptime!(index as usize)])
    }
}

/// Fills `entries` from the left state before the group and the right state after it, and returns the
/// right state before it. The left states inside are computed again here rather than kept: they would
/// cost two registers a site.
#[cube]
pub(crate) fn resolve_group(
    left: Pair,
    right: Pair,
    group: &Group,
    entries: &mut Entries,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) -> Pair {
    // (D, n) after each site: n is the D before it.
    let mut states = Array::<f32>::new(comptime!(4 * GROUP as usize));
    let mut left = left;
    #[unroll]
    for index in 0..GROUP {
        let k = group.coupling_before(index);
        left = enter_site(cross_coupling(left, k), group.diagonal(index), k);
        let base = comptime!(4 * index as usize);
        states[base] = left.x.re;
        states[base + 1] = left.x.im;
        states[base + 2] = left.y.re;
        states[base + 3] = left.y.im;
    }
    let mut right = right;
    #[unroll]
    for step in 0..GROUP {
        let index = comptime!(GROUP - 1 - step);
        let k = group.coupling_after(index);
        let crossed = cross_coupling(right, k);
        let base = comptime!(4 * index as usize);
        let after = Pair::new(
            Complex::new(states[base], states[base + 1]),
            Complex::new(states[base + 2], states[base + 3]),
        );
        let entry = resolvent(after, k, crossed, finish, blueprint);
        entries.re[comptime!(index as usize)] = entry.re;
        entries.im[comptime!(index as usize)] = entry.im;
        right = enter_site(crossed, group.diagonal(index), k);
    }
    normalise(right)
}
