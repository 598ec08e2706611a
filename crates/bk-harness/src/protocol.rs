//! What a worker and its parent say to each other: one JSON object a line.
//!
//! The worker opens with [`Event::Hello`] or [`Event::Unavailable`]. Its [`Role`] says what it can be asked:
//!
//! ```text
//! Role::Worker   makes inputs, proof and statistics itself: `bkbench worker`
//!     run ─▶             ◀─ phase*  result
//!     verify_vectors ─▶  ◀─ vectors
//!     verify_phase2 ─▶   ◀─ parity
//!     export_phase2 ─▶   ◀─ exported
//! Role::Engine   computes and times; inputs, proof and statistics are its parent's: the programs of `peers/`
//!     prepare ─▶         ◀─ phase*  prepared, or result (skipped, failed)
//!         the parent compares the output with the float64 oracle; a wrong one is never timed
//!     measure ─▶         ◀─ phase*  sampled, or result (skipped, failed)
//!         the parent compares the output of the last timed launch as well
//! ```
//! Standard output carries the protocol alone; everything else goes to standard error. The program ends at
//! [`Request::Exit`] or at the end of its input.
//!
//! Tensors go through files in the [safetensors](https://github.com/huggingface/safetensors) format, little
//! endian, float32, row-major. Inputs: `a_re` `[B, N]`, `a_im` `[B, N]` where the diagonal is complex, `b` and
//! `c` `[B, N-1]` or `[1, N-1]` (`N-1` may be 0), `z` `[2]`. Output: `g` `[B, N, 2]`, (Re, Im) of
//! `[(T - zI)^-1]_ii`, where `T` has the diagonal `a`, the super-diagonal `b` and the sub-diagonal `c`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{Case, ElementType, Strategy};
use crate::device::DeviceInfo;
use crate::outcome::{CacheState, Clock, Outcome};
use crate::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use crate::vectors::VectorsOutcome;

/// Version of the messages below; a parent refuses a worker of another version.
pub const PROTOCOL_VERSION: u32 = 2;

/// Parent to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Run one case, from its inputs to its result. For [`Role::Worker`].
    Run {
        /// The case.
        case: Box<Case>,
    },
    /// Load the inputs of a case and compute it once. For [`Role::Engine`]; answered by [`Event::Prepared`].
    Prepare {
        /// The case.
        case: Box<Case>,
        /// File of the inputs.
        inputs: PathBuf,
        /// File to write the output to, whole; it does not exist yet.
        output: PathBuf,
        /// Copies of the inputs that the timed launches take in turn, each in memory of its own, so that no
        /// launch finds them in the cache; 1 on a CPU.
        input_sets: usize,
    },
    /// Time the case that was prepared last. For [`Role::Engine`]; answered by [`Event::Sampled`], once the output
    /// of the last timed launch is in the output file, which again does not exist yet.
    Measure {
        /// Id of the case.
        case: String,
    },
    /// Check the target against test vectors; answered by one [`Event::Vectors`]. For [`Role::Worker`].
    VerifyVectors {
        /// Folder of the vectors; those built into the worker when absent.
        dir: Option<PathBuf>,
        /// Algorithm to force.
        strategy: Strategy,
    },
    /// Check the Phase 2 model against files of weights and expectations; answered by one
    /// [`Event::Parity`].
    VerifyPhase2 {
        /// The files; those built into the worker when there are none.
        files: Vec<PathBuf>,
        /// Type of the weights.
        dtype: ElementType,
        /// Rounding of float32 matrix products.
        precision: MatmulPrecision,
    },
    /// Write weights of the Phase 2 model; answered by one [`Event::Exported`].
    ExportPhase2 {
        /// Where they are from.
        source: ExportSource,
        /// The file, safetensors.
        file: PathBuf,
    },
    /// End.
    Exit,
}

/// Worker to parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The target is there.
    Hello {
        /// [`PROTOCOL_VERSION`].
        protocol: u32,
        /// What it can be asked.
        role: Role,
        /// Program that speaks: `bkbench`, `jax`, ...
        engine: String,
        /// Where it runs.
        device: Box<DeviceInfo>,
        /// Versions of what computes: crate or package to version.
        versions: BTreeMap<String, String>,
    },
    /// The target is not there; the worker ends.
    Unavailable {
        /// [`PROTOCOL_VERSION`].
        protocol: u32,
        /// What is missing and how to get it.
        reason: String,
    },
    /// A case went into its next phase.
    Phase {
        /// Id of the case.
        case: String,
        /// Where it is.
        phase: Phase,
    },
    /// The output of the first launch is in its file.
    Prepared {
        /// Id of the case.
        case: String,
        /// Seconds of the first launch on inputs that are on the device: compilation and autotune included.
        first_launch_seconds: f64,
    },
    /// The case is timed, and the output of its last launch is in its file.
    Sampled {
        /// Id of the case.
        case: String,
        /// What was read.
        times: Box<EngineTimes>,
    },
    /// A case ended. An engine may only say that it was skipped or failed: `measured` and `invalid` are for
    /// its parent to say.
    Result {
        /// Id of the case.
        case: String,
        /// How.
        outcome: Box<Outcome>,
    },
    /// The check against test vectors ended.
    Vectors {
        /// How.
        outcome: VectorsOutcome,
    },
    /// The check of the Phase 2 model ended.
    Parity {
        /// How.
        outcome: ParityOutcome,
    },
    /// The export ended.
    Exported {
        /// How.
        outcome: ExportOutcome,
    },
}

/// Who is responsible for proof and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The program itself.
    Worker,
    /// Its parent: the program computes and reads clocks.
    Engine,
}

/// What an engine read from its clocks. No statistics: the parent makes them as it does for its own targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineTimes {
    /// Launches before the first sample.
    pub warmup_runs: u32,
    /// Seconds spent on them.
    pub warmup_seconds: f64,
    /// Whether launch times had settled.
    pub settled: bool,
    /// Whether inputs came from memory.
    pub cache: CacheState,
    /// Bytes a second, read plus written, of a plain copy on the same device in the same process.
    pub copy_bytes_per_second: Option<f64>,
    /// One entry a clock, at least one; the first is the case's own.
    pub timings: Vec<EngineTiming>,
}

/// Samples of one clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineTiming {
    /// What was read.
    pub clock: Clock,
    /// Seconds a launch, in the order in which they were taken.
    pub samples: Vec<f64>,
    /// Whether every launch waited on the device before it began, so that the time to issue it is not in it.
    pub issue_hidden: bool,
    /// Seconds that the host takes to issue a launch, where that is known.
    pub issue_seconds: Option<f64>,
    /// Seconds that a synchronised call costs beyond its launches, for `launch_regression`.
    pub overhead_seconds: Option<f64>,
}

/// Phases of a case, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Inputs are made.
    Prepare,
    /// The output is compared with the oracle.
    Verify,
    /// Compilation, autotune, clocks.
    WarmUp,
    /// The timed launches.
    Sample,
}
