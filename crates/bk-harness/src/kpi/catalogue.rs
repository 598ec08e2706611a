//! What each metric is called, counted in and good for.

use crate::kpi::metrics::Metric;

/// What a metric is called and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Name in configs and JSON.
    pub id: &'static str,
    /// Title of a table's column.
    pub title: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// One line for a legend.
    pub description: &'static str,
    /// Which way is better.
    pub direction: Direction,
}

/// Units of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Elements a second.
    ElementsPerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// Tokens a second.
    TokensPerSecond,
    /// Floating-point operations a second.
    FlopsPerSecond,
    /// Bytes, in powers of ten.
    Bytes,
    /// A part of one, shown in percent.
    Fraction,
    /// A factor, shown as `3.2x`.
    Factor,
    /// A dimensionless error, shown in scientific notation.
    Error,
    /// Multiples of a unit of rounding.
    RoundingUnits,
    /// A number of things.
    Count,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Metric {
    /// Every metric, in the order of a report's columns.
    pub const ALL: [Self; 32] = [
        Self::Seconds,
        Self::ElementsPerSecond,
        Self::BytesPerSecond,
        Self::CopyFraction,
        Self::Speedup,
        Self::SpeedupVsTensor,
        Self::SpeedupVsNative,
        Self::FirstLaunchSeconds,
        Self::Mse,
        Self::MseClipped,
        Self::MaxAbsError,
        Self::MaxRelError,
        Self::MedianRelError,
        Self::MaxErrorUnits,
        Self::NonFinite,
        Self::TokensPerSecond,
        Self::LogitError,
        Self::ForwardTokensPerSecond,
        Self::BackwardTokensPerSecond,
        Self::BackwardOverForward,
        Self::WarmLaunchSeconds,
        Self::FlopsPerSecond,
        Self::MatrixFraction,
        Self::PeakBytes,
        Self::AnalyticBytes,
        Self::WeightBytes,
        Self::ActivationBytes,
        Self::LogitBytes,
        Self::ReservedBytes,
        Self::DriverBytes,
        Self::ResidentBytes,
        Self::BytesPerToken,
    ];

    /// What the metric is called and how it is read.
    pub fn info(self) -> MetricInfo {
        let (id, title, unit, description, direction) = match self {
            Self::TokensPerSecond
            | Self::LogitError
            | Self::ForwardTokensPerSecond
            | Self::BackwardTokensPerSecond
            | Self::BackwardOverForward
            | Self::WarmLaunchSeconds
            | Self::FlopsPerSecond
            | Self::MatrixFraction
            | Self::PeakBytes
            | Self::AnalyticBytes
            | Self::WeightBytes
            | Self::ActivationBytes
            | Self::LogitBytes
            | Self::ReservedBytes
            | Self::DriverBytes
            | Self::ResidentBytes
            | Self::BytesPerToken => return super::models::info(self),
            Self::Seconds => (
                "seconds",
                "time",
                Unit::Seconds,
                "Median time of a launch, with the clock that it is from",
                Direction::Lower,
            ),
            Self::ElementsPerSecond => (
                "elements_per_second",
                "elements/s",
                Unit::ElementsPerSecond,
                "Matrix rows (sites) processed in a second",
                Direction::Higher,
            ),
            Self::BytesPerSecond => (
                "bytes_per_second",
                "useful B/s",
                Unit::BytesPerSecond,
                "Bytes of each input and output once, over the time of a launch",
                Direction::Higher,
            ),
            Self::CopyFraction => (
                "copy_fraction",
                "of copy",
                Unit::Fraction,
                "Useful bytes a second over the rate of a plain copy on the same device",
                Direction::Higher,
            ),
            Self::Speedup => (
                "speedup",
                "speedup",
                Unit::Factor,
                "Time of the serial float64 host reference over the time of this case, on the same clock",
                Direction::Higher,
            ),
            Self::SpeedupVsTensor => (
                "speedup_vs_tensor",
                "vs tensor",
                Unit::Factor,
                "Time of plain tensor operations on the same target over the time of this case",
                Direction::Higher,
            ),
            Self::SpeedupVsNative => (
                "speedup_vs_native",
                "vs native",
                Unit::Factor,
                "Time of the float32 scan on ndarray over the time of this case",
                Direction::Higher,
            ),
            Self::FirstLaunchSeconds => (
                "first_launch_seconds",
                "first launch",
                Unit::Seconds,
                "Time of the first launch: compilation and autotune included",
                Direction::Lower,
            ),
            Self::Mse => (
                "mse",
                "MSE",
                Unit::Error,
                "Mean squared error over all components against float64",
                Direction::Lower,
            ),
            Self::MseClipped => (
                "mse_clipped",
                "MSE (clipped)",
                Unit::Error,
                "Mean squared error after both magnitudes are clipped at 50",
                Direction::Lower,
            ),
            Self::MaxAbsError => (
                "max_abs_error",
                "max abs error",
                Unit::Error,
                "Largest distance from the float64 result",
                Direction::Lower,
            ),
            Self::MaxRelError => (
                "max_rel_error",
                "max rel error",
                Unit::Error,
                "Largest distance from the float64 result over its magnitude",
                Direction::Lower,
            ),
            Self::MedianRelError => (
                "median_rel_error",
                "median rel error",
                Unit::Error,
                "Median distance from the float64 result over its magnitude",
                Direction::Lower,
            ),
            Self::MaxErrorUnits => (
                "max_error_units",
                "max error (units)",
                Unit::RoundingUnits,
                "Largest error in units of what rounding the inputs alone does: 2^-24 times the condition number",
                Direction::Lower,
            ),
            Self::NonFinite => (
                "non_finite",
                "non-finite",
                Unit::Count,
                "Entries of the output that are NaN or infinite",
                Direction::Lower,
            ),
        };
        MetricInfo { id, title, unit, description, direction }
    }
}
