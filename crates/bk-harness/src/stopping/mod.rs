//! When to stop sampling.
//!
//! A rule is told each sample and says whether it has seen enough. The rules of a case are combined by
//! [`AnyOf`]: enough samples, a median known well enough, or no time left.

mod fixed_count;
mod relative_noise;
mod time_budget;

pub use fixed_count::FixedCount;
pub use relative_noise::RelativeNoise;
pub use time_budget::TimeBudget;

/// A criterion for the end of sampling; a new one has seen no samples.
pub trait StoppingRule {
    /// Takes note of a sample, in seconds, `elapsed_seconds` after sampling began.
    fn record(&mut self, sample: f64, elapsed_seconds: f64);

    /// Whether no further sample is needed.
    fn is_finished(&self) -> bool;
}

/// Finished as soon as one of its rules is.
#[derive(Default)]
pub struct AnyOf(Vec<Box<dyn StoppingRule>>);

impl AnyOf {
    /// The rules of a case: at most `samples`, at most `max_seconds`, and fewer where `relative_noise` is
    /// reached before.
    pub fn for_case(samples: u32, relative_noise: Option<f64>, max_seconds: f64) -> Self {
        let mut rules: Vec<Box<dyn StoppingRule>> =
            vec![Box::new(FixedCount::new(samples)), Box::new(TimeBudget::new(max_seconds))];
        if let Some(target) = relative_noise {
            rules.push(Box::new(RelativeNoise::new(target)));
        }
        Self(rules)
    }
}

impl StoppingRule for AnyOf {
    fn record(&mut self, sample: f64, elapsed_seconds: f64) {
        for rule in &mut self.0 {
            rule.record(sample, elapsed_seconds);
        }
    }

    fn is_finished(&self) -> bool {
        self.0.iter().any(|rule| rule.is_finished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that `rule` takes before it stops; each sample takes as long as it says.
    fn taken(mut rule: AnyOf, samples: impl IntoIterator<Item = f64>) -> usize {
        let (mut elapsed, mut count) = (0.0, 0);
        for sample in samples {
            elapsed += sample;
            count += 1;
            rule.record(sample, elapsed);
            if rule.is_finished() {
                break;
            }
        }
        count
    }

    #[test]
    fn the_count_stops_a_fast_case() {
        assert_eq!(taken(AnyOf::for_case(30, None, 10.0), vec![1e-3; 1000]), 30);
    }

    #[test]
    fn the_budget_stops_a_slow_case() {
        assert_eq!(taken(AnyOf::for_case(30, None, 10.0), vec![1.0; 1000]), 10);
    }

    #[test]
    fn little_noise_stops_a_quiet_case_before_the_count() {
        let quiet = (0..1000).map(|i| 1e-3 * (1.0 + 1e-4 * f64::from(i % 7)));
        assert_eq!(taken(AnyOf::for_case(200, Some(0.01), 10.0), quiet), 10);
    }

    #[test]
    fn without_rules_nothing_stops() {
        assert_eq!(taken(AnyOf::default(), vec![1.0; 50]), 50);
    }
}
