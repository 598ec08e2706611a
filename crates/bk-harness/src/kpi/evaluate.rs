//! KPIs against results.

use std::collections::BTreeMap;

use crate::device::{DeviceClass, DeviceInfo};
use crate::kpi::comparison::{Neighbours, Outlook};
use crate::kpi::judge;
use crate::kpi::{Aggregate, Bound, Kpi, KpiCase, KpiResult, MetricValue, Verdict, metrics};
use crate::outcome::{CaseResult, Outcome};

/// Judges every KPI on `results`. `devices` maps the name of a target to its device.
///
/// Skipped cases, and with [`Kpi::hardware_only`] those off hardware GPUs, leave a KPI undecided only if no
/// other case decides it. A case that failed or is invalid keeps a KPI from passing.
pub fn evaluate(
    kpis: &[Kpi],
    results: &[CaseResult],
    devices: &BTreeMap<String, DeviceInfo>,
) -> Vec<KpiResult> {
    let known: Vec<_> = results.iter().map(|result| metrics(result, results)).collect();
    kpis.iter()
        .map(|kpi| {
            let judged: Vec<Judged> = results
                .iter()
                .zip(&known)
                .filter(|(result, _)| kpi.condition.matches(&result.case))
                .filter(|(result, _)| {
                    kpi.metric.is_defined_for(&result.case, results.iter().map(|other| &other.case))
                })
                .filter_map(|(result, values)| {
                    let neighbours = Neighbours { results, values: &known };
                    let outlook = neighbours.outlook(kpi, result, values.get(&kpi.metric).copied())?;
                    Some(judge_case(kpi, result, outlook, devices))
                })
                .collect();
            conclude(kpi, judged)
        })
        .collect()
}

/// A case under a KPI, and what it means for the KPI as a whole.
struct Judged {
    case: KpiCase,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Has a value that counts.
    Counts,
    /// Should have one, but its measurement cannot be trusted or did not come about.
    Broken,
    /// Need not have one here.
    Absent,
}

fn judge_case(
    kpi: &Kpi,
    result: &CaseResult,
    outlook: Outlook,
    devices: &BTreeMap<String, DeviceInfo>,
) -> Judged {
    let margin = |value: &MetricValue| judge::margin(&kpi.judged(), kpi.unit(), kpi.bound, value);
    let (value, missing) = match outlook {
        Outlook::Value(value) => (Some(value), None),
        Outlook::Unknown => (None, None),
        Outlook::NothingToCompare { why, broken } => (None, Some((why, broken))),
    };
    let (verdict, standing, summary) = match (&result.outcome, value, off_hardware(kpi, result, devices)) {
        (Outcome::Skipped { reason }, ..) => {
            (Verdict::NotEvaluated, Standing::Absent, format!("skipped: {reason}"))
        }
        (_, _, Some(reason)) => (Verdict::NotEvaluated, Standing::Absent, reason),
        (Outcome::Failed { error }, ..) => {
            (Verdict::NotEvaluated, Standing::Broken, format!("failed: {error}"))
        }
        (Outcome::Invalid { why, .. }, value, _) => {
            // Its errors may still show a miss; nothing of it shows a pass.
            match value.filter(|value| kpi.bound.judge(value) == Verdict::Fail) {
                Some(value) => {
                    (Verdict::Fail, Standing::Counts, format!("{} (invalid: {why})", margin(&value)))
                }
                None => (Verdict::NotEvaluated, Standing::Broken, format!("invalid: {why}")),
            }
        }
        (Outcome::Measured(_), Some(value), _) => (kpi.bound.judge(&value), Standing::Counts, margin(&value)),
        (Outcome::Measured(_), None, _) if missing.is_some() => {
            let (why, broken) = missing.unwrap_or_default();
            let standing = if broken { Standing::Broken } else { Standing::Absent };
            (Verdict::NotEvaluated, standing, why)
        }
        // Where nothing measured it, none is missing.
        (Outcome::Measured(_), None, _) if kpi.metric.needs_the_device() => (
            Verdict::NotEvaluated,
            Standing::Absent,
            format!("there is no {} there: the device does not tell what it needs", kpi.metric.info().id),
        ),
        (Outcome::Measured(_), None, _) => (
            Verdict::NotEvaluated,
            Standing::Broken,
            format!("has no {}: its baseline has no time on a clock that both have", kpi.metric.info().id),
        ),
    };
    let case = KpiCase {
        benchmark: result.case.benchmark.clone(),
        id: result.case.id.clone(),
        value,
        verdict,
        summary,
    };
    Judged { case, standing }
}

fn off_hardware(kpi: &Kpi, result: &CaseResult, devices: &BTreeMap<String, DeviceInfo>) -> Option<String> {
    if !kpi.hardware_only {
        return None;
    }
    let what = match devices.get(&result.case.target).map(|device| device.class) {
        Some(DeviceClass::Gpu) => return None,
        Some(DeviceClass::Software) => "runs on the CPU behind a GPU interface",
        Some(DeviceClass::Cpu) => "is a CPU",
        None => "is of a kind that is not known",
    };
    Some(format!("judged on hardware GPUs only; {} {what}", result.case.target))
}

