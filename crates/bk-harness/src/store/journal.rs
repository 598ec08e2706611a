//! One line a case, written as soon as the case ends: what a crash cannot take away.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::make_directory;
use super::{StoreError, save_text};
use crate::config::Config;
use crate::environment::BuildInfo;
use crate::outcome::{CaseResult, Outcome};
use crate::record::SCHEMA_VERSION;

/// What must be the same for two runs to be parts of one: the first line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Version of the case lines.
    pub schema_version: u32,
    /// The effective config.
    pub config: Config,
    /// The program. Of a dirty tree only its revision is known, not its changes.
    pub build: BuildInfo,
    /// Name of the device of each target, or that it is not there.
    pub devices: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Of a run of `config` by the program `build` on `devices` (target to name).
    pub fn new(config: Config, build: BuildInfo, devices: BTreeMap<String, String>) -> Self {
        Self { schema_version: SCHEMA_VERSION, config, build, devices }
    }

    /// What differs from `other`, in words; empty when nothing does.
    fn differences(&self, other: &Self) -> String {
        let mut differences = Vec::new();
        if self.schema_version != other.schema_version {
            differences.push("the format of its lines".to_owned());
        }
        if self.config != other.config {
            differences.push("the config has changed".to_owned());
        }
        if self.build != other.build {
            differences.push("the program was built from other sources or with other features".to_owned());
        }
        if self.devices != other.devices {
            differences.push(format!("it ran on {:?}, this one runs on {:?}", self.devices, other.devices));
        }
        differences.join("; ")
    }
}

/// The journal of a run, open for writing.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// `<out>/<name>.journal.jsonl`
    pub fn path(out: &Path, name: &str) -> PathBuf {
        out.join(format!("{name}.journal.jsonl"))
    }

    /// Starts a new journal. One that an earlier run left behind unfinished is kept beside it, as
    /// `<name>.journal.previous.jsonl`.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn create(out: &Path, name: &str, fingerprint: &Fingerprint) -> Result<Self, StoreError> {
        make_directory(out)?;
        let path = Self::path(out, name);
        let previous = out.join(format!("{name}.journal.previous.jsonl"));
        match fs::rename(&path, &previous) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("move away", &path, error));
            }
            _ => {}
        }
        save_text(&path, &line(fingerprint, &path)?)?;
        Self::open(path)
    }

    /// Goes on with the journal of an earlier run, and returns the cases that need not run again: all but
    /// the failed ones, of each case the last line. A last line that was torn by a crash is cut off.
    ///
    /// # Errors
    /// [`StoreError::NoJournal`], [`StoreError::OtherRun`], [`StoreError::DamagedJournal`] and
    /// [`StoreError::Io`]
    pub fn resume(
        out: &Path,
        name: &str,
        fingerprint: &Fingerprint,
    ) -> Result<(Self, Vec<CaseResult>), StoreError> {
        let path = Self::path(out, name);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(StoreError::NoJournal(path)),
            Err(error) => return Err(StoreError::io("read", &path, error)),
        };
        // Whatever follows the last line end was being written when the run ended.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines().enumerate();
        let header = lines.next().ok_or_else(|| StoreError::NoJournal(path.clone()))?.1;
        check(header, fingerprint, &path)?;
        let mut done: BTreeMap<(String, String), (usize, CaseResult)> = BTreeMap::new();
        for (index, line) in lines {
            let result: CaseResult = serde_json::from_str(line).map_err(|source| {
                StoreError::DamagedJournal { path: path.clone(), line: index + 1, source }
            })?;
            done.insert((result.case.benchmark.clone(), result.case.id.clone()), (index, result));
        }
        if whole.len() < text.len() {
            save_text(&path, whole)?;
        }
        let mut done: Vec<_> = done.into_values().collect();
        done.sort_by_key(|(index, _)| *index);
        let kept = done.into_iter().map(|(_, result)| result);
        let kept = kept.filter(|result| !matches!(result.outcome, Outcome::Failed { .. })).collect();
        Ok((Self::open(path)?, kept))
    }

    /// Adds a case; when this returns, the case is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn append(&mut self, result: &CaseResult) -> Result<(), StoreError> {
        let line = line(result, &self.path)?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| StoreError::io("write", &self.path, source))
    }

    /// Removes the journal, once everything in it is in the results files.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn finish(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(|source| StoreError::io("remove", &self.path, source))
    }

    /// Writes go to `file` from now on, errors still name the journal.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn redirect(&mut self, file: File) {
        self.file = file;
    }

    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|source| StoreError::io("open", &path, source))?;
        Ok(Self { path, file })
    }
}

fn line<T: Serialize>(value: &T, path: &Path) -> Result<String, StoreError> {
    let mut line = serde_json::to_string(value)
        .map_err(|source| StoreError::Unwritable { path: path.to_owned(), source })?;
    line.push('\n');
    Ok(line)
}

/// Compares as JSON does: a header of another version of the program may lack fields that this one has.
fn check(header: &str, fingerprint: &Fingerprint, path: &Path) -> Result<(), StoreError> {
    let differences = match serde_json::from_str::<Fingerprint>(header) {
        Ok(found) => found.differences(fingerprint),
        Err(_) => "it was written by another version of bkbench".to_owned(),
    };
    if differences.is_empty() {
        return Ok(());
    }
    Err(StoreError::OtherRun { path: path.to_owned(), differences })
}
