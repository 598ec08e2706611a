//! From the keys of a benchmark to how its cases are measured.

use crate::case::{CacheChoice, ClockChoice, MeasureSpec};
use crate::config::source::Problems;
use crate::config::spanned::At;
use crate::config::values::{self, optional_choice};
use crate::config::wire::Keys;

/// How the cases are measured; the defaults are those of `configs/README.md`.
pub(super) fn measure(keys: &Keys, problems: &mut Problems) -> MeasureSpec {
    let positive = |value: f64| value > 0.0;
    let mut number = |value: &Option<At<f64>>, key: &str, expected: &str, holds: fn(f64) -> bool| {
        value.as_ref().and_then(|value| values::number(value, key, expected, holds, problems))
    };
    let warmup_seconds =
        number(&keys.warmup_seconds, "warmup_seconds", "a number of seconds from 0", |value| value >= 0.0);
    let noise = |value: f64| value > 0.0 && value < 1.0;
    let relative_noise =
        number(&keys.relative_noise, "relative_noise", "a number above 0 and below 1, such as 0.01", noise);
    let max_seconds = number(&keys.max_seconds, "max_seconds", "a positive number of seconds", positive);
    let timeout_seconds =
        number(&keys.timeout_seconds, "timeout_seconds", "a positive number of seconds", positive);
    let measure = MeasureSpec {
        clock: optional_choice::<ClockChoice>(keys.clock.as_ref(), "clock", problems),
        cache: optional_choice::<CacheChoice>(keys.cache.as_ref(), "cache state", problems),
        warmup_runs: keys
            .warmup_runs
            .as_ref()
            .and_then(|runs| values::runs(runs, "warmup_runs", 0, problems))
            .unwrap_or(10),
        warmup_seconds: warmup_seconds.unwrap_or(0.2),
        samples: keys
            .samples
            .as_ref()
            .and_then(|runs| values::runs(runs, "samples", 1, problems))
            .unwrap_or(50),
        relative_noise,
        max_seconds: max_seconds.unwrap_or(10.0),
        timeout_seconds: timeout_seconds.unwrap_or(300.0),
    };
    let least = measure.max_seconds + measure.warmup_seconds;
    let wrong = keys.timeout_seconds.as_ref().or(keys.max_seconds.as_ref()).or(keys.warmup_seconds.as_ref());
    if let (true, Some(value)) = (measure.timeout_seconds <= least, wrong) {
        problems.add_with_help(
            value.span(),
            format!(
                "`timeout_seconds` is {}, but warm-up and sampling may take {least}",
                measure.timeout_seconds
            ),
            "raise `timeout_seconds` or lower `max_seconds`",
        );
    }
    measure
}
