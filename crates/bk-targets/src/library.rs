//! One case from a Rust program: no config, no worker, no files.

mod models;

use bk_harness::case::{
    BkCoreSpec, CacheChoice, Case, ClockChoice, Couplings, ElementType, Family, Implementation, MeasureSpec,
    NonFinite, Pass, Strategy, WorkloadSpec,
};
use bk_harness::device::DeviceInfo;
use bk_harness::kpi::{Metric, MetricValue, metrics};
use bk_harness::measure::measure;
use bk_harness::numerics::Numerics;
use bk_harness::outcome::{CaseResult, Measurement, Outcome};
use bk_harness::workload::Failure;
use thiserror::Error;

pub use models::{MemoryBenchmark, MemoryReport, ThroughputBenchmark, ThroughputReport};

use crate::registry::open;
use crate::target::{Target, Unavailable};

/// Measures the resolvent scan on one target against the serial float64 reference.
///
/// ```
/// # #[cfg(feature = "ndarray")] {
/// use bk_targets::BkCoreBenchmark;
///
/// let report = BkCoreBenchmark::new("ndarray", 4, 256).samples(5).run()?;
/// println!("{:.2} times as fast as the serial float64 scan", report.speedup.value);
/// assert!(report.numerics().mse < 1e-6);
/// # }
/// # Ok::<(), bk_targets::BenchmarkError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BkCoreBenchmark {
    target: String,
    spec: BkCoreSpec,
    measure: MeasureSpec,
}

/// What [`BkCoreBenchmark::run`] found.
#[derive(Debug, Clone)]
pub struct BkCoreReport {
    /// Where it ran.
    pub device: DeviceInfo,
    /// The case, proven right and timed.
    pub measurement: Measurement,
    /// The serial float64 reference on the CPU.
    pub host: Measurement,
    /// Time of the reference over time of the case, with its 95 % interval and its clock.
    pub speedup: MetricValue,
}

impl BkCoreReport {
    /// Errors against the float64 oracle.
    pub fn numerics(&self) -> &Numerics {
        &self.measurement.numerics
    }
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BenchmarkError {
    /// The target is not there.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The case ended otherwise than measured: skipped, failed, or wrong.
    #[error("{case}: {reason}")]
    NotMeasured {
        /// Id of the case.
        case: String,
        /// How it ended.
        reason: String,
    },
}

impl BkCoreBenchmark {
    /// `batch` rows of `n` sites on `target`: N(0, 1) entries, `z = 0.1 + 0.1i`, 50 samples after at least
    /// 10 warm-ups.
    pub fn new(target: &str, batch: usize, n: usize) -> Self {
        let spec = BkCoreSpec {
            batch,
            n,
            implementation: match target {
                "ndarray" | "flex" => Implementation::Native,
                _ => Implementation::Kernel,
            },
            strategy: Strategy::Auto,
            family: Family::Normal,
            couplings: Couplings::PerRow,
            z: None,
            seed: 42,
            max_magnitude: None,
            non_finite: NonFinite::Propagate,
            pass: Pass::Forward,
        };
        let measure = MeasureSpec {
            clock: ClockChoice::Auto,
            cache: CacheChoice::Cold,
            warmup_runs: 10,
            warmup_seconds: 0.1,
            samples: 50,
            relative_noise: None,
            max_seconds: 10.0,
            timeout_seconds: 600.0,
        };
        Self { target: target.to_owned(), spec, measure }
    }

    /// Samples to take.
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.measure.samples = samples;
        self
    }

    /// Launches before the first sample, at least.
    #[must_use]
    pub fn warmups(mut self, runs: u32) -> Self {
        self.measure.warmup_runs = runs;
        self
    }

    /// The family that the matrix entries come from.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.spec.family = family;
        self
    }

    /// The spectral parameter, instead of the family's own.
    #[must_use]
    pub fn z(mut self, re: f32, im: f32) -> Self {
        self.spec.z = Some([re, im]);
        self
    }

    /// Seed of the inputs.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.spec.seed = seed;
        self
    }

    /// The pass that a launch computes.
    #[must_use]
    pub fn pass(mut self, pass: Pass) -> Self {
        self.spec.pass = pass;
        self
    }

    /// Plain tensor operations instead of the backend's own implementation.
    #[must_use]
    pub fn tensor_operations(mut self) -> Self {
        self.spec.implementation = Implementation::Tensor;
        self
    }

    /// Verifies and times the case and the reference.
    ///
    /// # Errors
    /// [`BenchmarkError`] when the target is not there, or the case or the reference was not measured.
    pub fn run(&self) -> Result<BkCoreReport, BenchmarkError> {
        let mut target = open(&self.target, ElementType::F32)?;
        let mut host = open("host", ElementType::F64)?;
        let reference = self.case("host", ElementType::F64, Implementation::Host);
        let reference = measured(host.as_mut(), reference)?;
        let case = self.case(&self.target, ElementType::F32, self.spec.implementation);
        let result = measured(target.as_mut(), case)?;
        let all = [result, reference];
        let speedup = metrics(&all[0], &all).remove(&Metric::Speedup);
        let [result, reference] = all;
        let not_compared = BenchmarkError::NotMeasured {
            case: result.case.id.clone(),
            reason: "the case and the reference share no clock".to_owned(),
        };
        let (Outcome::Measured(measurement), Outcome::Measured(host), Some(speedup)) =
            (result.outcome, reference.outcome, speedup)
        else {
            return Err(not_compared);
        };
        Ok(BkCoreReport { device: target.device().clone(), measurement: *measurement, host: *host, speedup })
    }

    fn case(&self, target: &str, dtype: ElementType, implementation: Implementation) -> Case {
        let BkCoreSpec { batch, n, .. } = self.spec;
        let id = format!("bk-core/{target}/{}/b{batch}-n{n}/{}", dtype.name(), implementation.name());
        Case {
            id,
            benchmark: "library".to_owned(),
            target: target.to_owned(),
            dtype,
            workload: WorkloadSpec::BkCore(BkCoreSpec { implementation, ..self.spec.clone() }),
            measure: self.measure.clone(),
        }
    }
}

fn measured(target: &mut dyn Target, case: Case) -> Result<CaseResult, BenchmarkError> {
    let class = target.device().class;
    let outcome = match target.workload(&case) {
        Ok(mut workload) => measure(workload.as_mut(), &case, class, &mut |_| {}),
        Err(Failure::Skip(reason)) => Outcome::Skipped { reason },
        Err(Failure::Execution(error)) => Outcome::Failed { error },
    };
    let reason = match outcome {
        Outcome::Measured(_) => return Ok(CaseResult { case, outcome }),
        Outcome::Skipped { reason } => reason,
        Outcome::Failed { error } => error,
        Outcome::Invalid { why, .. } => why,
    };
    Err(BenchmarkError::NotMeasured { case: case.id, reason })
}
