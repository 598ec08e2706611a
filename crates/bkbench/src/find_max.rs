//! The largest N of a model that runs on a device, found by running it.
//!
//! Each try is a case of its own in workers of its own, so that running out of memory costs the try and
//! leaves the device as it was.

use bk_harness::case::{Case, WorkloadSpec};
use bk_harness::device::DeviceInfo;
use bk_harness::models::refusal;
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::protocol::Phase;
use serde::Serialize;

use crate::pool::{Greeting, Interrupted, Observer, Pool, WorkerSettings};

/// Where the search begins: any device that runs the model at all runs this.
const FIRST_N: usize = 128;

/// The search ends when the answer is known to this part: a step more would take as long as all before it.
const PRECISION: f64 = 1.0 / 16.0;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Found {
    /// Name of the case at the largest N, or at the smallest where none runs.
    pub(crate) id: String,
    /// Largest N that ran; absent where none did.
    pub(crate) largest: Option<usize>,
    /// Peak of the bytes in use there.
    pub(crate) peak_bytes: Option<u64>,
    /// Smallest N that did not run; absent where the limit was reached.
    pub(crate) smallest_that_failed: Option<usize>,
    /// Why it did not run.
    pub(crate) why: Option<String>,
}

/// Looks for the largest N of `case` on `device`, up to `limit`: doubles it until it fails, then halves the
/// distance to the largest that ran.
///
/// # Errors
/// When the user asked to stop.
pub(crate) fn find_max(
    pool: &Pool,
    settings: &WorkerSettings,
    case: &Case,
    device: &DeviceInfo,
    host_memory_bytes: u64,
    limit: usize,
) -> Result<Found, Interrupted> {
    search(FIRST_N, limit, case, |case| {
        // What arithmetic rules out need not be tried.
        if let Some(reason) = refusal(case, device, host_memory_bytes) {
            return Ok(Err(reason));
        }
        let mut outcome = Last(None);
        pool.run(std::slice::from_ref(case), settings, &mut outcome)?;
        Ok(match outcome.0 {
            Some(Outcome::Measured(measurement)) => {
                Ok(measurement.memory.and_then(|memory| memory.peak_bytes()).unwrap_or_default())
            }
            Some(Outcome::Skipped { reason }) => Err(reason),
            Some(Outcome::Failed { error }) => Err(error),
            Some(Outcome::Invalid { why, .. }) => Err(why),
            None => Err("the case was not run".to_owned()),
        })
    })
}

/// The peak of a case that ran, or why it did not.
type Tried = Result<u64, String>;

fn search(
    first: usize,
    limit: usize,
    case: &Case,
    mut attempt: impl FnMut(&Case) -> Result<Tried, Interrupted>,
) -> Result<Found, Interrupted> {
    let mut best: Option<(usize, u64)> = None;
    let mut worst: Option<(usize, String)> = None;
    let mut next = first.min(limit);
    loop {
        match attempt(&with_n(case, next))? {
            Ok(peak) => best = Some((next, peak)),
            Err(why) => worst = Some((next, why)),
        }
        let (low, high) = (best.map_or(0, |(n, _)| n), worst.as_ref().map(|(n, _)| *n));
        next = match high {
            None if low >= limit => break,
            None => low.saturating_mul(2).min(limit),
            Some(high) if (high - low) as f64 <= PRECISION * high as f64 || high - low < 2 => break,
            Some(high) => low + (high - low) / 2,
        };
    }
    let shown = best.map(|(n, _)| n).or(worst.as_ref().map(|(n, _)| *n)).unwrap_or(first);
    Ok(Found {
        id: with_n(case, shown).id,
        largest: best.map(|(n, _)| n),
        peak_bytes: best.map(|(_, peak)| peak),
        smallest_that_failed: worst.as_ref().map(|(n, _)| *n),
        why: worst.map(|(_, why)| why),
    })
}

/// `case` with another N, in its sizes and in its name.
fn with_n(case: &Case, n: usize) -> Case {
    let mut other = case.clone();
    let (batch, old) = (case.workload.batch(), case.workload.n());
    other.id = case.id.replacen(&format!("b{batch}-n{old}/"), &format!("b{batch}-n{n}/"), 1);
    if let WorkloadSpec::Phase2Memory(spec) | WorkloadSpec::Phase2Throughput(spec) = &mut other.workload {
        spec.n = n;
    }
    // One pass is enough to know whether it fits.
    other.measure.samples = 1;
    other
}

/// Keeps how the last case ended.
struct Last(Option<Outcome>);

impl Observer for Last {
    fn opened(&mut self, _target: &str, _greeting: &Greeting) {}
    fn rehearsed(&mut self, _case: &Case) {}
    fn started(&mut self, _case: &Case) {}
    fn phase(&mut self, _case: &Case, _phase: Phase) {}
    fn finished(&mut self, result: CaseResult) {
        self.0 = Some(result.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory_case;

    /// Searches on a device that holds up to `fits` tokens; returns what was found and what was tried.
    fn searched(fits: usize, limit: usize) -> (Found, Vec<usize>) {
        let mut tried = Vec::new();
        let found = search(FIRST_N, limit, &memory_case("cuda"), |case| {
            let n = case.workload.n();
            assert!(case.id.contains(&format!("-n{n}/")), "{}", case.id);
            tried.push(n);
            Ok(if n <= fits { Ok(10 * n as u64) } else { Err("out of memory".to_owned()) })
        });
        (found.unwrap(), tried)
    }

    #[test]
    fn the_answer_is_known_to_a_sixteenth_in_few_tries() {
        for fits in [200, 1000, 5000, 100_000] {
            let (found, tried) = searched(fits, 1 << 20);
            let largest = found.largest.unwrap();
            assert!(
                largest <= fits && largest as f64 >= fits as f64 * 15.0 / 16.0 - 1.0,
                "{fits}: {found:?}"
            );
            assert_eq!(found.peak_bytes, Some(10 * largest as u64));
            assert_eq!(found.why.as_deref(), Some("out of memory"));
            assert!(tried.len() < 20, "{tried:?}");
        }
    }

    #[test]
    fn a_device_that_holds_everything_ends_at_the_limit() {
        let (found, tried) = searched(usize::MAX, 1000);
        assert_eq!((found.largest, found.smallest_that_failed), (Some(1000), None));
        assert_eq!(tried, [128, 256, 512, 1000]);
    }

    #[test]
    fn a_device_that_holds_little_is_searched_below_the_start_and_one_that_holds_nothing_says_so() {
        assert_eq!(searched(10, 1000).0.largest, Some(10));
        let (found, _) = searched(0, 1000);
        assert_eq!((found.largest, found.smallest_that_failed), (None, Some(1)));
        assert!(found.id.contains("-n1/"), "{}", found.id);
    }

    #[test]
    fn an_interrupt_ends_the_search() {
        let stopped = search(FIRST_N, 1000, &memory_case("cuda"), |_| Err(Interrupted));
        assert_eq!(stopped, Err(Interrupted));
    }
}
