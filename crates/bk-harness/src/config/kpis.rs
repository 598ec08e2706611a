//! From the `[[kpi]]` tables to validated [`Kpi`]s.

use crate::case::Case;
use crate::condition::Condition;
use crate::config::conditions::condition;
use crate::config::engines::Names;
use crate::config::source::Problems;
use crate::config::spanned::At;
use crate::config::values;
use crate::config::wire::KpiTable;
use crate::device::{WGPU_TARGET, WGSL_TARGET};
use crate::kpi::{Bound, Comparison, Kpi, Metric};

/// The KPI that `table` states; absent if anything is wrong, which is then noted.
pub(super) fn kpi(table: &KpiTable, names: &Names<'_>, problems: &mut Problems) -> Option<Kpi> {
    let before = problems.noted();
    if table.name.get().trim().is_empty() {
        problems.add(table.name.span(), "the name of this KPI is empty");
    }
    let metric = values::choice(&table.metric, "metric", problems);
    let condition = match &table.condition {
        Some(table) => condition(table.get(), names, problems),
        None => Condition::default(),
    };
    let bound = bound(table, problems);
    let stretch = bound.and_then(|bound| stretch(table, bound, problems));
    let comparison = comparison(table, names, problems);
    let aggregate = table.aggregate.as_ref().and_then(|name| values::choice(name, "aggregate", problems));
    let severity = table.severity.as_ref().and_then(|name| values::choice(name, "severity", problems));
    if problems.noted() > before {
        return None;
    }
    Some(Kpi {
        name: table.name.get().clone(),
        metric: metric?,
        condition,
        comparison,
        bound: bound?,
        stretch,
        aggregate: aggregate.unwrap_or_default(),
        severity: severity.unwrap_or_default(),
        hardware_only: table.hardware_only.unwrap_or(false),
    })
}

fn comparison(table: &KpiTable, names: &Names<'_>, problems: &mut Problems) -> Option<Comparison> {
    match (&table.relative_to, &table.grows_with) {
        (None, None) => None,
        (Some(fields), None) => Some(Comparison::RelativeTo(condition(fields.get(), names, problems))),
        (None, Some(axis)) => values::choice(axis, "axis", problems).map(Comparison::GrowsWith),
        (Some(_), Some(axis)) => {
            problems.add_with_help(
                axis.span(),
                format!(
                    "the KPI `{}` has two comparisons; expected `relative_to` or `grows_with`",
                    table.name.get()
                ),
                "make it two KPIs",
            );
            None
        }
    }
}

fn bound(table: &KpiTable, problems: &mut Problems) -> Option<Bound> {
    let finite = |value: &At<f64>, key: &str, problems: &mut Problems| {
        values::number(value, key, "a finite number", |_| true, problems)
    };
    match (&table.at_least, &table.at_most) {
        (Some(least), None) => finite(least, "at_least", problems).map(Bound::AtLeast),
        (None, Some(most)) => finite(most, "at_most", problems).map(Bound::AtMost),
        (None, None) => {
            problems.add_with_help(
                table.name.span(),
                format!("the KPI `{}` has no bound", table.name.get()),
                "add `at_least` or `at_most`",
            );
            None
        }
        (Some(_), Some(most)) => {
            problems.add_with_help(
                most.span(),
                format!("the KPI `{}` has two bounds; expected `at_least` or `at_most`", table.name.get()),
                "make it two KPIs",
            );
            None
        }
    }
}

fn stretch(table: &KpiTable, bound: Bound, problems: &mut Problems) -> Option<Bound> {
    let value = table.stretch.as_ref()?;
    let stretch = values::number(value, "stretch", "a finite number", |_| true, problems)?;
    let (harder, expected) = match bound {
        Bound::AtLeast(least) => (stretch > least, format!("more than {least}")),
        Bound::AtMost(most) => (stretch < most, format!("less than {most}")),
    };
    if !harder {
        problems.add(
            value.span(),
            format!("`stretch` is {stretch}, which the bound implies; expected {expected}"),
        );
    }
    Some(match bound {
        Bound::AtLeast(_) => Bound::AtLeast(stretch),
        Bound::AtMost(_) => Bound::AtMost(stretch),
    })
}

/// Notes a KPI that could never be judged: one that is about no case of the file as written, or about a
/// metric that none of its cases has.
pub(super) fn check_reach(table: &KpiTable, kpi: &Kpi, cases: &[Case], problems: &mut Problems) {
    let matching: Vec<&Case> = cases.iter().filter(|case| reaches(kpi, case)).collect();
    if matching.is_empty() {
        let span = table.condition.as_ref().map_or_else(|| table.name.span(), At::span);
        problems.add_with_help(
            span,
            format!("the KPI `{}` is about no case of this file, so it could never be judged", kpi.name),
            "compare its `where` with what `bkbench plan` lists",
        );
    } else if !matching.iter().any(|case| kpi.metric.is_defined_for(case, cases)) {
        problems.add_with_help(
            table.metric.span(),
            format!("no case that the KPI `{}` is about has the metric `{}`", kpi.name, kpi.metric.info().id),
            missing_metric_help(kpi.metric),
        );
    } else if let Some(comparison) = &kpi.comparison
        && !matching.iter().any(|case| comparison.has_counterpart(case, cases))
    {
        problems.add_with_help(
            table.relative_to.as_ref().map_or_else(|| table.metric.span(), At::span),
            format!("no case that the KPI `{}` is about has another one to be compared with", kpi.name),
            "a comparison needs a second case of the same benchmark that differs in the named fields alone",
        );
    }
}

/// Whether the KPI is about `case`, or about what it is called in a build that compiles WGSL.
fn reaches(kpi: &Kpi, case: &Case) -> bool {
    let in_wgsl_build = || Case { target: WGSL_TARGET.to_owned(), ..case.clone() };
    kpi.condition.matches(case) || (case.target == WGPU_TARGET && kpi.condition.matches(&in_wgsl_build()))
}

fn missing_metric_help(metric: Metric) -> &'static str {
    match metric {
        Metric::SpeedupVsTensor => {
            "it needs `tensor` among the implementations of the same benchmark and target"
        }
        Metric::SpeedupVsNative => {
            "it needs `native` among the implementations and `ndarray` among the targets of the same benchmark"
        }
        metric if metric.belongs_to_models() => {
            "it is a metric of the model: phase2-throughput has tokens and operations, phase2-memory bytes, \
             and parts of a launch need the mode forward-backward"
        }
        Metric::ElementsPerSecond | Metric::BytesPerSecond | Metric::CopyFraction => {
            "it is a metric of the kind bk-core"
        }
        Metric::Seconds => "a memory case has no times",
        _ => "the `host` reference has times only: it is what errors and speedups are relative to",
    }
}
