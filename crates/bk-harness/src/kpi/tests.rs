//! Metrics of results with known times, and KPIs that pass, miss and cannot be decided.

use super::*;
use crate::baseline::HOST_TARGET;
use crate::case::*;
use crate::device::{DeviceClass, DeviceInfo};
use crate::numerics::Numerics;
use crate::outcome::{CacheState, CaseResult, Clock, Measurement, Outcome, Statistics, Timing};
use crate::workload::Work;
use std::collections::BTreeMap;

fn case(target: &str, implementation: Implementation, n: usize) -> Case {
    let dtype = if target == HOST_TARGET { ElementType::F64 } else { ElementType::F32 };
    Case {
        id: format!("bk-core/{target}/{}/b16-n{n}/{}", dtype.name(), implementation.name()),
        benchmark: "large".to_owned(),
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
        measure: MeasureSpec {
            clock: ClockChoice::Auto,
            cache: CacheChoice::Cold,
            warmup_runs: 1,
            warmup_seconds: 0.0,
            samples: 9,
            relative_noise: None,
            max_seconds: 1.0,
            timeout_seconds: 10.0,
        },
    }
}

fn numerics(error: f64) -> Numerics {
    Numerics {
        mse: error,
        mse_clipped: error,
        max_abs_error: error,
        max_rel_error: error,
        median_rel_error: error,
        max_error_units: error,
        allowed_error_units: 16.0,
        max_magnitude: 1.0,
        non_finite: 0,
        expected_non_finite: 0,
        compared: 1,
        rejected: None,
    }
}

fn timing(clock: Clock, samples: &[f64]) -> Timing {
    Timing {
        clock,
        samples: samples.to_vec(),
        statistics: Statistics::from_samples(samples).unwrap(),
        overhead_seconds: None,
        issue_hidden: false,
    }
}

fn measurement(timings: Vec<Timing>, error: f64) -> Measurement {
    Measurement {
        numerics: numerics(error),
        timings,
        first_launch_seconds: 0.5,
        warm_launch_seconds: None,
        parts: Vec::new(),
        warmup_runs: 1,
        warmup_seconds: 0.1,
        cache: CacheState::Cold,
        work: Work { elements: 1000, bytes_read: 3000, bytes_written: 2000, flops: 1 },
        copy_bytes_per_second: Some(1e6),
        matrix_flops_per_second: None,
        memory: None,
        warnings: Vec::new(),
    }
}

/// A case whose every sample takes `seconds` on the wall clock.
fn steady(target: &str, implementation: Implementation, seconds: f64) -> CaseResult {
    noisy(target, implementation, &[seconds; 9])
}

fn noisy(target: &str, implementation: Implementation, samples: &[f64]) -> CaseResult {
    let outcome = Outcome::Measured(Box::new(measurement(vec![timing(Clock::Wall, samples)], 1e-9)));
    CaseResult { case: case(target, implementation, 4096), outcome }
}

fn with_outcome(target: &str, implementation: Implementation, outcome: Outcome) -> CaseResult {
    CaseResult { case: case(target, implementation, 4096), outcome }
}

fn failed(target: &str) -> CaseResult {
    with_outcome(target, Implementation::Kernel, Outcome::Failed { error: "out of memory".to_owned() })
}

fn kpi(metric: Metric, bound: Bound) -> Kpi {
    Kpi {
        name: "k".to_owned(),
        metric,
        condition: toml::from_str("implementation = 'kernel'").unwrap(),
        comparison: None,
        bound,
        stretch: None,
        aggregate: Aggregate::Each,
        severity: Severity::Fail,
        hardware_only: false,
    }
}

fn device(target: &str, class: DeviceClass) -> (String, DeviceInfo) {
    let info = DeviceInfo {
        target: target.to_owned(),
        name: "test".to_owned(),
        class,
        runtime: target.to_owned(),
        driver: None,
        multiprocessors: None,
        memory_bytes: None,
        l2_bytes: None,
        max_tensor_bytes: None,
        plane_size: None,
    };
    (target.to_owned(), info)
}

fn judge(kpi: &Kpi, results: &[CaseResult]) -> KpiResult {
    evaluate(std::slice::from_ref(kpi), results, &BTreeMap::new()).remove(0)
}

const KERNEL: Implementation = Implementation::Kernel;
const HOST: Implementation = Implementation::Host;

