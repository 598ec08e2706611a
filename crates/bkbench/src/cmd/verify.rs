//! `bkbench verify bk-core [--vectors DIR] [--target cuda]`: every implementation of a target against test
//! vectors with float64 answers. Exit code 5 when a result is wrong, 4 when a target failed, 3 when nothing
//! could be checked.

use std::time::Duration;

use bk_harness::plan::check_target;
use bk_harness::vectors::{VectorRow, VectorsOutcome};
use comfy_table::Table;
use serde::Serialize;

use super::{pool, served_targets};
use crate::cli::{Verify, VerifyArgs, VerifyBkCoreArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::pool::Interrupted;

/// What came of a target.
#[derive(Debug, Serialize)]
struct Checked {
    target: String,
    #[serde(flatten)]
    outcome: VectorsOutcome,
}

pub(crate) fn run(arguments: &VerifyArgs) -> Result<Exit, Error> {
    match &arguments.what {
        Verify::BkCore(arguments) => bk_core(arguments),
        Verify::Phase2(arguments) => super::parity::run(arguments),
    }
}

fn bk_core(arguments: &VerifyBkCoreArgs) -> Result<Exit, Error> {
    for target in &arguments.targets {
        check_target(target, &[])?;
    }
    let pool = pool(&arguments.programs, &[])?;
    let targets = match arguments.targets.as_slice() {
        [] => served_targets(&pool),
        named => named.to_vec(),
    };
    let mut checked = Vec::new();
    let mut interrupted = false;
    for target in targets {
        let timeout = Duration::from_secs(arguments.timeout);
        let dir = arguments.vectors.as_deref();
        match pool.verify_vectors(&target, dir, arguments.strategy.into(), timeout) {
            Ok(outcome) => checked.push(Checked { target, outcome }),
            Err(Interrupted) => {
                interrupted = true;
                break;
            }
        }
    }
    if arguments.json {
        output::json(&checked)?;
    } else {
        output::text(&text(&checked))?;
    }
    let interrupted = if interrupted { Exit::ExecutionFailed } else { Exit::Pass };
    Ok(interrupted.or(verdict(checked.iter().map(|checked| &checked.outcome))))
}

/// What the outcomes of all targets mean together. A target that is missing is no cause, unless all are.
fn verdict<'a>(outcomes: impl Iterator<Item = &'a VectorsOutcome>) -> Exit {
    let mut anything = false;
    let causes = outcomes.map(|outcome| match outcome {
        VectorsOutcome::Checked { rows } => {
            anything |= !rows.is_empty();
            if rows.iter().all(|row| row.passed) { Exit::Pass } else { Exit::WrongNumerics }
        }
        VectorsOutcome::Skipped { .. } => Exit::Pass,
        VectorsOutcome::Failed { .. } => Exit::ExecutionFailed,
    });
    let worst = Exit::gravest(causes);
    if anything { worst } else { worst.or(Exit::Inconclusive) }
}

fn text(checked: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { target, outcome } in checked {
        match outcome {
            VectorsOutcome::Checked { rows } => {
                let passed = rows.iter().filter(|row| row.passed).count();
                text += &format!(
                    "{target}: {passed} of {} vectors right\n{}\n\n",
                    rows.len(),
                    table(rows).trim_fmt()
                );
            }
            VectorsOutcome::Skipped { reason } => text += &format!("{target}: skipped, {reason}\n\n"),
            VectorsOutcome::Failed { error } => text += &format!("{target}: failed, {error}\n\n"),
        }
    }
    if checked.is_empty() {
        text += "nothing to check: this bkbench was built without any target\n";
    }
    text.trim_end().to_owned()
}

fn table(rows: &[VectorRow]) -> Table {
    let mut table = output::table(["vector", "B", "N", "error", "allowed", "", "note"]);
    for row in rows {
        let units = |units: f64| format!("{units:.2}");
        table.add_row([
            row.name.clone(),
            row.batch.to_string(),
            row.n.to_string(),
            row.worst_units.map_or_else(|| "-".to_owned(), units),
            units(row.allowed_units),
            if row.passed { "right" } else { "WRONG" }.to_owned(),
            row.note.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use bk_harness::vectors::{VectorRow, VectorsOutcome};

    use super::verdict;
    use crate::exit::Exit;

    fn checked(passed: &[bool]) -> VectorsOutcome {
        let row = |passed: &bool| VectorRow {
            name: "empty".to_owned(),
            n: 1,
            batch: 1,
            worst_units: None,
            allowed_units: 16.0,
            passed: *passed,
            note: String::new(),
        };
        VectorsOutcome::Checked { rows: passed.iter().map(row).collect() }
    }

    fn skipped() -> VectorsOutcome {
        VectorsOutcome::Skipped { reason: "not here".to_owned() }
    }

    fn failed() -> VectorsOutcome {
        VectorsOutcome::Failed { error: "out of memory".to_owned() }
    }

    #[test]
    fn one_wrong_vector_is_enough() {
        assert_eq!(verdict([checked(&[true, false]), checked(&[true])].iter()), Exit::WrongNumerics);
    }

    #[test]
    fn a_missing_target_does_not_matter_beside_one_that_is_right() {
        assert_eq!(verdict([skipped(), checked(&[true])].iter()), Exit::Pass);
    }

    #[test]
    fn nothing_checked_is_inconclusive() {
        assert_eq!(verdict([skipped()].iter()), Exit::Inconclusive);
        assert_eq!(verdict([checked(&[])].iter()), Exit::Inconclusive);
        assert_eq!(verdict([].iter()), Exit::Inconclusive);
    }

    #[test]
    fn a_failure_is_graver_than_a_wrong_result() {
        assert_eq!(verdict([failed(), checked(&[false])].iter()), Exit::ExecutionFailed);
    }
}
