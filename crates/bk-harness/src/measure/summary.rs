//! What becomes of the samples: a measurement with its warnings, or a time that cannot be true.

use super::Ended;
use super::sample::Samples;
use super::warm_up::WarmUp;
use crate::device::DeviceClass;
use crate::numerics::Numerics;
use crate::outcome::{CacheState, Clock, Measurement, Outcome, PartTiming, Timing, Warning};
use crate::stats::bootstrap_ratio;
use crate::units;
use crate::warning::Oddity;
use crate::workload::{Failure, Work};

/// A launch may move its useful bytes at this many times the rate of a plain copy: a copy in a large
/// buffer does not reach the last per cent of the memory, and its own rate is a measurement too.
const PLAUSIBLE_COPY_FRACTION: f64 = 1.25;

/// Half-width of the median's interval, over the median, above which a case is noisy.
const NOISY: f64 = 0.05;

/// Part of the samples above which outliers are worth a word.
const MANY_OUTLIERS: f64 = 0.05;

/// Samples within this part of the median are no worry, however regular the others are.
const HARMLESS: f64 = 0.05;

/// The halves of the samples drift apart when the interval of their ratio is further from 1 than this.
const DRIFT: f64 = 0.02;

/// Fewer samples than this are few.
const FEW_SAMPLES: u64 = 10;

/// A first launch is slow when it takes this many times as long as later ones.
const SLOW_FIRST_LAUNCH: f64 = 100.0;

/// What the phases gave.
pub(super) struct Parts {
    pub(super) first_launch_seconds: f64,
    pub(super) numerics: Numerics,
    pub(super) warm_up: WarmUp,
    pub(super) samples: Samples,
    pub(super) parts: Vec<PartTiming>,
    pub(super) copy_rate: Result<Option<f64>, Failure>,
    pub(super) matrix_rate: Result<Option<f64>, Failure>,
}

/// What was measured where.
pub(super) struct Context {
    pub(super) class: DeviceClass,
    pub(super) work: Work,
    pub(super) cache: CacheState,
}

pub(super) fn summarise(context: Context, parts: Parts) -> Result<Measurement, Ended> {
    let Context { class, work, cache } = context;
    let Parts { first_launch_seconds, numerics, warm_up, samples, parts, copy_rate, matrix_rate } = parts;
    let Samples { timings, mut oddities } = samples;
    let copy_bytes_per_second = match copy_rate {
        Ok(rate) => rate,
        Err(failure) => {
            oddities.push(Oddity::CopyRateUnknown { reason: failure.to_string() });
            None
        }
    };
    let matrix_flops_per_second = matrix_rate.unwrap_or_else(|failure| {
        oddities.push(Oddity::MatrixRateUnknown { reason: failure.to_string() });
        None
    });
    if let Some(why) = impossible(&timings, work, cache, copy_bytes_per_second) {
        return Err(Box::new(Outcome::Invalid { why, numerics: Some(numerics) }));
    }
    oddities.extend(of_samples(&timings[0]));
    oddities.extend(of_phases(class, cache, &warm_up, first_launch_seconds, &timings));
    Ok(Measurement {
        numerics,
        timings,
        first_launch_seconds,
        warm_launch_seconds: warm_up.first_seconds,
        parts,
        warmup_runs: warm_up.runs,
        warmup_seconds: warm_up.seconds,
        cache,
        work,
        copy_bytes_per_second,
        matrix_flops_per_second,
        memory: None,
        warnings: oddities.into_iter().map(Warning::from).collect(),
    })
}

/// Why a median cannot be true: it needs more bandwidth than the memory has. Inputs that may come from a
/// cache have no such limit.
fn impossible(timings: &[Timing], work: Work, cache: CacheState, copy_rate: Option<f64>) -> Option<String> {
    let copy_rate = copy_rate.filter(|rate| cache == CacheState::Cold && *rate > 0.0)?;
    let bytes = (work.bytes_read + work.bytes_written) as f64;
    let limit = PLAUSIBLE_COPY_FRACTION * copy_rate;
    timings.iter().find(|timing| bytes / timing.statistics.median > limit).map(|timing| {
        format!(
            "a launch that must move {} cannot take {} ({}): that is {}, and a plain copy reaches {}",
            units::bytes(bytes),
            units::time(timing.statistics.median),
            units::clock(timing.clock),
            units::byte_rate(bytes / timing.statistics.median),
            units::byte_rate(copy_rate),
        )
    })
}

fn of_samples(timing: &Timing) -> Vec<Oddity> {
    let statistics = &timing.statistics;
    let mut oddities = Vec::new();
    let relative_half_width = statistics.interval().relative_half_width();
    if relative_half_width > NOISY {
        oddities.push(Oddity::Noisy { relative_half_width });
    }
    let furthest = (statistics.max - statistics.median).max(statistics.median - statistics.min);
    if statistics.outliers as f64 > MANY_OUTLIERS * statistics.count as f64
        && furthest > HARMLESS * statistics.median
    {
        oddities.push(Oddity::Outliers { outliers: statistics.outliers, count: statistics.count });
    }
    if statistics.count < FEW_SAMPLES {
        oddities.push(Oddity::FewSamples { count: statistics.count });
    } else if let Some(ratio) = drift(&timing.samples) {
        oddities.push(Oddity::Drift { ratio });
    }
    oddities
}

/// Median of the second half over that of the first, where the two differ beyond their noise.
fn drift(samples: &[f64]) -> Option<f64> {
    let (first, second) = samples.split_at(samples.len() / 2);
    let ratio = bootstrap_ratio(second, first)?;
    (ratio.low > 1.0 + DRIFT || ratio.high < 1.0 - DRIFT).then_some(ratio.estimate)
}

fn of_phases(
    class: DeviceClass,
    cache: CacheState,
    warm_up: &WarmUp,
    first_seconds: f64,
    timings: &[Timing],
) -> Vec<Oddity> {
    let mut oddities = Vec::new();
    if cache == CacheState::CacheResident {
        oddities.push(Oddity::CacheResident);
    }
    // The first launch was timed by the wall clock.
    let wall = timings.iter().find(|timing| timing.clock == Clock::Wall);
    let median_seconds = wall.map_or(warm_up.launch_seconds, |timing| timing.statistics.median);
    if first_seconds > SLOW_FIRST_LAUNCH * median_seconds {
        oddities.push(Oddity::SlowFirstLaunch { first_seconds, median_seconds });
    }
    if class == DeviceClass::Software {
        oddities.push(Oddity::SoftwareDevice);
    }
    if !warm_up.settled {
        oddities.push(Oddity::Unsettled { warmup_seconds: warm_up.seconds });
    }
    oddities
}
