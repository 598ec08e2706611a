//! One file for each command.

pub(crate) mod completions;
pub(crate) mod devices;
pub(crate) mod export;
pub(crate) mod memory;
pub(crate) mod parity;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod verify;
pub(crate) mod worker;

use std::path::{Path, PathBuf};

use bk_harness::config::Engine;
use bk_harness::plan::check_target;

use crate::cli::WorkerPrograms;
use crate::engine;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::pool::{Launcher, Pool};

/// A path as a worker understands it, which may have another working directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The pool that serves the built-in targets, those of `engines` and those that `programs` adds.
fn pool(programs: &WorkerPrograms, engines: &[Engine]) -> Result<Pool, Error> {
    let names: Vec<String> = engines.iter().map(|engine| engine.target.clone()).collect();
    for worker in &programs.workers {
        check_target(&worker.target, &names)?;
    }
    let launcher = Launcher::new(&programs.workers, engines)
        .map_err(|source| Error::System { action: "find the path of this program", source: source.into() })?;
    let interrupt = Interrupt::install()
        .map_err(|source| Error::System { action: "listen for Ctrl-C", source: source.into() })?;
    Ok(Pool::new(launcher, interrupt))
}

/// The targets that `pool` can serve: first the built-in ones, then external ones, none twice.
fn served_targets(pool: &Pool) -> Vec<String> {
    let mut targets: Vec<String> = engine::known_targets().iter().map(|&name| name.to_owned()).collect();
    for external in pool.launcher().external_targets() {
        if !targets.iter().any(|known| known == external) {
            targets.push(external.to_owned());
        }
    }
    targets
}
