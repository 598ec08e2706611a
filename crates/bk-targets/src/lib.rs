//! Where the name of a target becomes a Burn backend, and a case becomes a workload.
//!
//! This is the one crate in which the backends, the kernels and the harness meet, so it is the one that is
//! slow to compile: a change of the command line does not touch it.
//!
//! [`open`] gives the target of a name; [`BkCoreBenchmark`] measures one case from a Rust program.

mod bk_core;
mod gradients;
mod host;
mod library;
mod phase2;
mod platform;
mod registry;
mod target;
mod theta_phi;
mod vectors;

pub use library::{BenchmarkError, BkCoreBenchmark, BkCoreReport};
pub use registry::{crate_versions, known_targets, open};
pub use target::{Target, Unavailable};
