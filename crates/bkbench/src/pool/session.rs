//! The worker of one (target, dtype): opened once, replaced when it breaks.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bk_harness::case::{Case, Implementation, Strategy, WorkloadSpec};
use bk_harness::device::DeviceInfo;
use bk_harness::outcome::Outcome;
use bk_harness::phase2::{ExportOutcome, ParityOutcome};
use bk_harness::protocol::{Event, Phase, Request, Role};
use bk_harness::vectors::VectorsOutcome;

use super::launcher::WorkerCommand;
use super::message::{Greeting, WorkerError, decode, decode_opening, out_of_turn};
use super::process::{Received, WorkerProcess};
use super::{Interrupted, Launcher, engine_case};
use crate::interrupt::Interrupt;

/// What to do about a case that is killed.
pub(super) const RAISE_TIMEOUT: &str = " (raise `timeout_seconds` if it needs longer)";

/// A worker and what is needed to start another one like it.
#[derive(Debug)]
pub(super) struct Session<'a> {
    launcher: &'a Launcher,
    interrupt: &'a Interrupt,
    hello_timeout: Duration,
    command: WorkerCommand,
    /// Absent after a breakdown, until the next request needs one.
    process: Option<WorkerProcess>,
    /// What the worker said of itself when it started last.
    greeting: Greeting,
}

/// Why a target could not be opened.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not on this machine.
    Unavailable(String),
    /// Its worker does not work.
    Broken(String),
    /// The user asked to stop.
    Interrupted,
}

/// Why a request was not answered.
pub(super) enum Broken {
    Error(WorkerError),
    Interrupted,
}

impl From<WorkerError> for Broken {
    fn from(error: WorkerError) -> Self {
        Self::Error(error)
    }
}

impl<'a> Session<'a> {
    /// Starts a worker and hears what it found.
    pub(super) fn open(
        launcher: &'a Launcher,
        interrupt: &'a Interrupt,
        hello_timeout: Duration,
        command: WorkerCommand,
    ) -> Result<(Self, Greeting), Refusal> {
        let (process, greeting) = start(launcher, interrupt, hello_timeout, &command)?;
        let process = Some(process);
        let session =
            Self { launcher, interrupt, hello_timeout, command, process, greeting: greeting.clone() };
        Ok((session, greeting))
    }

    /// Where the worker runs.
    pub(super) fn device(&self) -> &DeviceInfo {
        &self.greeting.device
    }

    /// Runs one case to its end, whatever that is.
    pub(super) fn run(
        &mut self,
        case: &Case,
        observe: &mut dyn FnMut(Phase),
    ) -> Result<Outcome, Interrupted> {
        let implementation = match &case.workload {
            WorkloadSpec::BkCore(spec) => Some(spec.implementation),
            WorkloadSpec::Phase2Throughput(_) | WorkloadSpec::Phase2Memory(_) => None,
        };
        match (self.greeting.role, implementation == Some(Implementation::Peer)) {
            (Role::Worker, false) => self.run_in_worker(case, observe),
            (Role::Engine, true) => {
                let allowed_units = self.launcher.allowed_units(&self.command.target);
                engine_case::run(self, case, allowed_units, observe)
            }
            (role, _) => Ok(Outcome::Failed { error: WorkerError::Role { role }.to_string() }),
        }
    }

    fn run_in_worker(&mut self, case: &Case, observe: &mut dyn FnMut(Phase)) -> Result<Outcome, Interrupted> {
        let timeout = duration(case.measure.timeout_seconds);
        let request = Request::Run { case: Box::new(case.clone()) };
        let answer = |event: Event| match event {
            Event::Phase { case: id, phase } if id == case.id => {
                observe(phase);
                Answer::GoOn
            }
            Event::Result { case: id, outcome } if id == case.id => Answer::Done(*outcome),
            _ => Answer::OutOfTurn,
        };
        match self.ask(&request, timeout, &format!("run {}", case.id), RAISE_TIMEOUT, answer) {
            Ok(outcome) => Ok(outcome),
            Err(Broken::Interrupted) => Err(Interrupted),
            Err(Broken::Error(error)) => Ok(Outcome::Failed { error: error.to_string() }),
        }
    }