#[test]
fn metrics_follow_from_the_times_and_the_work() {
    let result = steady("cuda", KERNEL, 0.01);
    let values = metrics(&result, std::slice::from_ref(&result));
    let value = |metric: Metric| values[&metric].value;
    assert_eq!(value(Metric::Seconds), 0.01);
    assert_eq!(value(Metric::ElementsPerSecond), 1000.0 / 0.01);
    assert_eq!(value(Metric::BytesPerSecond), 5000.0 / 0.01);
    assert_eq!(value(Metric::CopyFraction), 5000.0 / 1e6 / 0.01);
    assert_eq!(value(Metric::FirstLaunchSeconds), 0.5);
    assert_eq!(value(Metric::MaxErrorUnits), 1e-9);
    assert_eq!(values[&Metric::Seconds].clock, Some(Clock::Wall));
    assert!(!values.contains_key(&Metric::Speedup), "nothing to be relative to");
}

#[test]
fn the_interval_of_a_rate_is_that_of_the_time_turned_over() {
    let result = noisy("cuda", KERNEL, &[0.8, 0.9, 1.0, 1.1, 1.2]);
    let values = metrics(&result, &[]);
    let (seconds, rate) = (values[&Metric::Seconds], values[&Metric::ElementsPerSecond]);
    assert!(seconds.low < seconds.value && seconds.value < seconds.high);
    assert_eq!((rate.low, rate.high), (1000.0 / seconds.high, 1000.0 / seconds.low));
}

#[test]
fn speedups_are_relative_to_their_own_baselines() {
    let results = [
        steady("cuda", KERNEL, 1.0),
        steady(HOST_TARGET, HOST, 8.0),
        steady("cuda", Implementation::Tensor, 4.0),
        steady("wgpu", Implementation::Tensor, 16.0),
        steady("ndarray", Implementation::Native, 2.0),
        steady("flex", Implementation::Native, 32.0),
    ];
    let values = metrics(&results[0], &results);
    let ratios = [Metric::Speedup, Metric::SpeedupVsTensor, Metric::SpeedupVsNative]
        .map(|metric| values[&metric].value);
    assert_eq!(ratios, [8.0, 4.0, 2.0]);
    let host = metrics(&results[1], &results);
    assert!(!host.contains_key(&Metric::Speedup) && !host.contains_key(&Metric::Mse));
    assert!(!metrics(&results[2], &results).contains_key(&Metric::SpeedupVsTensor));
}

#[test]
fn a_baseline_of_another_input_or_benchmark_does_not_count() {
    let kernel = steady("cuda", KERNEL, 1.0);
    let mut other_size = steady(HOST_TARGET, HOST, 8.0);
    other_size.case = case(HOST_TARGET, HOST, 2048);
    let mut other_benchmark = steady(HOST_TARGET, HOST, 8.0);
    other_benchmark.case.benchmark = "small".to_owned();
    let mut other_input = steady(HOST_TARGET, HOST, 8.0);
    let WorkloadSpec::BkCore(spec) = &mut other_input.case.workload else { panic!() };
    spec.family = Family::Hermitian;
    let results = [kernel.clone(), other_size, other_benchmark, other_input];
    assert!(!metrics(&kernel, &results).contains_key(&Metric::Speedup));
}

#[test]
fn a_speedup_is_taken_on_the_best_clock_that_both_have_and_names_it() {
    let with = |target: &str, implementation, timings: Vec<Timing>| CaseResult {
        case: case(target, implementation, 4096),
        outcome: Outcome::Measured(Box::new(measurement(timings, 0.0))),
    };
    let (wall, slope, stamp) = (Clock::Wall, Clock::LaunchRegression, Clock::DeviceTimestamp);
    let kernel = with("cuda", KERNEL, vec![timing(slope, &[1.0; 5]), timing(wall, &[2.0; 5])]);
    let host_wall = with(HOST_TARGET, HOST, vec![timing(wall, &[8.0; 5])]);
    let host_both = with(HOST_TARGET, HOST, vec![timing(wall, &[8.0; 5]), timing(slope, &[6.0; 5])]);
    let host_stamp = with(HOST_TARGET, HOST, vec![timing(stamp, &[8.0; 5])]);
    let speedup = |host: &CaseResult| {
        metrics(&kernel, &[kernel.clone(), host.clone()])
            .get(&Metric::Speedup)
            .map(|ratio| (ratio.value, ratio.clock))
    };
    assert_eq!(speedup(&host_wall), Some((4.0, Some(wall))));
    assert_eq!(speedup(&host_both), Some((6.0, Some(slope))));
    assert_eq!(speedup(&host_stamp), None, "no common clock, no ratio");
}

