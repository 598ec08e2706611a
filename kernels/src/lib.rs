//! The diagonal of a tridiagonal resolvent, `G_ii = [(T - zI)^-1]_ii`, in O(N), as CubeCL kernels.
//!
//! One source serves CUDA, SPIR-V and WGSL. The algorithm is a scan of 2x2 transfer matrices in
//! projective form: determinants of leading and trailing blocks grow or shrink exponentially along the
//! chain, so only their ratios are kept, rescaled by exact powers of two.
//!
//! | file | content |
//! |---|---|
//! | `complex`, `projective`, `transfer` | the arithmetic: complex numbers, states, transfer matrices |
//! | `chunk`, `half`, `group`, `resolvent` | sweeps over sites in registers, the diagonal entry from two states |
//! | `span` | the sites whose entries a unit computes |
//! | `operands`, `place`, `tile`, `halo` | matrix entries in global and in shared memory |
//! | `register_chunk`, `transpose` | those of a chunk in registers, for drivers that give little shared memory |
//! | `exchange`, `butterfly` | the scan over the units of a cube |
//! | `kept` | states that the forward pass keeps for the backward pass |
//! | `routines` | the three algorithms and the choice between them |
//! | `gradient` | the backward pass |
//! | `launch`, `problem`, `options` | the entry point and its arguments |
//! | `reference`, `native`, `inputs`, `families`, `vectors` | float64 oracle, CPU scan, inputs (feature `cpu-reference`) |
//! | `theta_phi` | the original's unscaled recurrences, to show where they break (feature `cpu-reference`) |

mod blueprint;
mod butterfly;
mod chunk;
mod complex;
mod error;
mod exchange;
mod gradient;
mod group;
mod half;
mod halo;
mod kept;
mod launch;
mod operands;
mod options;
mod place;
mod problem;
mod projective;
mod register_chunk;
mod resolvent;
mod routines;
mod scan;
mod segment;
mod span;
mod tile;
mod transfer;
mod transpose;

pub use error::BkError;
pub use gradient::{BkGradientOperands, Cotangent, bk_core_backward, plan_backward};
pub use kept::kept_states;
pub use launch::{bk_core, plan_routine};
pub use options::{BkOptions, GradMode, NonFinite};
pub use problem::{BkOperands, BkProblem, Operand};
pub use routines::{Routine, Strategy};

#[cfg(feature = "cpu-reference")]
pub mod families;
#[cfg(feature = "cpu-reference")]
pub mod inputs;
#[cfg(feature = "cpu-reference")]
pub mod native;
#[cfg(feature = "cpu-reference")]
pub mod reference;
#[cfg(feature = "cpu-reference")]
pub mod theta_phi;
#[cfg(feature = "cpu-reference")]
pub mod vectors;
