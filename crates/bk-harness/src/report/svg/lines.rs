//! What a benchmark has to plot: which metric over which size, and which cases lie on one line.

use std::collections::BTreeMap;

use super::{Line, Plot};
use crate::case::{Case, WorkloadSpec};
use crate::kpi::{Metric, MetricValue, Unit, metrics};
use crate::outcome::CaseResult;
use crate::record::Run;
use crate::report::target_label;
use crate::units;

/// The lines of `benchmark` with two points or more.
pub(super) fn plot(run: &Run, benchmark: &str) -> Plot {
    let results: Vec<&CaseResult> =
        run.results.iter().filter(|result| result.case.benchmark == benchmark).collect();
    match results.first().map(|result| &result.case.workload) {
        Some(WorkloadSpec::Phase2Memory(_)) => Plot {
            title: "peak memory over tokens",
            across: "tokens, B * N",
            unit: Unit::Bytes,
            lines: lines(run, &results, Metric::PeakBytes, tokens, |case| without_size(case, true, true)),
        },
        Some(WorkloadSpec::Phase2Throughput(_)) if differ(&results, WorkloadSpec::batch) => Plot {
            title: "tokens a second over B",
            across: "B",
            unit: Unit::TokensPerSecond,
            lines: lines(
                run,
                &results,
                Metric::TokensPerSecond,
                |case| case.workload.batch() as f64,
                |case| without_size(case, true, false),
            ),
        },
        Some(WorkloadSpec::Phase2Throughput(_)) => Plot {
            title: "tokens a second over N",
            across: "N",
            unit: Unit::TokensPerSecond,
            lines: lines(run, &results, Metric::TokensPerSecond, n, |case| without_size(case, false, true)),
        },
        _ => Plot {
            title: "time of a launch over N",
            across: "N",
            unit: Unit::Seconds,
            lines: lines(run, &results, Metric::Seconds, n, |case| without_size(case, false, true)),
        },
    }
}

fn n(case: &Case) -> f64 {
    case.workload.n() as f64
}

fn tokens(case: &Case) -> f64 {
    (case.workload.batch() * case.workload.n()) as f64
}

fn differ(results: &[&CaseResult], size: fn(&WorkloadSpec) -> usize) -> bool {
    results.iter().any(|result| size(&result.case.workload) != size(&results[0].case.workload))
}

/// The id of a case without its `B`, its `N`, or both: what the cases of a line have in common.
fn without_size(case: &Case, batch: bool, n: bool) -> String {
    let (b_size, n_size) = (case.workload.batch(), case.workload.n());
    let kept = match (batch, n) {
        (true, true) => String::new(),
        (true, false) => format!("n{n_size}/"),
        (false, _) => format!("b{b_size}/"),
    };
    case.id.replacen(&format!("b{b_size}-n{n_size}/"), &kept, 1)
}

fn lines(
    run: &Run,
    results: &[&CaseResult],
    metric: Metric,
    size: fn(&Case) -> f64,
    line: fn(&Case) -> String,
) -> Vec<Line> {
    let mut lines: BTreeMap<String, Vec<(f64, MetricValue, &str)>> = BTreeMap::new();
    for result in results {
        // A logarithm needs positive numbers.
        let value = metrics(result, &run.results).get(&metric).copied().filter(|value| value.low > 0.0);
        if let Some(value) = value {
            lines.entry(line(&result.case)).or_default().push((
                size(&result.case),
                value,
                &result.case.target,
            ));
        }
    }
    lines.retain(|_, points| points.iter().any(|point| point.0 != points[0].0));
    lines
        .into_iter()
        .map(|(line, mut points)| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let target = points[0].2;
            let name = line.replacen(target, &target_label(run, target), 1);
            let clock = points[0].1.clock.map(units::clock);
            let label = clock.map_or(name.clone(), |clock| format!("{name}, {clock}"));
            Line { label, points: points.into_iter().map(|(size, value, _)| (size, value)).collect() }
        })
        .collect()
}
