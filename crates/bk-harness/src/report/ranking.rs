//! Everybody who solved the same problem, the fastest first: our implementations and the external engines.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::table::Table;
use super::{benchmarks, target_label};
use crate::baseline::{implementation, same_problem};
use crate::case::{BkCoreSpec, Case, Implementation, WorkloadSpec};
use crate::kpi::{COMPARABLE, MetricValue, ratio_of_times, ratio_on};
use crate::outcome::{CaseResult, Clock, Measurement, Outcome};
use crate::plan::problem_name;
use crate::record::Run;
use crate::units;

/// A table for each problem that an external engine was given; empty where there is none.
pub(super) fn ranking(run: &Run) -> String {
    let mut text = String::new();
    for benchmark in benchmarks(run) {
        for problem in problems(run, benchmark) {
            let WorkloadSpec::BkCore(spec) = &problem[0].case.workload else { continue };
            let table = table(run, &problem);
            let _ = write!(text, "#### {benchmark}: {}\n\n{}\n", title(spec), table.markdown());
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "### Ranking\n\nOur implementations and external engines on the same inputs, each proven right before it \
         was timed. `ratio` is the time over that of the fastest of ours, with the 95 % interval of the ratio of the \
         medians, on the clock that is named beside it: their own where it is the same one, else the best that both \
         have. Rows stand in the order of that ratio. Times of different clocks are different quantities; do not compare them down a column.\n\n{text}"
    )
}

/// The results of `benchmark` by problem, of those problems that an engine was given; the reference is left out.
fn problems<'a>(run: &'a Run, benchmark: &str) -> Vec<Vec<&'a CaseResult>> {
    let mut problems: Vec<Vec<&CaseResult>> = Vec::new();
    let results = run.results.iter().filter(|result| result.case.benchmark == benchmark);
    for result in results.filter(|result| takes_part(&result.case)) {
        match problems.iter_mut().find(|problem| same_problem(&problem[0].case, &result.case)) {
            Some(problem) => problem.push(result),
            None => problems.push(vec![result]),
        }
    }
    let has_peer = |problem: &Vec<&CaseResult>| problem.iter().any(|result| is_peer(&result.case));
    problems.retain(has_peer);
    problems
}

fn takes_part(case: &Case) -> bool {
    implementation(case).is_some_and(|one| !matches!(one, Implementation::Host | Implementation::ThetaPhi))
}

fn is_peer(case: &Case) -> bool {
    implementation(case) == Some(Implementation::Peer)
}

fn title(spec: &BkCoreSpec) -> String {
    format!("`{}`", problem_name(spec))
}

/// A measured case with its ratio to the fastest of ours.
struct Entry<'a> {
    result: &'a CaseResult,
    measurement: &'a Measurement,
    ratio: Option<MetricValue>,
}

fn table(run: &Run, problem: &[&CaseResult]) -> Table {
    let mut table = Table::new()
        .number("")
        .text("engine")
        .number("time")
        .text("clock")
        .number("ratio")
        .text("ratio by")
        .number("of copy")
        .number("max units")
        .number("allowed units")
        .number("MSE (clipped)");
    for (place, entry) in entries(problem).iter().enumerate() {
        table.row(row(run, place + 1, entry));
    }
    for result in problem {
        if let Some(why) = why_not(&result.outcome) {
            let mut cells = vec![String::new(); 10];
            cells[0] = "-".to_owned();
            cells[1] = name(run, &result.case);
            cells[3] = why;
            table.row(cells);
        }
    }
    table
}

fn entries<'a>(problem: &[&'a CaseResult]) -> Vec<Entry<'a>> {
    let measured = problem.iter().filter_map(|result| match &result.outcome {
        Outcome::Measured(measurement) => Some((*result, measurement.as_ref())),
        _ => None,
    });
    let measured: Vec<(&CaseResult, &Measurement)> = measured.collect();
    let best = fastest_of_ours(&measured);
    let mut entries: Vec<Entry> = measured
        .into_iter()
        .map(|(result, measurement)| {
            let ratio = best.and_then(|best| ratio(measurement, best));
            Entry { result, measurement, ratio }
        })
        .collect();
    entries.sort_by(|a, b| compare(a, b));
    entries
}

/// Time of `measurement` over that of `best`: by their own clock if it is the same, else by the best that both have.
fn ratio(measurement: &Measurement, best: &Measurement) -> Option<MetricValue> {
    let own = |measurement: &Measurement| measurement.timings.first().map(|own| own.clock);
    let shared = own(measurement).filter(|clock| own(best) == Some(*clock));
    shared.and_then(|clock| ratio_on(clock, measurement, best)).or_else(|| ratio_of_times(measurement, best))
}

/// The fastest of our implementations, by the best clock that any of them has.
fn fastest_of_ours<'a>(measured: &[(&CaseResult, &'a Measurement)]) -> Option<&'a Measurement> {
    let ours = || measured.iter().filter(|(result, _)| !is_peer(&result.case)).map(|(_, found)| *found);
    COMPARABLE.iter().find_map(|clock| {
        let on_clock = ours().filter_map(|found| Some((median(found, *clock)?, found)));
        on_clock.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, found)| found)
    })
}