fn conclude(kpi: &Kpi, judged: Vec<Judged>) -> KpiResult {
    let counted: Vec<MetricValue> = judged
        .iter()
        .filter(|one| one.standing == Standing::Counts)
        .filter_map(|one| one.case.value)
        .collect();
    let broken = judged.iter().filter(|one| one.standing == Standing::Broken).count();
    let (verdict, summary, value, stretch) = match representative(kpi.aggregate, kpi.bound, &counted) {
        None => (Verdict::NotEvaluated, why_not(&judged), None, None),
        Some(value) => {
            let verdict = |bound: Bound| overall(kpi.aggregate, bound, &counted, broken);
            let decided = verdict(kpi.bound);
            let summary = in_words(kpi, &value, decided, &judged, broken);
            (decided, summary, Some(value), kpi.stretch.map(verdict))
        }
    };
    let cases = judged.into_iter().map(|one| one.case).collect();
    KpiResult { kpi: kpi.clone(), verdict, summary, value, stretch, cases }
}

/// The verdict on all values that count; a case that should count and cannot takes a pass away.
fn overall(aggregate: Aggregate, bound: Bound, counted: &[MetricValue], broken: usize) -> Verdict {
    let verdict = match aggregate {
        Aggregate::Each => {
            let verdicts: Vec<Verdict> = counted.iter().map(|value| bound.judge(value)).collect();
            [Verdict::Fail, Verdict::Inconclusive]
                .into_iter()
                .find(|verdict| verdicts.contains(verdict))
                .unwrap_or(Verdict::Pass)
        }
        _ => representative(aggregate, bound, counted)
            .map_or(Verdict::NotEvaluated, |value| bound.judge(&value)),
    };
    if verdict == Verdict::Pass && broken > 0 { Verdict::Inconclusive } else { verdict }
}

/// The one value that stands for all: the aggregate, or of `each` the one that decides.
fn representative(aggregate: Aggregate, bound: Bound, counted: &[MetricValue]) -> Option<MetricValue> {
    let first = *counted.first()?;
    let combine = |pick: fn(&[f64]) -> f64| {
        let of = |part: fn(&MetricValue) -> f64| {
            let mut parts: Vec<f64> = counted.iter().map(part).collect();
            parts.sort_by(f64::total_cmp);
            // Sorted to an end, it would be hidden by the smallest or the median.
            if parts.iter().any(|part| part.is_nan()) { f64::NAN } else { pick(&parts) }
        };
        MetricValue {
            value: of(|value| value.value),
            low: of(|value| value.low),
            high: of(|value| value.high),
            clock: first.clock,
        }
    };
    Some(match aggregate {
        // A failing value stands before an undecided one, whatever their distances.
        Aggregate::Each => *counted.iter().min_by(|a, b| {
            let rank = |value: &MetricValue| match bound.judge(value) {
                Verdict::Fail => 0,
                Verdict::Inconclusive | Verdict::NotEvaluated => 1,
                Verdict::Pass => 2,
            };
            rank(a).cmp(&rank(b)).then(bound.distance(a).total_cmp(&bound.distance(b)))
        })?,
        Aggregate::Min => combine(|sorted| sorted[0]),
        Aggregate::Max => combine(|sorted| sorted[sorted.len() - 1]),
        Aggregate::Median => combine(|sorted| crate::stats::quantile(sorted, 0.5)),
    })
}

fn in_words(kpi: &Kpi, value: &MetricValue, verdict: Verdict, judged: &[Judged], broken: usize) -> String {
    let margin = judge::margin(&kpi.judged(), kpi.unit(), kpi.bound, value);
    let counted = judged.iter().filter(|one| one.standing == Standing::Counts).count();
    let mut sentence = match kpi.aggregate {
        Aggregate::Each if counted == 1 => margin,
        Aggregate::Each => format!("the decisive one of {counted} cases: {margin}"),
        Aggregate::Min => format!("smallest of {counted}: {margin}"),
        Aggregate::Max => format!("largest of {counted}: {margin}"),
        Aggregate::Median => format!("median of {counted}: {margin}"),
    };
    if broken > 0 && verdict == Verdict::Inconclusive {
        sentence += &format!("; {broken} more failed or invalid, so it does not pass");
    }
    sentence
}

/// Why nothing could be judged: the distinct reasons of the cases.
fn why_not(judged: &[Judged]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for one in judged {
        if !reasons.contains(&one.case.summary.as_str()) {
            reasons.push(&one.case.summary);
        }
    }
    match reasons.as_slice() {
        [] => "no case of this run has it: the selection, --quick or --set left them or their baselines out"
            .to_owned(),
        [only] => (*only).to_owned(),
        [first, ..] => format!("{first} (and {} more reasons)", reasons.len() - 1),
    }
}
