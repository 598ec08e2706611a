//! The times of each benchmark, with what they mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::table::Table;
use super::{benchmarks, case_label, models, svg};
use crate::kpi::{Metric, MetricValue, metrics};
use crate::outcome::{CaseResult, Clock, Measurement, Outcome, Statistics};
use crate::record::Run;
use crate::units;

/// Columns after the times, in order.
const COLUMNS: [Metric; 7] = [
    Metric::BytesPerSecond,
    Metric::CopyFraction,
    Metric::MseClipped,
    Metric::MaxErrorUnits,
    Metric::Speedup,
    Metric::SpeedupVsTensor,
    Metric::SpeedupVsNative,
];

/// The table of a benchmark and what its columns are; no rows where nothing was measured.
pub(super) fn benchmark_table(run: &Run, benchmark: &str) -> (Table, &'static [Metric]) {
    let first = run.results.iter().find(|result| result.case.benchmark == benchmark);
    match first.and_then(|result| models::columns(&result.case.workload)) {
        Some(columns) => (models::table(run, benchmark, columns), columns),
        None => (table(run, benchmark), &COLUMNS),
    }
}

/// `namesakes` is the number of earlier runs of the same name, which have figures of their own.
pub(super) fn results(run: &Run, namesakes: usize) -> String {
    let mut text = String::new();
    let mut legend: Vec<Metric> = Vec::new();
    for benchmark in benchmarks(run) {
        let (table, columns) = benchmark_table(run, benchmark);
        if table.is_empty() {
            continue;
        }
        let _ = write!(text, "### {benchmark}\n\n{}\n", table.markdown());
        if let Some(figure) = svg::of_benchmark(run, namesakes, benchmark) {
            let _ = write!(text, "![{}]({})\n\n", figure.title, figure.file_name);
        }
        let shown = table.titles();
        for metric in columns {
            if shown.contains(&metric.info().title) && !legend.contains(metric) {
                legend.push(*metric);
            }
        }
    }
    if !text.is_empty() {
        text += &self::legend(&legend);
    }
    text
}

fn table(run: &Run, benchmark: &str) -> Table {
    let mut table =
        Table::new().text("case").number("time").text("clock").number("wall").number("first launch");
    for metric in COLUMNS {
        table = table.number(metric.info().title);
    }
    for result in run.results.iter().filter(|result| result.case.benchmark == benchmark) {
        if let Outcome::Measured(measurement) = &result.outcome {
            table.row(row(run, result, measurement));
        }
    }
    table
}

fn row(run: &Run, result: &CaseResult, measurement: &Measurement) -> Vec<String> {
    let own = measurement.timings.first();
    let wall = measurement.timings.iter().find(|timing| timing.clock == Clock::Wall);
    let time = |statistics: &Statistics| units::median_time(statistics);
    let mut cells = vec![
        case_label(run, &result.case),
        own.map_or_else(String::new, |timing| time(&timing.statistics)),
        own.map_or_else(String::new, |timing| clock(timing.clock, timing.issue_hidden)),
        wall.map_or_else(String::new, |timing| units::time(timing.statistics.median)),
        units::time(measurement.first_launch_seconds),
    ];
    let values = metrics(result, &run.results);
    cells.extend(COLUMNS.map(|metric| cell(metric, &values)));
    cells
}

fn clock(clock: Clock, issue_hidden: bool) -> String {
    let hidden = if issue_hidden { ", issue hidden" } else { "" };
    format!("{}{hidden}", units::clock(clock))
}

/// Ratios carry their interval and their clock, which need not be the clock of the time beside them.
fn cell(metric: Metric, values: &BTreeMap<Metric, MetricValue>) -> String {
    let Some(value) = values.get(&metric) else { return String::new() };
    let unit = metric.info().unit;
    match metric {
        Metric::Speedup | Metric::SpeedupVsTensor | Metric::SpeedupVsNative => {
            let clock = value.clock.map_or_else(String::new, |clock| format!(" ({})", units::clock(clock)));
            format!("{}{clock}", units::metric(value, unit))
        }
        _ => units::value(value.value, unit),
    }
}

fn legend(columns: &[Metric]) -> String {
    let mut text = String::from("What the columns mean:\n\n");
    for (title, meaning) in legend_entries(columns) {
        let _ = writeln!(text, "- {title}: {meaning}");
    }
    text + "\nRows marked `software` ran a GPU interface on the CPU: checks of correctness, no claims about speed.\n\n"
}

/// Titles of columns and what they mean, those of the times first.
pub(super) fn legend_entries(columns: &[Metric]) -> Vec<(String, String)> {
    let times = TIMES.iter().map(|(title, meaning)| ((*title).to_owned(), (*meaning).to_owned()));
    let metrics = columns.iter().map(|metric| metric.info());
    // The times have been explained above.
    let metrics = metrics.filter(|info| TIMES.iter().all(|(title, _)| *title != info.title));
    times.chain(metrics.map(|info| (info.title.to_owned(), lower_first(info.description)))).collect()
}

const TIMES: [(&str, &str); 4] = [
    ("time", "median time of a launch with its bootstrap 95 % interval, by the clock in the next column"),
    (
        "clock",
        "`launch_regression` is the slope of the time of k launches over k (`issue hidden`: the launches waited \
         on the device, so that the host's time to issue them is not in it); `device_timestamp` is the device's \
         own clock; `wall` is the host's time of one launch with its synchronisation, and the clock of models. \
         Times of different clocks are different quantities",
    ),
    ("wall", "median time of one synchronised launch by the host's clock"),
    ("first launch", "by the same clock, with compilation and autotune"),
];

fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
