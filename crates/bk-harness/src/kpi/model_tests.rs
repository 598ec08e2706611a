//! Metrics of the model and KPIs that compare cases, on results with known figures.

use std::collections::BTreeMap;

use super::*;
use crate::case::{Case, ElementType, Implementation, Mode, Phase2Spec, Preset, WorkloadSpec};
use crate::memory::{AllocatorMemory, MemoryMeasurement, Rise};
use crate::models::AnalyticBytes;
use crate::outcome::{CaseResult, Clock, Measurement, Outcome, PartTiming, Statistics};
use crate::testing;
use crate::workload::{Part, Work};

fn spec(mode: Mode, batch: usize, n: usize) -> Phase2Spec {
    let preset = Preset::Base;
    Phase2Spec { preset, mode, batch, n, vocabulary: None, seed: 42, asked_dtype: None, force: false }
}

fn case(workload: WorkloadSpec, dtype: ElementType) -> Case {
    let (kind, batch, n) = (workload.kind_name(), workload.batch(), workload.n());
    let id = format!("{kind}/cuda/{}/b{batch}-n{n}/base", dtype.name());
    Case { id, dtype, workload, ..testing::case("cuda", Implementation::Kernel, 1) }
}

fn measured(case: Case, measurement: Measurement) -> CaseResult {
    CaseResult { case, outcome: Outcome::Measured(Box::new(measurement)) }
}

/// Peak memory of a launch of `batch` sequences of `n` tokens in `dtype`.
fn memory(dtype: ElementType, batch: usize, n: usize, peak: u64) -> CaseResult {
    let spec = spec(Mode::Forward, batch, n);
    let memory = MemoryMeasurement {
        analytic: AnalyticBytes { weights: 300, activations: 20, logits: 80 },
        allocator: Some(AllocatorMemory {
            baseline: 0,
            loaded: 300,
            first_pass_peak: 2 * peak,
            peaks: vec![peak - 1, peak],
            reserved: 4 * peak,
            readings: 1000,
        }),
        driver: Some(Rise { baseline: 1000, peak: 1000 + 5 * peak }),
        resident: None,
    };
    let measurement = Measurement { memory: Some(memory), ..testing::measurement(Vec::new()) };
    measured(case(WorkloadSpec::Phase2Memory(spec), dtype), measurement)
}

/// A launch of `batch * 100` tokens that takes `seconds`.
fn throughput(batch: usize, seconds: f64) -> CaseResult {
    let work = Work { elements: 100 * batch as u64, bytes_read: 1, bytes_written: 1, flops: 5_000_000 };
    let timings = vec![testing::timing(Clock::Wall, seconds)];
    let measurement = Measurement {
        work,
        warm_launch_seconds: Some(2.0 * seconds),
        matrix_flops_per_second: Some(1e9),
        ..testing::measurement(timings)
    };
    let workload = WorkloadSpec::Phase2Throughput(spec(Mode::ForwardBackward, batch, 100));
    measured(case(workload, ElementType::F16), measurement)
}

fn part(part: Part, seconds: f64) -> PartTiming {
    let samples = testing::timing(Clock::Wall, seconds).samples;
    PartTiming { part, statistics: Statistics::from_samples(&samples).unwrap(), samples }
}

fn value(values: &BTreeMap<Metric, MetricValue>, metric: Metric) -> f64 {
    values[&metric].value
}

fn kpi(metric: Metric, comparison: Comparison, bound: Bound) -> Kpi {
    Kpi {
        name: "k".to_owned(),
        metric,
        condition: Condition::default(),
        comparison: Some(comparison),
        bound,
        stretch: None,
        aggregate: Aggregate::Each,
        severity: Severity::Fail,
        hardware_only: false,
    }
}

fn judge(kpi: &Kpi, results: &[CaseResult]) -> KpiResult {
    evaluate(std::slice::from_ref(kpi), results, &BTreeMap::new()).remove(0)
}

fn relative_to_f16() -> Comparison {
    Comparison::RelativeTo(toml::from_str("dtype = 'f16'").unwrap())
}

#[test]
fn tokens_and_operations_follow_from_the_time_and_the_work() {
    let result = throughput(2, 0.01);
    let values = metrics(&result, &[]);
    assert!((value(&values, Metric::TokensPerSecond) - 20_000.0).abs() < 1e-6);
    assert!((value(&values, Metric::MatrixFraction) - 0.5).abs() < 1e-9);
    assert_eq!(value(&values, Metric::WarmLaunchSeconds), 0.02);
    let rate = values[&Metric::TokensPerSecond];
    assert!(rate.low < rate.value && rate.value < rate.high, "a rate has the interval of its time");
    for foreign in [Metric::Mse, Metric::ElementsPerSecond, Metric::PeakBytes, Metric::BackwardOverForward] {
        assert!(!values.contains_key(&foreign), "{foreign:?}");
    }
}

#[test]
fn parts_of_a_launch_have_rates_of_their_own_and_a_ratio() {
    let mut result = throughput(2, 0.04);
    let Outcome::Measured(measurement) = &mut result.outcome else { panic!() };
    measurement.parts = vec![part(Part::Forward, 0.01), part(Part::Backward, 0.025)];
    let values = metrics(&result, &[]);
    assert!((value(&values, Metric::ForwardTokensPerSecond) - 20_000.0).abs() < 1e-6);
    assert!((value(&values, Metric::BackwardTokensPerSecond) - 8_000.0).abs() < 1e-6);
    let ratio = values[&Metric::BackwardOverForward];
    assert!((ratio.value - 2.5).abs() < 1e-9 && ratio.low < 2.5 && ratio.high > 2.5, "{ratio:?}");
}

