//! How far a run is: a bar with the time that is left on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use bk_harness::case::Case;
use bk_harness::kpi::{Metric, metrics};
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::plan::PlannedCase;
use bk_harness::protocol::Phase;
use bk_harness::units;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of the bar: its length is the predicted cost, whatever its unit.
const BAR_STEPS: u64 = 1000;

/// Shows the progress of one run on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    estimate: Estimate,
    cases: usize,
    ended: usize,
    started: Instant,
}

impl Progress {
    /// Progress through `planned`, on a terminal as a bar.
    pub(crate) fn new<'a>(planned: impl IntoIterator<Item = &'a PlannedCase>) -> Self {
        let costs: Vec<f64> = planned.into_iter().map(|planned| planned.predicted_seconds).collect();
        let bar = Term::stderr().is_term().then(bar);
        let estimate = Estimate::new(costs.iter().sum());
        Self { bar, estimate, cases: costs.len(), ended: 0, started: Instant::now() }
    }

    /// A case runs once for autotune alone.
    pub(crate) fn rehearsed(&self, case: &Case) {
        self.show(case, "tuning");
    }

    /// A case starts.
    pub(crate) fn started(&mut self, case: &Case) {
        self.started = Instant::now();
        self.show(case, "starting");
    }

    /// A case went into its next phase.
    pub(crate) fn phase(&mut self, case: &Case, phase: Phase) {
        let phase = match phase {
            Phase::Prepare => "preparing inputs",
            Phase::Verify => "verifying",
            Phase::WarmUp => "warming up",
            Phase::Sample => "sampling",
        };
        self.show(case, phase);
    }

    /// A case that was predicted to cost `cost` ended.
    pub(crate) fn finished(&mut self, result: &CaseResult, cost: f64) {
        self.ended += 1;
        let ran = matches!(result.outcome, Outcome::Measured(_) | Outcome::Invalid { .. });
        self.estimate.ended(cost, ran.then(|| self.started.elapsed()));
        let line = format!(
            "[{}/{}] {}/{}: {}{}",
            self.ended,
            self.cases,
            result.case.benchmark,
            result.case.id,
            ending(result),
            self.remaining()
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.estimate.steps());
                bar.set_message(line);
            }
            None => self.line(&line),
        }
    }

    /// Says something that is not to be overwritten.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => {
                // Standard error may be closed; the run goes on.
                let _ = Term::stderr().write_line(text);
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self, case: &Case, what: &str) {
        if let Some(bar) = &self.bar {
            let place = format!("[{}/{}]", self.ended + 1, self.cases);
            bar.set_message(format!("{place} {}/{}: {what}{}", case.benchmark, case.id, self.remaining()));
        }
    }

    fn remaining(&self) -> String {
        match self.estimate.remaining() {
            Some(left) if self.ended < self.cases => format!(" ({} left)", rounded(left)),
            _ => String::new(),
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
    // The default style stays if this template had a mistake; a test makes sure that it has none.
    match ProgressStyle::with_template(TEMPLATE) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

const TEMPLATE: &str = "{bar:24} {percent:>3} %  {wide_msg}";

/// How a case ended, in a few words.
fn ending(result: &CaseResult) -> String {
    match &result.outcome {
        Outcome::Measured(_) => {
            let own = metrics(result, std::slice::from_ref(result));
            own.get(&Metric::Seconds).map_or_else(|| "measured".to_owned(), |time| units::time(time.value))
        }
        Outcome::Skipped { reason } => format!("skipped, {reason}"),
        Outcome::Failed { error } => format!("failed, {error}"),
        Outcome::Invalid { why, .. } => format!("invalid, {why}"),
    }
}

/// A time as a person wants it: whole seconds or minutes.
fn rounded(left: Duration) -> String {
    match left.as_secs() {
        0 => "under 1 s".to_owned(),
        seconds @ 1..=99 => format!("about {seconds} s"),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}

/// The time that is left, from predicted costs and what the cases so far really took.
#[derive(Debug, Clone, PartialEq)]
struct Estimate {
    total_cost: f64,
    ended_cost: f64,
    /// Cost and time of the cases that ran to their end: skips and failures are no yardstick.
    yardstick: (f64, Duration),
}

impl Estimate {
    fn new(total_cost: f64) -> Self {
        Self { total_cost, ended_cost: 0.0, yardstick: (0.0, Duration::ZERO) }
    }

    fn ended(&mut self, cost: f64, took: Option<Duration>) {
        self.ended_cost += cost;
        if let Some(took) = took {
            self.yardstick.0 += cost;
            self.yardstick.1 += took;
        }
    }

    /// `None` until a case has run.
    fn remaining(&self) -> Option<Duration> {
        let (cost, took) = self.yardstick;
        let seconds = (self.total_cost - self.ended_cost).max(0.0) * took.as_secs_f64() / cost;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn steps(&self) -> u64 {
        let fraction = if self.total_cost > 0.0 { self.ended_cost / self.total_cost } else { 1.0 };
        (fraction * BAR_STEPS as f64).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bk_harness::outcome::{CaseResult, Outcome};
    use indicatif::ProgressStyle;

    use super::{BAR_STEPS, Estimate, TEMPLATE, ending, rounded};
    use crate::testing::case;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_known_before_a_case_has_run() {
        let mut estimate = Estimate::new(10.0);
        assert_eq!(estimate.remaining(), None);
        estimate.ended(1.0, None);
        assert_eq!(estimate.remaining(), None);
    }

    #[test]
    fn a_dear_case_weighs_more_than_a_cheap_one() {
        let mut estimate = Estimate::new(10.0);
        estimate.ended(1.0, Some(2 * SECOND));
        assert_eq!(estimate.remaining(), Some(18 * SECOND));
        assert_eq!(estimate.steps(), BAR_STEPS / 10);
    }

    #[test]
    fn a_skip_moves_the_bar_and_is_no_yardstick() {
        let mut estimate = Estimate::new(10.0);
        estimate.ended(5.0, None);
        estimate.ended(1.0, Some(SECOND));
        assert_eq!(estimate.remaining(), Some(4 * SECOND));
        assert_eq!(estimate.steps(), 6 * BAR_STEPS / 10);
    }

    #[test]
    fn costs_of_zero_are_no_reason_to_divide_by_them() {
        let mut estimate = Estimate::new(0.0);
        estimate.ended(0.0, Some(SECOND));
        assert_eq!(estimate.remaining(), None);
        assert_eq!(estimate.steps(), BAR_STEPS);
    }

    #[test]
    fn times_are_rounded_for_people() {
        let texts = [0.4, 1.0, 99.9, 100.0, 121.0].map(|seconds| rounded(Duration::from_secs_f64(seconds)));
        assert_eq!(texts, ["under 1 s", "about 1 s", "about 99 s", "about 2 min", "about 3 min"]);
    }

    #[test]
    fn the_bar_has_a_style() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn an_ending_gives_its_reason() {
        let outcome = Outcome::Failed { error: "out of memory".to_owned() };
        assert_eq!(ending(&CaseResult { case: case("cuda"), outcome }), "failed, out of memory");
    }
}
