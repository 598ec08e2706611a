use std::time::Instant;

/// Where the host reads the time.
pub trait Stopwatch {
    /// Seconds since some fixed moment; never runs backwards.
    fn seconds(&self) -> f64;
}

/// The operating system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemStopwatch {
    // Seconds are counted from here, so that an f64 resolves far below a nanosecond.
    origin: Instant,
}

impl Default for SystemStopwatch {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Stopwatch for SystemStopwatch {
    fn seconds(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_not_shorter_than_asked_for() {
        let stopwatch = SystemStopwatch::default();
        let start = stopwatch.seconds();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(stopwatch.seconds() - start >= 2e-3);
    }
}
