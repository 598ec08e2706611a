//! Metrics of the model: tokens, operations and bytes.

use std::collections::BTreeMap;

use crate::case::{Case, Mode, WorkloadSpec};
use crate::condition::Field;
use crate::kpi::{Direction, Metric, MetricInfo, MetricValue, Unit};
use crate::memory::{MemoryMeasurement, Rise};
use crate::outcome::{CaseResult, Clock, Measurement, Outcome, PartTiming, Statistics};
use crate::stats::bootstrap_ratio;
use crate::workload::Part;

/// Adds everything that a measured case of the model has but its numerics.
pub(super) fn add(
    values: &mut BTreeMap<Metric, MetricValue>,
    case: &Case,
    measurement: &Measurement,
    all: &[CaseResult],
) {
    let wall = |seconds| MetricValue { clock: Some(Clock::Wall), ..MetricValue::exact(seconds) };
    values.insert(Metric::FirstLaunchSeconds, wall(measurement.first_launch_seconds));
    values.extend(measurement.warm_launch_seconds.map(|seconds| (Metric::WarmLaunchSeconds, wall(seconds))));
    add_rates(values, measurement);
    add_parts(values, measurement);
    if let Some(memory) = &measurement.memory {
        add_bytes(values, memory);
        values.extend(
            bytes_per_token(case, all).map(|slope| (Metric::BytesPerToken, MetricValue::exact(slope))),
        );
    }
}

fn add_rates(values: &mut BTreeMap<Metric, MetricValue>, measurement: &Measurement) {
    let Some(timing) = measurement.timings.first() else { return };
    let Statistics { median, median_low, median_high, .. } = timing.statistics;
    let clock = Some(timing.clock);
    values.insert(Metric::Seconds, MetricValue { value: median, low: median_low, high: median_high, clock });
    // Without a positive time there is no rate.
    if median_low <= 0.0 {
        return;
    }
    let flops = measurement.work.flops as f64;
    let rate = |amount| rate(amount, &timing.statistics, timing.clock);
    values.insert(Metric::TokensPerSecond, rate(measurement.work.elements as f64));
    values.insert(Metric::FlopsPerSecond, rate(flops));
    if let Some(most) = measurement.matrix_flops_per_second.filter(|most| *most > 0.0) {
        values.insert(Metric::MatrixFraction, rate(flops / most));
    }
}

fn add_parts(values: &mut BTreeMap<Metric, MetricValue>, measurement: &Measurement) {
    let part = |part: Part| measurement.parts.iter().find(|timing| timing.part == part);
    let tokens =
        |timing: &PartTiming| rate(measurement.work.elements as f64, &timing.statistics, Clock::Wall);
    let (forward, backward) = (part(Part::Forward), part(Part::Backward));
    values.extend(forward.map(|timing| (Metric::ForwardTokensPerSecond, tokens(timing))));
    values.extend(backward.map(|timing| (Metric::BackwardTokensPerSecond, tokens(timing))));
    if let (Some(forward), Some(backward)) = (forward, backward)
        && let Some(ratio) = bootstrap_ratio(&backward.samples, &forward.samples)
    {
        let clock = Some(Clock::Wall);
        let value = MetricValue { value: ratio.estimate, low: ratio.low, high: ratio.high, clock };
        values.insert(Metric::BackwardOverForward, value);
    }
}

fn rate(amount: f64, seconds: &Statistics, clock: Clock) -> MetricValue {
    MetricValue {
        value: amount / seconds.median,
        low: amount / seconds.median_high,
        high: amount / seconds.median_low,
        clock: Some(clock),
    }
}

fn add_bytes(values: &mut BTreeMap<Metric, MetricValue>, memory: &MemoryMeasurement) {
    let analytic = &memory.analytic;
    let rise = |rise: &Option<Rise>| rise.as_ref().map(Rise::bytes);
    let known = [
        (Metric::PeakBytes, memory.peak_bytes()),
        (Metric::AnalyticBytes, Some(analytic.total())),
        (Metric::WeightBytes, Some(analytic.weights)),
        (Metric::ActivationBytes, Some(analytic.activations)),
        (Metric::LogitBytes, Some(analytic.logits)),
        (Metric::ReservedBytes, memory.allocator.as_ref().map(|allocator| allocator.reserved)),
        (Metric::DriverBytes, rise(&memory.driver)),
        (Metric::ResidentBytes, rise(&memory.resident)),
    ];
    let value = |(metric, bytes): (Metric, Option<u64>)| Some((metric, MetricValue::exact(bytes? as f64)));
    values.extend(known.into_iter().filter_map(value));
}

/// Least-squares slope of the peak over the tokens of a launch, of the cases that differ from `case` in
/// `B` and `N` alone; absent with fewer than two numbers of tokens.
fn bytes_per_token(case: &Case, all: &[CaseResult]) -> Option<f64> {
    let alike = |other: &Case| {
        let rest = Field::ALL.into_iter().filter(|field| !matches!(field, Field::Batch | Field::N));
        rest.into_iter().all(|field| field.agrees(case, other))
    };
    let points: Vec<(f64, f64)> = all
        .iter()
        .filter(|other| alike(&other.case))
        .filter_map(|other| {
            let Outcome::Measured(measurement) = &other.outcome else { return None };
            let peak = measurement.memory.as_ref()?.peak_bytes()?;
            Some((other.case.workload.phase2()?.tokens() as f64, peak as f64))
        })
        .collect();
    let count = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (tokens, bytes) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = points.iter().map(|point| (point.0 - tokens).powi(2)).sum();
    let products: f64 = points.iter().map(|point| (point.0 - tokens) * (point.1 - bytes)).sum();
    (squares > 0.0).then(|| products / squares)
}

