//! Consecutive sites in registers: the matrix and the cotangent.

use cubecl::prelude::*;

use crate::blueprint::GROUP;
use crate::complex::Complex;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::tile::GradientTile;
use crate::group::Group;
use crate::operands::Operands;
use crate::place::Place;
use crate::routines::multi_cube::group_from_memory;
use crate::tile::chunk_slot;

/// `GROUP` consecutive sites.
#[derive(CubeType)]
pub(crate) struct Sites {
    matrix: Group,
    h_re: Array<f32>,
    h_im: Array<f32>,
}

#[cube]
impl Sites {
    /// Group `group` of this unit's chunk. The matrix is read from global memory, since the tile may hold results
    /// already.
    pub(crate) fn read(
        tile: &GradientTile,
        operands: &Operands,
        place: Place,
        group: u32,
        #[comptime] blueprint: GradientBlueprint,
    ) -> Sites {
        let (row, site) = site_of_group(place, group, blueprint);
        let slot = chunk_slot(UNIT_POS, comptime!(blueprint.base)) + group * GROUP;
        let mut h_re = Array::<f32>::new(comptime!(GROUP as usize));
        let mut h_im = Array::<f32>::new(comptime!(GROUP as usize));
        #[unroll]
        for index in 0..GROUP {
            let h = tile.cotangent(slot + index);
            h_re[comptime!(index as usize)] = h.re;
            h_im[comptime!(index as usize)] = h.im;
        }
        Sites { matrix: group_from_memory(operands, row, site, comptime!(blueprint.base)), h_re, h_im }
    }

    pub(crate) fn diagonal(&self, #[comptime] index: u32) -> Complex {
        self.matrix.diagonal(index)
    }

    pub(crate) fn cotangent(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.h_re[comptime!(index as usize)], self.h_im[comptime!(index as usize)])
    }

    pub(crate) fn coupling_after(&self, #[comptime] index: u32) -> f32 {
        self.matrix.coupling_after(index)
    }

    pub(crate) fn coupling_before(&self, #[comptime] index: u32) -> f32 {
        self.matrix.coupling_before(index)
    }
}

/// Row and first site of group `group` of this unit's chunk.
#[cube]
pub(crate) fn site_of_group(
    place: Place,
    group: u32,
    #[comptime] blueprint: GradientBlueprint,
) -> (usize, usize) {
    let units = comptime!(blueprint.base.units_per_row);
    let site = (UNIT_POS % units) * comptime!(blueprint.base.chunk) + group * GROUP;
    (place.row + (UNIT_POS / units) as usize, place.site + site as usize)
}
