//! What can go wrong with files, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file that could not be written, read or used. Every message names it and says what to do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source} ({remedy})", path.display())]
    Io {
        /// What was tried: `write`, `read`, ...
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// Of the operating system.
        source: io::Error,
    },
    /// Not the JSON that it should be.
    #[error("{} is not a results file: {source} (delete it, or name another directory)", path.display())]
    NotResults {
        /// The file.
        path: PathBuf,
        /// Of the parser.
        source: serde_json::Error,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write {} as JSON: {source}", path.display())]
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// Of the serializer.
        source: serde_json::Error,
    },
    /// Written by a program with other types.
    #[error(
        "{} has schema_version {found}, this program reads {expected} (run the sweep again, or use the \
         version of bkbench that wrote it)",
        path.display()
    )]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is understood.
        expected: u32,
    },
    /// No results where they were looked for.
    #[error("there are no results in {} (name the directory that a run was told with --out)", .0.display())]
    NoResults(PathBuf),
    /// Nothing to resume.
    #[error("there is no journal {} to resume (run without --resume)", .0.display())]
    NoJournal(PathBuf),
    /// The journal is of another run.
    #[error(
        "the journal {} is of another run: {differences} (run without --resume to start anew, or with \
         another --out to keep both)",
        path.display()
    )]
    OtherRun {
        /// The journal.
        path: PathBuf,
        /// What is not the same.
        differences: String,
    },
    /// A line in the middle of a journal that cannot be read.
    #[error(
        "line {line} of the journal {} is damaged: {source} (delete the line to measure its case again, or \
         run without --resume)",
        path.display()
    )]
    DamagedJournal {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Of the parser.
        source: serde_json::Error,
    },
}

impl StoreError {
    /// An error of the operating system, with the remedy that fits its kind.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "free some space or choose another --out; with --resume, the cases that are done are kept"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a directory that you may write to with --out"
            }
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                "something else is in the way: choose another --out, or move it"
            }
            _ => "check the disk, or choose another --out",
        };
        Self::Io { action, path: path.to_owned(), remedy, source }
    }
}
