//! The units that share a row, and the couplings between their chunks.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;

/// The row of a unit, or, where a lane has several units, of a lane.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Segment {
    /// Index of the row's first lane in the cube.
    pub(crate) first: u32,
    /// Index of this lane in the row.
    pub(crate) position: u32,
    /// Units of a lane.
    pub(crate) share: u32,
    /// Coupling on the left of the row's first chunk.
    pub(crate) first_coupling: f32,
    /// Coupling on the right of the row's last chunk.
    pub(crate) last_coupling: f32,
    /// Coupling on the left of each unit's chunk.
    pub(crate) couplings: SharedMemory<f32>,
}

#[cube]
impl Segment {
    /// A row whose lanes are the units of the cube, and beyond whose ends is nothing.
    pub(crate) fn of_units(couplings: SharedMemory<f32>) -> Segment {
        Segment {
            first: 0u32.runtime(),
            position: UNIT_POS,
            share: 1u32.runtime(),
            first_coupling: 0.0f32.runtime(),
            last_coupling: 0.0f32.runtime(),
            couplings,
        }
    }

    /// The coupling on the left of the row's lane `position`, which may be one past the last of `blueprint`'s row.
    pub(crate) fn coupling_before(&self, position: u32, #[comptime] blueprint: Blueprint) -> f32 {
        let last = comptime!(blueprint.units_per_row - 1);
        let inside = self.couplings[((self.first + min(position, last)) * self.share) as usize];
        let right = select(position > last, self.last_coupling, inside);
        select(position == 0, self.first_coupling, right)
    }

    /// Index of this lane in the cube.
    pub(crate) fn lane(&self) -> u32 {
        self.first + self.position
    }

    /// The coupling between this lane's block of `mask` lanes and its sibling.
    pub(crate) fn coupling_between(&self, mask: u32) -> f32 {
        let begin = self.position - (self.position & (2 * mask - 1));
        self.couplings[((self.first + begin + mask) * self.share) as usize]
    }

    /// Whether this lane's block of `2^level` lanes is the right one of two siblings.
    pub(crate) fn is_right(&self, level: u32) -> bool {
        ((self.position >> level) & 1) == 1
    }
}
