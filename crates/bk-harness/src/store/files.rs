//! Files that are there whole or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::StoreError;
use crate::kpi;
use crate::record::{Run, SCHEMA_VERSION};

/// Writes `value` as indented JSON. A reader sees the old file or the new one, never a part; directories
/// are made as needed.
///
/// # Errors
/// [`StoreError::Io`] when the disk is full, the directory cannot be written to, ...
pub fn save_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|source| StoreError::Unwritable { path: path.to_owned(), source })?;
    text.push('\n');
    save_text(path, &text)
}

/// Writes `text`, whole or not at all, as [`save_json`] does.
///
/// # Errors
/// As [`save_json`].
pub fn save_text(path: &Path, text: &str) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(directory)?;
    let failed = |source| StoreError::io("write", path, source);
    let mut file = tempfile::Builder::new()
        .prefix(".bkbench-")
        .permissions_of_a_new_file()
        .tempfile_in(directory)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // Without this, a power cut after the renaming could leave an empty file under the final name.
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Temporary files are private by default; results are for others to read.
trait ReadableByOthers {
    fn permissions_of_a_new_file(&mut self) -> &mut Self;
}

impl ReadableByOthers for tempfile::Builder<'_, '_> {
    fn permissions_of_a_new_file(&mut self) -> &mut Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The process's umask still takes its part away.
            self.permissions(fs::Permissions::from_mode(0o666));
        }
        self
    }
}

pub(super) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(directory).map_err(|source| StoreError::io("create directory", directory, source))
}

/// Reads a text.
///
/// # Errors
/// [`StoreError::Io`] when it is not there, cannot be read, or is not UTF-8.
pub fn load_text(path: &Path) -> Result<String, StoreError> {
    fs::read_to_string(path).map_err(|source| StoreError::io("read", path, source))
}

/// Reads one results file.
///
/// # Errors
/// When it cannot be read, is no results file, or was written in another schema.
pub fn load_run(path: &Path) -> Result<Run, StoreError> {
    let text = fs::read_to_string(path).map_err(|source| StoreError::io("read", path, source))?;
    let not_results = |source| StoreError::NotResults { path: path.to_owned(), source };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(not_results)?;
    // Looked at first: a missing field of another schema would only confuse.
    if let Some(found) = value.get("schema_version").and_then(serde_json::Value::as_u64)
        && found != u64::from(SCHEMA_VERSION)
    {
        return Err(StoreError::OtherSchema { path: path.to_owned(), found, expected: SCHEMA_VERSION });
    }
    serde_json::from_value(value).map_err(not_results)
}

/// Every run under `paths`: results files, and directories in which they are looked for at any depth.
///
/// Each target has its own file; those of one run are put together again, and its KPIs judged on all of
/// its cases. Other JSON files, such as the views, are passed over in a directory.
///
/// # Errors
/// As [`load_run`], and [`StoreError::NoResults`] when a directory has none.
pub fn load_runs(paths: &[PathBuf]) -> Result<Vec<Run>, StoreError> {
    let mut runs: Vec<Run> = Vec::new();
    for path in paths {
        let files = if path.is_dir() { results_files(path)? } else { vec![path.clone()] };
        if files.is_empty() {
            return Err(StoreError::NoResults(path.clone()));
        }
        for file in files {
            add(&mut runs, load_run(&file)?);
        }
    }
    for run in &mut runs {
        run.kpis = kpi::evaluate(&run.config.effective.kpis, &run.results, &run.devices());
    }
    runs.sort_by(|a, b| (a.started, &a.name).cmp(&(b.started, &b.name)));
    Ok(runs)
}

fn add(runs: &mut Vec<Run>, part: Run) {
    let whole = runs.iter_mut().find(|run| run.name == part.name && run.started == part.started);
    let Some(whole) = whole else {
        runs.push(part);
        return;
    };
    let key = |result: &crate::outcome::CaseResult| (result.case.benchmark.clone(), result.case.id.clone());
    let known: BTreeSet<_> = whole.results.iter().map(key).collect();
    whole.results.extend(part.results.into_iter().filter(|result| !known.contains(&key(result))));
    whole.targets.extend(part.targets);
    whole.interrupted |= part.interrupted;
}

/// JSON files under `directory` that say they are results, in the order of their names.
fn results_files(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::io("read", directory, source);
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(results_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") && claims_results(&path)? {
            files.push(path);
        }
    }
    Ok(files)
}

/// Whether a file has the keys that only results files have.
fn claims_results(path: &Path) -> Result<bool, StoreError> {
    let text = fs::read_to_string(path).map_err(|source| StoreError::io("read", path, source))?;
    let value: Result<serde_json::Value, _> = serde_json::from_str(&text);
    Ok(value.is_ok_and(|value| {
        ["schema_version", "config", "results", "kpis"].iter().all(|key| value.get(key).is_some())
    }))
}
