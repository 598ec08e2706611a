//! A case in an external engine: inputs by file, output by file, proof here, times from the engine.
//!
//! ```text
//! inputs ─▶ prepare ─▶ output ─▶ right? ─▶ measure ─▶ times, output ─▶ still right? ─▶ statistics
//!                                  └─ no: invalid, and never timed
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bk_harness::case::{CacheChoice, Case, WorkloadSpec};
use bk_harness::measure::{EngineCase, conclude};
use bk_harness::numerics::Numerics;
use bk_harness::outcome::Outcome;
use bk_harness::protocol::{EngineTimes, Event, Phase, Request};
use bk_harness::workload::{InputSets, Work};
use bk_oracle::{Exam, ExamError};
use tempfile::TempDir;

use super::Interrupted;
use super::session::{Answer, Broken, RAISE_TIMEOUT, Session, duration};

/// Why a case ended early.
enum Ended {
    Outcome(Box<Outcome>),
    Interrupted,
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Interrupted => Self::Interrupted,
            Broken::Error(error) => failed(&error),
        }
    }
}

/// Runs `case` in the engine of `session`, which holds its output to `allowed_units`.
pub(super) fn run(
    session: &mut Session<'_>,
    case: &Case,
    allowed_units: f64,
    observe: &mut dyn FnMut(Phase),
) -> Result<Outcome, Interrupted> {
    observe(Phase::Prepare);
    match prove_and_measure(session, case, allowed_units, observe) {
        Ok(outcome) => Ok(outcome),
        Err(Ended::Outcome(outcome)) => Ok(*outcome),
        Err(Ended::Interrupted) => Err(Interrupted),
    }
}

fn prove_and_measure(
    session: &mut Session<'_>,
    case: &Case,
    allowed_units: f64,
    observe: &mut dyn FnMut(Phase),
) -> Result<Outcome, Ended> {
    let WorkloadSpec::BkCore(spec) = &case.workload else {
        let error = "an external engine is given the scan alone: leave it out of the targets of a model";
        return Err(Ended::Outcome(Box::new(Outcome::Failed { error: error.to_owned() })));
    };
    if !spec.pass.is_forward() {
        let reason = "an external engine is asked for the forward pass alone";
        return Err(Ended::Outcome(Box::new(Outcome::Skipped { reason: reason.to_owned() })));
    }
    let exam = Exam::new(spec, allowed_units).map_err(|error| failed(&error))?;
    let files = Files::new().map_err(|error| failed(&error))?;
    exam.write_inputs(&files.inputs).map_err(|error| failed(&error))?;
    let mut time_left = duration(case.measure.timeout_seconds);
    let input_sets = input_sets(session, case, &exam.work());

    let first_launch_seconds = prepare(session, case, &files, input_sets.count, &mut time_left, observe)?;
    observe(Phase::Verify);
    let before = marks(&exam, &files.output, "")?;
    files.remove_output().map_err(|error| failed(&error))?;

    let times = measure(session, case, &mut time_left, observe)?;
    let after = marks(&exam, &files.output, "right before the timed launches, wrong after them: ")?;
    let known = EngineCase {
        spec: &case.measure,
        class: session.device().class,
        work: exam.work(),
        input_sets,
        first_launch_seconds,
        before,
        after,
    };
    Ok(conclude(known, times))
}

fn input_sets(session: &Session<'_>, case: &Case, work: &Work) -> InputSets {
    let sets = InputSets::for_work(work, session.device());
    match case.measure.cache {
        CacheChoice::Cold => sets,
        CacheChoice::Hot => InputSets { count: 1, ..sets },
    }
}

fn prepare(
    session: &mut Session<'_>,
    case: &Case,
    files: &Files,
    input_sets: usize,
    time_left: &mut Duration,
    observe: &mut dyn FnMut(Phase),
) -> Result<f64, Ended> {
    let request = Request::Prepare {
        case: Box::new(case.clone()),
        inputs: files.inputs.clone(),
        output: files.output.clone(),
        input_sets,
    };
    ask(session, case, &request, "compute", time_left, observe, |event| match event {
        Event::Prepared { case: id, first_launch_seconds } if id == case.id => Some(first_launch_seconds),
        _ => None,
    })
}

fn measure(
    session: &mut Session<'_>,
    case: &Case,
    time_left: &mut Duration,
    observe: &mut dyn FnMut(Phase),
) -> Result<EngineTimes, Ended> {
    let request = Request::Measure { case: case.id.clone() };
    ask(session, case, &request, "time", time_left, observe, |event| match event {
        Event::Sampled { case: id, times } if id == case.id => Some(*times),
        _ => None,
    })
}

/// Sends `request` and waits for what `wanted` takes, or for the engine to say that it skips or fails the case.
fn ask<T>(
    session: &mut Session<'_>,
    case: &Case,
    request: &Request,
    verb: &str,
    time_left: &mut Duration,
    observe: &mut dyn FnMut(Phase),
    wanted: impl Fn(Event) -> Option<T>,
) -> Result<T, Ended> {
    let answer = |event: Event| match event {
        Event::Phase { case: id, phase } if id == case.id => {
            observe(phase);
            Answer::GoOn
        }
        Event::Result { case: id, outcome } if id == case.id => match *outcome {
            // Proof is not the engine's to give.
            Outcome::Measured(_) | Outcome::Invalid { .. } => Answer::OutOfTurn,
            ended => Answer::Done(Err(Ended::Outcome(Box::new(ended)))),
        },
        other => wanted(other).map_or(Answer::OutOfTurn, |wanted| Answer::Done(Ok(wanted))),
    };
    let start = Instant::now();
    let answered = session.ask(request, *time_left, &format!("{verb} {}", case.id), RAISE_TIMEOUT, answer)?;
    *time_left = time_left.saturating_sub(start.elapsed());
    answered
}

/// The errors of an output that is right; `when` stands before what is wrong with another.
fn marks(exam: &Exam, output: &Path, when: &str) -> Result<Numerics, Ended> {
    let invalid = |why: &str, numerics| {
        let why = format!("{when}{why}");
        Err(Ended::Outcome(Box::new(Outcome::Invalid { why, numerics })))
    };
    match exam.mark(output) {
        Ok(numerics) => match numerics.rejected.clone() {
            None => Ok(numerics),
            Some(why) => invalid(&why, Some(numerics)),
        },
        Err(error @ ExamError::OtherTensor { .. }) => invalid(&error.to_string(), None),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::error::Error) -> Ended {
    Ended::Outcome(Box::new(Outcome::Failed { error: error.to_string() }))
}

/// Where the tensors of a case are; removed with the case.
struct Files {
    /// Held for its end.
    _folder: TempDir,
    inputs: PathBuf,
    output: PathBuf,
}

impl Files {
    fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bkbench-").tempdir()?;
        let [inputs, output] =
            ["inputs.safetensors", "output.safetensors"].map(|name| folder.path().join(name));
        Ok(Self { _folder: folder, inputs, output })
    }

    /// So that an output which is not written anew is missed.
    fn remove_output(&self) -> io::Result<()> {
        fs::remove_file(&self.output)
    }
}
