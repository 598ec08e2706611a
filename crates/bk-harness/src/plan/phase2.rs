//! Cases of the model: how they are made, and roughly how long they take.

use crate::case::{Case, ElementType, Phase2Spec, WorkloadSpec};
use crate::config::{Benchmark, BenchmarkKind, Point};
use crate::models::{Dimensions, flops};
use crate::plan::id::phase2_id;

/// Targets on which `cpu_dtype` stands for another type.
const CPU_TARGETS: [&str; 2] = ["ndarray", "flex"];

/// Weights are drawn, uploaded and checked at about this many numbers a second.
const PREPARED_NUMBERS_PER_SECOND: f64 = 5e7;

/// Opening a device and compiling the model's kernels.
const FIXED_SECONDS: f64 = 5.0;

/// The case at `point`, which names every axis; one that it lacks takes the axis's first value.
pub(super) fn case(benchmark: &Benchmark, point: &Point) -> Case {
    let axes = &benchmark.axes;
    let target = point.target.clone().unwrap_or_else(|| axes.target[0].clone());
    let asked = point.dtype.unwrap_or(axes.dtype[0]);
    let on_cpu = CPU_TARGETS.contains(&target.as_str());
    let dtype = benchmark.cpu_dtype.filter(|_| on_cpu).unwrap_or(asked);
    let spec = Phase2Spec {
        preset: point.preset.unwrap_or(axes.preset[0]),
        mode: point.mode.unwrap_or(axes.mode[0]),
        batch: point.batch.unwrap_or(axes.batch[0]),
        n: point.n.unwrap_or(axes.n[0]),
        vocabulary: benchmark.vocabulary,
        seed: point.seed.unwrap_or(axes.seed[0]),
        asked_dtype: (dtype != asked).then_some(asked),
        force: benchmark.force,
    };
    let workload = match benchmark.kind {
        BenchmarkKind::Phase2Memory => WorkloadSpec::Phase2Memory(spec.clone()),
        BenchmarkKind::BkCore | BenchmarkKind::Phase2Throughput => {
            WorkloadSpec::Phase2Throughput(spec.clone())
        }
    };
    Case {
        id: phase2_id(workload.kind_name(), &target, dtype, &spec),
        benchmark: benchmark.name.clone(),
        target,
        dtype,
        workload,
        measure: benchmark.measure.clone(),
    }
}

/// Seconds of proof, warm-up and samples.
pub(super) fn throughput_seconds(case: &Case, spec: &Phase2Spec) -> f64 {
    let launch = launch_seconds(case, spec);
    let measure = &case.measure;
    let warm_up = (launch * f64::from(measure.warmup_runs + 2)).max(measure.warmup_seconds);
    let sampling = (launch * f64::from(measure.samples)).min(measure.max_seconds);
    preparation_seconds(spec) + warm_up + sampling
}

/// Seconds of the fresh worker and of the throw-away one before it.
pub(super) fn memory_seconds(case: &Case, spec: &Phase2Spec) -> f64 {
    let passes = 1.0 + f64::from(case.measure.samples);
    let one = preparation_seconds(spec) + passes * launch_seconds(case, spec);
    if CPU_TARGETS.contains(&case.target.as_str()) { one } else { 2.0 * one }
}

fn preparation_seconds(spec: &Phase2Spec) -> f64 {
    FIXED_SECONDS + Dimensions::of(spec).stored_numbers() as f64 / PREPARED_NUMBERS_PER_SECOND
}

fn launch_seconds(case: &Case, spec: &Phase2Spec) -> f64 {
    let flops_per_second = match (case.target.as_str(), case.dtype) {
        (target, ElementType::F16 | ElementType::Bf16) if target.starts_with("cuda") => 1e14,
        (target, _) if target.starts_with("cuda") => 5e13,
        // Between a hardware adapter and a software one.
        (target, _) if target.starts_with("wgpu") => 1e11,
        _ => 2e10,
    };
    // A launch of the model is some hundreds of kernels.
    flops(spec) as f64 / flops_per_second + 5e-3
}
