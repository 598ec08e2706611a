//! What must hold, and whether it does.

use super::table::Table;
use crate::kpi::{Bound, KpiResult, Severity, Verdict};
use crate::record::Run;
use crate::units;

pub(super) fn kpis(run: &Run) -> String {
    match table(run) {
        Some(table) => format!("### KPIs\n\n{}\n", table.markdown()),
        None => String::new(),
    }
}

/// The KPIs of a run, one a row; `None` where it has none.
pub(super) fn table(run: &Run) -> Option<Table> {
    if run.kpis.is_empty() {
        return None;
    }
    let mut table = Table::new()
        .text("KPI")
        .text("verdict")
        .number("measured")
        .number("bound")
        .text("clock")
        .text("margin")
        .text("harder bound");
    for kpi in &run.kpis {
        table.row(row(kpi));
    }
    Some(table)
}

/// What was measured, what was asked for, and the verdict: for a text about the project.
pub(super) fn short_table(run: &Run) -> Table {
    let mut table = Table::new().text("KPI").number("measured").number("bound").text("verdict");
    for result in &run.kpis {
        let unit = result.kpi.unit();
        table.row(vec![
            result.kpi.name.clone(),
            result.value.map_or_else(|| "-".to_owned(), |value| units::metric(&value, unit)),
            bound(result.kpi.bound, unit),
            verdict(result.verdict, result.kpi.severity),
        ]);
    }
    table
}

fn row(result: &KpiResult) -> Vec<String> {
    let unit = result.kpi.unit();
    let clock = result.value.and_then(|value| value.clock);
    let stretch = result.kpi.stretch.zip(result.stretch);
    vec![
        result.kpi.name.clone(),
        verdict(result.verdict, result.kpi.severity),
        result.value.map_or_else(|| "-".to_owned(), |value| units::metric(&value, unit)),
        bound(result.kpi.bound, unit),
        clock.map_or_else(String::new, |clock| units::clock(clock).to_owned()),
        result.summary.clone(),
        stretch.map_or_else(String::new, |(limit, met)| format!("{}: {}", bound(limit, unit), word(met))),
    ]
}

fn bound(bound: Bound, unit: crate::kpi::Unit) -> String {
    let sign = match bound {
        Bound::AtLeast(_) => ">=",
        Bound::AtMost(_) => "<=",
    };
    format!("{sign} {}", units::value(bound.limit(), unit))
}

fn verdict(verdict: Verdict, severity: Severity) -> String {
    match (verdict, severity) {
        (Verdict::Fail, Severity::Warn) => "**fail** (a warning)".to_owned(),
        (Verdict::Fail, Severity::Fail) => "**FAIL**".to_owned(),
        (other, _) => word(other).to_owned(),
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotEvaluated => "not evaluated",
    }
}
