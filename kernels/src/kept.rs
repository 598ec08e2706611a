//! States that a forward pass keeps for the backward pass: those at the edges of chunks of [`KEPT_CHUNK`] sites.
//!
//! With them the backward pass need not scan the states again. A state is kept as its entry that is not 1, and the lowest bit
//! of that entry's imaginary part tells which of the two it is: a quarter of a word a site. As bits, not
//! as floats: an imaginary part of 0 with that bit is a denormal number, which a device may flush to zero.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::{Complex, choose};
use crate::error::BkError;
use crate::operands::Operands;
use crate::options::BkOptions;
use crate::place::Place;
use crate::problem::{BkOperands, BkProblem, check_buffer};
use crate::projective::{Pair, choose_pair, has_second};
use crate::routines::{Routine, Strategy};

/// Sites between two kept states.
pub(crate) const KEPT_CHUNK: u32 = 16;
/// Words of a chunk: the left state before it, the right state after it.
const WORDS: usize = 4;
/// The lowest bit of a float.
const LOWEST: u32 = 1;
/// A quiet NaN.
const NAN: u32 = 0x7fc0_0000;

/// Shape of the states that [`bk_core`](crate::bk_core) can keep for [`bk_core_backward`](crate::bk_core_backward) with the
/// same options and strategy, `[B, 4, ceil(N / 16)]` words of 32 bits; `None` where the one keeps none, or the other has no use for them.
pub fn kept_states(problem: &BkProblem, options: &BkOptions, strategy: &Strategy) -> Option<[usize; 3]> {
    let is_exact = options.gradient.blend_weight().is_none();
    let has_edges = strategy.routine != Some(Routine::Serial)
        && strategy.chunk.is_none_or(|chunk| chunk.is_multiple_of(KEPT_CHUNK));
    // The states of a chunk that is all of its row are those at the ends of the row.
    let has_several = problem.n > KEPT_CHUNK as usize;
    (is_exact && has_edges && has_several)
        .then(|| [problem.batch, WORDS, problem.n.div_ceil(KEPT_CHUNK as usize)])
}

/// Words of the states of a call, 0 without any.
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
    let words = shape.into_iter().fold(1, usize::saturating_mul);
    check_buffer("states", states, words)?;
    Ok(words)
}

/// The kept states of a unit's row.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct KeptRow {
    /// Index of the row's first word.
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
            first: row * comptime!(WORDS) * chunks,
            chunks,
            inside: select(row < operands.batch, chunks, 0usize),
            tile: place.site / comptime!(KEPT_CHUNK as usize),
        }
    }

    /// Keeps the left state before a chunk of the tile.
    pub(crate) fn keep_left(self, states: &mut Array<u32>, chunk: u32, state: Pair) {
        self.write(states, chunk, 0u32, state);
    }

    /// Keeps the right state after it.
    pub(crate) fn keep_right(self, states: &mut Array<u32>, chunk: u32, state: Pair) {
        self.write(states, chunk, 2u32, state);
    }

    /// The left state before a chunk of the row; before the last where the chunk is beyond it.
    pub(crate) fn left(self, states: &Array<u32>, chunk: usize) -> Pair {
        self.read(states, chunk, 0u32)
    }

    /// The right state after it, likewise.
    pub(crate) fn right(self, states: &Array<u32>, chunk: usize) -> Pair {
        self.read(states, chunk, 2u32)
    }

    /// Whether the second entry of the left state is the one that is 1.
    pub(crate) fn left_has_second(self, states: &Array<u32>, chunk: usize) -> bool {
        is_marked(states[self.place(chunk, 1u32)])
    }

    /// Whether that of the right state is.
    pub(crate) fn right_has_second(self, states: &Array<u32>, chunk: usize) -> bool {
        is_marked(states[self.place(chunk, 3u32)])
    }

    /// Word by word rather than chunk by chunk, so that neighbouring units use neighbouring words.
    fn write(self, states: &mut Array<u32>, chunk: u32, #[comptime] word: u32, state: Pair) {
        let chunk = self.tile + chunk as usize;
        if chunk < self.inside {
            let second = has_second(state);
            let ratio = choose(second, state.x, state.y);
            // The zero pair of a matrix out of range has no entry that is 1.
            let is_nothing = state.x.is_zero() & state.y.is_zero();
            let re = select(is_nothing, comptime!(NAN).runtime(), u32::reinterpret(ratio.re));
            let base = self.first + comptime!(word as usize) * self.chunks + chunk;
            states[base] = re;
            states[base + self.chunks] = (u32::reinterpret(ratio.im) & comptime!(!LOWEST))
                | select(second, comptime!(LOWEST).runtime(), 0u32);
        }
    }

    fn read(self, states: &Array<u32>, chunk: usize, #[comptime] word: u32) -> Pair {
        let re = states[self.place(chunk, word)];
        let im = states[self.place(chunk, comptime!(word + 1))];
        let second = is_marked(im);
        let ratio = Complex::new(f32::reinterpret(re), f32::reinterpret(im & comptime!(!LOWEST)));
        choose_pair(second, Pair::new(ratio, Complex::one()), Pair::new(Complex::one(), ratio))
    }

    /// Index of a word of a chunk of the row; of the row's last where the chunk is beyond it, and of the first row where
    /// the row is beyond the batch.
    fn place(self, chunk: usize, #[comptime] word: u32) -> usize {
        let first = select(self.inside == 0, 0usize, self.first);
        let chunk = select(chunk < self.chunks, chunk, self.chunks - 1);
        first + comptime!(word as usize) * self.chunks + chunk
    }
}

#[cube]
fn is_marked(im: u32) -> bool {
    (im & comptime!(LOWEST)) != 0
}
