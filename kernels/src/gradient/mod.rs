//! The backward pass: gradients of the diagonal entries by the diagonal, the couplings and `z`.
//!
//! With `h = conj(dL/dG)` of a real `L`, `S_j = sum_i h_i G_ij G_ji` and `kappa_j = dL/dk_j`,
//!
//! ```text
//! dL/da_j = -Re S_j + i Im S_j,  dL/dz = conj(sum_j S_j),  dL/db_j = c_j Re kappa_j,  dL/dc_j = b_j Re kappa_j
//! ```
//!
//! `G_ij G_ji` is a product along the chain, so the sums are first-order recursions, one from each side, in the scale of
//! the squares of the states of the forward pass. With `(D, n)` the left state before site `j`, `(U, m)` the right
//! state after it, and `u`, `t` what the sites on each side contribute, not yet over the coupling to `j`:
//!
//! ```text
//! x = k_{j-1} u,  p = x + h_j D^2         y = k_j t,  q = y + h_j U^2
//! V = d_j D - k_{j-1} n,                  den = V U - k_j D m,           (D, U, m, V)' = (D, U, m, V) / den
//! S_j = (p U') U' + (y D') D'             kappa_j = (p U') m' + (t D') V'
//! ```
//!
//! after which `u <- p` and `t <- q`, rescaled as the square of the state is. Nothing but the local determinant is
//! divided by. `u` and `t` over a chunk are affine maps, and a second scan composes them.
//!
//! A cut, `k_j = 0`, ends both sums; but `kappa_j` there is what a coupling would do, so the right state that crosses it
//! keeps its ratio: `(U, m) -> (1, m / U)`, `t -> t / U^2`.
//!
//! The states are scanned as in the forward pass, or taken from there where it has kept them (`crate::kept`).
//!
//! | file | content |
//! |---|---|
//! | `affine` | affine maps, their scan over the units of a cube |
//! | `chunk`, `staged`, `registers` | what is asked of a chunk, and the two places where it is kept: shared memory and registers |
//! | `tile`, `sites`, `write` | sites in shared memory and in registers; where the gradients go |
//! | `fraction`, `resolve` | the recursions in ratios of states, and the gradients of a chunk by them: nearly always |
//! | `running`, `careful` | the same in the projective form, for chunks with cuts, or pivots out of range |
//! | `cube`, `multi_cube` | a row within a cube; a row over several |
//! | `states` | the states at the edges of chunks, scanned or kept |
//! | `finish` | the derivative of clip and zeroing |
//! | `sums` | sums over the batch |
//! | `approximate` | the original's approximations |
//! | `blueprint`, `operands`, `launch` | layout, arguments, entry point |

mod affine;
mod approximate;
mod blueprint;
mod careful;
mod chunk;
mod cube;
mod finish;
mod fraction;
mod launch;
mod multi_cube;
mod operands;
mod registers;
mod resolve;
mod running;
mod sites;
mod staged;
mod states;
mod sums;
mod tile;
mod write;

pub use launch::{bk_core_backward, plan_backward};
pub use operands::{BkGradientOperands, Cotangent};
