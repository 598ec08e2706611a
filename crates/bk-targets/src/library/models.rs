//! Memory and throughput of the model from a Rust program.

use bk_harness::case::{
    CacheChoice, Case, ClockChoice, ElementType, MeasureSpec, Mode, Phase2Spec, Preset, WorkloadSpec,
};
use bk_harness::device::DeviceInfo;
use bk_harness::kpi::{Metric, MetricValue, metrics};
use bk_harness::measure::{measure, measure_memory};
use bk_harness::memory::MemoryMeasurement;
use bk_harness::outcome::{CaseResult, Measurement, Outcome};
use bk_harness::workload::Failure;

use super::BenchmarkError;
use crate::registry::open;

/// What both benchmarks of the model are made of.
#[derive(Debug, Clone)]
struct ModelCase {
    target: String,
    dtype: ElementType,
    spec: Phase2Spec,
    measure: MeasureSpec,
}

impl ModelCase {
    fn new(target: &str, preset: Preset, batch: usize, n: usize) -> Self {
        let spec = Phase2Spec {
            preset,
            mode: Mode::Forward,
            batch,
            n,
            vocabulary: None,
            seed: 42,
            asked_dtype: None,
            force: false,
        };
        let measure = MeasureSpec {
            clock: ClockChoice::Wall,
            cache: CacheChoice::Cold,
            warmup_runs: 3,
            warmup_seconds: 0.1,
            samples: 20,
            relative_noise: None,
            max_seconds: 30.0,
            timeout_seconds: 600.0,
        };
        Self { target: target.to_owned(), dtype: ElementType::F32, spec, measure }
    }

    fn case(&self, workload: WorkloadSpec) -> Case {
        let kind = workload.kind_name();
        let (target, dtype) = (&self.target, self.dtype.name());
        let Phase2Spec { batch, n, preset, mode, .. } = &self.spec;
        Case {
            id: format!("{kind}/{target}/{dtype}/b{batch}-n{n}/{}-{}", preset.name(), mode.name()),
            benchmark: "library".to_owned(),
            target: target.clone(),
            dtype: self.dtype,
            workload,
            measure: self.measure.clone(),
        }
    }
}

/// The options that both benchmarks have.
macro_rules! options {
    () => {
        /// What a launch does: `forward` by default.
        #[must_use]
        pub fn mode(mut self, mode: Mode) -> Self {
            self.0.spec.mode = mode;
            self
        }

        /// Type of weights and matrix products: float32 by default.
        #[must_use]
        pub fn dtype(mut self, dtype: ElementType) -> Self {
            self.0.dtype = dtype;
            self
        }

        /// Size of the vocabulary, instead of the preset's 50,257.
        #[must_use]
        pub fn vocabulary(mut self, vocabulary: usize) -> Self {
            self.0.spec.vocabulary = Some(vocabulary);
            self
        }

        /// Seed of weights and tokens.
        #[must_use]
        pub fn seed(mut self, seed: u64) -> Self {
            self.0.spec.seed = seed;
            self
        }
    };
}

/// Measures tokens a second of the Phase 2 model on one target, after a proof that it computes right there.
///
/// ```
/// # #[cfg(feature = "ndarray")] {
/// use bk_harness::case::{Mode, Preset};
/// use bk_targets::ThroughputBenchmark;
///
/// let report = ThroughputBenchmark::new("ndarray", Preset::Small, 1, 16)
///     .vocabulary(64)
///     .mode(Mode::Prefill)
///     .samples(3)
///     .warmups(1)
///     .run()?;
/// println!("{:.0} tokens/s", report.tokens_per_second.value);
/// assert!(report.tokens_per_second.low > 0.0);
/// # }
/// # Ok::<(), bk_targets::BenchmarkError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ThroughputBenchmark(ModelCase);

/// What [`ThroughputBenchmark::run`] found.
#[derive(Debug, Clone)]
pub struct ThroughputReport {
    /// Where it ran.
    pub device: DeviceInfo,
    /// The case, proven right and timed; its parts, where the mode has them.
    pub measurement: Measurement,
    /// `B * N` over the time of a launch, in `decode` `B`, with its 95 % interval.
    pub tokens_per_second: MetricValue,
}

impl ThroughputBenchmark {
    /// `batch` sequences of `n` tokens through a model of `preset`'s sizes on `target`: 20 samples after at
    /// least 3 warm-ups. Positions follow `n` where the preset has fewer.
    pub fn new(target: &str, preset: Preset, batch: usize, n: usize) -> Self {
        Self(ModelCase::new(target, preset, batch, n))
    }

    options!();

