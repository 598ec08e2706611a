//! Affine maps `v -> factor v + offset` of chunks, and their scan over the units of a row, in both directions.
//!
//! The units of a plane that share a row scan their maps by doubling; then each unit carries what comes over the end of
//! the row through the maps of the planes before it, which are few. Without planes all units of the row double.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, choose, is_not_finite, multiply};
use crate::segment::Segment;

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

    pub(crate) fn is_finite(self) -> bool {
        !is_not_finite(self.factor) & !is_not_finite(self.offset)
    }

    /// Whether nothing comes through. Not `is_zero`: CubeCL 0.10 cannot fold an `&` of two constant conditions.
    fn is_cut(self) -> bool {
        self.factor.taxicab() == 0.0
    }
}

/// `second` after `first`.
#[cube]
pub(crate) fn then(first: Affine, second: Affine) -> Affine {
    then_where(true.runtime(), first, second)
}

/// `second` after `first` where there is one before it.
#[cube]
fn then_where(condition: bool, first: Affine, second: Affine) -> Affine {
    let factor = multiply(second.factor, first.factor);
    let offset = add(multiply(second.factor, first.offset), second.offset);
    // A factor of zero stays, whatever is before it.
    choose_affine(condition & !second.is_cut(), Affine::new(factor, offset), second)
}

#[cube]
fn choose_affine(condition: bool, yes: Affine, no: Affine) -> Affine {
    Affine::new(choose(condition, yes.factor, no.factor), choose(condition, yes.offset, no.offset))
}

/// The maps of the row's chunks on both sides of a unit's, as far as its plane goes; those of the planes are in the mail.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Scanned {
    /// The map of the chunks before this one, from the left.
    before: Affine,
    /// The map of the chunks after this one, from the right.
    after: Affine,
    /// First of the row's planes.
    first: u32,
    /// This unit's plane.
    own: u32,
    /// The plane after the row's last.
    end: u32,
}

#[cube]
impl Scanned {
    /// What reaches this unit's chunk from the left, of what is carried over the left end of the row.
    pub(crate) fn reaching_from_left(
        self,
        at_end: Complex,
        mail: &SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) -> Complex {
        let mut value = at_end;
        for plane in self.first..self.own {
            value = get(mail, 0u32, plane, blueprint).apply(value);
        }
        self.before.apply(value)
    }

    /// What reaches it from the right.
    pub(crate) fn reaching_from_right(
        self,
        at_end: Complex,
        mail: &SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) -> Complex {
        let mut value = at_end;
        for plane in self.own + 1..self.end {
            let mirrored = self.end + self.own - plane;
            value = get(mail, 4u32, mirrored, blueprint).apply(value);
        }
        self.after.apply(value)
    }

    /// The maps of the whole row, rightwards and leftwards.
    pub(crate) fn whole(
        self,
        mail: &SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) -> (Affine, Affine) {
        let mut rightwards = get(mail, 0u32, self.first, blueprint);
        let mut leftwards = get(mail, 4u32, self.end - 1, blueprint);
        for plane in self.first + 1..self.end {
            rightwards = then(rightwards, get(mail, 0u32, plane, blueprint));
            let mirrored = self.end + self.first - 1 - plane;
            leftwards = then(leftwards, get(mail, 4u32, mirrored, blueprint));
        }
        (rightwards, leftwards)
    }
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
    let span = comptime!(span(blueprint));
    let lane = segment.position % span;
    let mut rightwards = rightwards;
    let mut leftwards = leftwards;
    #[unroll]
    for level in 0..comptime!(span.ilog2()) {
        let distance = comptime!(1u32 << level);
        let (left, right) = neighbours(rightwards, leftwards, distance, mail, blueprint);
        rightwards = then_where(lane >= distance, left, rightwards);
        leftwards = then_where(lane + distance < span, right, leftwards);
    }
    let (left, right) = neighbours(rightwards, leftwards, 1u32, mail, blueprint);
    let own = UNIT_POS / span;
    sync_cube();
    if lane == comptime!(span - 1) {
        put(mail, 0u32, own, rightwards, blueprint);
    }
    if lane == 0 {
        put(mail, 4u32, own, leftwards, blueprint);
    }
    sync_cube();
    let first = segment.first / span;
    Scanned {
        before: choose_affine(lane == 0, Affine::identity(), left),
        after: choose_affine(lane == comptime!(span - 1), Affine::identity(), right),
        first,
        own,
        end: first + comptime!(blueprint.units_per_row / span),
    }
}

/// Units that double: those of a plane that share a row, or without planes those of the row.
fn span(blueprint: Blueprint) -> u32 {
    match blueprint.plane_size {
        0 => blueprint.units_per_row,
        plane_size => plane_size.min(blueprint.units_per_row),
    }
}

/// The map to the right of the unit `distance` before this one, and that to the left of the one as far after it;
/// meaningless where there is none.
#[cube]
fn neighbours(
    rightwards: Affine,
    leftwards: Affine,
    #[comptime] distance: u32,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Affine, Affine) {
    if comptime!(distance < blueprint.plane_size) {
        (shuffle_up(rightwards, distance), shuffle_down(leftwards, distance))
    } else {
        sync_cube();
        put(mail, 0u32, UNIT_POS, rightwards, blueprint);
        put(mail, 4u32, UNIT_POS, leftwards, blueprint);
        sync_cube();
        let before = select(UNIT_POS < distance, UNIT_POS, UNIT_POS - distance);
        let after = min(UNIT_POS + distance, comptime!(blueprint.units - 1));
        (get(mail, 0u32, before, blueprint), get(mail, 4u32, after, blueprint))
    }
}

#[cube]
fn shuffle_up(map: Affine, #[comptime] distance: u32) -> Affine {
    Affine::new(
        Complex::new(plane_shuffle_up(map.factor.re, distance), plane_shuffle_up(map.factor.im, distance)),
        Complex::new(plane_shuffle_up(map.offset.re, distance), plane_shuffle_up(map.offset.im, distance)),
    )
}

#[cube]
fn shuffle_down(map: Affine, #[comptime] distance: u32) -> Affine {
    Affine::new(
        Complex::new(
            plane_shuffle_down(map.factor.re, distance),
            plane_shuffle_down(map.factor.im, distance),
        ),
        Complex::new(
            plane_shuffle_down(map.offset.re, distance),
            plane_shuffle_down(map.offset.im, distance),
        ),
    )
}

/// Word by word rather than place by place, so that neighbouring units use different banks.
#[cube]
fn put(
    mail: &mut SharedMemory<f32>,
    #[comptime] slot: u32,
    place: u32,
    map: Affine,
    #[comptime] blueprint: Blueprint,
) {
    mail[(comptime!(slot * blueprint.units) + place) as usize] = map.factor.re;
    mail[(comptime!((slot + 1) * blueprint.units) + place) as usize] = map.factor.im;
    mail[(comptime!((slot + 2) * blueprint.units) + place) as usize] = map.offset.re;
    mail[(comptime!((slot + 3) * blueprint.units) + place) as usize] = map.offset.im;
}

#[cube]
fn get(
    mail: &SharedMemory<f32>,
    #[comptime] slot: u32,
    place: u32,
    #[comptime] blueprint: Blueprint,
) -> Affine {
    Affine::new(
        Complex::new(
            mail[(comptime!(slot * blueprint.units) + place) as usize],
            mail[(comptime!((slot + 1) * blueprint.units) + place) as usize],
        ),
        Complex::new(
            mail[(comptime!((slot + 2) * blueprint.units) + place) as usize],
            mail[(comptime!((slot + 3) * blueprint.units) + place) as usize],
        ),
    )
}
