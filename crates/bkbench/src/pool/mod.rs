//! Worker processes: every case runs in a child, so that a crash, a hang or an exhausted device costs
//! that one case.
//!
//! ```text
//! Pool::run  one (target, dtype) after the other ─▶ Session  opens a worker, replaces a dead one
//!                                                     └─▶ WorkerProcess  pipes, time-outs, kill
//! ```
//! There is never more than one worker: two would disturb each other's times.

mod engine_case;
mod launcher;
mod lines;
mod memory;
mod message;
mod process;
mod session;
mod settings;
mod stderr;

use std::path::Path;
use std::time::Duration;

use bk_harness::case::{Case, ElementType, Strategy};
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::phase2::{ExportOutcome, ParityOutcome};
use bk_harness::protocol::{Phase, Request};
use bk_harness::vectors::VectorsOutcome;

use crate::interrupt::Interrupt;
use launcher::WorkerCommand;
pub(crate) use launcher::{ExternalWorker, Launcher};
pub(crate) use message::Greeting;
use session::{Refusal, Session};
pub(crate) use settings::WorkerSettings;

/// Time for a worker to open its device: loading a driver takes seconds, an interpreter with its
/// libraries half a minute.
const HELLO_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs cases and checks in worker processes, one after the other.
#[derive(Debug)]
pub(crate) struct Pool {
    launcher: Launcher,
    interrupt: Interrupt,
    hello_timeout: Duration,
}

/// The user asked to stop; the worker is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// What a caller learns while cases run, in the order in which it happens.
pub(crate) trait Observer {
    /// The worker of a target has opened its device. Once a (target, dtype).
    fn opened(&mut self, target: &str, greeting: &Greeting);
    /// A case is about to run once without being measured, so that autotune is done with it.
    fn rehearsed(&mut self, case: &Case);
    /// A case starts.
    fn started(&mut self, case: &Case);
    /// A case went into its next phase.
    fn phase(&mut self, case: &Case, phase: Phase);
    /// A case ended.
    fn finished(&mut self, result: CaseResult);
}

impl Pool {
    /// A pool whose workers `launcher` starts and `interrupt` stops.
    pub(crate) fn new(launcher: Launcher, interrupt: Interrupt) -> Self {
        Self { launcher, interrupt, hello_timeout: HELLO_TIMEOUT }
    }

    /// What starts its workers.
    pub(crate) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// Runs `cases` in their order, with one worker for each piece of equal target and dtype.
    ///
    /// A target that is not there skips its cases. A worker that dies, hangs or talks nonsense fails the
    /// case at hand, and a fresh one goes on with the rest. A case about memory gets a worker of its own.
    ///
    /// # Errors
    /// When the user asked to stop; the cases that had not ended are not reported.
    pub(crate) fn run(
        &self,
        cases: &[Case],
        settings: &WorkerSettings,
        observer: &mut dyn Observer,
    ) -> Result<(), Interrupted> {
        let kind = |case: &Case| (case.target.clone(), case.dtype, memory::is_about_memory(case));
        for group in cases.chunk_by(|a, b| kind(a) == kind(b)) {
            if group.first().is_some_and(memory::is_about_memory) {
                self.run_memory(group, settings, observer)?;
            } else {
                self.run_group(group, settings, observer)?;
            }
        }
        Ok(())
    }

    fn run_group(
        &self,
        group: &[Case],
        settings: &WorkerSettings,
        observer: &mut dyn Observer,
    ) -> Result<(), Interrupted> {
        let Some(first) = group.first() else { return Ok(()) };
        let mut session = match self.open(&first.target, first.dtype, settings) {
            Ok((session, greeting)) => {
                observer.opened(&first.target, &greeting);
                session
            }
            Err(Refusal::Interrupted) => return Err(Interrupted),
            Err(Refusal::Unavailable(reason)) => {
                refuse(group, observer, || Outcome::Skipped { reason: reason.clone() });
                return Ok(());
            }
            Err(Refusal::Broken(error)) => {
                refuse(group, observer, || Outcome::Failed { error: error.clone() });
                return Ok(());
            }
        };
        for case in group {
            observer.started(case);
            let outcome = session.run(case, &mut |phase| observer.phase(case, phase))?;
            observer.finished(CaseResult { case: case.clone(), outcome });
        }
        session.end();
        Ok(())
    }

