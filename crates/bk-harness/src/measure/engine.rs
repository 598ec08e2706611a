//! What becomes of the times that an external engine read: the same statistics, checks and warnings as for a
//! workload of this program.

use super::Ended;
use super::sample::{Samples, timing};
use super::summary::{Context, Parts, summarise};
use super::warm_up::WarmUp;
use crate::case::{CacheChoice, ClockChoice, MeasureSpec};
use crate::device::DeviceClass;
use crate::numerics::Numerics;
use crate::outcome::{CacheState, Clock, Measurement, Outcome};
use crate::protocol::{EngineTimes, EngineTiming};
use crate::units;
use crate::warning::Oddity;
use crate::workload::{InputSets, Work};

/// A launch is bound by its issue when it takes no longer than this many times as long.
const ISSUE_BOUND: f64 = 1.25;

/// What is known of an engine's case beside its times.
#[derive(Debug, Clone)]
pub struct EngineCase<'a> {
    /// How it was to be measured.
    pub spec: &'a MeasureSpec,
    /// What executes it.
    pub class: DeviceClass,
    /// The floor of bytes and operations.
    pub work: Work,
    /// The input sets that it was told to use.
    pub input_sets: InputSets,
    /// Seconds of its first launch.
    pub first_launch_seconds: f64,
    /// Errors of the output before the timed launches; right.
    pub before: Numerics,
    /// Errors of the output after them.
    pub after: Numerics,
}

/// The outcome of a case whose output was right before it was timed.
///
/// An output that is wrong afterwards, or a time that cannot be true, makes it invalid; times that are no numbers
/// or by another clock than the one asked for make it a failure.
pub fn conclude(case: EngineCase<'_>, times: EngineTimes) -> Outcome {
    match measurement(case, times) {
        Ok(measurement) => Outcome::Measured(Box::new(measurement)),
        Err(ended) => *ended,
    }
}

fn measurement(case: EngineCase<'_>, times: EngineTimes) -> Result<Measurement, Ended> {
    let after = super::still_right(case.after)?;
    let numerics = if after.max_error_units > case.before.max_error_units { after } else { case.before };
    check_phases(&times, case.first_launch_seconds)?;
    check_cache(&case.spec.cache, case.input_sets, times.cache)?;
    let samples = samples(case.spec.clock, case.class, times.timings)?;
    // Only the median of undisturbed launches matters here, and the engine's own clock gave it.
    let launch_seconds = samples.timings[0].statistics.median;
    let warm_up = WarmUp {
        runs: times.warmup_runs,
        seconds: times.warmup_seconds,
        first_seconds: None,
        launch_seconds,
        settled: times.settled,
    };
    summarise(
        Context { class: case.class, work: case.work, cache: times.cache },
        Parts {
            first_launch_seconds: case.first_launch_seconds,
            numerics,
            warm_up,
            samples,
            parts: Vec::new(),
            copy_rate: Ok(times.copy_bytes_per_second),
            matrix_rate: Ok(None),
        },
    )
}

fn check_phases(times: &EngineTimes, first_launch_seconds: f64) -> Result<(), Ended> {
    let facts = [
        ("first_launch_seconds", Some(first_launch_seconds)),
        ("warmup_seconds", Some(times.warmup_seconds)),
        ("copy_bytes_per_second", times.copy_bytes_per_second),
    ];
    for (name, value) in facts {
        if let Some(value) = value.filter(|value| !value.is_finite() || *value < 0.0) {
            return Err(failed(format!("the engine's `{name}` is {value}; expected a number from 0")));
        }
    }
    Ok(())
}

/// Whether the engine's word for the state of the cache fits the input sets that it was given.
fn check_cache(asked: &CacheChoice, sets: InputSets, said: CacheState) -> Result<(), Ended> {
    let fitting: &[CacheState] = match asked {
        CacheChoice::Hot => &[CacheState::Hot],
        CacheChoice::Cold if sets.cpu => &[CacheState::Uncontrolled],
        CacheChoice::Cold if sets.exceed_cache => &[CacheState::Cold, CacheState::CacheResident],
        CacheChoice::Cold => &[CacheState::CacheResident],
    };
    if fitting.contains(&said) {
        return Ok(());
    }
    Err(failed(format!(
        "the engine says that its inputs were {said:?}, with {} input sets; expected one of {fitting:?}",
        sets.count
    )))
}

fn samples(asked: ClockChoice, class: DeviceClass, timings: Vec<EngineTiming>) -> Result<Samples, Ended> {
    let own = timings.first().map(|timing| timing.clock);
    let wanted = match asked {
        ClockChoice::Auto => own,
        ClockChoice::Wall => Some(Clock::Wall),
        ClockChoice::DeviceTimestamp => Some(Clock::DeviceTimestamp),
        ClockChoice::LaunchRegression => Some(Clock::LaunchRegression),
    };
    if own.is_none() || own != wanted {
        let found = own.map_or("no time at all", units::clock);
        let wanted = wanted.map_or("at least one", units::clock);
        return Err(failed(format!("the engine gave {found} as the case's time; expected {wanted}")));
    }
    let mut samples = Samples { timings: Vec::new(), oddities: Vec::new() };
    for given in timings {
        let clock = given.clock;
        if samples.timings.iter().any(|known| known.clock == clock) {
            return Err(failed(format!("the engine gave two times by the clock {}", units::clock(clock))));
        }
        if let Some(least) = given.samples.iter().copied().find(|sample| *sample <= 0.0) {
            return Err(failed(format!(
                "the engine gave a time of {least} s by the clock {}; expected positive ones",
                units::clock(clock)
            )));
        }
        let taken = timing(clock, given.samples, given.overhead_seconds, given.issue_hidden)?;
        if let Some(oddity) = issue_bound(class, &taken, given.issue_seconds) {
            samples.oddities.push(oddity);
        }
        samples.timings.push(taken);
    }
    Ok(samples)
}

