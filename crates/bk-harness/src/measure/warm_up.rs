//! Launches until compilation, autotune and clocks are quiet.

use super::Ended;
use super::session::Session;
use crate::stats::median;

/// Launches in a block; two blocks with the same median mean that nothing is compiling any more.
const BLOCK: usize = 5;

/// A launch that takes longer than this is a block by itself: two blocks of five would outlast the patience.
const LONG_LAUNCH_SECONDS: f64 = PATIENCE_SECONDS / (2 * BLOCK) as f64;

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
        times.push(session.timed_launches(1)?);
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
    let is_long = times.last().is_some_and(|seconds| *seconds > LONG_LAUNCH_SECONDS);
    let block = if is_long { 1 } else { BLOCK };
    let Some(start) = times.len().checked_sub(2 * block) else { return false };
    let (earlier, later) = times[start..].split_at(block);
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
        let falling: Vec<f64> = (0..10).map(|launch| 0.1 - 0.0025 * f64::from(launch)).collect();
        assert!(!is_settled(&falling));
    }

    #[test]
    fn two_equal_blocks_are_settled_whatever_came_before() {
        let mut times = vec![3.0, 0.5];
        times.extend([0.1, 0.102, 0.101, 0.1, 0.7, 0.1, 0.103, 0.1, 0.1, 0.1]);
        assert!(is_settled(&times));
    }

    #[test]
    fn one_block_says_nothing() {
        assert!(!is_settled(&[0.01; 9]));
    }

    #[test]
    fn two_equal_long_launches_are_settled() {
        assert!(is_settled(&[9.0, 0.2, 0.205]));
        assert!(!is_settled(&[0.2, 0.3]));
        assert!(!is_settled(&[0.2]));
    }
}
