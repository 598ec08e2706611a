//! The numbers that a KPI can bound and that a report shows, each derived from the results alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, is_host};
use crate::case::Case;
use crate::kpi::models;
use crate::numerics::Numerics;
use crate::outcome::{CaseResult, Clock, Measurement, Outcome, Timing};
use crate::stats::bootstrap_ratio;

/// A number that a case has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median time of a launch.
    Seconds,
    /// Elements a second.
    ElementsPerSecond,
    /// Useful bytes a second.
    BytesPerSecond,
    /// Useful bytes a second over the rate of a plain copy.
    CopyFraction,
    /// Time of the serial `host` reference over this case's.
    Speedup,
    /// Time of `tensor` on the same target over this case's.
    SpeedupVsTensor,
    /// Time of `native` on `ndarray` over this case's.
    SpeedupVsNative,
    /// Time of the first launch.
    FirstLaunchSeconds,
    /// Mean squared error.
    Mse,
    /// Mean squared error after clipping magnitudes at 50.
    MseClipped,
    /// Largest absolute error.
    MaxAbsError,
    /// Largest relative error.
    MaxRelError,
    /// Median relative error.
    MedianRelError,
    /// Largest error in units of what rounding the inputs does.
    MaxErrorUnits,
    /// Entries that are NaN or infinite.
    NonFinite,
    /// Tokens a second of a whole launch.
    TokensPerSecond,
    /// Largest error of a logit over the largest logit.
    LogitError,
    /// Tokens a second of the forward part.
    ForwardTokensPerSecond,
    /// Tokens a second of the backward part.
    BackwardTokensPerSecond,
    /// Time of the backward part over that of the forward part.
    BackwardOverForward,
    /// Time of the first launch after the first.
    WarmLaunchSeconds,
    /// Operations a second of the model.
    FlopsPerSecond,
    /// Operations a second over those of a large matrix product.
    MatrixFraction,
    /// Peak of the bytes in use.
    PeakBytes,
    /// Bytes by arithmetic: weights, activations and logits.
    AnalyticBytes,
    /// Bytes of weights by arithmetic.
    WeightBytes,
    /// Bytes of activations by arithmetic.
    ActivationBytes,
    /// Bytes of logits by arithmetic.
    LogitBytes,
    /// Bytes that the allocator took from the driver.
    ReservedBytes,
    /// Bytes that the driver says were taken.
    DriverBytes,
    /// Rise of the resident set of the process.
    ResidentBytes,
    /// Slope of the peak over the number of tokens.
    BytesPerToken,
}

/// A metric's value with its 95 % interval; without one, all three are equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricValue {
    /// Best estimate.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub value: f64,
    /// Lower end of the interval.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(with = "crate::finite")]
    #[schemars(with = "Option<f64>")]
    pub high: f64,
    /// Clock of the times behind it; absent for numerics.
    pub clock: Option<Clock>,
}

/// Clocks on which two cases can be compared, the best first.
pub(crate) const COMPARABLE: [Clock; 3] = [Clock::LaunchRegression, Clock::DeviceTimestamp, Clock::Wall];

/// Every metric that `result` has; `all` holds the cases that its ratios are relative to.
///
/// A skipped or failed case has none. An invalid one has its errors, but no time. The `host` reference has
/// no errors and no speedups: they are relative to it.
pub fn metrics(result: &CaseResult, all: &[CaseResult]) -> BTreeMap<Metric, MetricValue> {
    let mut values = BTreeMap::new();
    match &result.outcome {
        Outcome::Measured(measurement) if result.case.workload.phase2().is_some() => {
            models::add(&mut values, &result.case, measurement, all);
            add_numerics(&mut values, &result.case, &measurement.numerics);
        }
        Outcome::Measured(measurement) => {
            add_times(&mut values, measurement);
            add_numerics(&mut values, &result.case, &measurement.numerics);
            let speedups = [
                (Metric::Speedup, Baseline::Host),
                (Metric::SpeedupVsTensor, Baseline::Tensor),
                (Metric::SpeedupVsNative, Baseline::Native),
            ];
            for (metric, baseline) in speedups {
                let ratio = measurement_of(baseline, &result.case, all)
                    .and_then(|baseline| ratio_of_times(baseline, measurement));
                values.extend(ratio.map(|ratio| (metric, ratio)));
            }
        }
        Outcome::Invalid { numerics: Some(numerics), .. } => {
            add_numerics(&mut values, &result.case, numerics);
        }
        Outcome::Invalid { numerics: None, .. } | Outcome::Skipped { .. } | Outcome::Failed { .. } => {}
    }
    values
}