#[test]
fn a_kpi_whose_value_misses_fails_and_says_by_how_much() {
    let results = [steady("cuda", KERNEL, 1.0), steady(HOST_TARGET, HOST, 2.5)];
    let result = judge(&kpi(Metric::Speedup, Bound::AtLeast(3.0)), &results);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(result.summary, "speedup is 2.50x; expected at least 3.00x, missed by 20.0 %");
    assert_eq!(result.cases.len(), 1, "the reference is not judged");
    let faster = [steady("cuda", KERNEL, 1.0), steady(HOST_TARGET, HOST, 3.5)];
    assert_eq!(judge(&kpi(Metric::Speedup, Bound::AtLeast(3.0)), &faster).verdict, Verdict::Pass);
}

#[test]
fn an_interval_over_the_bound_is_inconclusive() {
    let results = [
        noisy("cuda", KERNEL, &[0.6, 0.8, 1.0, 1.2, 1.4]),
        noisy(HOST_TARGET, HOST, &[2.0, 2.5, 3.1, 3.5, 4.0]),
    ];
    let result = judge(&kpi(Metric::Speedup, Bound::AtLeast(3.0)), &results);
    assert_eq!(result.verdict, Verdict::Inconclusive);
    assert!(result.summary.contains("which the interval straddles"), "{}", result.summary);
}

#[test]
fn one_miss_among_passes_fails_the_kpi() {
    let mut wrong = steady("wgpu", KERNEL, 1.0);
    let Outcome::Measured(measurement) = &mut wrong.outcome else { panic!() };
    measurement.numerics = numerics(1e-3);
    let result = judge(&kpi(Metric::Mse, Bound::AtMost(1e-6)), &[steady("cuda", KERNEL, 1.0), wrong]);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(
        result.cases.iter().map(|one| one.verdict).collect::<Vec<_>>(),
        [Verdict::Pass, Verdict::Fail]
    );
    assert_eq!(result.value.unwrap().value, 1e-3);
}

#[test]
fn a_failed_case_keeps_a_kpi_from_passing_and_alone_leaves_it_unevaluated() {
    let kpi = kpi(Metric::Mse, Bound::AtMost(1e-6));
    let mixed = judge(&kpi, &[steady("cuda", KERNEL, 1.0), failed("wgpu")]);
    assert_eq!(mixed.verdict, Verdict::Inconclusive);
    assert!(mixed.summary.ends_with("1 more failed or invalid, so it does not pass"), "{}", mixed.summary);
    let alone = judge(&kpi, &[failed("wgpu")]);
    assert_eq!((alone.verdict, alone.summary.as_str()), (Verdict::NotEvaluated, "failed: out of memory"));
}

#[test]
fn an_invalid_case_never_passes_but_its_errors_can_fail() {
    let invalid = |error: f64| {
        let numerics = Some(numerics(error));
        with_outcome("cuda", KERNEL, Outcome::Invalid { why: "wrong".to_owned(), numerics })
    };
    let mse = kpi(Metric::Mse, Bound::AtMost(1e-6));
    assert_eq!(judge(&mse, &[invalid(1e-9)]).verdict, Verdict::NotEvaluated);
    assert_eq!(judge(&mse, &[invalid(1e-9), steady("wgpu", KERNEL, 1.0)]).verdict, Verdict::Inconclusive);
    let missed = judge(&mse, &[invalid(1.0)]);
    assert_eq!(missed.verdict, Verdict::Fail);
    assert!(missed.summary.ends_with("missed by a factor above 1000"), "{}", missed.summary);
    assert!(missed.cases[0].summary.ends_with("(invalid: wrong)"), "{}", missed.cases[0].summary);
    let fast = kpi(Metric::Seconds, Bound::AtMost(1e9));
    assert_eq!(judge(&fast, &[invalid(0.0)]).verdict, Verdict::NotEvaluated, "no time of a wrong result");
}

#[test]
fn a_speedup_over_a_reference_that_failed_does_not_pass() {
    let host = with_outcome(HOST_TARGET, HOST, Outcome::Failed { error: "killed".to_owned() });
    let result = judge(&kpi(Metric::Speedup, Bound::AtLeast(3.0)), &[steady("cuda", KERNEL, 1.0), host]);
    assert_eq!(result.verdict, Verdict::NotEvaluated);
    assert!(result.summary.starts_with("has no speedup"), "{}", result.summary);
}

