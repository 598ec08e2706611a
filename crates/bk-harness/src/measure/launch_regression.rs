//! The time of a launch as the slope of the time of `k` launches over `k`.
//!
//! What a synchronised call costs beyond its launches is the same for every `k`, and cancels in the slope.
//! So does a delay that is queued before them: with it, the device finds all `k` launches waiting for it and
//! works through them without pause, and the time that the host takes to issue one (some 10 µs) is hidden.

use std::time::Duration;

use super::session::Session;
use crate::device::DeviceClass;
use crate::regression::least_squares;
use crate::stats::median;
use crate::workload::Failure;

/// Launches in the largest batch, where they are short. Well below the number of launches (1,024 on CUDA)
/// that a driver queues before it makes the host wait.
pub(super) const LARGEST_BATCH: u32 = 64;

/// The same on a CPU: nothing is queued there, and there is less to cancel.
const LARGEST_BATCH_CPU: u32 = 4;

/// A batch should take no longer than this, where a launch is short enough for that.
const BATCH_SECONDS: f64 = 0.01;

/// Launches longer than this are timed in batches of 1 and 2 only: beside them a synchronisation is nothing.
pub(super) const LONG_LAUNCH_SECONDS: f64 = 0.02;

/// The delay is longer than the issue of the largest batch by this factor ...
const DELAY_FACTOR: f64 = 1.5;

/// ... and this many seconds.
const DELAY_MARGIN_SECONDS: f64 = 1e-4;

/// The longest delay: launches that take the host longer to issue are many kernels each, and more than a driver queues.
const MOST_DELAY_SECONDS: f64 = 0.1;

/// Rounds in a row that a delay may fail to hide, longer each time. What these do not hide no longer one would:
/// launches beyond the driver's queue wait for its end.
const MOST_EXPOSED_ROUNDS: u32 = 3;

/// A delay that turns out too short is asked for anew this many times longer than the shortfall: what was
/// measured contains the synchronisation, which does not grow with it.
const DELAY_CORRECTION: f64 = 1.2;

/// Launches count as hidden when they were issued in this part of the measured delay, for the same reason.
const HIDDEN_PART: f64 = 0.9;

/// A launch is bound by its issue when it takes no longer than this many times as long.
const ISSUE_BOUND: f64 = 1.25;

/// Rounds that may be taken again, in all.
const RETAKES: u32 = 50;

/// Tries of which the issue time and the delay are estimated.
const TRIES: usize = 3;

/// Why there is no slope.
#[derive(Debug)]
pub(super) enum RegressionError {
    Failure(Failure),
    NoSlope(String),
}

impl From<Failure> for RegressionError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A series of rounds; each gives one slope.
#[derive(Debug)]
pub(super) struct Regression {
    batches: Vec<u32>,
    delay: Option<Delay>,
    /// Host time to issue one launch, until the driver has it.
    issue_seconds: f64,
    /// Synchronised calls of one launch, or intercepts: their median less a slope is the overhead.
    intercepts: Vec<f64>,
    rounds: u32,
    retaken: u32,
    /// Rounds in a row that the delay did not hide.
    exposed_rounds: u32,
    exposed: bool,
}

/// A delay on the device.
#[derive(Debug, Clone, Copy)]
struct Delay {
    requested: Duration,
    /// Seconds that it took, synchronisation included.
    measured: f64,
}

/// What one round gave.
enum Round {
    Slope(f64),
    /// A slope of launches that the host was too slow to queue behind the delay.
    Exposed(f64),
    /// A slope that no time can have.
    Impossible,
}

impl Regression {
    /// Chooses batches for launches of about `launch_seconds`, and a delay where the device has one.
    pub(super) fn prepare(session: &mut Session, launch_seconds: f64) -> Result<Self, Failure> {
        let batches = batches(session.class, launch_seconds);
        let largest = batches.iter().copied().max().unwrap_or(1);
        let mut issue_seconds: f64 = 0.0;
        for _ in 0..TRIES {
            issue_seconds = issue_seconds.max(session.issue_seconds(largest)?);
        }
        let delay = if session.class == DeviceClass::Cpu {
            None
        } else {
            Delay::longer_than(session, DELAY_FACTOR * issue_seconds + DELAY_MARGIN_SECONDS)?
        };
        Ok(Self {
            batches,
            delay,
            issue_seconds: issue_seconds / f64::from(largest),
            intercepts: Vec::new(),
            rounds: 0,
            retaken: 0,
            exposed_rounds: 0,
            exposed: false,
        })
    }

    /// Seconds a launch, from one more round. A round without a possible slope is taken again, as often as
    /// patience allows; so is one whose launches were not queued in time, with a longer delay or, in the end, none.
    pub(super) fn slope(&mut self, session: &mut Session) -> Result<f64, RegressionError> {
        loop {
            let round = self.round(session)?;
            let again = self.retaken < RETAKES;
            match round {
                Round::Slope(slope) => {
                    self.exposed_rounds = 0;
                    return Ok(slope);
                }
                Round::Exposed(slope) if !again => {
                    self.exposed = true;
                    return Ok(slope);
                }
                Round::Exposed(_) => self.lengthen_delay(session)?,
                Round::Impossible if !again => {
                    return Err(RegressionError::NoSlope(format!(
                        "{} rounds of up to {} launches had a slope of 0 or less: a launch is too short \
                         against the noise of the synchronisation (raise batch or n, or use clock = \"wall\")",
                        self.retaken + 1,
                        self.batches.iter().max().unwrap_or(&1),
                    )));
                }
                Round::Impossible => {}
            }
            self.retaken += 1;
        }
    }

