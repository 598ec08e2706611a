use super::StoppingRule;
use crate::stats::bootstrap_median;

/// Samples before the first look: the interval of fewer is too often too narrow by chance.
const LEAST_SAMPLES: usize = 10;

/// Looks are taken when the number of samples has grown by this factor. The bootstrap costs about as much
/// as a short sample, and the device would cool down (or its clock fall) while the host computes.
const GROWTH: f64 = 1.2;

/// Stops when the median is known well enough: the half-width of its 95 % interval over the median.
#[derive(Debug, Clone)]
pub struct RelativeNoise {
    target: f64,
    samples: Vec<f64>,
    next_look: usize,
    finished: bool,
}

impl RelativeNoise {
    /// Stops when the median is known to `target`: 0.01 is 1 %.
    pub fn new(target: f64) -> Self {
        Self { target, samples: Vec::new(), next_look: LEAST_SAMPLES, finished: false }
    }
}

impl StoppingRule for RelativeNoise {
    fn record(&mut self, sample: f64, _elapsed_seconds: f64) {
        self.samples.push(sample);
        if self.samples.len() < self.next_look {
            return;
        }
        self.next_look = (self.samples.len() as f64 * GROWTH).ceil() as usize;
        self.finished =
            bootstrap_median(&self.samples).is_some_and(|known| known.relative_half_width() < self.target);
    }

    fn is_finished(&self) -> bool {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that alternate around 1 at a distance of `noise`.
    fn samples_until_finished(noise: f64, target: f64) -> Option<usize> {
        let mut rule = RelativeNoise::new(target);
        (1..=500)
            .find(|count| {
                rule.record(1.0 + noise * f64::from(*count % 5 - 2), 0.0);
                rule.is_finished()
            })
            .map(|count| count as usize)
    }

    #[test]
    fn identical_samples_suffice_at_the_first_look() {
        assert_eq!(samples_until_finished(0.0, 0.01), Some(LEAST_SAMPLES));
    }

    #[test]
    fn more_noise_needs_more_samples() {
        // Steps of 2 % around the median: its interval shrinks below 1 % only when the neighbours of the
        // middle value are out of it, at some tens of samples.
        let needed = samples_until_finished(0.02, 0.01).unwrap();
        assert!((20..=200).contains(&needed), "{needed}");
    }

    #[test]
    fn a_noise_that_never_falls_below_the_target_never_stops() {
        let mut rule = RelativeNoise::new(0.01);
        for count in 0..200 {
            rule.record(if count % 2 == 0 { 1.0 } else { 2.0 }, 0.0);
        }
        assert!(!rule.is_finished());
    }
}