fn add_times(values: &mut BTreeMap<Metric, MetricValue>, measurement: &Measurement) {
    values.insert(
        Metric::FirstLaunchSeconds,
        MetricValue { clock: Some(Clock::Wall), ..MetricValue::exact(measurement.first_launch_seconds) },
    );
    let Some(timing) = measurement.timings.first() else { return };
    let seconds = MetricValue {
        value: timing.statistics.median,
        low: timing.statistics.median_low,
        high: timing.statistics.median_high,
        clock: Some(timing.clock),
    };
    values.insert(Metric::Seconds, seconds);
    // Without a positive time there is no rate.
    if seconds.low <= 0.0 {
        return;
    }
    let rate = |amount: f64| MetricValue {
        value: amount / seconds.value,
        low: amount / seconds.high,
        high: amount / seconds.low,
        clock: seconds.clock,
    };
    let bytes = (measurement.work.bytes_read + measurement.work.bytes_written) as f64;
    values.insert(Metric::ElementsPerSecond, rate(measurement.work.elements as f64));
    values.insert(Metric::BytesPerSecond, rate(bytes));
    if let Some(copy) = measurement.copy_bytes_per_second.filter(|copy| *copy > 0.0) {
        values.insert(Metric::CopyFraction, rate(bytes / copy));
    }
}

fn add_numerics(values: &mut BTreeMap<Metric, MetricValue>, case: &Case, numerics: &Numerics) {
    if is_host(case) {
        return;
    }
    values.insert(Metric::NonFinite, MetricValue::exact(numerics.non_finite as f64));
    if case.workload.phase2().is_some() {
        values.insert(Metric::LogitError, MetricValue::exact(numerics.max_rel_error));
        return;
    }
    values.extend([
        (Metric::Mse, MetricValue::exact(numerics.mse)),
        (Metric::MseClipped, MetricValue::exact(numerics.mse_clipped)),
        (Metric::MaxAbsError, MetricValue::exact(numerics.max_abs_error)),
        (Metric::MaxRelError, MetricValue::exact(numerics.max_rel_error)),
        (Metric::MedianRelError, MetricValue::exact(numerics.median_rel_error)),
        (Metric::MaxErrorUnits, MetricValue::exact(numerics.max_error_units)),
    ]);
}

fn measurement_of<'a>(baseline: Baseline, case: &Case, all: &'a [CaseResult]) -> Option<&'a Measurement> {
    let candidates = all.iter().filter(|candidate| baseline.serves(&candidate.case, case));
    candidates.into_iter().find_map(|candidate| match &candidate.outcome {
        Outcome::Measured(measurement) => Some(measurement.as_ref()),
        _ => None,
    })
}

/// Time of a call of `over` over one of `under`, on the best clock that both have.
pub(crate) fn ratio_of_times(over: &Measurement, under: &Measurement) -> Option<MetricValue> {
    COMPARABLE.iter().find_map(|clock| ratio_on(*clock, over, under))
}

/// The same on `clock`, if both have it.
pub(crate) fn ratio_on(clock: Clock, over: &Measurement, under: &Measurement) -> Option<MetricValue> {
    let (over, under) = (timing(over, clock)?, timing(under, clock)?);
    let ratio = bootstrap_ratio(&over.samples, &under.samples)?;
    Some(MetricValue { value: ratio.estimate, low: ratio.low, high: ratio.high, clock: Some(clock) })
}

fn timing(measurement: &Measurement, clock: Clock) -> Option<&Timing> {
    measurement.timings.iter().find(|timing| timing.clock == clock)
}

impl MetricValue {
    /// A value without an interval.
    pub fn exact(value: f64) -> Self {
        Self { value, low: value, high: value, clock: None }
    }
}

impl Metric {
    /// Whether `case` has the metric once it is measured among `planned`.
    pub(crate) fn is_defined_for<'a>(self, case: &Case, planned: impl IntoIterator<Item = &'a Case>) -> bool {
        if let Some(defined) = models::is_defined_for(self, case) {
            return defined;
        }
        let has = |baseline: Baseline| planned.into_iter().any(|other| baseline.serves(other, case));
        match self {
            Self::Speedup => has(Baseline::Host),
            Self::SpeedupVsTensor => has(Baseline::Tensor),
            Self::SpeedupVsNative => has(Baseline::Native),
            Self::Mse
            | Self::MseClipped
            | Self::MaxAbsError
            | Self::MaxRelError
            | Self::MedianRelError
            | Self::MaxErrorUnits
            | Self::NonFinite => !is_host(case),
            _ => matches!(
                self,
                Self::Seconds
                    | Self::ElementsPerSecond
                    | Self::BytesPerSecond
                    | Self::CopyFraction
                    | Self::FirstLaunchSeconds
            ),
        }
    }
}
