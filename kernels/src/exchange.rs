//! Values passed between the units of a cube: by plane shuffles where a plane spans the distance, through
//! shared memory where it does not.
//!
//! Every unit of the cube must call these functions together: they hold barriers and full-plane shuffles.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::Complex;
use crate::projective::Pair;
use crate::transfer::Transfer;

/// The transfer matrix of the unit at `UNIT_POS ^ mask`, which gets this unit's.
#[cube]
pub(crate) fn swap(
    value: Transfer,
    #[comptime] mask: u32,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Transfer {
    if comptime!(mask < blueprint.plane_size) {
        shuffle_transfer(value, mask.runtime())
    } else {
        sync_cube();
        put_transfer(mail, value, UNIT_POS, blueprint);
        sync_cube();
        let other = get_transfer(mail, UNIT_POS ^ mask, blueprint);
        sync_cube();
        other
    }
}

/// The transfer matrix of the unit at `UNIT_POS ^ mask` of the plane.
#[cube]
pub(crate) fn shuffle_transfer(value: Transfer, mask: u32) -> Transfer {
    Transfer::new(
        shuffle_xor(value.a, mask),
        shuffle_xor(value.b, mask),
        shuffle_xor(value.c, mask),
        shuffle_xor(value.e, mask),
        plane_shuffle_xor(value.cuts, mask),
    )
}

/// Puts a transfer matrix in one of as many places as the cube has units.
#[cube]
pub(crate) fn put_transfer(
    mail: &mut SharedMemory<f32>,
    value: Transfer,
    place: u32,
    #[comptime] blueprint: Blueprint,
) {
    put(mail, 0u32, value.a, place, blueprint);
    put(mail, 1u32, value.b, place, blueprint);
    put(mail, 2u32, value.c, place, blueprint);
    put(mail, 3u32, value.e, place, blueprint);
    mail[(comptime!(8 * blueprint.units) + place) as usize] = value.cuts;
}

/// What [`put_transfer`] put there.
#[cube]
pub(crate) fn get_transfer(
    mail: &SharedMemory<f32>,
    place: u32,
    #[comptime] blueprint: Blueprint,
) -> Transfer {
    Transfer::new(
        get(mail, 0u32, place, blueprint),
        get(mail, 1u32, place, blueprint),
        get(mail, 2u32, place, blueprint),
        get(mail, 3u32, place, blueprint),
        mail[(comptime!(8 * blueprint.units) + place) as usize],
    )
}

/// Puts a left and a right state in the place of a transfer matrix.
#[cube]
pub(crate) fn put_pairs(
    mail: &mut SharedMemory<f32>,
    left: Pair,
    right: Pair,
    place: u32,
    #[comptime] blueprint: Blueprint,
) {
    put(mail, 0u32, left.x, place, blueprint);
    put(mail, 1u32, left.y, place, blueprint);
    put(mail, 2u32, right.x, place, blueprint);
    put(mail, 3u32, right.y, place, blueprint);
}

/// What [`put_pairs`] put there.
#[cube]
pub(crate) fn get_pairs(
    mail: &SharedMemory<f32>,
    place: u32,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    (
        Pair::new(get(mail, 0u32, place, blueprint), get(mail, 1u32, place, blueprint)),
        Pair::new(get(mail, 2u32, place, blueprint), get(mail, 3u32, place, blueprint)),
    )
}

/// The pair of the unit before this one; meaningless in the first unit of a row.
#[cube]
pub(crate) fn from_left(value: Pair, mail: &mut SharedMemory<f32>, #[comptime] blueprint: Blueprint) -> Pair {
    if comptime!(blueprint.units_per_row <= blueprint.plane_size) {
        Pair::new(shuffle_up(value.x), shuffle_up(value.y))
    } else {
        post(value, mail, blueprint);
        let other = select(UNIT_POS == 0, 0u32, UNIT_POS - 1);
        Pair::new(get(mail, 0u32, other, blueprint), get(mail, 1u32, other, blueprint))
    }
}

