//! The timed launches, by each clock that the case is measured with.

use super::Ended;
use super::launch_regression::{LONG_LAUNCH_SECONDS, Regression, RegressionError};
use super::session::Session;
use super::warm_up::WarmUp;
use crate::case::ClockChoice;
use crate::device::DeviceClass;
use crate::outcome::{Clock, Outcome, Statistics, Timing};
use crate::stopping::{AnyOf, StoppingRule};
use crate::units;
use crate::warning::Oddity;
use crate::workload::Failure;

/// Most samples by a clock that is not the case's own.
const SECONDARY_SAMPLES: u32 = 20;

/// Part of the time budget that such a clock may use.
const SECONDARY_BUDGET: f64 = 0.25;

/// Device times below this are taken of several launches, so that a coarse clock does not round them to 0.
const LEAST_DEVICE_SECONDS: f64 = 1e-5;

/// Launches in one device time at most.
const MOST_DEVICE_LAUNCHES: u32 = 64;

/// Timings, the case's own clock first, and what was odd about taking them.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) timings: Vec<Timing>,
    pub(super) oddities: Vec<Oddity>,
}

/// How long to sample by one clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) samples: u32,
    pub(super) relative_noise: Option<f64>,
    pub(super) seconds: f64,
}

/// Takes samples by the case's clock, then fewer by the other clocks that its speedups may need.
pub(super) fn sample(session: &mut Session, warm_up: &WarmUp) -> Result<Samples, Ended> {
    let spec = session.spec;
    let (primary, secondary) = clocks(spec.clock, session.class);
    let own =
        Limits { samples: spec.samples, relative_noise: spec.relative_noise, seconds: spec.max_seconds };
    let other = Limits {
        samples: spec.samples.min(SECONDARY_SAMPLES),
        relative_noise: spec.relative_noise,
        seconds: spec.max_seconds * SECONDARY_BUDGET,
    };
    let mut samples = Samples { timings: Vec::new(), oddities: Vec::new() };
    match by_clock(session, warm_up, primary, own, &mut samples)? {
        Taken::Yes => {}
        Taken::No(reason) => return Err(without_its_clock(primary, &reason)),
    }
    for clock in secondary {
        if let Taken::No(reason) = by_clock(session, warm_up, *clock, other, &mut samples)?
            && *clock != Clock::DeviceTimestamp
        {
            samples.oddities.push(Oddity::ClockUnavailable { clock: units::clock(*clock), reason });
        }
    }
    Ok(samples)
}

/// The clock of the case's metrics, and those beside it.
///
/// Two cases are compared on a clock that both have: every case has `wall`, and so that a GPU's
/// `launch_regression` has something to be compared to, cases on the CPU have it too.
fn clocks(choice: ClockChoice, class: DeviceClass) -> (Clock, &'static [Clock]) {
    use Clock::{DeviceTimestamp, LaunchRegression, Wall};
    match (choice, class) {
        (ClockChoice::Auto, DeviceClass::Gpu) => (LaunchRegression, &[Wall, DeviceTimestamp]),
        (ClockChoice::Auto, DeviceClass::Software) => (Wall, &[DeviceTimestamp]),
        (ClockChoice::Auto, DeviceClass::Cpu) => (Wall, &[LaunchRegression]),
        (ClockChoice::Wall, _) => (Wall, &[]),
        (ClockChoice::DeviceTimestamp, _) => (DeviceTimestamp, &[Wall]),
        (ClockChoice::LaunchRegression, _) => (LaunchRegression, &[Wall]),
    }
}

/// Whether a clock gave samples.
enum Taken {
    Yes,
    /// It did not, for this reason.
    No(String),
}

fn by_clock(
    session: &mut Session,
    warm_up: &WarmUp,
    clock: Clock,
    limits: Limits,
    samples: &mut Samples,
) -> Result<Taken, Ended> {
    match clock {
        Clock::Wall => by_wall(session, limits, samples),
        Clock::DeviceTimestamp => by_device_timestamp(session, limits, samples),
        Clock::LaunchRegression if is_its_own_slope(session.class, warm_up.launch_seconds, samples) => {
            let wall = samples.timings[0].clone();
            samples.timings.push(Timing { clock: Clock::LaunchRegression, ..wall });
            Ok(Taken::Yes)
        }
        Clock::LaunchRegression => by_launch_regression(session, warm_up, limits, samples),
    }
}

