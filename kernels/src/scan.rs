//! The scan of the chunks of a row: the states at both edges of each.
//!
//! A butterfly takes as many steps of every unit as the row has levels, though at level `l` all but one unit of `2^l`
//! repeat what another does. So the units put their matrices into shared memory, and half of the planes take them: a lane
//! composes two, a butterfly goes over the lanes of a plane, the states at the ends of the row are carried through the other
//! planes, and each lane carries them through its two chunks. The other planes wait at a barrier, and the multiprocessor
//! has other cubes to turn to. More chunks a lane are fewer instructions and a longer wait (`docs/perf-log.md`).
//!
//! Without planes, every unit takes part in a butterfly through shared memory.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::butterfly::{Siblings, ascend, descend};
use crate::chunk::{keep, kept};
use crate::exchange::{get_pairs, get_transfer, put_pairs, put_transfer};
use crate::projective::Pair;
use crate::segment::Segment;
use crate::transfer::{Transfer, carry_left, carry_right, compose};

/// The left state before this unit's chunk and the right state after it, given those at the ends of the row. Every unit
/// of the cube must call this together.
#[cube]
pub(crate) fn scan(
    own: Transfer,
    segment: &Segment,
    left_end: Pair,
    right_end: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> (Pair, Pair) {
    let lane = Lane::new(segment, mail, blueprint);
    let siblings = climb(own, segment, &lane, mail, blueprint);
    let mut left = left_end;
    let mut right = right_end;
    if comptime!(blueprint.share() == 1) {
        let (from_left, from_right) = lane.come_down(&siblings, left, right, blueprint);
        left = from_left;
        right = from_right;
    } else {
        if UNIT_POS < comptime!(blueprint.lanes().units) {
            let (from_left, from_right) = lane.come_down(&siblings, left, right, blueprint);
            carry_through_share(&lane.row, from_left, from_right, mail, blueprint);
        }
        sync_cube();
        let (from_left, from_right) = get_pairs(mail, place_of(UNIT_POS, blueprint), blueprint);
        left = from_left;
        right = from_right;
    }
    (left, right)
}

/// The transfer matrices of a row that fills the cube.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Products {
    /// Of all of it, in its first unit.
    pub(crate) whole: Transfer,
    /// Of all but its first chunk, in its first unit.
    pub(crate) after_first: Transfer,
    /// Of all but its last chunk, in the unit `last`.
    pub(crate) before_last: Transfer,
    pub(crate) last: u32,
}

