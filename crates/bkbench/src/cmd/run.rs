//! `bkbench run configs/quick.toml --target cuda`: plan, open the targets, run the cases in worker processes,
//! judge the KPIs, write results and reports, say what came out.
//!
//! Every case is in the journal before the next one starts, so `--resume` goes on after a crash, a power
//! cut or Ctrl-C. The first Ctrl-C ends the run with everything that is measured in its files (exit code
//! 4), the second one ends it at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bk_harness::environment::{BuildInfo, Environment};
use bk_harness::plan::HOST_TARGET;
use bk_harness::store::{StoreError, save_text};
use bk_harness::views;

use super::{plan, pool};
use crate::cli::RunArgs;
use crate::error::Error;
use crate::execute::{Executed, Prepared, Targets};
use crate::exit::Exit;
use crate::pool::{Interrupted, Pool};
use crate::summary::{self, Summary};
use crate::sweep::{self, Sweep};
use crate::{build, engine, output, reports};

pub(crate) fn run(arguments: &RunArgs) -> Result<Exit, Error> {
    let sweeps = Sweep::load_all(&arguments.sweep)?;
    if arguments.dry_run {
        return plan::show(&sweeps, arguments.json);
    }
    let pool = pool(&arguments.programs, &sweep::engines(&sweeps)?)?;
    check_folders(&arguments.out, &sweeps).map_err(Error::Prepare)?;
    let targets = Targets::probe(&pool, &sweeps).map_err(|Interrupted| Error::Interrupted)?;
    let build = build_info();
    let prepared: Vec<Prepared> = sweeps
        .into_iter()
        .map(|sweep| Prepared::new(sweep, &targets, &build, &arguments.out, arguments.resume))
        .collect::<Result<_, _>>()?;
    let environment = Environment::capture(build, std::env::args());
    execute_all(prepared, &pool, &targets, &environment, arguments)
}

fn execute_all(
    prepared: Vec<Prepared>,
    pool: &Pool,
    targets: &Targets,
    environment: &Environment,
    arguments: &RunArgs,
) -> Result<Exit, Error> {
    let mut exit = Exit::Pass;
    let mut summaries = Vec::new();
    for prepared in prepared {
        let executed = prepared.execute(pool, targets, environment);
        let interrupted = executed.run.interrupted;
        exit = exit.or(summary::exit([&executed.run]));
        let (summary, saved) = save(executed, &arguments.out);
        summaries.push(summary);
        if let Err(error) = saved {
            error.print();
            exit = exit.or(Exit::ExecutionFailed);
        }
        if interrupted {
            break;
        }
    }
    if arguments.json {
        output::json(&summaries)?;
    } else {
        let texts: Vec<String> = summaries.iter().map(Summary::text).collect();
        output::text(&texts.join("\n"))?;
    }
    Ok(exit)
}

/// Writes the files of a run. Whatever happens to them, its summary can still be shown.
fn save(mut executed: Executed, out: &Path) -> (Summary, Result<(), Error>) {
    let mut files = Vec::new();
    let saved = write_files(&mut executed, out, &mut files);
    (Summary::new(&executed.run, files), saved)
}

/// The results first: a report that fails, say for an older file in the same folder, takes nothing along.
fn write_files(executed: &mut Executed, out: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    files.extend(views::write(out, &executed.run).map_err(Error::Save)?);
    executed.settle().map_err(Error::Save)?;
    files.extend(reports::write(out).map_err(Error::Report)?.1);
    Ok(())
}

/// Makes sure that the results will find a place, before hours are spent on them.
fn check_folders(out: &Path, sweeps: &[Sweep]) -> Result<(), StoreError> {
    check_folder(out)?;
    let targets: BTreeSet<&str> = sweeps.iter().flat_map(|sweep| sweep.plan.targets()).collect();
    // The reference has no folder: its results are with those that are compared to it.
    targets.iter().filter(|target| **target != HOST_TARGET).try_for_each(|target| {
        let folder = out.join(target);
        check_folder(&folder)?;
        // Made anew when there is something for it, maybe under another name. One that is not empty stays.
        let _ = std::fs::remove_dir(folder);
        Ok(())
    })
}

fn check_folder(folder: &Path) -> Result<(), StoreError> {
    let file: PathBuf = folder.join(".bkbench-can-write");
    save_text(&file, "")?;
    // What could be made a moment ago can be taken away; if not, an empty hidden file stays.
    let _ = std::fs::remove_file(file);
    Ok(())
}

/// What this program was built from, for the record.
pub(super) fn build_info() -> BuildInfo {
    let known = |text: &str| (text != "unknown").then(|| text.to_owned());
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git_revision: known(build::GIT_REVISION),
        git_dirty: build::git_modified(),
        rustc: build::RUSTC.to_owned(),
        features: build::features(),
        crate_versions: engine::crate_versions(),
    }
}