    /// Samples to take.
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.0.measure.samples = samples;
        self
    }

    /// Launches before the first sample, at least.
    #[must_use]
    pub fn warmups(mut self, runs: u32) -> Self {
        self.0.measure.warmup_runs = runs;
        self
    }

    /// Proves and measures.
    ///
    /// # Errors
    /// [`BenchmarkError::Unavailable`] where the target is not there, [`BenchmarkError::NotMeasured`] where
    /// the model cannot run or computes wrong.
    pub fn run(&self) -> Result<ThroughputReport, BenchmarkError> {
        let case = self.0.case(WorkloadSpec::Phase2Throughput(self.0.spec.clone()));
        let mut target = open(&case.target, case.dtype)?;
        let class = target.device().class;
        let outcome = match target.workload(&case) {
            Ok(mut workload) => measure(workload.as_mut(), &case, class, &mut |_| {}),
            Err(failure) => ended(failure),
        };
        let (measurement, values) = measured(&case, outcome)?;
        let tokens_per_second = value(&case, &values, Metric::TokensPerSecond)?;
        Ok(ThroughputReport { device: target.device().clone(), measurement, tokens_per_second })
    }
}

/// Measures the peak memory of the Phase 2 model on one target, and proves that it computes right there.
///
/// A peak is that of this process. On a GPU the first measurement of a process may tune kernels, which
/// copies their inputs; its own first pass is left out, but call it twice where the figure matters. On a
/// CPU the resident set never shrinks, so only the first measurement of a process says anything.
///
/// ```
/// # #[cfg(feature = "ndarray")] {
/// use bk_harness::case::Preset;
/// use bk_targets::MemoryBenchmark;
///
/// let report = MemoryBenchmark::new("ndarray", Preset::Small, 1, 32).vocabulary(64).passes(1).run()?;
/// println!("{} bytes, {} by arithmetic", report.peak_bytes, report.memory().analytic.total());
/// assert!(report.peak_bytes > report.memory().analytic.weights / 2);
/// # }
/// # Ok::<(), bk_targets::BenchmarkError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryBenchmark(ModelCase);

/// What [`MemoryBenchmark::run`] found.
#[derive(Debug, Clone)]
pub struct MemoryReport {
    /// Where it ran.
    pub device: DeviceInfo,
    /// The case.
    pub measurement: Measurement,
    /// Peak of the bytes that the allocator has in use; on a CPU the rise of the peak resident set.
    pub peak_bytes: u64,
    memory: MemoryMeasurement,
}

impl MemoryReport {
    /// Every count of bytes, and what arithmetic predicts.
    pub fn memory(&self) -> &MemoryMeasurement {
        &self.memory
    }
}

impl MemoryBenchmark {
    /// `batch` sequences of `n` tokens through a model of `preset`'s sizes on `target`, in five passes.
    pub fn new(target: &str, preset: Preset, batch: usize, n: usize) -> Self {
        let mut case = ModelCase::new(target, preset, batch, n);
        case.measure.samples = 5;
        Self(case)
    }

    options!();

    /// Passes after the first one.
    #[must_use]
    pub fn passes(mut self, passes: u32) -> Self {
        self.0.measure.samples = passes;
        self
    }

    /// Measures and proves.
    ///
    /// # Errors
    /// As [`ThroughputBenchmark::run`].
    pub fn run(&self) -> Result<MemoryReport, BenchmarkError> {
        let case = self.0.case(WorkloadSpec::Phase2Memory(self.0.spec.clone()));
        let mut target = open(&case.target, case.dtype)?;
        let class = target.device().class;
        let outcome = match target.memory_workload(&case) {
            Ok(mut workload) => measure_memory(workload.as_mut(), &case, class, &mut |_| {}),
            Err(failure) => ended(failure),
        };
        let (measurement, _) = measured(&case, outcome)?;
        let memory = measurement.memory.clone().ok_or_else(|| missing(&case, "memory"))?;
        let peak_bytes = memory.peak_bytes().ok_or_else(|| missing(&case, "peak_bytes"))?;
        Ok(MemoryReport { device: target.device().clone(), measurement, peak_bytes, memory })
    }
}

fn ended(failure: Failure) -> Outcome {
    match failure {
        Failure::Skip(reason) => Outcome::Skipped { reason },
        Failure::Execution(error) => Outcome::Failed { error },
    }
}

type Values = std::collections::BTreeMap<Metric, MetricValue>;

fn measured(case: &Case, outcome: Outcome) -> Result<(Measurement, Values), BenchmarkError> {
    let result = CaseResult { case: case.clone(), outcome };
    let values = metrics(&result, std::slice::from_ref(&result));
    let reason = match result.outcome {
        Outcome::Measured(measurement) => return Ok((*measurement, values)),
        Outcome::Skipped { reason } => reason,
        Outcome::Failed { error } => error,
        Outcome::Invalid { why, .. } => why,
    };
    Err(BenchmarkError::NotMeasured { case: case.id.clone(), reason })
}

fn value(case: &Case, values: &Values, metric: Metric) -> Result<MetricValue, BenchmarkError> {
    values.get(&metric).copied().ok_or_else(|| missing(case, metric.info().id))
}

fn missing(case: &Case, what: &str) -> BenchmarkError {
    BenchmarkError::NotMeasured { case: case.id.clone(), reason: format!("it has no {what}") }
}