    /// Opens `target` and says what is there, or why nothing is.
    ///
    /// # Errors
    /// When the user asked to stop.
    pub(crate) fn probe(&self, target: &str, dtype: ElementType) -> Result<Probe, Interrupted> {
        match self.open(target, dtype, &WorkerSettings::default()) {
            Ok((session, greeting)) => {
                session.end();
                Ok(Probe::Available(Box::new(greeting)))
            }
            Err(Refusal::Unavailable(reason)) => Ok(Probe::Unavailable(reason)),
            Err(Refusal::Broken(error)) => Ok(Probe::Broken(error)),
            Err(Refusal::Interrupted) => Err(Interrupted),
        }
    }

    /// Checks `target` against test vectors: those in `dir`, or those built into the worker.
    ///
    /// # Errors
    /// When the user asked to stop.
    pub(crate) fn verify_vectors(
        &self,
        target: &str,
        dir: Option<&Path>,
        strategy: Strategy,
        timeout: Duration,
    ) -> Result<VectorsOutcome, Interrupted> {
        match self.open(target, ElementType::F32, &WorkerSettings::default()) {
            Ok((mut session, _)) => {
                let outcome = session.verify_vectors(dir, strategy, timeout)?;
                session.end();
                Ok(outcome)
            }
            Err(Refusal::Unavailable(reason)) => Ok(VectorsOutcome::Skipped { reason }),
            Err(Refusal::Broken(error)) => Ok(VectorsOutcome::Failed { error }),
            Err(Refusal::Interrupted) => Err(Interrupted),
        }
    }

    /// Checks the Phase 2 model on `target`; `request` is the check.
    ///
    /// # Errors
    /// When the user asked to stop.
    pub(crate) fn verify_phase2(
        &self,
        target: &str,
        dtype: ElementType,
        request: &Request,
        timeout: Duration,
    ) -> Result<ParityOutcome, Interrupted> {
        match self.open(target, dtype, &WorkerSettings::default()) {
            Ok((mut session, _)) => {
                let outcome = session.verify_phase2(request, timeout)?;
                session.end();
                Ok(outcome)
            }
            Err(Refusal::Unavailable(reason)) => Ok(ParityOutcome::Skipped { reason }),
            Err(Refusal::Broken(error)) => Ok(ParityOutcome::Failed { error }),
            Err(Refusal::Interrupted) => Err(Interrupted),
        }
    }

    /// Writes weights of the Phase 2 model on `target`; `request` is the export.
    ///
    /// # Errors
    /// When the user asked to stop.
    pub(crate) fn export_phase2(
        &self,
        target: &str,
        request: &Request,
        timeout: Duration,
    ) -> Result<ExportOutcome, Interrupted> {
        match self.open(target, ElementType::F32, &WorkerSettings::default()) {
            Ok((mut session, _)) => {
                let outcome = session.export_phase2(request, timeout)?;
                session.end();
                Ok(outcome)
            }
            Err(Refusal::Unavailable(reason)) => Ok(ExportOutcome::Skipped { reason }),
            Err(Refusal::Broken(error)) => Ok(ExportOutcome::Failed { error }),
            Err(Refusal::Interrupted) => Err(Interrupted),
        }
    }

    fn open(
        &self,
        target: &str,
        dtype: ElementType,
        settings: &WorkerSettings,
    ) -> Result<(Session<'_>, Greeting), Refusal> {
        let command = WorkerCommand { target: target.to_owned(), dtype, settings: settings.clone() };
        Session::open(&self.launcher, &self.interrupt, self.hello_timeout, command)
    }
}

/// What is behind the name of a target.
#[derive(Debug)]
pub(crate) enum Probe {
    /// A device.
    Available(Box<Greeting>),
    /// Nothing, for this reason.
    Unavailable(String),
    /// A worker that does not work.
    Broken(String),
}

/// Ends every case of a group whose worker could not be opened.
fn refuse(group: &[Case], observer: &mut dyn Observer, outcome: impl Fn() -> Outcome) {
    for case in group {
        observer.finished(CaseResult { case: case.clone(), outcome: outcome() });
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
