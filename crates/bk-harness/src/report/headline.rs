//! All well? The answer that is read in ten seconds.

use crate::kpi::{Severity, Verdict};
use crate::outcome::{CaseResult, Outcome};
use crate::plan::HOST_TARGET;
use crate::record::{Run, Tally};

/// One sentence in bold, and the counts behind it. What is worst is said first.
pub(super) fn headline(run: &Run) -> String {
    let tally = Tally::of(&run.results);
    let kpis = |verdict| {
        run.kpis.iter().filter(|kpi| kpi.kpi.severity == Severity::Fail && kpi.verdict == verdict).count()
    };
    let (failed, inconclusive) = (kpis(Verdict::Fail), kpis(Verdict::Inconclusive));
    let judged = run.kpis.iter().filter(|kpi| kpi.verdict != Verdict::NotEvaluated).count();
    // In the order of the exit codes: what did not run, what is wrong, what is too slow, what is undecided.
    let verdict = if tally.failed > 0 {
        format!("{} did not run to its end.", count(tally.failed, "case"))
    } else if tally.invalid > 0 {
        format!("{} cannot be trusted: a result or a time that cannot be true.", count(tally.invalid, "case"))
    } else if failed > 0 {
        format!("{} not met.", count(failed, "KPI"))
    } else if tally.measured == references(&run.results) {
        "Nothing was measured.".to_owned()
    } else if run.interrupted {
        "Interrupted: what follows is a part of the sweep.".to_owned()
    } else if inconclusive > 0 {
        format!("Undecided: {} within the noise of the measurement.", count(inconclusive, "KPI"))
    } else if judged == 0 && !run.kpis.is_empty() {
        "Undecided: no KPI could be judged here.".to_owned()
    } else {
        "All well.".to_owned()
    };
    let passed = run.kpis.iter().filter(|kpi| kpi.verdict == Verdict::Pass).count();
    format!(
        "**{verdict}** {} measured, each proven right before it was timed; {} skipped, {} failed, {} invalid{}; \
         {passed} of {} met{}.\n",
        count(tally.measured, "case"),
        tally.skipped,
        tally.failed,
        tally.invalid,
        match tally.reported {
            0 => String::new(),
            others => format!(", {others} wrong as may be"),
        },
        count(judged, "judged KPI"),
        match run.kpis.len() - judged {
            0 => String::new(),
            others => format!(", {} not evaluated", count(others, "KPI")),
        }
    )
}

/// Measured cases of the `host` reference, which by themselves are no result.
fn references(results: &[CaseResult]) -> usize {
    let measured = results.iter().filter(|result| matches!(result.outcome, Outcome::Measured(_)));
    measured.filter(|result| result.case.target == HOST_TARGET).count()
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