#[test]
fn skips_leave_the_verdict_to_the_others() {
    let skipped = with_outcome("cuda", KERNEL, Outcome::Skipped { reason: "no CUDA driver".to_owned() });
    let kpi = kpi(Metric::Mse, Bound::AtMost(1e-6));
    assert_eq!(judge(&kpi, &[skipped.clone(), steady("wgpu", KERNEL, 1.0)]).verdict, Verdict::Pass);
    let alone = judge(&kpi, &[skipped]);
    assert_eq!((alone.verdict, alone.summary.as_str()), (Verdict::NotEvaluated, "skipped: no CUDA driver"));
    let none = judge(&kpi, &[]);
    assert_eq!(none.verdict, Verdict::NotEvaluated);
    assert!(none.summary.starts_with("no case of this run has it"), "{}", none.summary);
}

#[test]
fn a_hardware_kpi_judges_gpus_alone() {
    let kpi = Kpi { hardware_only: true, ..kpi(Metric::Seconds, Bound::AtMost(2.0)) };
    let results = [steady("cuda", KERNEL, 1.0), steady("wgpu", KERNEL, 5.0)];
    let devices = |class| BTreeMap::from([device("cuda", class), device("wgpu", DeviceClass::Software)]);
    let judge = |class| evaluate(std::slice::from_ref(&kpi), &results, &devices(class)).remove(0);
    let gpu = judge(DeviceClass::Gpu);
    assert_eq!(gpu.verdict, Verdict::Pass);
    assert_eq!(gpu.cases[1].verdict, Verdict::NotEvaluated);
    let reason = "judged on hardware GPUs only; wgpu runs on the CPU behind a GPU interface";
    assert_eq!(gpu.cases[1].summary, reason);
    assert_eq!(judge(DeviceClass::Cpu).verdict, Verdict::NotEvaluated);
    assert_eq!(
        evaluate(std::slice::from_ref(&kpi), &results, &BTreeMap::new())[0].verdict,
        Verdict::NotEvaluated
    );
}

#[test]
fn an_aggregate_is_one_figure_of_all_cases() {
    let results =
        [steady("cuda", KERNEL, 1.0), steady("wgpu", KERNEL, 2.0), steady("cuda-fusion", KERNEL, 6.0)];
    let judge = |aggregate| {
        let kpi = Kpi { aggregate, ..kpi(Metric::Seconds, Bound::AtMost(2.0)) };
        let result = judge(&kpi, &results);
        (result.value.unwrap().value, result.verdict)
    };
    assert_eq!(judge(Aggregate::Min), (1.0, Verdict::Pass));
    assert_eq!(judge(Aggregate::Median), (2.0, Verdict::Pass));
    assert_eq!(judge(Aggregate::Max), (6.0, Verdict::Fail));
    assert_eq!(judge(Aggregate::Each), (6.0, Verdict::Fail));
}

#[test]
fn a_nan_is_hidden_by_no_aggregate() {
    let mut wrong = steady("wgpu", KERNEL, 1.0);
    let Outcome::Measured(measurement) = &mut wrong.outcome else { panic!() };
    measurement.numerics = numerics(f64::NAN);
    let results = [steady("cuda", KERNEL, 1.0), wrong, steady("cuda-fusion", KERNEL, 1.0)];
    for aggregate in [Aggregate::Each, Aggregate::Min, Aggregate::Max, Aggregate::Median] {
        let kpi = Kpi { aggregate, ..kpi(Metric::Mse, Bound::AtMost(1e-6)) };
        assert_eq!(judge(&kpi, &results).verdict, Verdict::Fail, "{aggregate:?}");
    }
}

#[test]
fn a_stretch_bound_has_a_verdict_of_its_own() {
    let kpi = Kpi { stretch: Some(Bound::AtMost(1e-10)), ..kpi(Metric::Mse, Bound::AtMost(1e-6)) };
    let result = judge(&kpi, &[steady("cuda", KERNEL, 1.0)]);
    assert_eq!((result.verdict, result.stretch), (Verdict::Pass, Some(Verdict::Fail)));
}

#[test]
fn results_of_kpis_survive_json() {
    let result =
        judge(&kpi(Metric::Mse, Bound::AtMost(1e-6)), &[steady("cuda", KERNEL, 1.0), failed("wgpu")]);
    let json = serde_json::to_string(&result).unwrap();
    assert_eq!(serde_json::from_str::<KpiResult>(&json).unwrap(), result);
    assert!(json.contains(r#""bound":{"at_most":1e-6}"#), "{json}");
    let values = metrics(&steady("cuda", KERNEL, 1.0), &[]);
    assert!(serde_json::to_string(&values).unwrap().contains(r#""elements_per_second":{"#));
}
