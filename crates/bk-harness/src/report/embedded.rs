//! Tables of results inside of texts that people write, such as a README.
//!
//! A text marks the place and names the folder of the results, relative to itself:
//!
//! ```text
//! <!-- kpis:begin results/reference/2026-11-25-h100/full-cuda -->
//! whatever is here is replaced
//! <!-- kpis:end -->
//! ```

use thiserror::Error;

use super::kpis;
use crate::record::Run;

const BEGIN: &str = "<!-- kpis:begin ";
const END: &str = "<!-- kpis:end -->";

/// A text whose tables cannot be written.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// A beginning that names no folder or has no end.
    #[error("line {line}: `{BEGIN}FOLDER -->` needs `{END}` in a line after it")]
    Unfinished {
        /// Line of the beginning, from 1.
        line: usize,
    },
    /// The results that it names.
    #[error("line {line}: the results in `{folder}` cannot be read: {reason}")]
    Results {
        /// Line of the beginning, from 1.
        line: usize,
        /// What it names.
        folder: String,
        /// Of the reader.
        reason: String,
    },
}

/// `text` with the table of KPIs in every marked place, from the runs that `load` finds in its folder.
///
/// # Errors
/// [`EmbeddedError`] of the first place that cannot be filled.
pub fn with_kpi_tables(
    text: &str,
    mut load: impl FnMut(&str) -> Result<Vec<Run>, String>,
) -> Result<String, EmbeddedError> {
    let mut written = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        written += line;
        written.push('\n');
        let Some(rest) = line.trim().strip_prefix(BEGIN) else { continue };
        let line = index + 1;
        let folder = rest.strip_suffix("-->").map(str::trim).filter(|folder| !folder.is_empty());
        let (Some(folder), true) = (folder, lines.any(|(_, line)| line.trim() == END)) else {
            return Err(EmbeddedError::Unfinished { line });
        };
        let runs = load(folder).map_err(|reason| EmbeddedError::Results {
            line,
            folder: folder.to_owned(),
            reason,
        })?;
        for run in &runs {
            written += &kpis::short_table(run).markdown();
        }
        written += END;
        written.push('\n');
    }
    if !text.ends_with('\n') {
        written.pop();
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpi::{Aggregate, Bound, Kpi, Metric, Severity};
    use crate::testing::{config, run};

    fn results(folder: &str) -> Result<Vec<Run>, String> {
        if folder != "results/x" {
            return Err("no such folder".to_owned());
        }
        let mut config = config();
        config.kpis = vec![Kpi {
            name: "fast".to_owned(),
            metric: Metric::Seconds,
            condition: crate::condition::Condition::default(),
            comparison: None,
            bound: Bound::AtMost(1.0),
            stretch: None,
            aggregate: Aggregate::Each,
            severity: Severity::Fail,
            hardware_only: false,
        }];
        Ok(vec![run(config, Vec::new())])
    }

    #[test]
    fn what_is_between_the_marks_is_replaced_and_nothing_else() {
        let text = "before\n<!-- kpis:begin results/x -->\nold\n<!-- kpis:end -->\nafter";
        let written = with_kpi_tables(text, results).unwrap();
        let table = "| KPI | measured | bound | verdict |\n| --- | --: | --: | --- |\n| fast | - | \\<= 1.00 s | not evaluated |\n";
        assert_eq!(
            written,
            format!("before\n<!-- kpis:begin results/x -->\n{table}<!-- kpis:end -->\nafter")
        );
        assert_eq!(with_kpi_tables(&written, results).unwrap(), written);
        assert_eq!(with_kpi_tables("no marks\n", results).unwrap(), "no marks\n");
    }

    #[test]
    fn a_place_that_cannot_be_filled_is_told_with_its_line() {
        let told = |text: &str| with_kpi_tables(text, results).unwrap_err().to_string();
        assert!(told("a\n<!-- kpis:begin results/x -->\n").starts_with("line 2: "));
        assert!(told("<!-- kpis:begin -->\n<!-- kpis:end -->\n").starts_with("line 1: "));
        let missing = told("<!-- kpis:begin results/y -->\n<!-- kpis:end -->\n");
        assert_eq!(missing, "line 1: the results in `results/y` cannot be read: no such folder");
    }
}
