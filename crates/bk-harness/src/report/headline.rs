//! All well? The answer that is read in ten seconds.

use crate::kpi::{Severity, Verdict};
use crate::outcome::{CaseResult, Outcome};
use crate::plan::HOST_TARGET;
use crate::record::{Run, Tally};

/// How a run stands, in the order in which it is told: what is worst is said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether all is well, something is wrong, or nothing is decided.
    pub(super) mood: Mood,
    /// The verdict.
    pub(super) verdict: String,
    /// The counts behind it.
    pub(super) counts: String,
}

/// All well, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    /// Everything that must hold does.
    Good,
    /// Nothing is known to be wrong, and not everything to be right.
    Undecided,
    /// Something is wrong.
    Bad,
}

/// One sentence in bold, and the counts behind it.
pub(super) fn headline(run: &Run) -> String {
    let Standing { verdict, counts, .. } = standing(run);
    format!("**{verdict}** {counts}\n")
}

/// How `run` stands.
pub(super) fn standing(run: &Run) -> Standing {
    let tally = Tally::of(&run.results);
    let kpis = |verdict| {
        run.kpis.iter().filter(|kpi| kpi.kpi.severity == Severity::Fail && kpi.verdict == verdict).count()
    };
    let (failed, inconclusive) = (kpis(Verdict::Fail), kpis(Verdict::Inconclusive));
    let judged = run.kpis.iter().filter(|kpi| kpi.verdict != Verdict::NotEvaluated).count();
    // In the order of the exit codes: what did not run, what is wrong, what is too slow, what is undecided.
    let (mood, verdict) = if tally.failed > 0 {
        (Mood::Bad, format!("{} did not run to its end.", count(tally.failed, "case")))
    } else if tally.invalid > 0 {
        let cases = count(tally.invalid, "case");
        (Mood::Bad, format!("{cases} cannot be trusted: a result or a time that cannot be true."))
    } else if failed > 0 {
        (Mood::Bad, format!("{} not met.", count(failed, "KPI")))
    } else if tally.measured == references(&run.results) {
        (Mood::Undecided, "Nothing was measured.".to_owned())
    } else if run.interrupted {
        (Mood::Undecided, "Interrupted: what follows is a part of the sweep.".to_owned())
    } else if inconclusive > 0 {
        let kpis = count(inconclusive, "KPI");
        (Mood::Undecided, format!("Undecided: {kpis} within the noise of the measurement."))
    } else if judged == 0 && !run.kpis.is_empty() {
        (Mood::Undecided, "Undecided: no KPI could be judged here.".to_owned())
    } else {
        (Mood::Good, "All well.".to_owned())
    };
    let passed = run.kpis.iter().filter(|kpi| kpi.verdict == Verdict::Pass).count();
    let counts = format!(
        "{} measured, each proven right before it was timed; {} skipped, {} failed, {} invalid{}; \
         {passed} of {} met{}.",
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
    );
    Standing { mood, verdict, counts }
}

/// Measured cases of the `host` reference, which by themselves are no result.
fn references(results: &[CaseResult]) -> usize {
    let measured = results.iter().filter(|result| matches!(result.outcome, Outcome::Measured(_)));
    measured.filter(|result| result.case.target == HOST_TARGET).count()
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
