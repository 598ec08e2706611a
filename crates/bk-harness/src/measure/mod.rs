//! One case from its first launch to its summary.
//!
//! Each phase is a function: first launch, verification, warm-up, sampling, verification again, summary. No
//! sample is taken of an output that was not proven right, and a number is only kept when the output is
//! still right after it.
//!
//! Every synchronisation is checked: on a GPU a failed launch is seen nowhere else.

mod engine;
#[cfg(test)]
mod fake;
mod launch_regression;
mod memory;
mod parts;
mod sample;
mod session;
mod stopwatch;
mod summary;
#[cfg(test)]
mod tests;
mod warm_up;

use crate::case::Case;
use crate::device::DeviceClass;
use crate::numerics::Numerics;
use crate::outcome::{Measurement, Outcome};
use crate::protocol::Phase;
use crate::workload::{Failure, Workload};

pub use engine::{EngineCase, conclude};
pub use memory::measure_memory;
pub use stopwatch::{Stopwatch, SystemStopwatch};

use session::Session;

/// Why a measurement ended early: never [`Outcome::Measured`].
type Ended = Box<Outcome>;

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::new(match failure {
            Failure::Skip(reason) => Outcome::Skipped { reason },
            Failure::Execution(error) => Outcome::Failed { error },
        })
    }
}

/// Proves `workload` right and times it as `case.measure` asks, on a device of kind `class`.
///
/// `observer` is told each phase as it begins; [`Phase::Prepare`] has passed when there is a workload.
/// A wrong result, a failure or an impossible time is an [`Outcome`], never a panic of the harness itself.
pub fn measure(
    workload: &mut dyn Workload,
    case: &Case,
    class: DeviceClass,
    observer: &mut dyn FnMut(Phase),
) -> Outcome {
    measure_with(&SystemStopwatch::default(), workload, case, class, observer)
}

/// [`measure`] by another stopwatch, for tests with exact times.
pub fn measure_with(
    stopwatch: &dyn Stopwatch,
    workload: &mut dyn Workload,
    case: &Case,
    class: DeviceClass,
    observer: &mut dyn FnMut(Phase),
) -> Outcome {
    let mut session = Session::new(stopwatch, workload, &case.measure, class);
    match run(&mut session, observer) {
        Ok(measurement) => Outcome::Measured(Box::new(measurement)),
        Err(ended) => *ended,
    }
}

fn run(session: &mut Session, observer: &mut dyn FnMut(Phase)) -> Result<Measurement, Ended> {
    observer(Phase::Verify);
    let first_launch_seconds = first_launch(session)?;
    let before = verify(session)?;
    observer(Phase::WarmUp);
    let warm_up = warm_up::warm_up(session)?;
    observer(Phase::Sample);
    let samples = sample::sample(session, &warm_up)?;
    let parts = parts::parts(session)?;
    let copy_rate = session.workload.copy_rate();
    let matrix_rate = session.workload.matrix_rate();
    let after = verify_again(session)?;
    let numerics = if after.max_error_units > before.max_error_units { after } else { before };
    let context = summary::Context {
        class: session.class,
        work: session.workload.work(),
        cache: session.rotation.state(),
    };
    summary::summarise(
        context,
        summary::Parts { first_launch_seconds, numerics, warm_up, samples, parts, copy_rate, matrix_rate },
    )
}

/// The very first launch, before even the proof: whatever compiles or tunes itself does so here.
fn first_launch(session: &mut Session) -> Result<f64, Ended> {
    Ok(session.timed_launches(1)?)
}

/// Compares the output with the oracle, outside the clock.
fn verify(session: &mut Session) -> Result<Numerics, Ended> {
    let numerics = session.workload.verify()?;
    match &numerics.rejected {
        None => Ok(numerics),
        Some(why) => Err(Box::new(Outcome::Invalid { why: why.clone(), numerics: Some(numerics) })),
    }
}

/// Compares once more after the timed launches: a race or an overwritten input may show only then.
fn verify_again(session: &mut Session) -> Result<Numerics, Ended> {
    still_right(session.workload.verify()?)
}

/// The errors of an output after the timed launches, if it is right.
fn still_right(numerics: Numerics) -> Result<Numerics, Ended> {
    match &numerics.rejected {
        None => Ok(numerics),
        Some(why) => Err(Box::new(Outcome::Invalid {
            why: format!("right before the timed launches, wrong after them: {why}"),
            numerics: Some(numerics),
        })),
    }
}