    /// Whether every slope is of launches that waited on the device for the delay to end.
    pub(super) fn issue_hidden(&self) -> bool {
        self.delay.is_some() && !self.exposed
    }

    /// Host time to issue a launch, where launches of `launch_seconds` are no more than that.
    pub(super) fn issue_bound(&self, class: DeviceClass, launch_seconds: f64) -> Option<f64> {
        // On a CPU the issue is the execution.
        let bound = class != DeviceClass::Cpu
            && !self.issue_hidden()
            && launch_seconds <= ISSUE_BOUND * self.issue_seconds;
        bound.then_some(self.issue_seconds)
    }

    /// Seconds that a synchronised call costs beyond its launches. Behind a delay the intercept holds the
    /// delay; there it is the time of undelayed single calls less `launch_seconds`.
    pub(super) fn overhead_seconds(&self, launch_seconds: f64) -> Option<f64> {
        let intercept = median(&self.intercepts)?;
        let overhead = if self.delay.is_some() { intercept - launch_seconds } else { intercept };
        // Below 0 it is lost in the noise.
        (overhead >= 0.0).then_some(overhead)
    }

    /// Batches upwards in one round and downwards in the next: a device that grows slower or faster
    /// meanwhile bends the slopes in opposite directions, and not their median.
    fn round(&mut self, session: &mut Session) -> Result<Round, Failure> {
        let mut batches = self.batches.clone();
        if self.rounds % 2 == 1 {
            batches.reverse();
        }
        self.rounds += 1;
        let mut points = Vec::with_capacity(batches.len());
        let mut exposed = false;
        for launches in batches {
            let seconds = match self.delay {
                None => session.timed_launches(launches)?,
                Some(delay) => {
                    let Some(batch) = session.delayed_launches(delay.requested, launches)? else {
                        return Err(Failure::Execution("the device no longer accepts a delay".to_owned()));
                    };
                    exposed |= batch.issue_seconds >= HIDDEN_PART * delay.measured;
                    batch.total_seconds
                }
            };
            points.push((f64::from(launches), seconds));
        }
        let line = least_squares(&points).filter(|line| line.slope > 0.0);
        let Some(line) = line else { return Ok(Round::Impossible) };
        let single = match self.delay {
            None => line.intercept,
            Some(_) => session.timed_launches(1)?,
        };
        self.intercepts.push(single);
        Ok(if exposed { Round::Exposed(line.slope) } else { Round::Slope(line.slope) })
    }

    /// A longer delay, or none from here on where there is no longer one.
    fn lengthen_delay(&mut self, session: &mut Session) -> Result<(), Failure> {
        self.exposed_rounds += 1;
        self.delay = match self.delay {
            Some(delay) if self.exposed_rounds < MOST_EXPOSED_ROUNDS => {
                Delay::longer_than(session, DELAY_FACTOR * delay.measured)?
            }
            _ => None,
        };
        if self.delay.is_none() {
            // Those so far were of calls behind a delay, from here on they are of the line.
            self.intercepts.clear();
        }
        Ok(())
    }
}

impl Delay {
    /// A delay that lasts `seconds` at least, as measured; `None` where the device has none so long.
    fn longer_than(session: &mut Session, seconds: f64) -> Result<Option<Self>, Failure> {
        if seconds > MOST_DELAY_SECONDS {
            return Ok(None);
        }
        // The first one may be compiled now.
        let mut requested = Duration::from_secs_f64(seconds);
        if session.delayed_launches(requested, 0)?.is_none() {
            return Ok(None);
        }
        // A device keeps busy by counting, and may count faster than it was thought to.
        let mut measured = Self::time(session, requested)?;
        for _ in 0..TRIES {
            if measured >= seconds || measured <= 0.0 {
                break;
            }
            requested = requested.mul_f64((DELAY_CORRECTION * seconds / measured).min(10.0));
            measured = Self::time(session, requested)?;
        }
        Ok((measured >= seconds).then_some(Self { requested, measured }))
    }

    /// The shortest of some tries, so that a slow synchronisation is not taken for a long delay.
    fn time(session: &mut Session, requested: Duration) -> Result<f64, Failure> {
        let mut shortest = f64::INFINITY;
        for _ in 0..TRIES {
            let batch = session.delayed_launches(requested, 0)?;
            shortest = shortest.min(batch.map_or(0.0, |batch| batch.total_seconds));
        }
        Ok(shortest)
    }
}

/// 1, 2, 4, ... up to what suits launches of `launch_seconds`.
fn batches(class: DeviceClass, launch_seconds: f64) -> Vec<u32> {
    let most = if class == DeviceClass::Cpu { LARGEST_BATCH_CPU } else { LARGEST_BATCH };
    let largest = if launch_seconds > LONG_LAUNCH_SECONDS {
        2
    } else {
        ((BATCH_SECONDS / launch_seconds) as u32).clamp(4, most)
    };
    (0..).map(|power| 1 << power).take_while(|launches| *launches <= largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_large_where_launches_are_short() {
        assert_eq!(batches(DeviceClass::Gpu, 2e-5), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(batches(DeviceClass::Gpu, 1e-3), [1, 2, 4, 8]);
        assert_eq!(batches(DeviceClass::Gpu, 0.015), [1, 2, 4]);
        assert_eq!(batches(DeviceClass::Gpu, 0.03), [1, 2]);
    }

    #[test]
    fn batches_on_a_cpu_are_small() {
        assert_eq!(batches(DeviceClass::Cpu, 1e-6), [1, 2, 4]);
        assert_eq!(batches(DeviceClass::Cpu, 2.0), [1, 2]);
    }
}
