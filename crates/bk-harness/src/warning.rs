//! What looks odd about a measurement: cause and remedy. Nothing is dropped because of a warning.

use crate::outcome::Warning;
use crate::units;

/// Something odd, with the numbers that show it.
#[derive(Debug, Clone, PartialEq)]
pub enum Oddity {
    /// The interval of the median is wide.
    Noisy {
        /// Half-width of the interval over the median.
        relative_half_width: f64,
    },
    /// Some samples are far from the others.
    Outliers {
        /// How many.
        outliers: u64,
        /// Of how many.
        count: u64,
    },
    /// The second half of the samples differs from the first.
    Drift {
        /// Median of the second half over that of the first.
        ratio: f64,
    },
    /// The time is the host's and not the device's.
    IssueBound {
        /// Time of a launch.
        launch_seconds: f64,
        /// Time that the host takes to issue it.
        issue_seconds: f64,
    },
    /// Too few samples for an interval worth the name.
    FewSamples {
        /// How many.
        count: u64,
    },
    /// Inputs came from the cache although memory was asked for.
    CacheResident,
    /// The first launch took far longer than the others.
    SlowFirstLaunch {
        /// Time of the first launch.
        first_seconds: f64,
        /// Time of a later one.
        median_seconds: f64,
    },
    /// A GPU interface executed on the CPU.
    SoftwareDevice,
    /// Launch times had not settled when sampling began.
    Unsettled {
        /// Seconds of warm-up.
        warmup_seconds: f64,
    },
    /// A clock beside the case's own gave nothing.
    ClockUnavailable {
        /// Name of the clock.
        clock: &'static str,
        /// Why.
        reason: String,
    },
    /// The rate of a matrix product is not known.
    MatrixRateUnknown {
        /// Why.
        reason: String,
    },
    /// Memory was read seldom, so that a short peak may have been missed.
    FewReadings {
        /// Readings in all.
        readings: u64,
    },
    /// The first pass needed far more memory than the others.
    FirstPassPeak {
        /// Peak of the first pass in bytes.
        first_bytes: u64,
        /// Peak of the others.
        peak_bytes: u64,
    },
    /// The rate of a plain copy is not known.
    CopyRateUnknown {
        /// Why.
        reason: String,
    },
}

impl Oddity {
    /// Stable name, for scripts.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Noisy { .. } => "noisy",
            Self::Outliers { .. } => "outliers",
            Self::Drift { .. } => "drift",
            Self::IssueBound { .. } => "issue-bound",
            Self::FewSamples { .. } => "few-samples",
            Self::CacheResident => "cache-resident",
            Self::SlowFirstLaunch { .. } => "slow-first-launch",
            Self::SoftwareDevice => "software-device",
            Self::Unsettled { .. } => "unsettled",
            Self::ClockUnavailable { .. } => "clock-unavailable",
            Self::CopyRateUnknown { .. } => "copy-rate-unknown",
            Self::MatrixRateUnknown { .. } => "matrix-rate-unknown",
            Self::FewReadings { .. } => "few-readings",
            Self::FirstPassPeak { .. } => "first-pass-peak",
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::Noisy { relative_half_width } => {
                format!("the median is known to +-{} only", units::percent(*relative_half_width))
            }
            Self::Outliers { outliers, count } => {
                format!("{outliers} of {count} samples lie more than 3 interquartile ranges from the others")
            }
            Self::Drift { ratio } => {
                format!("the second half of the samples is {} of the first", units::percent(*ratio))
            }
            Self::IssueBound { launch_seconds, issue_seconds } => format!(
                "a launch takes {}, and the host {} to issue it: the time is the host's, not the device's",
                units::time(*launch_seconds),
                units::time(*issue_seconds)
            ),
            Self::FewSamples { count } => format!("there are only {count} samples"),
            Self::CacheResident => "all input sets together fit the cache".to_owned(),
            Self::SlowFirstLaunch { first_seconds, median_seconds } => format!(
                "the first launch took {}, later ones {}",
                units::time(*first_seconds),
                units::time(*median_seconds)
            ),
            Self::SoftwareDevice => "the device is a GPU interface that runs on the CPU".to_owned(),
            Self::Unsettled { warmup_seconds } => {
                format!("launch times still differed by over 5 % after {}", units::time(*warmup_seconds))
            }
            Self::ClockUnavailable { clock, reason } => format!("no time by the clock {clock}: {reason}"),
            Self::CopyRateUnknown { reason } => format!("the copy rate could not be measured: {reason}"),
            Self::MatrixRateUnknown { reason } => {
                format!("the rate of a matrix product could not be measured: {reason}")
            }
            Self::FewReadings { readings } => {
                format!("the bytes in use were read {readings} times only")
            }
            Self::FirstPassPeak { first_bytes, peak_bytes } => format!(
                "the first pass needed {}, later ones {}",
                units::bytes(*first_bytes as f64),
                units::bytes(*peak_bytes as f64)
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Noisy { .. } => "raise samples or max_seconds, and leave the machine alone meanwhile",
            Self::Outliers { .. } => "look for other programs on the machine; medians are hardly affected",
            Self::Drift { .. } => "raise warmup_seconds; look for a clock that falls as the device heats up",
            Self::IssueBound { .. } => "raise batch or n, or use a device on which launches can be queued",
            Self::FewSamples { .. } => "raise max_seconds or samples",
            Self::CacheResident => "read the bandwidth as that of the cache, or raise batch or n",
            Self::SlowFirstLaunch { .. } => "it holds compilation and autotune; no sample contains it",
            Self::SoftwareDevice => "take the result for a check of correctness, not for a claim about speed",
            Self::Unsettled { .. } => "raise warmup_seconds",
            Self::ClockUnavailable { .. } => "compare with other cases by a clock that both have",
            Self::CopyRateUnknown { .. } => "no part of the copy rate is shown for this case",
            Self::MatrixRateUnknown { .. } => "no part of the matrix rate is shown for this case",
            Self::FewReadings { .. } => "raise samples: each is one more pass in which to see the peak",
            Self::FirstPassPeak { .. } => {
                "the rest is what autotune copies; it is in no figure, but a program that tunes needs it"
            }
        }
    }
}

impl From<Oddity> for Warning {
    fn from(oddity: Oddity) -> Self {
        Self { id: oddity.id().to_owned(), cause: oddity.cause(), remedy: oddity.remedy().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_states_cause_with_numbers_and_remedy() {
        let warning = Warning::from(Oddity::IssueBound { launch_seconds: 9.1e-6, issue_seconds: 9e-6 });
        assert_eq!(warning.id, "issue-bound");
        assert_eq!(
            warning.cause,
            "a launch takes 9.10 µs, and the host 9.00 µs to issue it: the time is the host's, not the device's"
        );
        assert_eq!(warning.remedy, "raise batch or n, or use a device on which launches can be queued");
    }
}
