//! What a run found out, for a terminal and for `--json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bk_harness::kpi::{KpiResult, Metric, MetricValue, Severity, Verdict, metrics};
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::record::{Run, Tally};
use bk_harness::units;
use serde::Serialize;

use crate::exit::Exit;
use crate::output;
use crate::verdict;

/// Columns of the table behind the name of the case.
const COLUMNS: [Metric; 10] = [
    Metric::Seconds,
    Metric::TokensPerSecond,
    Metric::MatrixFraction,
    Metric::PeakBytes,
    Metric::AnalyticBytes,
    Metric::LogitError,
    Metric::Speedup,
    Metric::SpeedupVsTensor,
    Metric::SpeedupVsNative,
    Metric::MaxErrorUnits,
];

/// A run in short: without samples, environment and config, which are in its files.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    name: String,
    exit_code: u8,
    interrupted: bool,
    tally: Tally,
    files: Vec<PathBuf>,
    kpis: Vec<KpiResult>,
    cases: Vec<CaseSummary>,
}

#[derive(Debug, Serialize)]
struct CaseSummary {
    benchmark: String,
    id: String,
    target: String,
    status: &'static str,
    reason: Option<String>,
    metrics: BTreeMap<Metric, MetricValue>,
}

impl Summary {
    /// Of `run`, whose files are `files`.
    pub(crate) fn new(run: &Run, files: Vec<PathBuf>) -> Self {
        Self {
            name: run.name.clone(),
            exit_code: verdict::of(run).code(),
            interrupted: run.interrupted,
            tally: Tally::of(&run.results),
            files,
            kpis: run.kpis.clone(),
            cases: run.results.iter().map(|result| case(result, &run.results)).collect(),
        }
    }

    /// As text: measured cases in a table, then what has no number, then the KPIs, then the files.
    pub(crate) fn text(&self) -> String {
        let Tally { measured, skipped, failed, invalid, reported } = self.tally;
        let reported = match reported {
            0 => String::new(),
            cases => format!(", {cases} wrong as may be"),
        };
        let mut text = format!(
            "{}: {measured} measured, {skipped} skipped, {failed} failed, {invalid} invalid{reported}\n",
            self.name
        );
        if measured > 0 {
            text += &format!("{}\n", self.table().trim_fmt());
        }
        for (status, reason, cases) in self.without_number() {
            text += &format!("{status}: {reason}\n  {cases}\n");
        }
        for kpi in &self.kpis {
            text += &kpi_line(kpi);
        }
        if self.interrupted {
            text += "interrupted: run again with --resume to go on\n";
        }
        for file in &self.files {
            text += &format!("written: {}\n", file.display());
        }
        text
    }

    /// Measured cases, with those of the columns that any of them has.
    fn table(&self) -> comfy_table::Table {
        let measured: Vec<&CaseSummary> =
            self.cases.iter().filter(|case| case.status == "measured").collect();
        let has = |metric: &Metric| measured.iter().any(|case| case.metrics.contains_key(metric));
        let columns: Vec<Metric> = COLUMNS.into_iter().filter(has).collect();
        let header = columns.iter().map(|metric| metric.info().title);
        let mut table = output::table(std::iter::once("case").chain(header));
        for case in measured {
            let cells = columns.iter().map(|metric| cell(*metric, case.metrics.get(metric)));
            table.add_row(std::iter::once(format!("{}/{}", case.benchmark, case.id)).chain(cells));
        }
        table
    }

    /// Cases without a number: status, reason, and which they are. One entry a reason, since a missing
    /// device has the same one for every case.
    fn without_number(&self) -> Vec<(&'static str, &str, String)> {
        let mut groups: Vec<(&'static str, &str, Vec<String>)> = Vec::new();
        for case in &self.cases {
            let Some(reason) = case.reason.as_deref() else { continue };
            let name = format!("{}/{}", case.benchmark, case.id);
            match groups.iter_mut().find(|(status, known, _)| *status == case.status && *known == reason) {
                Some((_, _, cases)) => cases.push(name),
                None => groups.push((case.status, reason, vec![name])),
            }
        }
        groups.into_iter().map(|(status, reason, cases)| (status, reason, named(&cases))).collect()
    }
}

/// Exit code of several runs.
pub(crate) fn exit<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Exit {
    Exit::gravest(runs.into_iter().map(verdict::of))
}

/// Stands for the many ways in which an algorithm that may be wrong is wrong: they are no news.
const REPORTED: &str =
    "an algorithm that is there to show its errors; they are in the results and in the report";

fn case(result: &CaseResult, all: &[CaseResult]) -> CaseSummary {
    let reported = REPORTED.to_owned();
    let (status, reason) = match &result.outcome {
        Outcome::Invalid { .. } if result.is_reported() => ("wrong as may be", Some(&reported)),
        Outcome::Measured(_) => ("measured", None),
        Outcome::Skipped { reason } => ("skipped", Some(reason)),
        Outcome::Failed { error } => ("failed", Some(error)),
        Outcome::Invalid { why, .. } => ("invalid", Some(why)),
    };
    CaseSummary {
        benchmark: result.case.benchmark.clone(),
        id: result.case.id.clone(),
        target: result.case.target.clone(),
        status,
        reason: reason.cloned(),
        metrics: metrics(result, all),
    }
}

fn cell(metric: Metric, value: Option<&MetricValue>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let text = units::metric(value, metric.info().unit);
    match (metric, value.clock) {
        (Metric::Seconds, Some(clock)) => format!("{text} {}", units::clock(clock)),
        _ => text,
    }
}

/// The first few of `cases`, and how many more there are.
fn named(cases: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = cases[..cases.len().min(SHOWN)].join("\n  ");
    match cases.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}\n  and {more} more"),
    }
}

fn kpi_line(result: &KpiResult) -> String {
    let verdict = match result.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotEvaluated => "not evaluated",
    };
    let severity = if result.kpi.severity == Severity::Warn { " (warning only)" } else { "" };
    format!("KPI {}: {verdict}{severity}: {}\n", result.kpi.name, result.summary)
}