    /// Checks the target against test vectors.
    pub(super) fn verify_vectors(
        &mut self,
        dir: Option<&Path>,
        strategy: Strategy,
        timeout: Duration,
    ) -> Result<VectorsOutcome, Interrupted> {
        if self.greeting.role == Role::Engine {
            let reason = "an external engine is checked on the inputs of each case, not on the vectors";
            return Ok(VectorsOutcome::Skipped { reason: reason.to_owned() });
        }
        let request = Request::VerifyVectors { dir: dir.map(Path::to_owned), strategy };
        let answer = |event: Event| match event {
            Event::Vectors { outcome } => Answer::Done(outcome),
            _ => Answer::OutOfTurn,
        };
        let remedy = " (raise `--timeout` if it needs longer)";
        match self.ask(&request, timeout, "check the test vectors", remedy, answer) {
            Ok(outcome) => Ok(outcome),
            Err(Broken::Interrupted) => Err(Interrupted),
            Err(Broken::Error(error)) => Ok(VectorsOutcome::Failed { error: error.to_string() }),
        }
    }

    /// Checks the Phase 2 model.
    pub(super) fn verify_phase2(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Result<ParityOutcome, Interrupted> {
        let answer = |event: Event| match event {
            Event::Parity { outcome } => Answer::Done(outcome),
            _ => Answer::OutOfTurn,
        };
        let remedy = " (raise `--timeout` if it needs longer)";
        match self.ask(request, timeout, "check the Phase 2 model", remedy, answer) {
            Ok(outcome) => Ok(outcome),
            Err(Broken::Interrupted) => Err(Interrupted),
            Err(Broken::Error(error)) => Ok(ParityOutcome::Failed { error: error.to_string() }),
        }
    }

    /// Writes weights of the Phase 2 model.
    pub(super) fn export_phase2(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Result<ExportOutcome, Interrupted> {
        let answer = |event: Event| match event {
            Event::Exported { outcome } => Answer::Done(outcome),
            _ => Answer::OutOfTurn,
        };
        let remedy = " (raise `--timeout` if it needs longer)";
        match self.ask(request, timeout, "write the weights", remedy, answer) {
            Ok(outcome) => Ok(outcome),
            Err(Broken::Interrupted) => Err(Interrupted),
            Err(Broken::Error(error)) => Ok(ExportOutcome::Failed { error: error.to_string() }),
        }
    }

    /// Lets the worker end in its own time.
    pub(super) fn end(self) {
        if let Some(process) = self.process {
            process.end();
        }
    }

    /// Sends a request and waits for what `answer` calls the end of it. Whatever goes wrong costs the
    /// worker: its device may be in any state.
    pub(super) fn ask<T>(
        &mut self,
        request: &Request,
        timeout: Duration,
        doing: &str,
        remedy: &'static str,
        answer: impl FnMut(Event) -> Answer<T>,
    ) -> Result<T, Broken> {
        if self.process.as_mut().is_none_or(WorkerProcess::has_ended) {
            self.restart()?;
        }
        let Some(process) = &mut self.process else { return Err(Broken::Interrupted) };
        // A worker that died meanwhile cannot be written to; its death shows when it is listened to.
        let _ = process.send(request);
        let answered = listen(process, timeout, doing, remedy, answer);
        let answered = answered.and_then(|done| match process.settled_log().take_panic() {
            Some(panic) => Err(WorkerError::Panicked { panic }.into()),
            None => Ok(done),
        });
        let answered = answered.and_then(|done| match process.take_unasked() {
            Some(line) => Err(out_of_turn(&line, "nothing more").into()),
            None => Ok(done),
        });
        if answered.is_err() {
            self.process = None;
        }
        answered
    }

    /// Replaces a dead worker. A target that was there and is no more is a failure and not a skip.
    fn restart(&mut self) -> Result<(), Broken> {
        match start(self.launcher, self.interrupt, self.hello_timeout, &self.command) {
            Ok((process, greeting)) => {
                (self.process, self.greeting) = (Some(process), greeting);
                Ok(())
            }
            Err(Refusal::Interrupted) => Err(Broken::Interrupted),
            Err(Refusal::Unavailable(cause) | Refusal::Broken(cause)) => {
                let doing = "start again after a breakdown".to_owned();
                Err(WorkerError::Died { doing, cause }.into())
            }
        }
    }
}

/// Starts a worker and hears what it found.
fn start(
    launcher: &Launcher,
    interrupt: &Interrupt,
    hello_timeout: Duration,
    worker: &WorkerCommand,
) -> Result<(WorkerProcess, Greeting), Refusal> {
    let command = launcher.command(worker);
    let shown = command.get_program().to_string_lossy().into_owned();
    let mut process = WorkerProcess::spawn(command, interrupt).map_err(|source| {
        let absent = source.kind() == io::ErrorKind::NotFound && launcher.may_be_missing(&worker.target);
        let error = WorkerError::Start { command: shown, source }.to_string();
        if absent { Refusal::Unavailable(error) } else { Refusal::Broken(error) }
    })?;

    let line = match process.receive(Instant::now() + hello_timeout) {
        Received::Line(line) => line,
        Received::Interrupted => return Err(Refusal::Interrupted),
        // A missing driver or adapter can take the process down before it can say so.
        Received::Ended => return Err(Refusal::Unavailable(process.cause_of_death())),
        Received::TimedOut => {
            let (doing, seconds) = ("open its device".to_owned(), hello_timeout.as_secs_f64());
            let error = WorkerError::TimedOut { doing, seconds, remedy: "" };
            return Err(Refusal::Broken(error.to_string()));
        }
    };
    match decode_opening(&line) {
        Ok(Event::Hello { role, engine, device, versions, .. }) => {
            // What a probe printed before it found a device says nothing about the cases.
            process.settled_log().take_panic();
            Ok((process, Greeting { role, engine, device: *device, versions }))
        }
        Ok(Event::Unavailable { reason, .. }) => Err(Refusal::Unavailable(reason)),
        Ok(_) => Err(Refusal::Broken(out_of_turn(&line, "`hello` or `unavailable`").to_string())),
        Err(error) => Err(Refusal::Broken(error.to_string())),
    }
}

/// What an event means to whoever asked.
pub(super) enum Answer<T> {
    GoOn,
    Done(T),
    OutOfTurn,
}

/// Hands events to `answer` until it is done or the worker breaks its contract.
fn listen<T>(
    process: &mut WorkerProcess,
    timeout: Duration,
    doing: &str,
    remedy: &'static str,
    mut answer: impl FnMut(Event) -> Answer<T>,
) -> Result<T, Broken> {
    let deadline = Instant::now() + timeout;
    loop {
        let line = match process.receive(deadline) {
            Received::Line(line) => line,
            Received::Interrupted => return Err(Broken::Interrupted),
            Received::Ended => {
                let cause = process.cause_of_death();
                return Err(WorkerError::Died { doing: doing.to_owned(), cause }.into());
            }
            Received::TimedOut => {
                let seconds = timeout.as_secs_f64();
                return Err(WorkerError::TimedOut { doing: doing.to_owned(), seconds, remedy }.into());
            }
        };
        match answer(decode(&line)?) {
            Answer::GoOn => {}
            Answer::Done(done) => return Ok(done),
            Answer::OutOfTurn => return Err(out_of_turn(&line, format!("an answer to `{doing}`")).into()),
        }
    }
}

/// Seconds as a duration; what cannot be one means as long as it takes, for a day.
pub(super) fn duration(seconds: f64) -> Duration {
    const DAY: Duration = Duration::from_secs(86_400);
    Duration::try_from_secs_f64(seconds).map_or(DAY, |duration| duration.min(DAY))
}
