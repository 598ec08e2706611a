use super::StoppingRule;

/// Samples that are taken however long they last: fewer have no interval worth the name.
pub(crate) const LEAST_SAMPLES: u32 = 5;

/// Stops when the time is spent, once there are five samples.
#[derive(Debug, Clone)]
pub struct TimeBudget {
    seconds: f64,
    elapsed_seconds: f64,
    seen: u32,
}

impl TimeBudget {
    /// Stops `seconds` after sampling began.
    pub fn new(seconds: f64) -> Self {
        Self { seconds, elapsed_seconds: 0.0, seen: 0 }
    }
}

impl StoppingRule for TimeBudget {
    fn record(&mut self, _sample: f64, elapsed_seconds: f64) {
        self.elapsed_seconds = elapsed_seconds;
        self.seen += 1;
    }

    fn is_finished(&self) -> bool {
        self.seen >= LEAST_SAMPLES && self.elapsed_seconds >= self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished_after(samples: u32, elapsed_seconds: f64) -> bool {
        let mut rule = TimeBudget::new(2.0);
        for _ in 0..samples {
            rule.record(0.1, elapsed_seconds);
        }
        rule.is_finished()
    }

    #[test]
    fn five_samples_are_taken_however_long_they_last() {
        assert!(!finished_after(4, 100.0));
        assert!(finished_after(5, 100.0));
    }

    #[test]
    fn the_budget_is_spent_to_its_end() {
        assert!(!finished_after(50, 1.99));
        assert!(finished_after(50, 2.0));
    }
}
