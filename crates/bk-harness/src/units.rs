//! The one place that turns numbers into text. Inside, times are seconds, sizes are bytes.

use crate::kpi::{MetricValue, Unit};
use crate::outcome::{Clock, Statistics};
use crate::stats::Interval;

const TIME_STEPS: [(f64, &str); 4] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
const DECIMAL_STEPS: [(f64, &str); 5] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
const BINARY_STEPS: [(f64, &str); 4] =
    [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")];

/// A time: `12.3 µs`.
pub fn time(seconds: f64) -> String {
    let (scale, unit) = step(seconds, &TIME_STEPS);
    format!("{} {unit}", digits(seconds / scale))
}

/// A time with its interval, all in the unit of the time: `12.3 µs [12.1, 12.6]`.
pub fn time_interval(interval: Interval) -> String {
    let (scale, unit) = step(interval.estimate, &TIME_STEPS);
    let [estimate, low, high] = [interval.estimate, interval.low, interval.high].map(|t| digits(t / scale));
    format!("{estimate} {unit} [{low}, {high}]")
}

/// The median of a summary of times, with its interval.
pub fn median_time(statistics: &Statistics) -> String {
    time_interval(statistics.interval())
}

/// A size: `1.31 MB`, in powers of ten as memory rates are.
pub fn bytes(bytes: f64) -> String {
    decimal(bytes, "B")
}

/// Memory as its makers count it: `80.0 GiB`.
pub fn memory(bytes: u64) -> String {
    let (scale, unit) = step(bytes as f64, &BINARY_STEPS);
    format!("{} {unit}", digits(bytes as f64 / scale))
}

/// A rate of bytes: `2.05 TB/s`.
pub fn byte_rate(bytes_per_second: f64) -> String {
    decimal(bytes_per_second, "B/s")
}

/// A rate of elements: `3.1 G/s`.
pub fn element_rate(elements_per_second: f64) -> String {
    decimal(elements_per_second, "/s")
}

/// A factor: `3.21x`.
pub fn factor(factor: f64) -> String {
    format!("{}x", digits(factor))
}

/// A part of one: `61.2 %`.
pub fn percent(fraction: f64) -> String {
    format!("{} %", digits(fraction * 100.0))
}

/// A dimensionless error: `3.2e-9`; a hyphen where it is no number.
pub fn error(error: f64) -> String {
    if error == 0.0 {
        return "0".to_owned();
    }
    if error.is_finite() { format!("{error:.1e}") } else { "-".to_owned() }
}

/// A value of a metric, without its interval.
pub fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => time(value),
        Unit::ElementsPerSecond => element_rate(value),
        Unit::BytesPerSecond => byte_rate(value),
        Unit::TokensPerSecond => decimal(value, "tokens/s"),
        Unit::FlopsPerSecond => decimal(value, "FLOP/s"),
        Unit::Bytes => bytes(value),
        Unit::Fraction => percent(value),
        Unit::Factor => factor(value),
        Unit::Error => error(value),
        Unit::RoundingUnits => digits(value),
        Unit::Count => format!("{value}"),
    }
}

/// A metric with its interval, where it has one.
pub fn metric(metric: &MetricValue, unit: Unit) -> String {
    let shown = value(metric.value, unit);
    if metric.low == metric.high || metric.value.is_nan() {
        return shown;
    }
    format!("{shown} [{}, {}]", value(metric.low, unit), value(metric.high, unit))
}

/// What a clock is called in text.
pub fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Wall => "wall",
        Clock::DeviceTimestamp => "device_timestamp",
        Clock::LaunchRegression => "launch_regression",
    }
}

/// Three significant digits without an exponent, and every digit of a larger number.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    // Rounded first, so that 9.996 is taken for the 10.0 as which it will be shown.
    let magnitude = value.abs().log10().floor();
    let rounded = (value.abs() / 10f64.powf(magnitude - 2.0)).round() * 10f64.powf(magnitude - 2.0);
    let decimals = (2.0 - rounded.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

fn decimal(value: f64, unit: &str) -> String {
    let (scale, prefix) = step(value, &DECIMAL_STEPS);
    format!("{} {prefix}{unit}", digits(value / scale))
}

/// The first step that `value` reaches when rounded to three digits, or the last.
fn step(value: f64, steps: &[(f64, &'static str)]) -> (f64, &'static str) {
    let reached = |(scale, _): &&(f64, &'static str)| value.abs() >= 0.9995 * scale;
    *steps.iter().find(reached).unwrap_or(&steps[steps.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        let shown = [2.5, 0.0123, 9.9999e-4, 1.234e-5, 4.2e-8, 3e-11, 0.0].map(time);
        assert_eq!(shown, ["2.50 s", "12.3 ms", "1.00 ms", "12.3 µs", "42.0 ns", "0.0300 ns", "0 ns"]);
    }

    #[test]
    fn rounding_up_to_the_next_digit_keeps_three() {
        assert_eq!(digits(9.996), "10.0");
        assert_eq!(digits(99.96), "100");
        assert_eq!(digits(12345.6), "12346");
        assert_eq!(digits(-0.0123), "-0.0123");
    }

    #[test]
    fn an_interval_shares_the_unit_of_its_estimate() {
        let interval = Interval { estimate: 1.2e-6, low: 9e-7, high: 1.5e-6 };
        assert_eq!(time_interval(interval), "1.20 µs [0.900, 1.50]");
    }

    #[test]
    fn sizes_and_rates_use_powers_of_ten_and_memory_powers_of_two() {
        assert_eq!(bytes(1_310_720.0), "1.31 MB");
        assert_eq!(byte_rate(2.05e12), "2.05 TB/s");
        assert_eq!(element_rate(12.0), "12.0 /s");
        assert_eq!(memory(85_899_345_920), "80.0 GiB");
    }

    #[test]
    fn what_is_no_number_is_a_hyphen() {
        assert_eq!(error(f64::NAN), "-");
        assert_eq!(digits(f64::INFINITY), "-");
        let nothing = MetricValue::exact(f64::NAN);
        assert_eq!(metric(&nothing, Unit::Error), "-");
    }

    #[test]
    fn a_metric_shows_its_interval_only_where_it_has_one() {
        assert_eq!(metric(&MetricValue::exact(2.0), Unit::Factor), "2.00x");
        let speedup = MetricValue { low: 1.9, high: 2.2, ..MetricValue::exact(2.0) };
        assert_eq!(metric(&speedup, Unit::Factor), "2.00x [1.90x, 2.20x]");
        assert_eq!(metric(&MetricValue::exact(3.2e-9), Unit::Error), "3.2e-9");
        assert_eq!(metric(&MetricValue::exact(0.0), Unit::Count), "0");
    }
}
