//! `bkbench verify phase2 [FILE]... [--target cuda] [--dtype f16] [--precision fast]`: the Phase 2 model
//! against files of weights, inputs and expected results. Exit code 5 when a result is wrong, 2 when a file
//! is not what it has to be, 4 when a target failed, 3 when nothing could be checked.

use std::time::Duration;

use bk_harness::phase2::{ParityBound, ParityFile, ParityOutcome, ParityRow};
use bk_harness::plan::check_target;
use bk_harness::protocol::Request;
use comfy_table::Table;
use serde::Serialize;

use super::{absolute, pool, served_targets};
use crate::cli::VerifyPhase2Args;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::pool::Interrupted;

/// What came of a target.
#[derive(Debug, Serialize)]
struct Checked {
    target: String,
    #[serde(flatten)]
    outcome: ParityOutcome,
}

pub(crate) fn run(arguments: &VerifyPhase2Args) -> Result<Exit, Error> {
    for target in &arguments.targets {
        check_target(target, &[])?;
    }
    let pool = pool(&arguments.programs, &[])?;
    let targets = match arguments.targets.as_slice() {
        [] => served_targets(&pool),
        named => named.to_vec(),
    };
    let request = Request::VerifyPhase2 {
        files: arguments.files.iter().map(|path| absolute(path)).collect(),
        dtype: arguments.dtype,
        precision: arguments.precision.into(),
    };
    let timeout = Duration::from_secs(arguments.timeout);
    let mut checked = Vec::new();
    let mut interrupted = false;
    for target in targets {
        match pool.verify_phase2(&target, arguments.dtype, &request, timeout) {
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
        output::text(&text(&checked, interrupted))?;
    }
    let interrupted = if interrupted { Exit::ExecutionFailed } else { Exit::Pass };
    Ok(interrupted.or(verdict(checked.iter().map(|checked| &checked.outcome))))
}

/// What the outcomes of all targets mean together. A target that is missing is no cause, unless all are.
fn verdict<'a>(outcomes: impl Iterator<Item = &'a ParityOutcome>) -> Exit {
    let mut anything = false;
    let causes = outcomes.map(|outcome| match outcome {
        ParityOutcome::Checked { files } => {
            anything |= files.iter().any(|file| !file.rows.is_empty());
            let right = files.iter().flat_map(|file| &file.rows).all(|row| row.passed);
            if right { Exit::Pass } else { Exit::WrongNumerics }
        }
        ParityOutcome::Skipped { .. } => Exit::Pass,
        ParityOutcome::Refused { .. } => Exit::Usage,
        ParityOutcome::Failed { .. } => Exit::ExecutionFailed,
    });
    let worst = Exit::gravest(causes);
    if anything { worst } else { worst.or(Exit::Inconclusive) }
}

fn text(checked: &[Checked], interrupted: bool) -> String {
    let mut text = String::new();
    for Checked { target, outcome } in checked {
        match outcome {
            ParityOutcome::Checked { files } => {
                for file in files {
                    text += &format!("{}\n\n", file_text(target, file));
                }
            }
            ParityOutcome::Skipped { reason } => text += &format!("{target}: skipped, {reason}\n\n"),
            ParityOutcome::Refused { error } => text += &format!("{target}: refused, {error}\n\n"),
            ParityOutcome::Failed { error } => text += &format!("{target}: failed, {error}\n\n"),
        }
    }
    if interrupted {
        text += "interrupted: the targets that are not listed were not checked\n";
    } else if checked.is_empty() {
        text += "nothing to check: this bkbench was built without any target\n";
    }
    text.trim_end().to_owned()
}

fn file_text(target: &str, file: &ParityFile) -> String {
    let passed = file.rows.iter().filter(|row| row.passed).count();
    let mut text = format!(
        "{target}: {}: {passed} of {} tensors right; the resonance basis has condition number {:.0}\n{}",
        file.file,
        file.rows.len(),
        file.basis_condition,
        table(&file.rows).trim_fmt()
    );
    for name in &file.unknown_tensors {
        text += &format!("\nwarning: nothing in the model is named `{name}`; it was ignored");
    }
    text
}

fn table(rows: &[ParityRow]) -> Table {
    let mut table = output::table(["tensor", "max error", "relative rms", "allowed", ""]);
    for row in rows {
        let number =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2e}"));
        let (allowed, verdict) = match row.bound {
            Some(ParityBound::MaxAbs(most)) => (format!("{most:.0e} max"), row.passed),
            Some(ParityBound::RelativeRms(most)) => (format!("{most:.0e} rms"), row.passed),
            None => ("reported".to_owned(), row.passed),
        };
        table.add_row([
            row.tensor.clone(),
            number(row.max_abs_error),
            number(row.relative_rms_error),
            allowed,
            if verdict { "right" } else { "WRONG" }.to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use bk_harness::phase2::{ParityBound, ParityFile, ParityOutcome, ParityRow};

    use super::{Checked, text, verdict};
    use crate::exit::Exit;

    fn checked(passed: &[bool]) -> ParityOutcome {
        let row = |passed: &bool| ParityRow {
            tensor: "logits1".to_owned(),
            max_abs_error: passed.then_some(1e-5),
            relative_rms_error: None,
            bound: Some(ParityBound::MaxAbs(1e-3)),
            passed: *passed,
        };
        let file = ParityFile {
            file: "a.safetensors".to_owned(),
            rows: passed.iter().map(row).collect(),
            unknown_tensors: vec!["weights.extra".to_owned()],
            basis_condition: 1949.7,
        };
        ParityOutcome::Checked { files: vec![file] }
    }

    fn refused() -> ParityOutcome {
        ParityOutcome::Refused { error: "`weights.ln_f.bias` is missing".to_owned() }
    }

    #[test]
    fn one_wrong_tensor_is_enough() {
        assert_eq!(verdict([checked(&[true, false]), checked(&[true])].iter()), Exit::WrongNumerics);
        assert_eq!(verdict([checked(&[true])].iter()), Exit::Pass);
    }

    #[test]
    fn a_file_that_does_not_fit_is_a_mistake_of_the_caller() {
        assert_eq!(verdict([refused(), checked(&[false])].iter()), Exit::Usage);
    }

    #[test]
    fn nothing_checked_is_inconclusive() {
        let skipped = ParityOutcome::Skipped { reason: "not here".to_owned() };
        assert_eq!(verdict([skipped.clone()].iter()), Exit::Inconclusive);
        assert_eq!(verdict([skipped, checked(&[true])].iter()), Exit::Pass);
        assert_eq!(verdict([].iter()), Exit::Inconclusive);
    }

    #[test]
    fn an_interruption_is_not_a_build_without_targets() {
        assert!(text(&[], true).starts_with("interrupted"));
        assert!(text(&[], false).contains("without any target"));
    }

    #[test]
    fn the_text_has_every_error_and_names_what_is_extra_or_missing() {
        let checked = [checked(&[true, false]), refused()]
            .map(|outcome| Checked { target: "ndarray".to_owned(), outcome });
        let text = text(&checked, false);
        for part in [
            "1 of 2 tensors right",
            "1950",
            "1.00e-5",
            "WRONG",
            "1e-3 max",
            "weights.extra",
            "weights.ln_f.bias",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
