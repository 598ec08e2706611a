//! Affine maps `v -> factor v + offset` of chunks, and their scan over the units of a row, in both directions.
//!
//! The same xor butterfly as for transfer matrices. Each unit keeps the map of all units before it in its block, and
//! that of all after it, as blocks double, so nothing has to be kept for a way back.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::butterfly::Segment;
use crate::complex::{Complex, choose, multiply};

/// `v -> factor v + offset`.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) factor: Complex,
    pub(crate) offset: Complex,
}

#[cube]
pub(crate) fn add(left: Complex, right: Complex) -> Complex {
    Complex::new(left.re + right.re, left.im + right.im)
}

#[cube]
impl Affine {
    pub(crate) fn new(factor: Complex, offset: Complex) -> Affine {
        Affine { factor, offset }
    }

    pub(crate) fn identity() -> Affine {
        Affine { factor: Complex::one(), offset: Complex::zero() }
    }

    /// The image of `value`. A factor of zero is a cut: nothing of `value` comes through, not even a NaN.
    pub(crate) fn apply(self, value: Complex) -> Complex {
        let image = add(multiply(self.factor, value), self.offset);
        choose(self.is_cut(), self.offset, image)
    }

    /// Whether nothing comes through. Not `is_zero`: CubeCL 0.10 cannot fold an `&` of two constant conditions.
    fn is_cut(self) -> bool {
        self.factor.taxicab() == 0.0
    }
}

/// `second` after `first`.
#[cube]
pub(crate) fn then(first: Affine, second: Affine) -> Affine {
    let factor = multiply(second.factor, first.factor);
    Affine::new(choose(second.is_cut(), second.factor, factor), second.apply(first.offset))
}

#[cube]
pub(crate) fn choose_affine(condition: bool, yes: Affine, no: Affine) -> Affine {
    Affine::new(choose(condition, yes.factor, no.factor), choose(condition, yes.offset, no.offset))
}

/// What a unit gets of the scan.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Scanned {
    /// The map of all chunks before this one, from the left.
    pub(crate) before: Affine,
    /// The map of all chunks after this one, from the right.
    pub(crate) after: Affine,
    /// The maps of the whole row.
    pub(crate) rightwards: Affine,
    pub(crate) leftwards: Affine,
}

/// Scans the maps of the row's chunks. Every unit of the cube must call this together.
#[cube]
pub(crate) fn scan_affine(
    rightwards: Affine,
    leftwards: Affine,
    segment: &Segment,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Scanned {
    let levels = comptime!(blueprint.units_per_row.ilog2());
    let mut before = Affine::identity();
    let mut after = Affine::identity();
    let mut rightwards = rightwards;
    let mut leftwards = leftwards;
    #[unroll]
    for level in 0..levels {
        let mask = comptime!(1u32 << level);
        let (other_right, other_left) = swap(rightwards, leftwards, mask, mail, blueprint);
        let is_right = (segment.position & mask) != 0;
        before = choose_affine(is_right, then(other_right, before), before);
        after = choose_affine(is_right, after, then(other_left, after));
        let first = choose_affine(is_right, other_right, rightwards);
        let second = choose_affine(is_right, rightwards, other_right);
        rightwards = then(first, second);
        let first = choose_affine(is_right, leftwards, other_left);
        let second = choose_affine(is_right, other_left, leftwards);
        leftwards = then(first, second);
    }
    Scanned { before, after, rightwards, leftwards }
}

/// The maps of the unit at `UNIT_POS ^ mask`, which gets this unit's.
#[cube]
fn swap(
    rightwards: Affine,
    leftwards: Affine,
    #[comptime] mask: u32,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Affine, Affine) {
    if comptime!(mask < blueprint.plane_size) {
        (shuffle(rightwards, mask), shuffle(leftwards, mask))
    } else {
        sync_cube();
        put(mail, 0u32, rightwards, blueprint);
        put(mail, 4u32, leftwards, blueprint);
        sync_cube();
        let other = UNIT_POS ^ mask;
        (get(mail, 0u32, other, blueprint), get(mail, 4u32, other, blueprint))
    }
}

#[cube]
fn shuffle(map: Affine, #[comptime] mask: u32) -> Affine {
    Affine::new(
        Complex::new(plane_shuffle_xor(map.factor.re, mask), plane_shuffle_xor(map.factor.im, mask)),
        Complex::new(plane_shuffle_xor(map.offset.re, mask), plane_shuffle_xor(map.offset.im, mask)),
    )
}

/// Word by word rather than unit by unit, so that neighbouring units use different banks.
#[cube]
fn put(mail: &mut SharedMemory<f32>, #[comptime] slot: u32, map: Affine, #[comptime] blueprint: Blueprint) {
    mail[(comptime!(slot * blueprint.units) + UNIT_POS) as usize] = map.factor.re;
    mail[(comptime!((slot + 1) * blueprint.units) + UNIT_POS) as usize] = map.factor.im;
    mail[(comptime!((slot + 2) * blueprint.units) + UNIT_POS) as usize] = map.offset.re;
    mail[(comptime!((slot + 3) * blueprint.units) + UNIT_POS) as usize] = map.offset.im;
}

#[cube]
fn get(
    mail: &SharedMemory<f32>,
    #[comptime] slot: u32,
    unit: u32,
    #[comptime] blueprint: Blueprint,
) -> Affine {
    Affine::new(
        Complex::new(
            mail[(comptime!(slot * blueprint.units) + unit) as usize],
            mail[(comptime!((slot + 1) * blueprint.units) + unit) as usize],
        ),
        Complex::new(
            mail[(comptime!((slot + 2) * blueprint.units) + unit) as usize],
            mail[(comptime!((slot + 3) * blueprint.units) + unit) as usize],
        ),
    )
}
