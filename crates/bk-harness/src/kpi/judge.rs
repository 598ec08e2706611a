//! One value against one bound.

use crate::kpi::{Bound, MetricValue, Unit, Verdict};
use crate::units;

impl Bound {
    /// The value that decides.
    pub fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }

    /// Verdict on `value` by its interval. What is not a number never passes.
    pub fn judge(self, value: &MetricValue) -> Verdict {
        let (worst, best) = match self {
            Self::AtLeast(_) => (value.low, value.high),
            Self::AtMost(_) => (value.high, value.low),
        };
        if self.holds(worst) && self.holds(value.value) && self.holds(best) {
            Verdict::Pass
        } else if self.holds(best) {
            Verdict::Inconclusive
        } else {
            Verdict::Fail
        }
    }

    fn holds(self, number: f64) -> bool {
        match self {
            Self::AtLeast(limit) => number >= limit,
            Self::AtMost(limit) => number <= limit,
        }
    }

    /// How far `value` is on the right side of the bound (negative: on the wrong one). Of two values the
    /// one with the smaller distance is nearer to missing; what is not a number is furthest beyond.
    pub(super) fn distance(self, value: &MetricValue) -> f64 {
        let distance = match self {
            Self::AtLeast(limit) => value.value - limit,
            Self::AtMost(limit) => limit - value.value,
        };
        if distance.is_nan() { f64::NEG_INFINITY } else { distance }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "at least",
            Self::AtMost(_) => "at most",
        }
    }
}

/// The margin of `value`, which is `what`, to `bound`, and for an undecided one what would decide it.
pub(super) fn margin(what: &str, unit: Unit, bound: Bound, value: &MetricValue) -> String {
    let limit = bound.limit();
    let mut sentence = format!(
        "{what} is {}; expected {} {}",
        units::metric(value, unit),
        bound.in_words(),
        units::value(limit, unit)
    );
    match bound.judge(value) {
        Verdict::Pass => sentence += &relative(value.value, limit, "met", bound),
        Verdict::Fail => sentence += &relative(value.value, limit, "missed", bound),
        Verdict::Inconclusive | Verdict::NotEvaluated => {
            sentence += ", which the interval straddles";
            if let Some(factor) = samples_needed(value, limit) {
                sentence += &format!("; about {factor} times as many samples could decide it");
            }
        }
    }
    sentence
}

/// By which factor or part the bound is met or missed.
fn relative(value: f64, limit: f64, verb: &str, bound: Bound) -> String {
    let ratio = match bound {
        Bound::AtLeast(_) => value / limit,
        Bound::AtMost(_) => limit / value,
    };
    let ratio = if verb == "met" { ratio } else { 1.0 / ratio };
    if !(ratio.is_finite() && ratio > 0.0) {
        format!(", {verb}")
    } else if ratio < 2.0 {
        format!(", {verb} by {}", units::percent((ratio - 1.0).abs()))
    } else if ratio > 1000.0 {
        format!(", {verb} by a factor above 1000")
    } else {
        format!(", {verb} by a factor of {}", units::digits(ratio))
    }
}

/// An interval shrinks with the square root of the number of samples: the factor after which it would
/// end at the limit. Beyond a thousand it says nothing but that the value is at the limit.
fn samples_needed(value: &MetricValue, limit: f64) -> Option<u32> {
    let half = if limit < value.value { value.value - value.low } else { value.high - value.value };
    let factor = (half / (value.value - limit)).powi(2).ceil();
    (factor.is_finite() && factor <= 1000.0).then(|| (factor as u32).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, value: f64, high: f64) -> MetricValue {
        MetricValue { value, low, high, clock: None }
    }

    #[test]
    fn an_interval_beyond_the_bound_fails_and_one_within_passes() {
        assert_eq!(Bound::AtLeast(3.0).judge(&interval(2.5, 2.8, 2.99)), Verdict::Fail);
        assert_eq!(Bound::AtLeast(3.0).judge(&interval(3.0, 3.2, 3.4)), Verdict::Pass);
        assert_eq!(Bound::AtMost(1e-6).judge(&MetricValue::exact(2e-6)), Verdict::Fail);
        assert_eq!(Bound::AtMost(1e-6).judge(&MetricValue::exact(1e-6)), Verdict::Pass);
    }

    #[test]
    fn an_interval_over_the_bound_is_inconclusive_on_whichever_side_its_value_is() {
        assert_eq!(Bound::AtLeast(3.0).judge(&interval(2.9, 3.1, 3.3)), Verdict::Inconclusive);
        assert_eq!(Bound::AtLeast(3.0).judge(&interval(2.7, 2.9, 3.1)), Verdict::Inconclusive);
        assert_eq!(Bound::AtMost(3.0).judge(&interval(2.7, 2.9, 3.1)), Verdict::Inconclusive);
    }

    #[test]
    fn what_is_not_a_number_fails() {
        for bound in [Bound::AtLeast(3.0), Bound::AtMost(3.0)] {
            assert_eq!(bound.judge(&MetricValue::exact(f64::NAN)), Verdict::Fail);
            assert_ne!(bound.judge(&interval(f64::NAN, 3.0, f64::NAN)), Verdict::Pass);
            assert_eq!(bound.distance(&MetricValue::exact(f64::NAN)), f64::NEG_INFINITY);
        }
    }

    #[test]
    fn the_margin_says_by_how_much() {
        let bound = Bound::AtLeast(3.0);
        let say = |value| margin("speedup", Unit::Factor, bound, &value);
        insta::assert_snapshot!(say(interval(5.9, 6.0, 6.2)), @"speedup is 6.00x [5.90x, 6.20x]; expected at least 3.00x, met by a factor of 2.00");
        insta::assert_snapshot!(say(interval(2.6, 2.7, 2.8)), @"speedup is 2.70x [2.60x, 2.80x]; expected at least 3.00x, missed by 11.1 %");
        insta::assert_snapshot!(say(interval(2.7, 3.1, 3.4)), @"speedup is 3.10x [2.70x, 3.40x]; expected at least 3.00x, which the interval straddles; about 16 times as many samples could decide it");
        let error = margin("mse", Unit::Error, Bound::AtMost(1e-6), &MetricValue::exact(2.5e-11));
        insta::assert_snapshot!(error, @"mse is 2.5e-11; expected at most 1.0e-6, met by a factor above 1000");
        let zero = margin("non_finite", Unit::Count, Bound::AtMost(0.0), &MetricValue::exact(0.0));
        insta::assert_snapshot!(zero, @"non_finite is 0; expected at most 0, met");
    }
}
