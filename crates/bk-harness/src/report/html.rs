//! The report as one HTML file that needs nothing else: no script, no network.

use minijinja::{Environment, context};
use serde::Serialize;
use thiserror::Error;

use super::details::details;
use super::environment::{devices, facts};
use super::headline::{Mood, standing};
use super::problems::{broken_table, skipped_table, warnings_table};
use super::results::{benchmark_table, legend_entries};
use super::svg::{namesakes, of_benchmark};
use super::{benchmarks, case_label, errors, kpis};
use crate::kpi::Metric;
use crate::outcome::{CaseResult, Outcome};
use crate::record::Run;

const TEMPLATE: &str = include_str!("templates/report.html");

/// The report could not be made: a fault of its template.
#[derive(Debug, Error)]
#[error("the HTML report cannot be made: {0}")]
pub struct HtmlError(#[from] minijinja::Error);

/// A report on `runs` as one HTML file: verdicts and KPIs first, then each run with its tables and figures,
/// and every case to be opened. The same runs always give the same text.
///
/// # Errors
/// [`HtmlError`], when the template and what it is given do not fit.
pub fn html(runs: &[Run]) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE)?;
    let sections: Vec<Section> = (0..runs.len()).map(|index| section(runs, index)).collect();
    let mood = runs.iter().map(|run| standing(run).mood).max().unwrap_or(Mood::Undecided);
    let page = environment
        .get_template("report.html")?
        .render(context! { mood => mood_class(mood), title => page_title(mood), runs => sections })?;
    // The template's own line ends pile up where a part is empty.
    Ok(page.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect())
}

/// A run as the template sees it. Fields that end in `_html` are markup already.
#[derive(Serialize)]
struct Section {
    anchor: String,
    name: String,
    quick: bool,
    mood: &'static str,
    verdict: String,
    counts: String,
    analysis: String,
    kpis_html: Option<String>,
    benchmarks: Vec<BenchmarkSection>,
    legend: Vec<(String, String)>,
    others: Vec<Part>,
    facts: Vec<(&'static str, String)>,
    devices_html: String,
    reproduce: String,
    source: String,
}

#[derive(Serialize)]
struct BenchmarkSection {
    name: String,
    table_html: Option<String>,
    figure_html: Option<String>,
    cases: Vec<CaseSection>,
}

#[derive(Serialize)]
struct CaseSection {
    label_html: String,
    status: &'static str,
    details_html: String,
}

/// A table with a heading of its own.
#[derive(Serialize)]
struct Part {
    title: &'static str,
    table_html: String,
}

fn section(runs: &[Run], index: usize) -> Section {
    let run = &runs[index];
    let standing = standing(run);
    let parts = [
        ("Failed and invalid", broken_table(run)),
        ("Skipped, and why", skipped_table(run)),
        ("Warnings", warnings_table(run)),
        ("Errors of BK-Core against float64", errors::table(run)),
    ];
    let mut legend: Vec<Metric> = Vec::new();
    let benchmarks = benchmarks(run)
        .into_iter()
        .map(|name| benchmark(run, namesakes(runs, index), name, &mut legend))
        .collect();
    Section {
        anchor: format!("run-{}", index + 1),
        name: run.name.clone(),
        quick: run.config.effective.quick,
        mood: mood_class(standing.mood),
        verdict: standing.verdict,
        counts: standing.counts,
        analysis: run.config.effective.analysis.trim().to_owned(),
        kpis_html: kpis::table(run).map(|table| table.html()),
        benchmarks,
        legend: legend_entries(&legend),
        others: parts
            .into_iter()
            .filter(|(_, table)| !table.is_empty())
            .map(|(title, table)| Part { title, table_html: table.html() })
            .collect(),
        facts: facts(run),
        devices_html: devices(run).html(),
        reproduce: super::markdown::commands(run),
        source: run.config.source.trim().to_owned(),
    }
}

fn benchmark(run: &Run, namesakes: usize, name: &str, legend: &mut Vec<Metric>) -> BenchmarkSection {
    let (table, columns) = benchmark_table(run, name);
    if !table.is_empty() {
        let titles = table.titles();
        let shown = columns.iter().filter(|metric| titles.contains(&metric.info().title));
        let new: Vec<Metric> = shown.filter(|metric| !legend.contains(metric)).copied().collect();
        legend.extend(new);
    }
    BenchmarkSection {
        name: name.to_owned(),
        table_html: (!table.is_empty()).then(|| table.html()),
        figure_html: of_benchmark(run, namesakes, name).map(|figure| figure.svg),
        cases: run
            .results
            .iter()
            .filter(|result| result.case.benchmark == name)
            .map(|result| case(run, result))
            .collect(),
    }
}

fn case(run: &Run, result: &CaseResult) -> CaseSection {
    let status = match &result.outcome {
        Outcome::Measured(_) => "measured",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Failed { .. } => "failed",
        Outcome::Invalid { .. } => "invalid",
    };
    CaseSection {
        label_html: inline(&case_label(run, &result.case)),
        status,
        details_html: details(run, result),
    }
}

fn mood_class(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "good",
        Mood::Undecided => "undecided",
        Mood::Bad => "bad",
    }
}

fn page_title(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "All well",
        Mood::Undecided => "Undecided",
        Mood::Bad => "Not all is well",
    }
}

/// Text in which nothing is markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A cell of a table: text with `code` and **emphasis**, and no other markup.
pub(super) fn inline(cell: &str) -> String {
    let emphasised = |text: &str| -> String {
        let parts = text.split("**").enumerate();
        parts.map(|(index, part)| wrapped(part, index, "strong")).collect()
    };
    let parts = cell.split('`').enumerate();
    parts
        .map(
            |(index, part)| if index.is_multiple_of(2) { emphasised(part) } else { wrapped(part, 1, "code") },
        )
        .collect()
}

/// Every second part is inside of the marks.
fn wrapped(part: &str, index: usize, element: &str) -> String {
    let text = escaped(part);
    if index.is_multiple_of(2) { text } else { format!("<{element}>{text}</{element}>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_markup_does_not_break_the_page() {
        assert_eq!(escaped("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
        assert_eq!(inline("`<id>` **FAIL** <b>"), "<code>&lt;id&gt;</code> <strong>FAIL</strong> &lt;b&gt;");
    }
}