fn median(measurement: &Measurement, clock: Clock) -> Option<f64> {
    let timing = measurement.timings.iter().find(|timing| timing.clock == clock)?;
    Some(timing.statistics.median)
}

/// By ratio; those without one behind, by the time on their own clock.
fn compare(a: &Entry, b: &Entry) -> Ordering {
    let own = |entry: &Entry| entry.measurement.timings.first().map_or(f64::NAN, |own| own.statistics.median);
    match (a.ratio, b.ratio) {
        (Some(a), Some(b)) => a.value.total_cmp(&b.value),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => own(a).total_cmp(&own(b)),
    }
}

fn row(run: &Run, place: usize, entry: &Entry) -> Vec<String> {
    let Entry { result, measurement, ratio } = entry;
    let own = measurement.timings.first();
    let hidden = |hidden: bool| if hidden { ", issue hidden" } else { "" };
    let copy = own.zip(measurement.copy_bytes_per_second).map(|(own, copy)| {
        let bytes = (measurement.work.bytes_read + measurement.work.bytes_written) as f64;
        units::percent(bytes / own.statistics.median / copy)
    });
    vec![
        place.to_string(),
        name(run, &result.case),
        own.map_or_else(String::new, |own| units::median_time(&own.statistics)),
        own.map_or_else(String::new, |own| {
            format!("{}{}", units::clock(own.clock), hidden(own.issue_hidden))
        }),
        ratio.map_or_else(|| "-".to_owned(), |ratio| units::metric(&ratio, crate::kpi::Unit::Factor)),
        ratio.and_then(|ratio| ratio.clock).map_or_else(String::new, |clock| units::clock(clock).to_owned()),
        copy.unwrap_or_default(),
        units::digits(measurement.numerics.max_error_units),
        units::digits(measurement.numerics.allowed_error_units),
        units::error(measurement.numerics.mse_clipped),
    ]
}

/// Who it is: an engine by its target, ours by target and implementation.
fn name(run: &Run, case: &Case) -> String {
    let label = target_label(run, &case.target);
    let WorkloadSpec::BkCore(spec) = &case.workload else { return label };
    match spec.implementation {
        Implementation::Peer => format!("{label} (peer)"),
        other => {
            let strategy = match spec.strategy {
                crate::case::Strategy::Auto => String::new(),
                forced => format!("-{}", forced.name()),
            };
            format!("**{label}** {}{strategy}", other.name())
        }
    }
}

fn why_not(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Measured(_) => None,
        Outcome::Skipped { reason } => Some(format!("skipped: {reason}")),
        Outcome::Failed { error } => Some(format!("failed: {error}")),
        Outcome::Invalid { why, .. } => Some(format!("invalid: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, config, measured, run, timing};

    fn run_of(results: Vec<CaseResult>) -> Run {
        run(config(), results)
    }

    fn with(case: Case, outcome: Outcome) -> CaseResult {
        CaseResult { case, outcome }
    }

    #[test]
    fn without_an_engine_there_is_no_ranking() {
        let ours = measured(case("cuda", Implementation::Kernel, 1024), vec![timing(Clock::Wall, 1e-3)]);
        assert_eq!(ranking(&run_of(vec![ours])), "");
    }

    #[test]
    fn everybody_is_ranked_against_the_fastest_of_ours_on_a_clock_that_both_have() {
        let (slope, wall) = (Clock::LaunchRegression, Clock::Wall);
        let kernel = vec![timing(slope, 2e-5), timing(wall, 4e-5)];
        let tensor = vec![timing(slope, 3e-4), timing(wall, 5e-4)];
        let both = vec![timing(slope, 1e-5), timing(wall, 6e-5)];
        let why = "3 sites are wrong".to_owned();
        let reason = "No module named 'torch'".to_owned();
        let results = vec![
            measured(case("host", Implementation::Host, 1024), vec![timing(wall, 1.0)]),
            measured(case("cuda", Implementation::Tensor, 1024), tensor),
            measured(case("cuda", Implementation::Kernel, 1024), kernel),
            measured(case("jax", Implementation::Peer, 1024), vec![timing(wall, 3e-5)]),
            measured(case("triton", Implementation::Peer, 1024), both),
            with(case("numpy", Implementation::Peer, 1024), Outcome::Invalid { why, numerics: None }),
            with(case("torch", Implementation::Peer, 1024), Outcome::Skipped { reason }),
            measured(case("cuda", Implementation::Kernel, 4096), vec![timing(slope, 1e-3)]),
        ];
        insta::assert_snapshot!(ranking(&run_of(results)));
    }

    #[test]
    fn without_a_clock_in_common_there_is_no_ratio() {
        let results = vec![
            measured(case("cuda", Implementation::Kernel, 1024), vec![timing(Clock::LaunchRegression, 1e-5)]),
            measured(case("jax", Implementation::Peer, 1024), vec![timing(Clock::Wall, 1e-6)]),
        ];
        let text = ranking(&run_of(results));
        let rows: Vec<&str> =
            text.lines().filter(|line| line.starts_with("| 1") || line.starts_with("| 2")).collect();
        assert!(rows[0].contains("cuda") && rows[0].contains("1.00x"), "{text}");
        assert!(rows[1].contains("jax") && rows[1].contains("| - |"), "{text}");
    }
}