/// A slope of launches that took no longer than it takes to issue them.
fn issue_bound(
    class: DeviceClass,
    timing: &crate::outcome::Timing,
    issue_seconds: Option<f64>,
) -> Option<Oddity> {
    let launch_seconds = timing.statistics.median;
    let exposed =
        timing.clock == Clock::LaunchRegression && !timing.issue_hidden && class != DeviceClass::Cpu;
    let issue_seconds = issue_seconds.filter(|issue| exposed && launch_seconds <= ISSUE_BOUND * issue)?;
    Some(Oddity::IssueBound { launch_seconds, issue_seconds })
}

fn failed(error: String) -> Ended {
    Box::new(Outcome::Failed { error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{measure_spec, numerics};

    fn timing(clock: Clock, seconds: f64) -> EngineTiming {
        let samples = vec![seconds; 20];
        let (issue_seconds, overhead_seconds) = (Some(9e-6), None);
        EngineTiming { clock, samples, issue_hidden: false, issue_seconds, overhead_seconds }
    }

    fn times(timings: Vec<EngineTiming>) -> EngineTimes {
        EngineTimes {
            warmup_runs: 10,
            warmup_seconds: 0.1,
            settled: true,
            cache: CacheState::Cold,
            copy_bytes_per_second: Some(1e12),
            timings,
        }
    }

    fn on_gpu(spec: &MeasureSpec) -> EngineCase<'_> {
        EngineCase {
            spec,
            class: DeviceClass::Gpu,
            work: Work { elements: 1000, bytes_read: 12_000_000, bytes_written: 8_000_000, flops: 0 },
            input_sets: InputSets { count: 5, exceed_cache: true, cpu: false },
            first_launch_seconds: 0.1,
            before: numerics(),
            after: Numerics { max_error_units: 9.0, ..numerics() },
        }
    }

    fn concluded(times: EngineTimes) -> Outcome {
        let spec = measure_spec();
        conclude(on_gpu(&spec), times)
    }

    #[test]
    fn a_measurement_has_our_statistics_the_larger_errors_and_warnings() {
        let outcome =
            concluded(times(vec![timing(Clock::LaunchRegression, 1e-5 * 10.0), timing(Clock::Wall, 2e-4)]));
        let Outcome::Measured(measurement) = outcome else { panic!("{outcome:?}") };
        assert_eq!(measurement.timings[0].statistics.median, 1e-5 * 10.0);
        assert_eq!(measurement.numerics.max_error_units, 9.0);
        assert!(measurement.warnings.iter().any(|warning| warning.id == "slow-first-launch"));
        assert!(!measurement.warnings.iter().any(|warning| warning.id == "issue-bound"));
    }

    #[test]
    fn a_time_below_that_of_a_copy_is_invalid() {
        let outcome = concluded(times(vec![timing(Clock::LaunchRegression, 1e-5)]));
        let Outcome::Invalid { why, .. } = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("cannot take 10.0 µs"), "{why}");
    }

    #[test]
    fn a_slope_that_is_the_host_s_issue_is_told() {
        let slow = EngineTiming { issue_seconds: Some(9e-5), ..timing(Clock::LaunchRegression, 1e-4) };
        let told = |slow: EngineTiming| {
            let outcome = concluded(times(vec![slow]));
            let Outcome::Measured(measurement) = outcome else { panic!("{outcome:?}") };
            measurement.warnings.iter().any(|warning| warning.id == "issue-bound")
        };
        assert!(told(slow.clone()));
        assert!(!told(EngineTiming { issue_hidden: true, ..slow }));
    }

    #[test]
    fn the_word_for_the_cache_has_to_fit_the_input_sets() {
        let slope = || vec![timing(Clock::LaunchRegression, 1e-4)];
        let outcome = concluded(EngineTimes { cache: CacheState::Hot, ..times(slope()) });
        let Outcome::Failed { error } = outcome else { panic!("{outcome:?}") };
        assert!(error.contains("Hot") && error.contains("5 input sets"), "{error}");
        let resident = concluded(EngineTimes { cache: CacheState::CacheResident, ..times(slope()) });
        assert!(matches!(resident, Outcome::Measured(_)), "{resident:?}");
    }

    #[test]
    fn facts_that_are_no_numbers_fail_the_case() {
        let outcome = concluded(EngineTimes {
            copy_bytes_per_second: Some(-1.0),
            ..times(vec![timing(Clock::Wall, 1e-4)])
        });
        let Outcome::Failed { error } = outcome else { panic!("{outcome:?}") };
        assert!(error.contains("`copy_bytes_per_second` is -1"), "{error}");
    }
}
