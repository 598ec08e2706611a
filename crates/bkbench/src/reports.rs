//! The reports of a folder of results: functions of the JSON in it, whoever asks for them.

use std::path::{Path, PathBuf};

use bk_harness::record::Run;
use bk_harness::report::{
    Comprehensive, EmbeddedError, HtmlError, figures, html, markdown, suite_markdown, with_kpi_tables,
};
use bk_harness::store::{StoreError, load_runs, load_text, save_json, save_text};
use thiserror::Error;

/// Name of the report, beside the folders of the targets.
const FILE_NAME: &str = "REPORT.md";

/// The same as one page with everything in it.
const HTML_NAME: &str = "report.html";

/// Names of the files that the suite of the Phase 2 model has beside them.
const SUITE_NAME: &str = "PHASE2_BENCHMARK_REPORT.md";
const COMPREHENSIVE_NAME: &str = "phase2_benchmark_comprehensive_report.json";

/// Why there is no report.
#[derive(Debug, Error)]
pub(crate) enum ReportError {
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The page.
    #[error(transparent)]
    Html(#[from] HtmlError),
    /// A text that has tables of results.
    #[error("{}: {source}", path.display())]
    Tables {
        /// The text.
        path: PathBuf,
        /// What is wrong with it.
        source: EmbeddedError,
    },
}

/// Writes the reports on every run whose results are under `folder`, and their figures. Returns the runs
/// and the files, the report first.
///
/// # Errors
/// When there are no results, one cannot be read, or a file cannot be written.
pub(crate) fn write(folder: &Path) -> Result<(Vec<Run>, Vec<PathBuf>), ReportError> {
    let runs = load_runs(&[folder.to_owned()])?;
    let mut files = vec![folder.join(FILE_NAME), folder.join(HTML_NAME)];
    save_text(&files[0], &markdown(&runs))?;
    save_text(&files[1], &html(&runs)?)?;
    if runs.iter().any(is_about_the_model) {
        let (suite, comprehensive) = (folder.join(SUITE_NAME), folder.join(COMPREHENSIVE_NAME));
        save_text(&suite, &suite_markdown(&runs))?;
        save_json(&comprehensive, &Comprehensive::of(&runs))?;
        files.extend([suite, comprehensive]);
    }
    for figure in figures(&runs) {
        let path = folder.join(&figure.file_name);
        save_text(&path, &figure.svg)?;
        files.push(path);
    }
    Ok((runs, files))
}

/// Writes the KPI tables of the text at `path` again, from the results that it names.
///
/// # Errors
/// When it cannot be read or written, a mark in it is wrong, or there are no results where it says.
pub(crate) fn write_tables(path: &Path) -> Result<(), ReportError> {
    let text = load_text(path)?;
    let beside = path.parent().unwrap_or(Path::new("."));
    let load = |folder: &str| load_runs(&[beside.join(folder)]).map_err(|error| error.to_string());
    let written = with_kpi_tables(&text, load)
        .map_err(|source| ReportError::Tables { path: path.to_owned(), source })?;
    if written != text {
        save_text(path, &written)?;
    }
    Ok(())
}

fn is_about_the_model(run: &Run) -> bool {
    run.results.iter().any(|result| result.case.workload.phase2().is_some())
}
