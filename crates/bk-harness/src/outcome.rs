//! How a case ended, and what was measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::implementation;
use crate::case::Case;
use crate::memory::MemoryMeasurement;
use crate::numerics::Numerics;
use crate::workload::{Part, Work};

/// A case and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// What was asked for.
    pub case: Case,
    /// What came of it.
    pub outcome: Outcome,
}

impl CaseResult {
    /// Whether the result is wrong and was expected to be able to: its errors are what it is there for.
    pub fn is_reported(&self) -> bool {
        matches!(self.outcome, Outcome::Invalid { .. })
            && implementation(&self.case).is_some_and(|one| !one.must_be_right())
    }
}

/// The four ways in which a case ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Proven right and timed.
    Measured(Box<Measurement>),
    /// Does not apply here.
    Skipped {
        /// What is missing, or which rule excludes it.
        reason: String,
    },
    /// Tried, and did not work.
    Failed {
        /// The chain of errors.
        error: String,
    },
    /// Ran, but its result or its time cannot be true.
    Invalid {
        /// Which check it failed.
        why: String,
        /// Its errors, where they were computed.
        numerics: Option<Numerics>,
    },
}

/// Everything known of a case that was measured. Times in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Proof of correctness.
    pub numerics: Numerics,
    /// One entry a clock; the first is the one that the case's metrics use.
    pub timings: Vec<Timing>,
    /// From the first launch to its end: compilation and autotune included.
    pub first_launch_seconds: f64,
    /// The first launch after it: what a first result takes when nothing is compiled or tuned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_launch_seconds: Option<f64>,
    /// Parts of a launch, each timed between two synchronisations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartTiming>,
    /// Launches before the first sample.
    pub warmup_runs: u32,
    /// Time spent on them.
    pub warmup_seconds: f64,
    /// Whether inputs came from memory.
    pub cache: CacheState,
    /// The floor of bytes and operations.
    pub work: Work,
    /// Bytes a second of a plain copy on the same device in the same process.
    pub copy_bytes_per_second: Option<f64>,
    /// Operations a second of a large matrix product in the type of the case, on the same device in the
    /// same process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_flops_per_second: Option<f64>,
    /// Memory, where the case is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryMeasurement>,
    /// What looks odd: cause and remedy.
    pub warnings: Vec<Warning>,
}

/// The samples of a part of a launch, on the wall clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartTiming {
    /// Which part.
    pub part: Part,
    /// Seconds, in the order in which they were taken.
    pub samples: Vec<f64>,
    /// Their summary.
    pub statistics: Statistics,
}

/// The samples of one clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// What was read.
    pub clock: Clock,
    /// Seconds a launch, in the order in which they were taken.
    pub samples: Vec<f64>,
    /// Their summary.
    pub statistics: Statistics,
    /// Intercept of the regression: seconds that a synchronised call costs beyond the launches.
    pub overhead_seconds: Option<f64>,
    /// Whether launches were queued behind a delay, so that the host's issue time is not in them.
    pub issue_hidden: bool,
}

/// Where a time comes from. Times of different clocks are different quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Host time of one launch with the synchronisation after it.
    Wall,
    /// The device's own time stamps.
    DeviceTimestamp,
    /// Slope of the time of `k` launches between two synchronisations over `k`.
    LaunchRegression,
}

/// Summary of a set of samples, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statistics {
    /// Number of samples.
    pub count: u64,
    /// 50th percentile.
    pub median: f64,
    /// Lower end of the bootstrap 95 % interval of the median.
    pub median_low: f64,
    /// Upper end of it.
    pub median_high: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with Bessel's correction; 0 for a single sample.
    pub standard_deviation: f64,
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// 5th percentile.
    pub p5: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Samples beyond Tukey's outer fences (3 interquartile ranges).
    pub outliers: u64,
}

/// Whether inputs came from memory or from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheState {
    /// Inputs rotate over more bytes than the cache holds.
    Cold,
    /// Rotation was asked for, but all sets together fit the cache.
    CacheResident,
    /// The same input each time, as asked.
    Hot,
    /// A CPU: inputs are not rotated.
    Uncontrolled,
}

/// Something that a reader should know about a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable name: `noisy`, `outliers`, `drift`, `issue-bound`, `few-samples`, ...
    pub id: String,
    /// What was seen, with numbers.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}
