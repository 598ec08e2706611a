//! Summaries of samples: quantiles, and bootstrap intervals of a median and of a ratio of medians.
//!
//! Times are neither normal nor symmetric, so everything here is about medians, and every interval is a
//! percentile bootstrap: the samples are drawn again with replacement, the statistic is computed anew,
//! and the middle 95 % of what comes out is the interval. The generator has a fixed seed, so the same
//! samples always give the same interval.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::Statistics;

/// Resamplings an interval is made of: the ends of a 95 % interval are then the 50th and the 1,950th.
const RESAMPLINGS: usize = 2_000;

/// Probability mass of every interval.
const CONFIDENCE: f64 = 0.95;

/// Seed of the resampling, so that a report made twice from one file says the same twice.
const SEED: u64 = 0x5eed;

/// Tukey's outer fence: samples further than this many interquartile ranges from the quartiles are outliers.
const OUTER_FENCE: f64 = 3.0;

/// An estimate with its 95 % interval, in the unit of what was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The statistic of the samples themselves.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Half the width of the interval over the magnitude of the estimate: 0.05 reads "known to 5 %".
    pub fn relative_half_width(&self) -> f64 {
        (self.high - self.low) / 2.0 / self.estimate.abs()
    }
}

impl Statistics {
    /// Summary of `samples`, or `None` when there are none or one of them is not finite.
    pub fn from_samples(samples: &[f64]) -> Option<Self> {
        let sorted = sorted(samples)?;
        let interval = bootstrap_median(samples)?;
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        let (first_quartile, third_quartile) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let fence = OUTER_FENCE * (third_quartile - first_quartile);
        let outside = |&&x: &&f64| x < first_quartile - fence || x > third_quartile + fence;
        Some(Self {
            count: sorted.len() as u64,
            median: interval.estimate,
            median_low: interval.low,
            median_high: interval.high,
            mean,
            standard_deviation: standard_deviation(&sorted, mean),
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            p5: quantile(&sorted, 0.05),
            p95: quantile(&sorted, 0.95),
            outliers: sorted.iter().filter(outside).count() as u64,
        })
    }

    /// The median with its interval.
    pub fn interval(&self) -> Interval {
        Interval { estimate: self.median, low: self.median_low, high: self.median_high }
    }
}

/// Quantile `p` in `[0, 1]` of ascending samples, interpolated linearly between neighbours (R's type 7).
///
/// # Panics
/// When `sorted` is empty.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// Median of samples in any order, or `None` when there are none or one of them is not finite.
pub fn median(samples: &[f64]) -> Option<f64> {
    sorted(samples).map(|sorted| quantile(&sorted, 0.5))
}

/// The median of `samples` with its interval, or `None` when there are none or one is not finite.
pub fn bootstrap_median(samples: &[f64]) -> Option<Interval> {
    let estimate = median(samples)?;
    let mut resampled = Resampler::new(samples);
    Some(percentile_interval(estimate, || resampled.median()))
}

/// The ratio of the medians, `numerator / denominator`, with its interval.
///
/// `None` when either side has no samples, a sample that is not finite, or when a sample of the
/// denominator is not positive, for which a ratio of times has no meaning.
pub fn bootstrap_ratio(numerator: &[f64], denominator: &[f64]) -> Option<Interval> {
    if denominator.iter().any(|&sample| sample <= 0.0) {
        return None;
    }
    let estimate = median(numerator)? / median(denominator)?;
    let mut above = Resampler::new(numerator);
    let mut below = Resampler::with_stream(denominator, 1);
    Some(percentile_interval(estimate, || above.median() / below.median()))
}

fn sorted(samples: &[f64]) -> Option<Vec<f64>> {
    if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

fn standard_deviation(samples: &[f64], mean: f64) -> f64 {
    if samples.len() < 2 {
        return 0.0;
    }
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    (squares / (samples.len() - 1) as f64).sqrt()
}

fn percentile_interval(estimate: f64, mut draw: impl FnMut() -> f64) -> Interval {
    let mut drawn: Vec<f64> = (0..RESAMPLINGS).map(|_| draw()).collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Interval { estimate, low: quantile(&drawn, tail), high: quantile(&drawn, 1.0 - tail) }
}

/// Draws as many samples as there are, with replacement, again and again.
struct Resampler<'a> {
    samples: &'a [f64],
    drawn: Vec<f64>,
    generator: Pcg64,
}

impl<'a> Resampler<'a> {
    fn new(samples: &'a [f64]) -> Self {
        Self::with_stream(samples, 0)
    }

    /// Another `stream` draws independently: a ratio must not pair equal positions of its two sides.
    fn with_stream(samples: &'a [f64], stream: u64) -> Self {
        let generator = Pcg64::seed_from_u64(SEED + stream);
        Self { samples, drawn: vec![0.0; samples.len()], generator }
    }