/// Whether the wall times that were taken are slopes too: a CPU queues nothing, so that what a call costs beyond
/// a long launch is nothing, and batches of such launches would take minutes to say so.
fn is_its_own_slope(class: DeviceClass, launch_seconds: f64, samples: &Samples) -> bool {
    let has_wall = samples.timings.first().is_some_and(|timing| timing.clock == Clock::Wall);
    class == DeviceClass::Cpu && launch_seconds > LONG_LAUNCH_SECONDS && has_wall
}

fn by_wall(session: &mut Session, limits: Limits, samples: &mut Samples) -> Result<Taken, Ended> {
    let times = collect(session, limits, |session| session.timed_launches(1))?;
    samples.timings.push(timing(Clock::Wall, times, None, false)?);
    Ok(Taken::Yes)
}

fn by_device_timestamp(session: &mut Session, limits: Limits, samples: &mut Samples) -> Result<Taken, Ended> {
    let mut launches = 1;
    loop {
        match session.device_time(launches)? {
            None => return Ok(Taken::No("the device has no time stamps".to_owned())),
            Some(seconds) if seconds >= LEAST_DEVICE_SECONDS || launches >= MOST_DEVICE_LAUNCHES => break,
            Some(_) => launches *= 2,
        }
    }
    let times = collect(session, limits, |session| {
        let seconds = session.device_time(launches)?.unwrap_or_default();
        Ok::<_, Failure>(seconds / f64::from(launches))
    })?;
    if times.iter().any(|seconds| *seconds <= 0.0) {
        return Ok(Taken::No(format!("{launches} launches took no time by the device's clock")));
    }
    samples.timings.push(timing(Clock::DeviceTimestamp, times, None, false)?);
    Ok(Taken::Yes)
}

fn by_launch_regression(
    session: &mut Session,
    warm_up: &WarmUp,
    limits: Limits,
    samples: &mut Samples,
) -> Result<Taken, Ended> {
    let mut regression = Regression::prepare(session, warm_up.launch_seconds)?;
    let slopes = collect(session, limits, |session| regression.slope(session));
    let slopes = match slopes {
        Ok(slopes) => slopes,
        Err(RegressionError::NoSlope(reason)) => return Ok(Taken::No(reason)),
        Err(RegressionError::Failure(failure)) => return Err(failure.into()),
    };
    let timing = timing(Clock::LaunchRegression, slopes, None, regression.issue_hidden())?;
    let launch_seconds = timing.statistics.median;
    if let Some(issue_seconds) = regression.issue_bound(session.class, launch_seconds) {
        samples.oddities.push(Oddity::IssueBound { launch_seconds, issue_seconds });
    }
    let overhead_seconds = regression.overhead_seconds(launch_seconds);
    samples.timings.push(Timing { overhead_seconds, ..timing });
    Ok(Taken::Yes)
}

/// Takes samples until the limits say stop.
fn collect<E>(
    session: &mut Session,
    limits: Limits,
    mut take: impl FnMut(&mut Session) -> Result<f64, E>,
) -> Result<Vec<f64>, E> {
    let mut rule = AnyOf::for_case(limits.samples, limits.relative_noise, limits.seconds);
    let start = session.seconds();
    let mut samples = Vec::new();
    while !rule.is_finished() {
        let sample = take(session)?;
        samples.push(sample);
        rule.record(sample, session.seconds() - start);
    }
    Ok(samples)
}

pub(super) fn timing(
    clock: Clock,
    samples: Vec<f64>,
    overhead_seconds: Option<f64>,
    issue_hidden: bool,
) -> Result<Timing, Ended> {
    let Some(statistics) = Statistics::from_samples(&samples) else {
        let error = format!("the clock {} gave times that are no numbers", units::clock(clock));
        return Err(Box::new(Outcome::Failed { error }));
    };
    Ok(Timing { clock, samples, statistics, overhead_seconds, issue_hidden })
}

/// A case whose own clock gave nothing has no time: another clock would be another quantity.
fn without_its_clock(clock: Clock, reason: &str) -> Ended {
    let text = format!("no time by the clock {}: {reason}", units::clock(clock));
    Box::new(match clock {
        Clock::DeviceTimestamp => Outcome::Skipped { reason: text },
        Clock::Wall | Clock::LaunchRegression => Outcome::Failed { error: text },
    })
}
