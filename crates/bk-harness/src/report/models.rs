//! Tables of the model: tokens a second, and memory.

use std::collections::BTreeMap;

use super::case_label;
use super::table::Table;
use crate::case::WorkloadSpec;
use crate::kpi::{Metric, MetricValue, metrics};
use crate::outcome::Outcome;
use crate::record::Run;
use crate::units;

const THROUGHPUT: [Metric; 10] = [
    Metric::TokensPerSecond,
    Metric::Seconds,
    Metric::ForwardTokensPerSecond,
    Metric::BackwardTokensPerSecond,
    Metric::BackwardOverForward,
    Metric::FlopsPerSecond,
    Metric::MatrixFraction,
    Metric::FirstLaunchSeconds,
    Metric::WarmLaunchSeconds,
    Metric::LogitError,
];

const MEMORY: [Metric; 11] = [
    Metric::PeakBytes,
    Metric::AnalyticBytes,
    Metric::WeightBytes,
    Metric::ActivationBytes,
    Metric::LogitBytes,
    Metric::ReservedBytes,
    Metric::DriverBytes,
    Metric::ResidentBytes,
    Metric::BytesPerToken,
    Metric::FirstLaunchSeconds,
    Metric::LogitError,
];

/// The columns of a benchmark of the model; `None` for one of the scan.
pub(super) fn columns(workload: &WorkloadSpec) -> Option<&'static [Metric]> {
    match workload {
        WorkloadSpec::BkCore(_) => None,
        WorkloadSpec::Phase2Throughput(_) => Some(&THROUGHPUT),
        WorkloadSpec::Phase2Memory(_) => Some(&MEMORY),
    }
}

/// The measured cases of `benchmark`, with `columns`.
pub(super) fn table(run: &Run, benchmark: &str, columns: &[Metric]) -> Table {
    let mut table = Table::new().text("case");
    for metric in columns {
        table = table.number(metric.info().title);
    }
    for result in run.results.iter().filter(|result| result.case.benchmark == benchmark) {
        if matches!(result.outcome, Outcome::Measured(_)) {
            let values = metrics(result, &run.results);
            let cells = columns.iter().map(|metric| cell(*metric, &values));
            table.row(std::iter::once(case_label(run, &result.case)).chain(cells).collect());
        }
    }
    table
}

/// What a KPI may bound carries its interval.
fn cell(metric: Metric, values: &BTreeMap<Metric, MetricValue>) -> String {
    let Some(value) = values.get(&metric) else { return String::new() };
    let unit = metric.info().unit;
    match metric {
        Metric::TokensPerSecond | Metric::BackwardOverForward => units::metric(value, unit),
        _ => units::value(value.value, unit),
    }
}