    fn median(&mut self) -> f64 {
        for slot in &mut self.drawn {
            *slot = self.samples[self.generator.random_range(0..self.samples.len())];
        }
        let middle = self.drawn.len() / 2;
        let (below, &mut upper, _) = self.drawn.select_nth_unstable_by(middle, f64::total_cmp);
        if self.samples.len() % 2 == 1 {
            return upper;
        }
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        f64::midpoint(lower, upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` samples of a normal distribution around `mean`, by Box and Muller.
    fn normal(generator: &mut Pcg64, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
        let mut draw = || {
            let (u, v): (f64, f64) = (generator.random(), generator.random());
            (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        (0..count).map(|_| mean + deviation * draw()).collect()
    }

    #[test]
    fn quantiles_interpolate_between_neighbours() {
        // R: quantile(c(1, 2, 4, 8), c(.05, .25, .5, .95), type = 7)
        let samples = [1.0, 2.0, 4.0, 8.0];
        for (p, expected) in [(0.0, 1.0), (0.05, 1.15), (0.25, 1.75), (0.5, 3.0), (0.95, 7.4), (1.0, 8.0)] {
            assert!((quantile(&samples, p) - expected).abs() < 1e-12, "quantile {p}");
        }
    }

    #[test]
    fn a_summary_agrees_with_hand_computed_values() {
        // Sum 40, squares around the mean 5: 9+1+1+1+0+0+4+16 = 32, over 7.
        let summary = Statistics::from_samples(&[4.0, 2.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((summary.count, summary.mean, summary.median), (8, 5.0, 4.5));
        assert!((summary.standard_deviation - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!((summary.min, summary.max, summary.outliers), (2.0, 9.0, 0));
        assert!((summary.p5 - 2.7).abs() < 1e-12 && (summary.p95 - 8.3).abs() < 1e-12);
    }

    #[test]
    fn a_sample_three_quartile_ranges_out_is_an_outlier() {
        // Quartiles of 0..=8 are 2 and 6: the outer fences are at -10 and 18.
        let mut samples: Vec<f64> = (0..8).map(f64::from).collect();
        samples.push(17.9);
        assert_eq!(Statistics::from_samples(&samples).unwrap().outliers, 0);
        samples[8] = 18.1;
        assert_eq!(Statistics::from_samples(&samples).unwrap().outliers, 1);
    }

    #[test]
    fn a_single_sample_has_no_spread() {
        let summary = Statistics::from_samples(&[3.0]).unwrap();
        assert_eq!((summary.median, summary.median_low, summary.median_high), (3.0, 3.0, 3.0));
        assert_eq!(summary.standard_deviation, 0.0);
    }

    #[test]
    fn nothing_is_said_of_no_samples_or_of_nan() {
        assert_eq!(Statistics::from_samples(&[]), None);
        assert_eq!(Statistics::from_samples(&[1.0, f64::NAN]), None);
        assert_eq!(bootstrap_ratio(&[1.0], &[]), None);
        assert_eq!(bootstrap_ratio(&[1.0], &[1.0, 0.0]), None);
        assert_eq!(bootstrap_ratio(&[f64::INFINITY], &[1.0]), None);
    }

    #[test]
    fn an_even_resampling_takes_the_mean_of_the_middle_two() {
        // Two samples: the medians drawn are 1, 2 and 3, a quarter, a half and a quarter of the time.
        let interval = bootstrap_median(&[1.0, 3.0]).unwrap();
        assert_eq!((interval.low, interval.estimate, interval.high), (1.0, 2.0, 3.0));
        assert_eq!(interval.relative_half_width(), 0.5);
    }

    #[test]
    fn the_same_samples_always_give_the_same_interval() {
        let samples = normal(&mut Pcg64::seed_from_u64(1), 40, 10.0, 1.0);
        assert_eq!(bootstrap_median(&samples), bootstrap_median(&samples));
    }

    #[test]
    fn the_interval_of_a_median_covers_it_about_95_times_in_100() {
        let mut generator = Pcg64::seed_from_u64(2);
        let covered = (0..200)
            .filter(|_| {
                let interval = bootstrap_median(&normal(&mut generator, 41, 10.0, 1.0)).unwrap();
                interval.low <= 10.0 && 10.0 <= interval.high
            })
            .count();
        // Binomial(200, 0.95) has a standard deviation of 3.1.
        assert!((178..=198).contains(&covered), "covered {covered} of 200");
    }

    #[test]
    fn the_interval_of_a_ratio_covers_it_about_95_times_in_100() {
        let mut generator = Pcg64::seed_from_u64(3);
        let covered = (0..200)
            .filter(|_| {
                let slow = normal(&mut generator, 31, 30.0, 1.5);
                let fast = normal(&mut generator, 41, 10.0, 1.0);
                let interval = bootstrap_ratio(&slow, &fast).unwrap();
                interval.low <= 3.0 && 3.0 <= interval.high
            })
            .count();
        assert!((178..=199).contains(&covered), "covered {covered} of 200");
    }

    #[test]
    fn the_two_sides_of_a_ratio_are_drawn_independently() {
        // Drawn with the same positions, a ratio of a set to itself would have an interval of no width.
        let samples = normal(&mut Pcg64::seed_from_u64(4), 20, 10.0, 1.0);
        let interval = bootstrap_ratio(&samples, &samples).unwrap();
        assert_eq!(interval.estimate, 1.0);
        assert!(interval.low < 0.99 && interval.high > 1.01, "{interval:?}");
    }
}
