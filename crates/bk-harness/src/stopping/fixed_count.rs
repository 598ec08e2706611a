use super::StoppingRule;

/// Stops after a number of samples.
#[derive(Debug, Clone)]
pub struct FixedCount {
    wanted: u32,
    seen: u32,
}

impl FixedCount {
    /// Stops after `samples`, but not before the first.
    pub fn new(samples: u32) -> Self {
        Self { wanted: samples.max(1), seen: 0 }
    }
}

impl StoppingRule for FixedCount {
    fn record(&mut self, _sample: f64, _elapsed_seconds: f64) {
        self.seen += 1;
    }

    fn is_finished(&self) -> bool {
        self.seen >= self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_of_three_samples_is_the_last() {
        let mut rule = FixedCount::new(3);
        let finished = [1.0; 3].map(|sample| {
            rule.record(sample, 0.0);
            rule.is_finished()
        });
        assert_eq!(finished, [false, false, true]);
    }

    #[test]
    fn even_a_count_of_zero_takes_one_sample() {
        let mut rule = FixedCount::new(0);
        assert!(!rule.is_finished());
        rule.record(1.0, 0.0);
        assert!(rule.is_finished());
    }
}
