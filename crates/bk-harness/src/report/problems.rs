//! Cases without a number, and what is odd about those with one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case_label;
use super::table::Table;
use crate::outcome::{Outcome, Warning};
use crate::record::Run;

/// Failed and invalid cases, each with its error.
pub(super) fn broken(run: &Run) -> String {
    section("Failed and invalid", &broken_table(run))
}

pub(super) fn broken_table(run: &Run) -> Table {
    let mut table = Table::new().text("case").text("status").text("why");
    for result in &run.results {
        let label = format!("{} ({})", case_label(run, &result.case), result.case.benchmark);
        match &result.outcome {
            Outcome::Failed { error } => table.row(vec![label, "failed".into(), error.clone()]),
            // With the errors.
            Outcome::Invalid { .. } if result.is_reported() => {}
            Outcome::Invalid { why, .. } => table.row(vec![label, "invalid".into(), why.clone()]),
            Outcome::Measured(_) | Outcome::Skipped { .. } => {}
        }
    }
    table
}

/// Skipped cases by their reason: a target that is not there skips many.
pub(super) fn skipped(run: &Run) -> String {
    section("Skipped", &skipped_table(run))
}

pub(super) fn skipped_table(run: &Run) -> Table {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for result in &run.results {
        if let Outcome::Skipped { reason } = &result.outcome {
            reasons.entry(reason).or_default().push(case_label(run, &result.case));
        }
    }
    let mut table = Table::new().text("cases").text("reason");
    for (reason, cases) in reasons {
        table.row(vec![few(&cases), reason.to_owned()]);
    }
    table
}

/// Warnings, those of a kind together.
pub(super) fn warnings(run: &Run) -> String {
    section("Warnings", &warnings_table(run))
}

pub(super) fn warnings_table(run: &Run) -> Table {
    let mut kinds: BTreeMap<&str, Vec<(String, &Warning)>> = BTreeMap::new();
    for result in &run.results {
        if let Outcome::Measured(measurement) = &result.outcome {
            for warning in &measurement.warnings {
                kinds.entry(&warning.id).or_default().push((case_label(run, &result.case), warning));
            }
        }
    }
    let mut table = Table::new().text("warning").text("cases").text("cause").text("remedy");
    for (id, found) in kinds {
        let cases: Vec<String> = found.iter().map(|(case, _)| case.clone()).collect();
        let first = found[0].1;
        let cause = if found.iter().all(|(_, warning)| warning.cause == first.cause) {
            first.cause.clone()
        } else {
            format!("for the first: {}", first.cause)
        };
        table.row(vec![id.to_owned(), few(&cases), cause, first.remedy.clone()]);
    }
    table
}

fn section(title: &str, table: &Table) -> String {
    if table.is_empty() {
        return String::new();
    }
    format!("### {title}\n\n{}\n", table.markdown())
}

/// All of a few cases; of many, their number and the first.
fn few(cases: &[String]) -> String {
    const MANY: usize = 4;
    if cases.len() <= MANY {
        return cases.join(", ");
    }
    let mut text = String::new();
    let _ = write!(text, "{} cases, the first {}", cases.len(), cases[0]);
    text
}
