//! Cases and results for tests.

use std::collections::BTreeMap;

use crate::case::{
    BkCoreSpec, CacheChoice, Case, ClockChoice, Couplings, ElementType, Family, Implementation, MeasureSpec,
    Mode, NonFinite, Pass, Preset, Strategy, WorkloadSpec,
};
use crate::config::{Axes, Benchmark, BenchmarkKind, Config, RuntimeOptions};
use crate::device::{DeviceClass, DeviceInfo};
use crate::environment::{BuildInfo, Environment};
use crate::kpi;
use crate::numerics::Numerics;
use crate::outcome::{CacheState, CaseResult, Clock, Measurement, Outcome, Statistics, Timing};
use crate::plan::HOST_TARGET;
use crate::record::{ConfigRecord, Run, SCHEMA_VERSION, TargetRecord};
use crate::workload::Work;

pub(crate) fn measure_spec() -> MeasureSpec {
    MeasureSpec {
        clock: ClockChoice::Auto,
        cache: CacheChoice::Cold,
        warmup_runs: 2,
        warmup_seconds: 0.0,
        samples: 20,
        relative_noise: None,
        max_seconds: 1.0,
        timeout_seconds: 60.0,
    }
}

/// A case of the benchmark `scaling` with 16 rows of `n` sites.
pub(crate) fn case(target: &str, implementation: Implementation, n: usize) -> Case {
    let dtype = if target == HOST_TARGET { ElementType::F64 } else { ElementType::F32 };
    Case {
        id: format!("bk-core/{target}/{}/b16-n{n}/{}", dtype.name(), implementation.name()),
        benchmark: "scaling".to_owned(),
        target: target.to_owned(),
        dtype,
        workload: WorkloadSpec::BkCore(BkCoreSpec {
            batch: 16,
            n,
            implementation,
            strategy: Strategy::Auto,
            family: Family::Normal,
            couplings: Couplings::PerRow,
            z: None,
            seed: 42,
            max_magnitude: None,
            non_finite: NonFinite::Propagate,
            pass: Pass::Forward,
        }),
        measure: measure_spec(),
    }
}

pub(crate) fn numerics() -> Numerics {
    Numerics {
        mse: 2.5e-11,
        mse_clipped: 2.5e-11,
        max_abs_error: 3.1e-4,
        max_rel_error: 2.2e-5,
        median_rel_error: 4.1e-8,
        max_error_units: 3.2,
        allowed_error_units: 16.0,
        max_magnitude: 41.0,
        non_finite: 0,
        expected_non_finite: 0,
        compared: 1000,
        rejected: None,
    }
}

/// Ten samples around `seconds`, one per cent apart at most.
pub(crate) fn timing(clock: Clock, seconds: f64) -> Timing {
    let samples: Vec<f64> = (0..10).map(|i| seconds * (1.0 + 0.002 * f64::from(i % 5 - 2))).collect();
    let statistics = Statistics::from_samples(&samples).unwrap();
    let regression = clock == Clock::LaunchRegression;
    Timing {
        clock,
        samples,
        statistics,
        overhead_seconds: regression.then_some(8e-6),
        issue_hidden: regression,
    }
}

/// A measurement whose own clock is the first of `timings`.
pub(crate) fn measurement(timings: Vec<Timing>) -> Measurement {
    Measurement {
        numerics: numerics(),
        timings,
        first_launch_seconds: 0.4,
        warm_launch_seconds: None,
        parts: Vec::new(),
        warmup_runs: 10,
        warmup_seconds: 0.1,
        cache: CacheState::Cold,
        work: Work { elements: 65_536, bytes_read: 786_432, bytes_written: 524_288, flops: 3_000_000 },
        copy_bytes_per_second: None,
        matrix_flops_per_second: None,
        memory: None,
        warnings: Vec::new(),
    }
}

pub(crate) fn measured(case: Case, timings: Vec<Timing>) -> CaseResult {
    CaseResult { case, outcome: Outcome::Measured(Box::new(measurement(timings))) }
}