#[test]
fn bytes_are_told_apart_by_who_counts_them() {
    let result = memory(ElementType::F16, 1, 512, 400);
    let values = metrics(&result, &[]);
    let bytes = [
        (Metric::PeakBytes, 400.0),
        (Metric::AnalyticBytes, 400.0),
        (Metric::WeightBytes, 300.0),
        (Metric::LogitBytes, 80.0),
        (Metric::ReservedBytes, 1600.0),
        (Metric::DriverBytes, 2000.0),
    ];
    for (metric, expected) in bytes {
        assert_eq!(value(&values, metric), expected, "{metric:?}");
    }
    assert!(!values.contains_key(&Metric::Seconds) && !values.contains_key(&Metric::BytesPerToken));
}

#[test]
fn the_slope_is_that_of_the_peaks_of_cases_that_differ_in_size_alone() {
    // 300 bytes and 2 a token; another type and another benchmark are on lines of their own.
    let peak = |batch: usize, n: usize| 300 + 2 * (batch * n) as u64;
    let sizes = [(1, 512), (1, 1024), (4, 512)];
    let mut results: Vec<CaseResult> =
        sizes.map(|(batch, n)| memory(ElementType::F16, batch, n, peak(batch, n))).to_vec();
    results.push(memory(ElementType::F32, 1, 512, 9000));
    let mut other = memory(ElementType::F16, 8, 512, 50);
    other.case.benchmark = "other".to_owned();
    results.push(other);
    let slope = value(&metrics(&results[0], &results), Metric::BytesPerToken);
    assert!((slope - 2.0).abs() < 1e-9, "{slope}");
    assert!(!metrics(&results[3], &results).contains_key(&Metric::BytesPerToken));
}

#[test]
fn a_ratio_to_another_type_is_judged_and_said_in_words() {
    let results = [memory(ElementType::F32, 1, 8, 800), memory(ElementType::F16, 1, 8, 400)];
    let mut kpi = kpi(Metric::PeakBytes, relative_to_f16(), Bound::AtLeast(1.5));
    let result = judge(&kpi, &results);
    assert_eq!(result.verdict, Verdict::Pass);
    assert_eq!(
        result.summary,
        "peak_bytes over that with dtype f16 is 2.00x; expected at least 1.50x, met by 33.3 %"
    );
    kpi.bound = Bound::AtMost(1.9);
    assert_eq!(judge(&kpi, &results).verdict, Verdict::Fail);
    // Of the two cases only one has another to be compared with.
    assert_eq!(result.cases.iter().filter(|one| one.value.is_some()).count(), 1);
}

#[test]
fn a_ratio_without_its_other_side_is_not_evaluated_and_a_broken_one_does_not_pass() {
    let kpi = kpi(Metric::PeakBytes, relative_to_f16(), Bound::AtLeast(1.5));
    let f32 = memory(ElementType::F32, 1, 8, 800);
    let alone = judge(&kpi, std::slice::from_ref(&f32));
    assert_eq!(alone.verdict, Verdict::NotEvaluated);
    assert!(alone.summary.contains("no case of this run is the same over that with dtype f16"));
    let ended = |outcome| CaseResult { outcome, ..memory(ElementType::F16, 1, 8, 400) };
    let skipped = ended(Outcome::Skipped { reason: "no f16".to_owned() });
    assert_eq!(judge(&kpi, &[f32.clone(), skipped]).verdict, Verdict::NotEvaluated);
    let failed = ended(Outcome::Failed { error: "out of memory".to_owned() });
    let other_size = [memory(ElementType::F32, 1, 16, 900), memory(ElementType::F16, 1, 16, 450)];
    let results: Vec<CaseResult> = [f32, failed].into_iter().chain(other_size).collect();
    assert_eq!(judge(&kpi, &results).verdict, Verdict::Inconclusive);
}

#[test]
fn growth_is_judged_from_each_case_to_the_next_and_the_first_is_not() {
    let growth = kpi(Metric::TokensPerSecond, Comparison::GrowsWith(GrowthAxis::Batch), Bound::AtLeast(1.0));
    // Twice the tokens in 1.5 times the time, in any order.
    let growing = [throughput(4, 0.0225), throughput(1, 0.01), throughput(2, 0.015)];
    let result = judge(&growth, &growing);
    assert_eq!((result.verdict, result.cases.len()), (Verdict::Pass, 2));
    let falling = [throughput(1, 0.01), throughput(2, 0.015), throughput(4, 0.05)];
    let result = judge(&growth, &falling);
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.summary.contains("over that of the next smaller batch"), "{}", result.summary);
    let level = [throughput(1, 0.01), throughput(2, 0.02)];
    assert_eq!(judge(&growth, &level).verdict, Verdict::Inconclusive);
    let one = judge(&growth, &growing[..1]);
    assert_eq!(one.verdict, Verdict::NotEvaluated);
}

#[test]
fn growth_with_n_leaves_other_batches_alone() {
    let growth = kpi(Metric::PeakBytes, Comparison::GrowsWith(GrowthAxis::N), Bound::AtLeast(1.0));
    let results = [
        memory(ElementType::F16, 1, 512, 400),
        memory(ElementType::F16, 1, 1024, 500),
        // Fewer bytes than at the smaller N of another batch.
        memory(ElementType::F16, 8, 512, 450),
    ];
    let result = judge(&growth, &results);
    assert_eq!((result.verdict, result.cases.len()), (Verdict::Pass, 1));
}

#[test]
fn comparisons_survive_json() {
    for comparison in [relative_to_f16(), Comparison::GrowsWith(GrowthAxis::N)] {
        let kpi = kpi(Metric::PeakBytes, comparison, Bound::AtLeast(1.0));
        let json = serde_json::to_string(&kpi).unwrap();
        assert_eq!(serde_json::from_str::<Kpi>(&json).unwrap(), kpi);
    }
}
