//! The Phase 2 model as a workload: tokens a second, and memory.
//!
//! ```text
//! model       a case becomes a configuration and tokens
//! launch      what a launch of each mode does
//! proof       the same weights on ndarray in float32: no proof, no number
//! throughput  a `Workload` of it        memory  a `MemoryWorkload` of it
//! ```

mod launch;
mod matrix_rate;
mod memory;
mod model;
mod proof;
mod throughput;

use std::cell::RefCell;
use std::collections::BTreeMap;

use bk_harness::case::{ElementType, Mode, Preset};
use bk_harness::numerics::Numerics;

pub(crate) use memory::MemoryOfModel;
pub(crate) use throughput::Throughput;

/// What was found out for one case and holds for others in the same process.
#[derive(Default)]
pub(crate) struct Known {
    proofs: RefCell<BTreeMap<(Preset, Mode, ElementType), Numerics>>,
    matrix_rates: RefCell<BTreeMap<ElementType, f64>>,
}
