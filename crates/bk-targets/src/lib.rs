//! Where the name of a target becomes a Burn backend, and a case becomes a workload.
//!
//! This is the one crate in which the backends, the kernels and the harness meet, so it is the one that is
//! slow to compile: a change of the command line does not touch it.
//!
//! [`open`] gives the target of a name; [`BkCoreBenchmark`], [`ThroughputBenchmark`] and
//! [`MemoryBenchmark`] measure one case from a Rust program.

mod bk_core;
mod element;
mod gradients;
mod half_precision;
mod host;
mod library;
#[cfg(feature = "ndarray")]
mod models;
mod phase2;
mod platform;
mod registry;
mod runtime;
mod target;
mod theta_phi;
mod vectors;

pub use library::{
    BenchmarkError, BkCoreBenchmark, BkCoreReport, MemoryBenchmark, MemoryReport, ThroughputBenchmark,
    ThroughputReport,
};
pub use registry::{crate_versions, known_targets, open};
pub use runtime::{RuntimeSetup, configure};
pub use target::{Target, Unavailable};