/// The pair of the unit after this one; meaningless in the last unit of a row.
#[cube]
pub(crate) fn from_right(
    value: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Pair {
    if comptime!(blueprint.units_per_row <= blueprint.plane_size) {
        Pair::new(shuffle_down(value.x), shuffle_down(value.y))
    } else {
        post(value, mail, blueprint);
        let other = min(UNIT_POS + 1, comptime!(blueprint.units - 1));
        Pair::new(get(mail, 0u32, other, blueprint), get(mail, 1u32, other, blueprint))
    }
}

/// The first state of the unit before this one, and the second of the unit after it; meaningless at the ends of a row.
#[cube]
pub(crate) fn from_both_sides(
    rightwards: Pair,
    leftwards: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    sync_cube();
    put_pairs(mail, rightwards, leftwards, UNIT_POS, blueprint);
    sync_cube();
    let before = select(UNIT_POS == 0, 0u32, UNIT_POS - 1);
    let after = min(UNIT_POS + 1, comptime!(blueprint.units - 1));
    (
        Pair::new(get(mail, 0u32, before, blueprint), get(mail, 1u32, before, blueprint)),
        Pair::new(get(mail, 2u32, after, blueprint), get(mail, 3u32, after, blueprint)),
    )
}

/// What a unit tells the one before it in its row, and the first unit the last.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Letter {
    /// The right state before the second half of its chunk.
    pub(crate) right: Pair,
    /// Whether no coupling inside its chunk is exactly zero.
    pub(crate) whole: bool,
    /// The left state before its chunk: meant for the last unit of a tile.
    pub(crate) left_end: Pair,
}

/// The letter of the unit `next`.
#[cube]
pub(crate) fn from_next(
    letter: Letter,
    next: u32,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Letter {
    let flags = comptime!(8 * blueprint.units);
    sync_cube();
    put(mail, 0u32, letter.right.x, UNIT_POS, blueprint);
    put(mail, 1u32, letter.right.y, UNIT_POS, blueprint);
    mail[(flags + UNIT_POS) as usize] = select(letter.whole, 1.0f32, 0.0f32);
    if comptime!(blueprint.tiled) {
        put(mail, 2u32, letter.left_end.x, UNIT_POS, blueprint);
        put(mail, 3u32, letter.left_end.y, UNIT_POS, blueprint);
    }
    sync_cube();
    let mut left_end = Pair::start();
    if comptime!(blueprint.tiled) {
        left_end = Pair::new(get(mail, 2u32, next, blueprint), get(mail, 3u32, next, blueprint));
    }
    Letter {
        right: Pair::new(get(mail, 0u32, next, blueprint), get(mail, 1u32, next, blueprint)),
        whole: mail[(flags + next) as usize] != 0.0,
        left_end,
    }
}

#[cube]
fn post(value: Pair, mail: &mut SharedMemory<f32>, #[comptime] blueprint: Blueprint) {
    sync_cube();
    put(mail, 0u32, value.x, UNIT_POS, blueprint);
    put(mail, 1u32, value.y, UNIT_POS, blueprint);
    sync_cube();
}

/// Word by word rather than unit by unit, so that neighbouring units use different banks.
#[cube]
fn put(
    mail: &mut SharedMemory<f32>,
    #[comptime] slot: u32,
    value: Complex,
    place: u32,
    #[comptime] blueprint: Blueprint,
) {
    mail[(comptime!(2 * slot * blueprint.units) + place) as usize] = value.re;
    mail[(comptime!((2 * slot + 1) * blueprint.units) + place) as usize] = value.im;
}

#[cube]
fn get(
    mail: &SharedMemory<f32>,
    #[comptime] slot: u32,
    place: u32,
    #[comptime] blueprint: Blueprint,
) -> Complex {
    Complex::new(
        mail[(comptime!(2 * slot * blueprint.units) + place) as usize],
        mail[(comptime!((2 * slot + 1) * blueprint.units) + place) as usize],
    )
}

#[cube]
fn shuffle_xor(value: Complex, mask: u32) -> Complex {
    Complex::new(plane_shuffle_xor(value.re, mask), plane_shuffle_xor(value.im, mask))
}

#[cube]
fn shuffle_up(value: Complex) -> Complex {
    Complex::new(plane_shuffle_up(value.re, 1u32), plane_shuffle_up(value.im, 1u32))
}

#[cube]
fn shuffle_down(value: Complex) -> Complex {
    Complex::new(plane_shuffle_down(value.re, 1u32), plane_shuffle_down(value.im, 1u32))
}
