//! Lyapunov monitor: a dissipative memory should not gain energy without limit.
//!
//! `E(W) = ||W||_F^2`, its change from one observation to the next, and how often it grew. A diagnostic: as
//! in the original, nothing is corrected.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `||W_b||_F^2` of `W [B, H, E, E]`, `[B]`.
pub fn energy<B: Backend>(memory: &Tensor<B, 4>) -> Tensor<B, 1> {
    let [batch, heads, width, _] = memory.dims();
    let flat: Tensor<B, 2> = memory.clone().reshape([batch * heads, width * width]);
    flat.square().sum_dim(1).reshape([batch, heads]).sum_dim(1).reshape([batch])
}

/// Watches the energy of one memory.
#[derive(Debug, Clone, PartialEq)]
pub struct LyapunovMonitor {
    tolerance: f64,
    last: Option<f64>,
    observations: usize,
    violations: usize,
}

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LyapunovReading {
    /// `||W||_F^2`.
    pub energy: f64,
    /// Change since the observation before; 0 at the first.
    pub change: f64,
    /// Whether it grew by more than the tolerance.
    pub violated: bool,
}

impl LyapunovMonitor {
    /// Growth of up to `tolerance` is no violation.
    pub fn new(tolerance: f64) -> Self {
        Self { tolerance, last: None, observations: 0, violations: 0 }
    }

    /// Takes note of an energy.
    pub fn observe(&mut self, energy: f64) -> LyapunovReading {
        let change = self.last.map_or(0.0, |last| energy - last);
        // An energy that is no number is no stable one.
        let violated = change > self.tolerance || !energy.is_finite();
        self.last = Some(energy);
        self.observations += 1;
        self.violations += usize::from(violated);
        LyapunovReading { energy, change, violated }
    }

    /// Energies seen.
    pub fn observations(&self) -> usize {
        self.observations
    }

    /// How many of them had grown.
    pub fn violations(&self) -> usize {
        self.violations
    }
}

#[cfg(test)]
mod tests {
    use super::LyapunovMonitor;

    #[test]
    fn growth_beyond_the_tolerance_is_a_violation_and_decay_is_none() {
        let mut monitor = LyapunovMonitor::new(0.1);
        let violated: Vec<bool> =
            [5.0, 4.0, 4.05, 4.5, f64::NAN].map(|energy| monitor.observe(energy).violated).to_vec();
        assert_eq!(violated, [false, false, false, true, true]);
        assert_eq!((monitor.observations(), monitor.violations()), (5, 2));
    }
}
