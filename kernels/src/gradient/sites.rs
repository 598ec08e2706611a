//! Consecutive sites in registers: the matrix and the cotangent.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::{Complex, choose};
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::chunk::{GradientChunk, GradientChunkExpand};
use crate::gradient::operands::CotangentLayout;
use crate::group::Group;
use crate::half::Half;
use crate::operands::Operands;
use crate::place::Place;
use crate::register_chunk::fetch;
use crate::routines::multi_cube::group_from_memory;
use crate::transpose::Mover;

/// `h` at consecutive sites.
#[derive(CubeType)]
pub(crate) struct Cotangents {
    pub(crate) re: Array<f32>,
    pub(crate) im: Array<f32>,
}

#[cube]
impl Cotangents {
    /// Of no sites yet.
    pub(crate) fn new(#[comptime] sites: u32) -> Cotangents {
        Cotangents {
            re: Array::<f32>::new(comptime!(sites as usize)),
            im: Array::<f32>::new(comptime!(sites as usize)),
        }
    }

    pub(crate) fn at(&self, #[comptime] index: u32) -> Complex {
        Complex::new(self.re[comptime!(index as usize)], self.im[comptime!(index as usize)])
    }

    pub(crate) fn set(&mut self, #[comptime] index: u32, h: Complex) {
        self.re[comptime!(index as usize)] = h.re;
        self.im[comptime!(index as usize)] = h.im;
    }
}

/// Half a chunk.
#[derive(CubeType)]
pub(crate) struct HalfSites {
    pub(crate) matrix: Half,
    pub(crate) h: Cotangents,
}

#[cube]
impl HalfSites {
    /// No sites yet.
    pub(crate) fn new(uniform_im: f32, #[comptime] blueprint: Blueprint) -> HalfSites {
        HalfSites {
            matrix: Half::new(uniform_im, blueprint),
            h: Cotangents::new(comptime!(blueprint.half())),
        }
    }

    /// Reads the sites that this unit moves.
    pub(crate) fn fetch<V: Size>(
        &mut self,
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        layout: CotangentLayout,
        mover: Mover,
        full: bool,
        #[comptime] blueprint: Blueprint,
    ) {
        fetch(&mut self.matrix, operands, mover, full, blueprint);
        if full {
            #[unroll]
            for round in 0..blueprint.half() {
                let at = mover.place_of(round, blueprint);
                let pair = cotangent[at.row * layout.row_stride + at.site * layout.site_stride];
                self.h.set(round, Complex::new(pair[0], -pair[1]));
            }
        } else {
            #[unroll]
            for round in 0..blueprint.half() {
                let place = mover.place_of(round, blueprint);
                let at = place.nearest(operands, blueprint);
                let pair = cotangent[at.row * layout.row_stride + at.site * layout.site_stride];
                let inside = place.is_inside(operands, blueprint);
                self.h.set(round, choose(inside, Complex::new(pair[0], -pair[1]), Complex::zero()));
            }
        }
    }

    /// What this unit has read goes to the units that work on it. Every unit of the cube must call this together.
    pub(crate) fn pass_to_owner(
        &mut self,
        mover: Mover,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        mover.to_owner(&mut self.matrix.re, mail, blueprint);
        if comptime!(blueprint.complex_diagonal) {
            mover.to_owner(&mut self.matrix.im, mail, blueprint);
        }
        mover.to_owner(&mut self.matrix.couplings, mail, blueprint);
        mover.to_owner(&mut self.h.re, mail, blueprint);
        mover.to_owner(&mut self.h.im, mail, blueprint);
    }

    /// The results in the place of the entries go to the units that write them. Every unit of the cube must call this together.
    pub(crate) fn results_to_mover(
        &mut self,
        mover: Mover,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        mover.to_mover(&mut self.matrix.re, mail, blueprint);
        if comptime!(blueprint.complex_diagonal) {
            mover.to_mover(&mut self.matrix.im, mail, blueprint);
        }
        mover.to_mover(&mut self.matrix.couplings, mail, blueprint);
    }
}

/// `GROUP` consecutive sites.
#[derive(CubeType)]
pub(crate) struct Sites {
    matrix: Group,
    h: Cotangents,
}

#[cube]
impl Sites {
    /// Group `group` of this unit's chunk. The matrix is read from global memory, since the chunk may hold results
    /// already.
    pub(crate) fn read<C: GradientChunk>(
        chunk: &C,
        operands: &Operands,
        place: Place,
        group: u32,
        #[comptime] blueprint: GradientBlueprint,
    ) -> Sites {
        let (row, site) = site_of_group(place, group, blueprint);
        Sites {
            matrix: group_from_memory(operands, row, site, comptime!(blueprint.base)),
            h: chunk.cotangents(group, blueprint),
        }
    }

    pub(crate) fn diagonal(&self, #[comptime] index: u32) -> Complex {
        self.matrix.diagonal(index)
    }

    pub(crate) fn cotangent(&self, #[comptime] index: u32) -> Complex {
        self.h.at(index)
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