/// Whether `case` has `metric` once it is measured; `None` where this is no matter of models.
pub(super) fn is_defined_for(metric: Metric, case: &Case) -> Option<bool> {
    let of_models = metric.belongs_to_models();
    match &case.workload {
        WorkloadSpec::BkCore(_) => of_models.then_some(false),
        WorkloadSpec::Phase2Throughput(spec) => Some(match metric {
            Metric::ForwardTokensPerSecond
            | Metric::BackwardTokensPerSecond
            | Metric::BackwardOverForward => spec.mode == Mode::ForwardBackward,
            Metric::TokensPerSecond
            | Metric::FlopsPerSecond
            | Metric::MatrixFraction
            | Metric::WarmLaunchSeconds
            | Metric::Seconds
            | Metric::FirstLaunchSeconds => true,
            other => is_error(other),
        }),
        WorkloadSpec::Phase2Memory(_) => Some(match metric {
            Metric::WarmLaunchSeconds | Metric::FirstLaunchSeconds => true,
            other => is_error(other) || (of_models && other.info().unit == Unit::Bytes),
        }),
    }
}

fn is_error(metric: Metric) -> bool {
    matches!(metric, Metric::LogitError | Metric::NonFinite)
}

impl Metric {
    /// Whether only the model has it.
    pub(crate) fn belongs_to_models(self) -> bool {
        Self::ALL.iter().position(|metric| *metric == self)
            >= Self::ALL.iter().position(|metric| *metric == Self::TokensPerSecond)
    }

    /// Whether a device may be unable to give it, without anything being wrong.
    pub(super) fn needs_the_device(self) -> bool {
        use Metric::{CopyFraction, DriverBytes, MatrixFraction, ReservedBytes, ResidentBytes};
        matches!(self, CopyFraction | DriverBytes | MatrixFraction | ReservedBytes | ResidentBytes)
    }
}

/// What a metric of models is called and how it is read.
pub(super) fn info(metric: Metric) -> MetricInfo {
    use Direction::{Higher, Lower};
    let (id, title, unit, description, direction) = match metric {
        Metric::LogitError => (
            "logit_error",
            "logit error",
            Unit::Error,
            "Largest distance of a logit from that of the float32 model on ndarray, over the largest logit",
            Lower,
        ),
        Metric::ForwardTokensPerSecond => (
            "forward_tokens_per_second",
            "forward",
            Unit::TokensPerSecond,
            "Tokens of a launch over the time of its forward part, which ends in a synchronisation",
            Higher,
        ),
        Metric::BackwardTokensPerSecond => (
            "backward_tokens_per_second",
            "backward",
            Unit::TokensPerSecond,
            "Tokens of a launch over the time of its backward part, which ends in a synchronisation",
            Higher,
        ),
        Metric::BackwardOverForward => (
            "backward_over_forward",
            "backward/forward",
            Unit::Factor,
            "Time of the backward part over that of the forward part",
            Lower,
        ),
        Metric::WarmLaunchSeconds => (
            "warm_launch_seconds",
            "warm launch",
            Unit::Seconds,
            "Time of the launch after the first ones: what a first result takes without compilation and autotune",
            Lower,
        ),
        Metric::FlopsPerSecond => (
            "flops_per_second",
            "model FLOP/s",
            Unit::FlopsPerSecond,
            "Operations of the model by arithmetic over the time of a launch",
            Higher,
        ),
        Metric::MatrixFraction => (
            "matrix_fraction",
            "of matrix rate",
            Unit::Fraction,
            "Operations of the model a second over those of a large matrix product in the same type on the \
             same device",
            Higher,
        ),
        Metric::PeakBytes => (
            "peak_bytes",
            "peak in use",
            Unit::Bytes,
            "Most bytes of live tensors during a launch, by the allocator; on CPU targets the rise of the \
             resident set",
            Lower,
        ),
        Metric::AnalyticBytes => (
            "analytic_bytes",
            "predicted",
            Unit::Bytes,
            "Weights, activations and logits by arithmetic",
            Lower,
        ),
        Metric::WeightBytes => {
            ("weight_bytes", "weights", Unit::Bytes, "Parameters and fixed tables by arithmetic", Lower)
        }
        Metric::ActivationBytes => (
            "activation_bytes",
            "activations",
            Unit::Bytes,
            "Intermediate results that live at the same time, by arithmetic",
            Lower,
        ),
        Metric::LogitBytes => ("logit_bytes", "logits", Unit::Bytes, "The output by arithmetic", Lower),
        Metric::ReservedBytes => (
            "reserved_bytes",
            "reserved",
            Unit::Bytes,
            "Pages that the allocator took from the driver: a staircase, not the need of the case",
            Lower,
        ),
        Metric::DriverBytes => (
            "driver_bytes",
            "driver",
            Unit::Bytes,
            "Memory of the device that the driver says was taken, less what was taken before the model",
            Lower,
        ),
        Metric::ResidentBytes => (
            "resident_bytes",
            "resident",
            Unit::Bytes,
            "Peak resident set of the process, less what it was before the model",
            Lower,
        ),
        Metric::BytesPerToken => (
            "bytes_per_token",
            "slope a token",
            Unit::Bytes,
            "Slope of the peak over the tokens of a launch, of the cases of a benchmark that differ in B and N",
            Lower,
        ),
        // Everything else has been told by the caller.
        _ => (
            "tokens_per_second",
            "tokens/s",
            Unit::TokensPerSecond,
            "Tokens of a launch over its time",
            Higher,
        ),
    };
    MetricInfo { id, title, unit, description, direction }
}
