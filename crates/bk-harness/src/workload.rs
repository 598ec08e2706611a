//! The contract between the harness and the thing that it measures.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::numerics::Numerics;

/// Something that can be launched, waited for and checked.
///
/// A workload holds several input sets so that launches need not find their inputs in the cache. All
/// methods are called from one thread.
pub trait Workload {
    /// Bytes and operations that one launch cannot do without.
    fn work(&self) -> Work;

    /// Number of distinct input sets, at least 1, and whether they outgrow the cache.
    fn input_sets(&self) -> InputSets;

    /// Queues one execution on input set `set`, `0..input_sets().count`, without waiting for it.
    ///
    /// # Errors
    /// Only what is known at once; a failure on the device may show in [`Workload::synchronize`].
    fn launch(&mut self, set: usize) -> Result<(), Failure>;

    /// Waits until everything that was queued is done.
    ///
    /// # Errors
    /// Any launch since the last call that failed.
    fn synchronize(&mut self) -> Result<(), Failure>;

    /// Queues work that keeps the device busy for about `duration`, so that launches queued behind it
    /// are issued before the first one starts. Returns whether the device can do so.
    ///
    /// # Errors
    /// As [`Workload::launch`].
    fn queue_delay(&mut self, _duration: Duration) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Time of `launches` executions by the device's own clock, `None` where it has none.
    /// Execution `i` uses input set `(first_set + i) % count`.
    ///
    /// # Errors
    /// As [`Workload::synchronize`].
    fn device_time(&mut self, _first_set: usize, _launches: u32) -> Result<Option<Duration>, Failure> {
        Ok(None)
    }

    /// Bytes a second (read plus written) that a plain copy reaches on this device, where it was measured.
    fn copy_rate(&mut self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    /// Parts of a launch that can be executed one by one, in order; none by default.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    /// Queues one of [`Workload::parts`]; the caller goes through them in order.
    ///
    /// # Errors
    /// As [`Workload::launch`]; always for a workload without parts.
    fn launch_part(&mut self, part: Part) -> Result<(), Failure> {
        Err(Failure::Execution(format!("a launch has no part `{}`", part.name())))
    }

    /// Operations a second of a large matrix product on this device, where it was measured.
    ///
    /// # Errors
    /// As [`Workload::synchronize`].
    fn matrix_rate(&mut self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    /// Executes once on input set 0 with a poisoned output and compares with the float64 oracle.
    ///
    /// # Errors
    /// When the execution fails; a wrong result is no error but [`Numerics::rejected`].
    fn verify(&mut self) -> Result<Numerics, Failure>;
}

/// A part of a launch that is timed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// From the input to the loss.
    Forward,
    /// From the loss to the gradients.
    Backward,
}

impl Part {
    /// Name as written in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }
}

/// What one launch cannot do without: the floor of its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Elements (sites, tokens) processed.
    pub elements: u64,
    /// Bytes read, each input once.
    pub bytes_read: u64,
    /// Bytes written, each output once.
    pub bytes_written: u64,
    /// Floating-point operations.
    pub flops: u64,
}

/// The input sets of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSets {
    /// How many there are.
    pub count: usize,
    /// Whether a launch finds its inputs gone from the cache when every set is used in turn.
    pub exceed_cache: bool,
    /// Whether the device is a CPU, where inputs are not rotated.
    pub cpu: bool,
}

/// Why a case has no measurement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The case does not apply to this device.
    #[error("{0}")]
    Skip(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Execution(String),
}
