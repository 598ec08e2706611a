//! The chunk of a unit with its cotangent: what the backward pass asks of it, wherever it is kept.

use cubecl::prelude::*;

use crate::complex::Complex;
use crate::gradient::blueprint::GradientBlueprint;
use crate::gradient::fraction::{ChunkMaps, Sides};
use crate::gradient::operands::CotangentLayout;
use crate::gradient::sites::Cotangents;
use crate::gradient::write::Gradients;
use crate::operands::Operands;
use crate::place::Place;
use crate::projective::Pair;
use crate::transfer::Transfer;

/// The entries of a chunk and `h`, later its gradients. All but `load` and `store` are of this unit's chunk alone, and those that
/// tell whether their results can be relied on are for a chunk without a cut.
#[cube]
pub(crate) trait GradientChunk: Send + Sync + 'static {
    /// Loads the chunks of the cube. Every unit of the cube must call this together.
    fn load<V: Size>(
        operands: &Operands,
        cotangent: &Array<Vector<f32, V>>,
        layout: CotangentLayout,
        place: Place,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    ) -> Self;

    /// The coupling on the right of the chunk.
    fn coupling_after(&self, #[comptime] blueprint: GradientBlueprint) -> f32;

    /// Whether no coupling inside is exactly zero, but for its `padding`.
    fn is_whole(&self, padding: u32, #[comptime] blueprint: GradientBlueprint) -> bool;

    /// Its transfer matrix, and whether it is whole.
    fn summarise(
        &mut self,
        operands: &Operands,
        place: Place,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Transfer, bool);

    /// The states at its far edges from those at its near ones, canonical as these, and whether they can be relied on.
    fn sweep(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Pair, Pair, bool);

    /// Replaces `h` by what clip and zeroing pass on, between the states at its edges, and tells whether all can be relied on.
    fn finish(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        max_magnitude: f32,
        #[comptime] blueprint: GradientBlueprint,
    ) -> bool;

    /// Its affine maps between its two states; `right_second` and `left_second` are the scales of the states at its far edges.
    fn map(
        &mut self,
        before: f32,
        left: Pair,
        right: Pair,
        right_second: bool,
        left_second: bool,
        #[comptime] blueprint: GradientBlueprint,
    ) -> ChunkMaps;

    /// Puts the gradients in the place of the entries. Returns the sum of `S` over the chunk and whether all can be relied on.
    fn resolve(
        &mut self,
        before: f32,
        sides: &Sides,
        #[comptime] blueprint: GradientBlueprint,
    ) -> (Complex, bool);

    /// `h` of a group of its sites.
    fn cotangents(&self, group: u32, #[comptime] blueprint: GradientBlueprint) -> Cotangents;

    /// Replaces `h` of a site of a group.
    fn put_cotangent(
        &mut self,
        group: u32,
        #[comptime] index: u32,
        h: Complex,
        #[comptime] blueprint: GradientBlueprint,
    );

    /// Puts the gradients of a site of a group in the place of its entries.
    fn put(
        &mut self,
        group: u32,
        #[comptime] index: u32,
        s: Complex,
        kappa: f32,
        #[comptime] blueprint: GradientBlueprint,
    );

    /// Writes the wanted gradients. Every unit of the cube must call this together, after a barrier behind its own.
    fn store(
        &mut self,
        gradients: &mut Gradients,
        operands: &Operands,
        place: Place,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: GradientBlueprint,
    );
}