pub(crate) fn available(target: &str, name: &str, class: DeviceClass, runtime: &str) -> TargetRecord {
    TargetRecord::Available {
        engine: "bkbench".to_owned(),
        device: Box::new(DeviceInfo {
            target: target.to_owned(),
            name: name.to_owned(),
            class,
            runtime: runtime.to_owned(),
            driver: (class != DeviceClass::Cpu).then(|| "driver 1.2".to_owned()),
            multiprocessors: None,
            memory_bytes: None,
            l2_bytes: None,
            max_tensor_bytes: None,
            plane_size: Some(32).filter(|_| class != DeviceClass::Cpu),
        }),
        versions: BTreeMap::new(),
    }
}

/// A config with the benchmark `scaling`, which has a view, and no KPI.
pub(crate) fn config() -> Config {
    Config {
        name: "bk_core".to_owned(),
        analysis: "How does the time of a launch grow with the length of a row?\n".to_owned(),
        quick: false,
        runtime: RuntimeOptions::default(),
        engines: Vec::new(),
        benchmarks: vec![Benchmark {
            name: "scaling".to_owned(),
            kind: BenchmarkKind::BkCore,
            view: Some("bk_core_scaling".to_owned()),
            axes: Axes {
                target: vec!["cuda".to_owned(), "wgpu".to_owned()],
                implementation: vec![Implementation::Kernel],
                dtype: vec![ElementType::F32],
                batch: vec![16],
                n: vec![1024, 4096],
                strategy: vec![Strategy::Auto],
                family: vec![Family::Normal],
                couplings: vec![Couplings::PerRow],
                z: vec![None],
                seed: vec![42],
                preset: vec![Preset::Base],
                mode: vec![Mode::Forward],
            },
            zip: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            max_magnitude: None,
            non_finite: NonFinite::Propagate,
            vocabulary: None,
            cpu_dtype: None,
            force: false,
            pass: Pass::Forward,
            measure: measure_spec(),
        }],
        kpis: Vec::new(),
    }
}

pub(crate) fn build() -> BuildInfo {
    BuildInfo {
        version: "0.1.0".to_owned(),
        git_revision: Some("0123abc".to_owned()),
        git_dirty: Some(false),
        rustc: "rustc 1.92.0".to_owned(),
        features: vec!["cuda".to_owned(), "wgpu".to_owned()],
        crate_versions: BTreeMap::from([("burn".to_owned(), "0.21.0".to_owned())]),
    }
}

/// A run of `config` with `results`, on a GPU by `cuda` and on software Vulkan by `wgpu`.
pub(crate) fn run(config: Config, results: Vec<CaseResult>) -> Run {
    let mut run = Run {
        schema_version: SCHEMA_VERSION,
        name: config.name.clone(),
        started: "2026-01-31T10:00:00Z".parse().unwrap(),
        elapsed_seconds: 42.0,
        environment: Environment {
            host: Some("bench".to_owned()),
            os: "Linux (Debian 13)".to_owned(),
            os_kernel: Some("6.12".to_owned()),
            architecture: "x86_64".to_owned(),
            cpu: Some("Example CPU".to_owned()),
            physical_cores: Some(8),
            available_threads: Some(16),
            memory_bytes: 34_359_738_368,
            variables: BTreeMap::from([("CUDA_PATH".to_owned(), "/usr/local/cuda".to_owned())]),
            build: build(),
            command_line: ["bkbench", "run", "configs/bk_core.toml"].map(str::to_owned).to_vec(),
        },
        config: ConfigRecord { effective: config, source: "[[benchmark]]\nname = \"scaling\"\n".to_owned() },
        targets: BTreeMap::from([
            ("cuda".to_owned(), available("cuda", "Example GPU", DeviceClass::Gpu, "cuda")),
            ("wgpu".to_owned(), available("wgpu", "llvmpipe", DeviceClass::Software, "wgpu<spirv>")),
            (HOST_TARGET.to_owned(), available(HOST_TARGET, "Example CPU", DeviceClass::Cpu, "host")),
        ]),
        results,
        kpis: Vec::new(),
        interrupted: false,
    };
    run.kpis = kpi::evaluate(&run.config.effective.kpis, &run.results, &run.devices());
    run
}
