//! States that a forward pass keeps for the backward pass: those at the edges of chunks of [`KEPT_CHUNK`] sites.
//!
//! With them the backward pass need not scan the states again. They are half a float a site, where the inputs are three.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::Complex;
use crate::error::BkError;
use crate::operands::Operands;
use crate::options::BkOptions;
use crate::problem::{BkOperands, BkProblem, check_buffer};
use crate::projective::Pair;
use crate::routines::{Routine, Strategy};
use crate::tile::Place;

/// Sites between two kept states.
pub(crate) const KEPT_CHUNK: u32 = 16;
/// Floats of a chunk: the left state before it, the right state after it.
const FLOATS: usize = 8;

/// Shape of the states that [`bk_core`](crate::bk_core) can keep for [`bk_core_backward`](crate::bk_core_backward) with the
/// same options and strategy, `[B, 8, ceil(N / 16)]` float32; `None` where the one keeps none, or the other has no use for them.
pub fn kept_states(problem: &BkProblem, options: &BkOptions, strategy: &Strategy) -> Option<[usize; 3]> {
    let is_exact = options.gradient.blend_weight().is_none();
    let has_edges = strategy.routine != Some(Routine::Serial)
        && strategy.chunk.is_none_or(|chunk| chunk.is_multiple_of(KEPT_CHUNK));
    // What is at the edges of a row is no secret.
    let has_several = problem.n > KEPT_CHUNK as usize;
    (is_exact && has_edges && has_several)
        .then(|| [problem.batch, FLOATS, problem.n.div_ceil(KEPT_CHUNK as usize)])
}

/// Floats of the states of a call, 0 without any.
///
/// # Errors
/// [`BkError`] where these options and this strategy have none, or the buffer is too short.
pub(crate) fn check_states(
    operands: &BkOperands,
    problem: &BkProblem,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<usize, BkError> {
    let Some(states) = &operands.states else { return Ok(0) };
    let Some(shape) = kept_states(problem, options, strategy) else {
        let routine = strategy.routine.map_or("auto", Routine::name);
        let reason = format!(
            "no states are kept between the passes; that takes exact gradients, rows of more than {KEPT_CHUNK} sites, \
             another routine than `serial`, and chunks of 16 or 32 sites"
        );
        return Err(BkError::Strategy { routine, reason });
    };
    let floats = shape.into_iter().fold(1, usize::saturating_mul);
    check_buffer("states", states, floats)?;
    Ok(floats)
}

/// The kept states of a unit's row.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct KeptRow {
    /// Index of the row's first float.
    first: usize,
    /// Chunks of a row.
    chunks: usize,
    /// Chunks of this row: none where it is beyond the batch.
    inside: usize,
    /// The tile's first chunk.
    pub(crate) tile: usize,
}

#[cube]
impl KeptRow {
    pub(crate) fn new(operands: &Operands, place: Place, #[comptime] blueprint: Blueprint) -> KeptRow {
        let row = place.row + (UNIT_POS / blueprint.units_per_row) as usize;
        let chunks = operands.n.div_ceil(comptime!(KEPT_CHUNK as usize));
        KeptRow {
            first: row * comptime!(FLOATS) * chunks,
            chunks,
            inside: select(row < operands.batch, chunks, 0usize),
            tile: place.site / comptime!(KEPT_CHUNK as usize),
        }
    }

    /// Keeps the left state before a chunk of the tile.
    pub(crate) fn keep_left(self, states: &mut Array<f32>, chunk: u32, state: Pair) {
        self.write(states, chunk, 0u32, state);
    }

    /// Keeps the right state after it.
    pub(crate) fn keep_right(self, states: &mut Array<f32>, chunk: u32, state: Pair) {
        self.write(states, chunk, 4u32, state);
    }

    /// The left state before a chunk of the row; before the last where the chunk is beyond it.
    pub(crate) fn left(self, states: &Array<f32>, chunk: usize) -> Pair {
        self.read(states, chunk, 0u32)
    }

    /// The right state after it, likewise.
    pub(crate) fn right(self, states: &Array<f32>, chunk: usize) -> Pair {
        self.read(states, chunk, 4u32)
    }

    /// Word by word rather than chunk by chunk, so that neighbouring units use neighbouring words.
    fn write(self, states: &mut Array<f32>, chunk: u32, #[comptime] word: u32, state: Pair) {
        let chunk = self.tile + chunk as usize;
        if chunk < self.inside {
            let base = self.first + comptime!(word as usize) * self.chunks + chunk;
            states[base] = state.x.re;
            states[base + self.chunks] = state.x.im;
            states[base + 2 * self.chunks] = state.y.re;
            states[base + 3 * self.chunks] = state.y.im;
        }
    }

    fn read(self, states: &Array<f32>, chunk: usize, #[comptime] word: u32) -> Pair {
        // A row beyond the batch reads the first one's.
        let first = select(self.inside == 0, 0usize, self.first);
        let base = first
            + comptime!(word as usize) * self.chunks
            + select(chunk < self.chunks, chunk, self.chunks - 1);
        Pair::new(
            Complex::new(states[base], states[base + self.chunks]),
            Complex::new(states[base + 2 * self.chunks], states[base + 3 * self.chunks]),
        )
    }
}
