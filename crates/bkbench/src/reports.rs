//! The report of a folder of results: a function of the JSON in it, whoever asks for it.

use std::path::{Path, PathBuf};

use bk_harness::record::Run;
use bk_harness::report::{figures, markdown};
use bk_harness::store::{StoreError, load_runs, save_text};

/// Name of the report, beside the folders of the targets.
const FILE_NAME: &str = "REPORT.md";

/// Writes the report on every run whose results are under `folder`, and its figures. Returns the runs and
/// the files, the report first.
///
/// # Errors
/// When there are no results, one cannot be read, or a file cannot be written.
pub(crate) fn write(folder: &Path) -> Result<(Vec<Run>, Vec<PathBuf>), StoreError> {
    let runs = load_runs(&[folder.to_owned()])?;
    let mut files = vec![folder.join(FILE_NAME)];
    save_text(&files[0], &markdown(&runs))?;
    for figure in figures(&runs) {
        let path = folder.join(&figure.file_name);
        save_text(&path, &figure.svg)?;
        files.push(path);
    }
    Ok((runs, files))
}
