//! The Hebbian recurrence in chunks, by matrix products.
//!
//! ```text
//! W_t = e^(-a_t) W_(t-1) + eta k_t v_t^T         y_t = W_t q_t
//!     = sum over s <= t of  e^-(c_t - c_s) eta k_s (v_s · q_t),    c the running sum of a
//! ```
//! is linear attention with one decay a token (RetNet, Mamba-2's state space duality, simple gated linear
//! attention). Inside a chunk of L tokens it is the masked product `((Q V^T) * decay) K`; between chunks
//! the state carries, and as there are few chunks, all states are one more product with a triangular matrix
//! of decays. The original walks over tokens in Python and detaches the state at each.
//!
//! Every decay is the exponential of minus a sum of some `a >= 0`, never a quotient of exponentials: nothing
//! overflows, and what underflows is negligible. Sums run over one chunk or, between chunks, over masked
//! totals, so no small difference of large sums is taken at any length.

use bk_burn::{BkBackend, Precision, matmul};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};

use crate::layers::to_dtype;

/// An exponent that means never.
const NEVER: f32 = -1e30;

/// What the memory is asked, and what it starts from.
#[derive(Debug, Clone)]
pub struct Recurrence<B: Backend> {
    /// Queries, keys and values, `[B, N, 3, H, E]`, in any float type.
    pub qkv: Tensor<B, 5>,
    /// `a_t >= 0`, `[B, N]`, in float32 or float64.
    pub decay: Tensor<B, 2>,
    /// Learning rate eta, `[1]`, in the type of `decay`.
    pub eta: Tensor<B, 1>,
    /// `W` before the first token, `[B, H, E, E]` with `W[i][j] = k_i v_j`; zero when absent.
    pub initial: Option<Tensor<B, 4>>,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Recall<B: Backend> {
    /// `y [B, N, H, E]`, in the type of `qkv`.
    pub output: Tensor<B, 4>,
    /// `W` after the last token, `[B, H, E, E]`, in the type of `decay`; where it was asked for.
    pub last: Option<Tensor<B, 4>>,
}

/// How a sequence is cut, with the masks of the cut: made once for all blocks.
#[derive(Debug, Clone)]
pub struct ChunkPlan<B: Backend> {
    n: usize,
    chunk_len: usize,
    chunks: usize,
    /// 0 where a token may see another of its chunk, [`NEVER`] elsewhere; `[1, L, L]`.
    within: Tensor<B, 3>,
    /// 0 where the state before a chunk has seen another chunk, [`NEVER`] elsewhere; `[1, C + 1, C]`.
    before: Tensor<B, 3>,
    /// 1 where the decay of the chunk before lies between; `[1, C + 1, C]`.
    between: Tensor<B, 3>,
}

impl<B: Backend> ChunkPlan<B> {
    /// For `n` tokens in chunks of `chunk_len`; decays have the type `wide`.
    pub fn new(n: usize, chunk_len: usize, device: &B::Device, wide: DType) -> Self {
        let chunk_len = chunk_len.min(n);
        let chunks = n.div_ceil(chunk_len);
        let mask = |rows: usize, columns: usize, below: usize, [kept, other]: [f32; 2]| {
            let entry = |row, column| if row >= column + below { kept } else { other };
            let values: Vec<f32> =
                (0..rows).flat_map(|row| (0..columns).map(move |column| entry(row, column))).collect();
            Tensor::from_data(TensorData::new(values, [1, rows, columns]), (device, wide))
        };
        Self {
            n,
            chunk_len,
            chunks,
            within: mask(chunk_len, chunk_len, 0, [0.0, NEVER]),
            before: mask(chunks + 1, chunks, 1, [0.0, NEVER]),
            between: mask(chunks + 1, chunks, 2, [1.0, 0.0]),
        }
    }
}

/// Runs the recurrence as planned; how it is cut changes rounding alone.
///
/// # Panics
/// When the plan is for another length.
pub fn recall<B: BkBackend>(
    recurrence: Recurrence<B>,
    plan: &ChunkPlan<B>,
    want_last: bool,
    precision: Precision,
) -> Recall<B> {
    let [batch, n, _, heads, width] = recurrence.qkv.dims();
    assert!(n == plan.n, "recall: a plan for {} tokens, and {n} are given", plan.n);
    let sizes = Sizes { batch, chunks: plan.chunks, chunk_len: plan.chunk_len, heads, width };
    Chunks::new(recurrence, sizes, plan.clone(), precision).run(n, want_last)
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    chunks: usize,
    chunk_len: usize,
    heads: usize,
    width: usize,
}

impl Sizes {
    /// Matrices of all chunks and heads.
    fn matrices(&self) -> usize {
        self.batch * self.chunks * self.heads
    }
}

/// The recurrence cut into chunks; padding at the end has no keys and no decay, so it changes nothing.
struct Chunks<B: Backend> {
    sizes: Sizes,
    plan: ChunkPlan<B>,
    precision: Precision,
    /// Each `[B·C·H, L, E]`.
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    /// Sums of decays up to a token within its chunk, `[B, C, L]`.
    sums: Tensor<B, 3>,
    eta: Tensor<B, 1>,
    initial: Option<Tensor<B, 4>>,
}

impl<B: BkBackend> Chunks<B> {
    fn new(recurrence: Recurrence<B>, sizes: Sizes, plan: ChunkPlan<B>, precision: Precision) -> Self {
        let Recurrence { qkv, decay, eta, initial } = recurrence;
        let Sizes { batch, chunks, chunk_len, heads, width } = sizes;
        let rows = sizes.matrices();
        let padded = chunks * chunk_len;
        let qkv = pad(qkv, padded)
            .reshape([batch, chunks, chunk_len, 3, heads, width])
            .permute([3, 0, 1, 4, 2, 5])
            .reshape([3 * rows, chunk_len, width]);
        let part = |part: usize| qkv.clone().narrow(0, part * rows, rows);
        let (q, k, v) = (part(0), part(1), part(2));
        let sums = pad(decay, padded).reshape([batch, chunks, chunk_len]).cumsum(2);
        Self { sizes, plan, precision, q, k, v, sums, eta, initial }
    }

