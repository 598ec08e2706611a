//! What a worker and its parent say to each other: one JSON object a line.
//!
//! The worker opens with [`Event::Hello`] or [`Event::Unavailable`]; then each [`Request::Run`] is
//! answered by any number of [`Event::Phase`] and one [`Event::Result`], and each
//! [`Request::VerifyVectors`] by one [`Event::Vectors`], [`Request::VerifyPhase2`] by one [`Event::Parity`],
//! [`Request::ExportPhase2`] by one [`Event::Exported`]. Standard output carries the
//! protocol alone; everything else goes to standard error. A worker ends at [`Request::Exit`] or at the
//! end of its input.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{Case, ElementType, Strategy};
use crate::device::DeviceInfo;
use crate::outcome::Outcome;
use crate::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use crate::vectors::VectorsOutcome;

/// Version of the messages below; a parent refuses a worker of another version.
pub const PROTOCOL_VERSION: u32 = 1;

/// Parent to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Run one case.
    Run {
        /// The case.
        case: Box<Case>,
    },
    /// Check the target against test vectors; answered by one [`Event::Vectors`].
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
    /// A case ended.
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
