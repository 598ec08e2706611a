//! What a run means: its exit code, from everything that it found out.

use bk_harness::kpi::{KpiResult, Severity, Verdict};
use bk_harness::outcome::Outcome;
use bk_harness::record::Run;

use crate::exit::Exit;

/// The gravest of what happened in `run`.
pub(crate) fn of(run: &Run) -> Exit {
    let outcomes = run.results.iter().map(|result| match result.outcome {
        Outcome::Measured(_) | Outcome::Skipped { .. } => Exit::Pass,
        // Only there to show its errors.
        Outcome::Invalid { .. } if result.is_reported() => Exit::Pass,
        Outcome::Failed { .. } => Exit::ExecutionFailed,
        Outcome::Invalid { .. } => Exit::WrongNumerics,
    });
    let interrupted = if run.interrupted { Exit::ExecutionFailed } else { Exit::Pass };
    Exit::gravest(outcomes).or(interrupted).or(evidence(run)).or(Exit::gravest(run.kpis.iter().map(kpi)))
}

/// Whether there is anything to base a verdict on: a run of skips, or one of whose KPIs none could be
/// judged, says nothing.
fn evidence(run: &Run) -> Exit {
    let measured = run.results.iter().any(|result| matches!(result.outcome, Outcome::Measured(_)));
    let judged = run.kpis.iter().any(|result| result.verdict != Verdict::NotEvaluated);
    if measured && (judged || run.kpis.is_empty()) { Exit::Pass } else { Exit::Inconclusive }
}

fn kpi(result: &KpiResult) -> Exit {
    match (result.kpi.severity, result.verdict) {
        (Severity::Fail, Verdict::Fail) => Exit::KpiFailed,
        (Severity::Fail, Verdict::Inconclusive) => Exit::Inconclusive,
        (Severity::Warn, _) | (_, Verdict::Pass | Verdict::NotEvaluated) => Exit::Pass,
    }
}
