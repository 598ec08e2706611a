//! The worker's side of the protocol: a loop around an [`Engine`].

use std::any::Any;
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bk_harness::case::{Case, ElementType, Strategy};
use bk_harness::outcome::Outcome;
use bk_harness::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use bk_harness::protocol::{Event, PROTOCOL_VERSION, Phase, Request};
use bk_harness::vectors::VectorsOutcome;

/// A device that is open and runs what it is asked to.
pub(crate) trait Engine {
    /// The opening message.
    fn hello(&self) -> Event;

    /// Runs one case and calls `observe` as each phase begins.
    fn run(&mut self, case: &Case, observe: &mut dyn FnMut(Phase)) -> Outcome;

    /// Checks the device against test vectors: those in `dir`, or those built in.
    fn verify_vectors(&mut self, dir: Option<&Path>, strategy: Strategy) -> VectorsOutcome;

    /// Checks the Phase 2 model against `files`, or those built in.
    fn verify_phase2(
        &mut self,
        files: &[PathBuf],
        dtype: ElementType,
        precision: MatmulPrecision,
    ) -> ParityOutcome;

    /// Writes weights of the Phase 2 model to `file`.
    fn export_phase2(&mut self, source: &ExportSource, file: &Path) -> ExportOutcome;
}

/// Serves requests until the input ends, [`Request::Exit`] comes, or the engine panics: after a panic
/// nobody knows the state of the device, and the parent starts a fresh worker.
///
/// # Errors
/// When a request is no message of the protocol, or a stream fails.
pub(crate) fn serve(engine: &mut dyn Engine, input: impl BufRead, output: &mut dyn Write) -> io::Result<()> {
    send(output, &engine.hello())?;
    for line in input.lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let healthy = match request {
            Request::Exit => return Ok(()),
            Request::Run { case } => run(engine, &case, output)?,
            // The hello says that this is no engine.
            Request::Prepare { .. } | Request::Measure { .. } => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a worker was asked as if it were an engine",
                ));
            }
            Request::VerifyVectors { dir, strategy } => answer(
                output,
                || engine.verify_vectors(dir.as_deref(), strategy),
                |error| VectorsOutcome::Failed { error },
                |outcome| Event::Vectors { outcome },
            )?,
            Request::VerifyPhase2 { files, dtype, precision } => answer(
                output,
                || engine.verify_phase2(&files, dtype, precision),
                |error| ParityOutcome::Failed { error },
                |outcome| Event::Parity { outcome },
            )?,
            Request::ExportPhase2 { source, file } => answer(
                output,
                || engine.export_phase2(&source, &file),
                |error| ExportOutcome::Failed { error },
                |outcome| Event::Exported { outcome },
            )?,
        };
        if !healthy {
            return Ok(());
        }
    }
    Ok(())
}

/// Says that there is no device.
///
/// # Errors
/// When the stream fails.
pub(crate) fn refuse(reason: String, output: &mut dyn Write) -> io::Result<()> {
    send(output, &Event::Unavailable { protocol: PROTOCOL_VERSION, reason })
}

/// Answers a case; false when the engine panicked.
fn run(engine: &mut dyn Engine, case: &Case, output: &mut dyn Write) -> io::Result<bool> {
    let mut observe = |phase| {
        // A parent that is gone shows when the result is written.
        let _ = send(output, &Event::Phase { case: case.id.clone(), phase });
    };
    let caught = catch_unwind(AssertUnwindSafe(|| engine.run(case, &mut observe)));
    let healthy = caught.is_ok();
    let outcome = caught.unwrap_or_else(|panic| Outcome::Failed { error: describe(&*panic) });
    let event = Event::Result { case: case.id.clone(), outcome: Box::new(outcome) };
    send(output, &survives_json(event)?)?;
    Ok(healthy)
}

/// Answers a request by one event; false when the engine panicked.
fn answer<T>(
    output: &mut dyn Write,
    work: impl FnOnce() -> T,
    failed: impl FnOnce(String) -> T,
    event: impl FnOnce(T) -> Event,
) -> io::Result<bool> {
    let caught = catch_unwind(AssertUnwindSafe(work));
    let healthy = caught.is_ok();
    let outcome = caught.unwrap_or_else(|panic| failed(describe(&*panic)));
    send(output, &event(outcome))?;
    Ok(healthy)
}

/// A result that its reader will be able to read. JSON has no NaN and no infinity: such a number becomes
/// `null`, which is no number, so the case cannot count as measured.
fn survives_json(event: Event) -> io::Result<Event> {
    let text = serde_json::to_string(&event)?;
    match (serde_json::from_str::<Event>(&text), event) {
        (Err(error), Event::Result { case, outcome }) => {
            let why = format!("the {} result holds a number that is not finite ({error})", status(&outcome));
            let numerics = None;
            Ok(Event::Result { case, outcome: Box::new(Outcome::Invalid { why, numerics }) })
        }
        (_, event) => Ok(event),
    }
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Measured(_) => "measured",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Failed { .. } => "failed",
        Outcome::Invalid { .. } => "invalid",
    }
}

fn send(output: &mut dyn Write, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", message.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests;
