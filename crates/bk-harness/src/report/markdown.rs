//! The report as Markdown.

use std::fmt::Write as _;

use super::environment::environment;
use super::errors::errors;
use super::headline::headline;
use super::kpis::kpis;
use super::problems::{broken, skipped, warnings};
use super::ranking::ranking;
use super::results::results;
use super::svg::namesakes;
use crate::record::Run;

/// A report on `runs`: verdict, KPIs, what went wrong, times, errors, machine, how to do it again.
///
/// The same runs always give the same text. Figures are linked by name: write what
/// [`figures`](super::figures) returns beside the report.
pub fn markdown(runs: &[Run]) -> String {
    titled("Benchmark report", runs)
}

/// As [`markdown`], under the name that the suite of the Phase 2 model has.
pub fn suite_markdown(runs: &[Run]) -> String {
    titled("Phase 2 benchmark report", runs)
}

fn titled(title: &str, runs: &[Run]) -> String {
    let mut text = format!("# {title}\n\n");
    if runs.is_empty() {
        text += "There are no results.\n";
    }
    for (index, run) in runs.iter().enumerate() {
        text += &section(run, namesakes(runs, index));
    }
    // Each section ends in an empty line; the file should not.
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn section(run: &Run, namesakes: usize) -> String {
    let quick = if run.config.effective.quick { " (quick)" } else { "" };
    let mut text = format!("## {}{quick}\n\n{}\n", run.name, headline(run));
    let analysis = run.config.effective.analysis.trim();
    if !analysis.is_empty() {
        let _ = write!(text, "{analysis}\n\n");
    }
    text += &kpis(run);
    text += &broken(run);
    text += &ranking(run);
    text += &results(run, namesakes);
    for part in [errors, skipped, warnings, environment, reproduce] {
        text += &part(run);
    }
    text
}

/// What to type for the same run, one command a line.
pub(super) fn commands(run: &Run) -> String {
    let build = &run.environment.build;
    let mut text = String::new();
    if let Some(revision) = &build.git_revision {
        let changes = if build.git_dirty == Some(true) { "  # and the changes made since" } else { "" };
        let _ = writeln!(text, "git checkout {revision}{changes}");
    }
    if !run.environment.command_line.is_empty() {
        let _ = writeln!(text, "{}", run.environment.command_line.join(" "));
    }
    text
}

fn reproduce(run: &Run) -> String {
    let mut text = format!("### How to do it again\n\n```sh\n{}```\n\n", commands(run));
    if !run.config.source.trim().is_empty() {
        let source = run.config.source.trim_end();
        // A fence longer than any in the config.
        let longest = source.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = write!(
            text,
            "<details><summary>The config</summary>\n\n{fence}toml\n{source}\n{fence}\n\n</details>\n\n"
        );
    }
    text
}
