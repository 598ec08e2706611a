//! How far each output is from the float64 oracle.

use super::case_label;
use super::table::Table;
use crate::baseline::implementation;
use crate::case::Implementation;
use crate::numerics::Numerics;
use crate::outcome::{CaseResult, Outcome};
use crate::record::Run;
use crate::units;

pub(super) fn errors(run: &Run) -> String {
    let table = table(run);
    if table.is_empty() {
        return String::new();
    }
    format!(
        "### Errors\n\nAgainst the serial float64 result on the same inputs. A unit is what rounding the inputs to \
         float32 may do by itself: 2^-24 times the condition number of the entry times its magnitude. \
         Magnitudes are clipped at 50 for `MSE (clipped)`.\n\n{}\n",
        table.markdown()
    )
}

/// The errors of every case of the scan that has them.
pub(super) fn table(run: &Run) -> Table {
    let mut table = Table::new()
        .text("case")
        .text("verdict")
        .number("MSE")
        .number("MSE (clipped)")
        .number("max abs")
        .number("max rel")
        .number("median rel")
        .number("max units")
        .number("allowed units")
        .number("largest value")
        .number("non-finite")
        .number("expected");
    for result in &run.results {
        let (verdict, numerics) = match &result.outcome {
            Outcome::Measured(measurement) => ("right", &measurement.numerics),
            Outcome::Invalid { numerics: Some(numerics), .. } => (verdict(result, numerics), numerics),
            _ => continue,
        };
        if implementation(&result.case).is_some_and(|implementation| implementation != Implementation::Host) {
            table.row(row(case_label(run, &result.case), verdict, numerics));
        }
    }
    table
}

fn verdict(result: &CaseResult, numerics: &Numerics) -> &'static str {
    match (
        numerics.rejected.is_some(),
        implementation(&result.case).is_none_or(Implementation::must_be_right),
    ) {
        (false, _) => "right",
        (true, true) => "**wrong**",
        (true, false) => "wrong, reported",
    }
}

fn row(label: String, verdict: &str, numerics: &Numerics) -> Vec<String> {
    // Where no entry is finite there is nothing to take an error of, least of all 0.
    let error = |value| if numerics.compared == 0 { String::new() } else { units::error(value) };
    vec![
        label,
        verdict.to_owned(),
        error(numerics.mse),
        error(numerics.mse_clipped),
        error(numerics.max_abs_error),
        error(numerics.max_rel_error),
        error(numerics.median_rel_error),
        units::digits(numerics.max_error_units),
        units::digits(numerics.allowed_error_units),
        units::digits(numerics.max_magnitude),
        numerics.non_finite.to_string(),
        numerics.expected_non_finite.to_string(),
    ]
}