    fn run(self, n: usize, want_last: bool) -> Recall<B> {
        let Sizes { batch, chunks, chunk_len, heads, width } = self.sizes;
        let mut output = self.within();
        let carries = chunks > 1 || self.initial.is_some();
        let mut last = None;
        if carries || want_last {
            let states = self.states();
            if carries {
                output = output + self.across(states.clone().slice([0..batch, 0..chunks]));
            }
            let end = states.slice([0..batch, chunks..chunks + 1]);
            last = want_last.then(|| end.reshape([batch, heads, width, width]).swap_dims(2, 3));
        }
        let output = output
            .reshape([batch, chunks, heads, chunk_len, width])
            .permute([0, 1, 3, 2, 4])
            .reshape([batch, chunks * chunk_len, heads, width])
            .slice([0..batch, 0..n]);
        Recall { output, last }
    }

    /// What tokens of the same chunk give: `((Q V^T) * decay) K`, `[B·C·H, L, E]`.
    fn within(&self) -> Tensor<B, 3> {
        let Sizes { batch, chunks, chunk_len, heads, .. } = self.sizes;
        let to = self.sums.clone().reshape([batch, chunks, chunk_len, 1]);
        let from = self.sums.clone().reshape([batch, chunks, 1, chunk_len]);
        let bias = self.plan.within.clone().reshape([1, 1, chunk_len, chunk_len]);
        let decay: Tensor<B, 4> = (from - to + bias).exp() * self.eta.clone().reshape([1, 1, 1, 1]);
        let decay = to_dtype(decay, self.q.dtype()).reshape([batch * chunks, 1, chunk_len, chunk_len]);
        let scores = matmul(self.q.clone(), self.v.clone().swap_dims(1, 2), self.precision).reshape([
            batch * chunks,
            heads,
            chunk_len,
            chunk_len,
        ]);
        let weights = (scores * decay).reshape([self.sizes.matrices(), chunk_len, chunk_len]);
        matmul(weights, self.k.clone(), self.precision)
    }

    /// `W^T` before each chunk and after the last, `[B, C + 1, H·E·E]`.
    fn states(&self) -> Tensor<B, 3> {
        let Sizes { batch, chunks, chunk_len, heads, width } = self.sizes;
        let cells = heads * width * width;
        let ends = self.sums.clone().slice([0..batch, 0..chunks, chunk_len - 1..chunk_len]);
        let to_end = self.per_token((self.sums.clone() - ends.clone()).exp());
        let added = matmul((self.v.clone() * to_end).swap_dims(1, 2), self.k.clone(), self.precision);
        let added = to_dtype(added, self.sums.dtype()).reshape([batch, chunks, cells]);

        // Row j: what is left of each chunk's addition before chunk j.
        let ends = ends.reshape([batch, chunks, 1]);
        let start = ends.clone().slice([0..batch, 0..1]).zeros_like();
        let totals = Tensor::cat(vec![start, ends], 1);
        let passed = (totals.clone() * self.plan.between.clone()).cumsum(1);
        let decay = (self.plan.before.clone() - passed).exp() * self.eta.clone().reshape([1, 1, 1]);
        let mut states = matmul(decay, added, self.precision);
        if let Some(initial) = &self.initial {
            let initial = initial.clone().swap_dims(2, 3).reshape([batch, 1, cells]);
            states = states + (-totals.cumsum(1)).exp() * initial;
        }
        states
    }

    /// What the state before a chunk gives its tokens: `(Q * decay) W^T`, `[B·C·H, L, E]`.
    fn across(&self, states: Tensor<B, 3>) -> Tensor<B, 3> {
        let Sizes { width, .. } = self.sizes;
        let states = to_dtype(states, self.q.dtype()).reshape([self.sizes.matrices(), width, width]);
        let since_start = self.per_token((-self.sums.clone()).exp());
        matmul(self.q.clone() * since_start, states, self.precision)
    }

    /// `[B, C, L]` as `[B·C·H, L, 1]`, the same for all heads, in the type of the queries.
    fn per_token(&self, tensor: Tensor<B, 3>) -> Tensor<B, 3> {
        let Sizes { batch, chunks, chunk_len, heads, .. } = self.sizes;
        to_dtype(tensor, self.q.dtype())
            .reshape([batch * chunks, 1, chunk_len, 1])
            .expand([batch * chunks, heads, chunk_len, 1])
            .reshape([self.sizes.matrices(), chunk_len, 1])
    }
}

/// Zeros behind `[B, N, ..]` up to `length`.
fn pad<B: Backend, const D: usize>(tensor: Tensor<B, D>, length: usize) -> Tensor<B, D> {
    let mut shape = tensor.dims();
    if shape[1] == length {
        return tensor;
    }
    shape[1] = length - shape[1];
    let zeros = Tensor::zeros(shape, (&tensor.device(), tensor.dtype()));
    Tensor::cat(vec![tensor, zeros], 1)
}
