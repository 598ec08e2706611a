//! Launches until compilation, autotune and clocks are quiet.

use super::Ended;
use super::session::Session;
use crate::stats::median;

/// Launches in a block; two blocks with the same median mean that nothing is compiling any more.
const BLOCK: usize = 5;

/// Blocks agree when their medians differ by no more than this part of the smaller one.
const AGREEMENT: f64 = 0.05;

/// Seconds beyond what was asked for after which warm-up ends, quiet or not.
const PATIENCE_SECONDS: f64 = 1.0;

/// What warm-up did and saw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WarmUp {
    pub(super) runs: u32,
    pub(super) seconds: f64,
    /// Time of the first of them, with its synchronisation, where it was timed by itself.
    pub(super) first_seconds: Option<f64>,
    /// Time of a launch with its synchronisation, at the end.
    pub(super) launch_seconds: f64,
    /// Whether the last two blocks agreed.
    pub(super) settled: bool,
}

/// Launches at least `warmup_runs` times and for at least `warmup_seconds`, then on until launch times
/// settle or patience ends.
pub(super) fn warm_up(session: &mut Session) -> Result<WarmUp, Ended> {
    let (least_runs, least_seconds) = (session.spec.warmup_runs as usize, session.spec.warmup_seconds);
    let start = session.seconds();
    let mut times = Vec::new();
    let mut asked_for_until = None;
    loop {
        times.push(session.timed_launches(1)?.total_seconds);
        let seconds = session.seconds() - start;
        if times.len() < least_runs || seconds < least_seconds {
            continue;
        }
        let settled = is_settled(&times);
        let patience_ends = *asked_for_until.get_or_insert(seconds) + PATIENCE_SECONDS;
        if settled || seconds >= patience_ends {
            let recent = &times[times.len().saturating_sub(BLOCK)..];
            let launch_seconds = median(recent).unwrap_or_default();
            let runs = u32::try_from(times.len()).unwrap_or(u32::MAX);
            return Ok(WarmUp {
                runs,
                seconds,
                first_seconds: times.first().copied(),
                launch_seconds,
                settled,
            });
        }
    }
}

fn is_settled(times: &[f64]) -> bool {
    let Some(start) = times.len().checked_sub(2 * BLOCK) else { return false };
    let (earlier, later) = times[start..].split_at(BLOCK);
    match (median(earlier), median(later)) {
        (Some(a), Some(b)) => (a - b).abs() <= AGREEMENT * a.min(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_launch_times_are_not_settled() {
        let falling: Vec<f64> = (0..10).map(|launch| 2.0 - 0.05 * f64::from(launch)).collect();
        assert!(!is_settled(&falling));
    }

    #[test]
    fn two_equal_blocks_are_settled_whatever_came_before() {
        let mut times = vec![30.0, 5.0];
        times.extend([1.0, 1.02, 1.01, 1.0, 7.0, 1.0, 1.03, 1.0, 1.0, 1.01]);
        assert!(is_settled(&times));
    }

    #[test]
    fn one_block_says_nothing() {
        assert!(!is_settled(&[1.0; 9]));
    }
}