/// Composes a row of at least two units. Every unit of the cube must call this together.
#[cube]
pub(crate) fn products(
    own: Transfer,
    segment: &Segment,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Products {
    let share = comptime!(blueprint.share());
    let last = comptime!(blueprint.lanes().units - 1);
    let lane = Lane::new(segment, mail, blueprint);
    let siblings = climb(own, segment, &lane, mail, blueprint);
    let mut whole = siblings.whole;
    let mut after_first = own;
    let mut before_last = own;
    if UNIT_POS == 0 {
        after_first = siblings.after_first(&lane.plane, comptime!(blueprint.plane_of_lanes()));
        if comptime!(share > 1) {
            let units = compose_units(segment, 1u32.runtime(), share.runtime(), mail, blueprint);
            after_first = compose(units, segment.couplings[share as usize], after_first);
        }
        if comptime!(blueprint.crosses_planes()) {
            for plane in 1..lane.end {
                let next = lane.product(plane, blueprint);
                let k = lane.coupling_before(plane, blueprint);
                whole = compose(whole, k, next);
                after_first = compose(after_first, k, next);
            }
        }
    }
    if UNIT_POS == last {
        before_last = siblings.before_last(&lane.plane, comptime!(blueprint.plane_of_lanes()));
        if comptime!(blueprint.crosses_planes()) {
            for back in 1..lane.end {
                let plane = lane.end - 1 - back;
                let k = lane.coupling_before(plane + 1, blueprint);
                before_last = compose(lane.product(plane, blueprint), k, before_last);
            }
        }
        if comptime!(share > 1) {
            let first = UNIT_POS * share;
            let units = compose_units(segment, first, first + comptime!(share - 1), mail, blueprint);
            before_last = compose(before_last, segment.couplings[first as usize], units);
        }
    }
    Products { whole, after_first, before_last, last: last.runtime() }
}

/// The place of a lane in its row.
#[derive(CubeType, Clone, Copy)]
struct Lane {
    /// The row, in lanes.
    row: Segment,
    /// The part of the row that is in this plane.
    plane: Segment,
    /// What the butterfly keeps.
    blocks: SharedMemory<f32>,
    /// The products of the cube's planes.
    products: SharedMemory<f32>,
    /// The row's first plane, this one, and the one after the row's last.
    first: u32,
    own: u32,
    end: u32,
}

#[cube]
impl Lane {
    /// The lane that this unit is; the place of another for a unit that is none.
    fn new(segment: &Segment, mail: &SharedMemory<f32>, #[comptime] blueprint: Blueprint) -> Lane {
        let lanes = comptime!(blueprint.lanes());
        let wide = comptime!(blueprint.plane_of_lanes().units_per_row);
        let index = UNIT_POS % comptime!(lanes.units);
        let position = index % comptime!(lanes.units_per_row);
        let row = Segment {
            first: index - position,
            position,
            share: blueprint.share().runtime(),
            first_coupling: segment.first_coupling,
            last_coupling: segment.last_coupling,
            couplings: segment.couplings,
        };
        let start = position - position % wide;
        let plane = Segment {
            first: index - position % wide,
            position: position % wide,
            share: row.share,
            first_coupling: row.coupling_before(start, lanes),
            last_coupling: row.coupling_before(start + wide, lanes),
            couplings: row.couplings,
        };
        let first = row.first / wide;
        Lane {
            row,
            plane,
            blocks: blocks_of(mail, blueprint),
            products: SharedMemory::<f32>::new(comptime!(blueprint.products() as usize)),
            first,
            own: index / wide,
            end: first + comptime!(lanes.units_per_row / wide),
        }
    }

    /// The transfer matrix of a plane.
    fn product(&self, plane: u32, #[comptime] blueprint: Blueprint) -> Transfer {
        get_transfer(&self.products, plane, comptime!(blueprint.one_unit_a_plane()))
    }

    /// The coupling on the left of a plane of the row, or of the one after the last.
    fn coupling_before(&self, plane: u32, #[comptime] blueprint: Blueprint) -> f32 {
        let wide = comptime!(blueprint.plane_of_lanes().units_per_row);
        self.row.coupling_before((plane - self.first) * wide, comptime!(blueprint.lanes()))
    }

    /// The states at the edges of this lane from those at the ends of the row.
    fn come_down(
        &self,
        siblings: &Siblings,
        left_end: Pair,
        right_end: Pair,
        #[comptime] blueprint: Blueprint,
    ) -> (Pair, Pair) {
        let mut left = left_end;
        let mut right = right_end;
        if comptime!(blueprint.crosses_planes()) {
            for plane in self.first..self.own {
                let k = self.coupling_before(plane, blueprint);
                left = carry_right(self.product(plane, blueprint), k, left);
            }
            for back in self.own + 1..self.end {
                let plane = self.end + self.own - back;
                let k = self.coupling_before(plane + 1, blueprint);
                right = carry_left(self.product(plane, blueprint), k, right);
            }
        }
        descend(siblings, &self.plane, left, right, comptime!(blueprint.plane_of_lanes()))
    }
}

/// Where the butterfly keeps its matrices: in the mailbox where that holds no others.
#[cube]
fn blocks_of(mail: &SharedMemory<f32>, #[comptime] blueprint: Blueprint) -> SharedMemory<f32> {
    if comptime!(blueprint.share() == 1) {
        *mail
    } else {
        SharedMemory::<f32>::new(comptime!(blueprint.blocks() as usize))
    }
}

/// The way up, to the products of the planes.
#[cube]
fn climb(
    own: Transfer,
    segment: &Segment,
    lane: &Lane,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Siblings {
    let plane = comptime!(blueprint.plane_of_lanes());
    let mut siblings = Siblings::new(own, lane.blocks);
    if comptime!(blueprint.share() == 1) {
        ascend(&mut siblings, &lane.plane, plane);
    } else {
        put_transfer(mail, own, place_of(UNIT_POS, blueprint), blueprint);
        sync_cube();
        if UNIT_POS < comptime!(blueprint.lanes().units) {
            let first = UNIT_POS * comptime!(blueprint.share());
            let end = first + comptime!(blueprint.share());
            siblings.whole = compose_units(segment, first, end, mail, blueprint);
            ascend(&mut siblings, &lane.plane, plane);
        }
    }
    if comptime!(blueprint.crosses_planes()) {
        let mut products = lane.products;
        if (lane.plane.position == 0) & (UNIT_POS < comptime!(blueprint.lanes().units)) {
            put_transfer(&mut products, siblings.whole, lane.own, comptime!(blueprint.one_unit_a_plane()));
        }
    }
    sync_cube();
    siblings
}

/// The transfer matrix of the units from `first` to before `end`.
#[cube]
fn compose_units(
    segment: &Segment,
    first: u32,
    end: u32,
    mail: &SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) -> Transfer {
    let mut block = get_transfer(mail, place_of(first, blueprint), blueprint);
    for unit in first + 1..end {
        let next = get_transfer(mail, place_of(unit, blueprint), blueprint);
        block = compose(block, segment.couplings[unit as usize], next);
    }
    block
}

/// Replaces the matrices of this lane's units by their states, from those at the edges of the lane.
#[cube]
fn carry_through_share(
    row: &Segment,
    left: Pair,
    right: Pair,
    mail: &mut SharedMemory<f32>,
    #[comptime] blueprint: Blueprint,
) {
    let share = comptime!(blueprint.share());
    let first = UNIT_POS * share;
    let mut lefts = Array::<f32>::new(comptime!(4 * share as usize));
    let mut left = left;
    #[unroll]
    for index in 0..share {
        keep(&mut lefts, index, left);
        if comptime!(index + 1 < share) {
            let unit = first + index;
            let chunk = get_transfer(mail, place_of(unit, blueprint), blueprint);
            left = carry_right(chunk, row.couplings[unit as usize], left);
        }
    }
    let mut right = right;
    let mut k = row.coupling_before(row.position + 1, comptime!(blueprint.lanes()));
    #[unroll]
    for back in 0..share {
        let index = comptime!(share - 1 - back);
        let unit = first + index;
        let place = place_of(unit, blueprint);
        let chunk = get_transfer(mail, place, blueprint);
        put_pairs(mail, kept(&lefts, index), right, place, blueprint);
        if comptime!(index > 0) {
            right = carry_left(chunk, k, right);
            k = row.couplings[unit as usize];
        }
    }
}

/// Where the matrix of a unit is put: a lane reads its own in turn, neighbouring lanes from neighbouring words, and
/// neighbouring units write to different banks.
#[cube]
fn place_of(unit: u32, #[comptime] blueprint: Blueprint) -> u32 {
    let share = comptime!(blueprint.share());
    let lanes = comptime!(blueprint.lanes().units);
    let index = unit % share;
    index * lanes + ((unit / share) ^ (index * comptime!(lanes / share)))
}
