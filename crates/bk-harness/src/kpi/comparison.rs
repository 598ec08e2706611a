//! KPIs on what one case is to another: a ratio, or growth along an axis.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::condition::{Condition, Field};
use crate::kpi::{Kpi, Metric, MetricValue, Unit};
use crate::outcome::{CaseResult, Outcome};

/// What the metric of a case is divided by before the bound is looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The metric of the case that fits the condition and agrees in all fields that it does not name.
    RelativeTo(Condition),
    /// The metric of the case with the next smaller value of the axis that agrees in all other fields.
    /// The first of such a series is not judged.
    GrowsWith(GrowthAxis),
}

/// Axes along which a metric can be asked to grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrowthAxis {
    /// Rows `B`.
    Batch,
    /// Tokens or sites a row, `N`.
    N,
}

impl GrowthAxis {
    fn field(self) -> Field {
        match self {
            Self::Batch => Field::Batch,
            Self::N => Field::N,
        }
    }

    fn of(self, case: &Case) -> usize {
        match self {
            Self::Batch => case.workload.batch(),
            Self::N => case.workload.n(),
        }
    }
}

impl Comparison {
    /// The one of `others` that `case` is compared with.
    fn counterpart<'a>(&self, case: &Case, others: impl Iterator<Item = &'a Case>) -> Option<&'a Case> {
        match self {
            Self::RelativeTo(condition) => {
                let mut fit = others.filter(|other| {
                    condition.matches(other) && agree(case, other, |field| condition.names(field))
                });
                fit.find(|other| *other != case)
            }
            Self::GrowsWith(axis) => others
                .filter(|other| axis.of(other) < axis.of(case))
                .filter(|other| agree(case, other, |field| field == axis.field()))
                .max_by_key(|other| axis.of(other)),
        }
    }

    /// Whether `case` has something to be compared with.
    pub(crate) fn has_counterpart(&self, case: &Case, others: &[Case]) -> bool {
        self.counterpart(case, others.iter()).is_some()
    }

    /// In words, behind the name of a metric.
    fn in_words(&self) -> String {
        match self {
            Self::RelativeTo(condition) => {
                let fields: Vec<String> = condition
                    .fields
                    .iter()
                    .map(|(field, matcher)| {
                        let tests: Vec<String> = matcher.tests.iter().map(ToString::to_string).collect();
                        format!("{} {}", field.name(), tests.join(" or "))
                    })
                    .collect();
                format!("over that with {}", fields.join(", "))
            }
            Self::GrowsWith(axis) => format!("over that of the next smaller {}", axis.field().name()),
        }
    }
}

/// Whether two cases have the same value of every field but those that `differ`.
fn agree(a: &Case, b: &Case, differ: impl Fn(Field) -> bool) -> bool {
    Field::ALL.into_iter().all(|field| differ(field) || field.agrees(a, b))
}

impl Kpi {
    /// What is bounded, in words.
    pub(crate) fn judged(&self) -> String {
        let metric = self.metric.info().id;
        match &self.comparison {
            None => metric.to_owned(),
            Some(comparison) => format!("{metric} {}", comparison.in_words()),
        }
    }

    /// Unit of the bound.
    pub fn unit(&self) -> Unit {
        match self.comparison {
            None => self.metric.info().unit,
            Some(_) => Unit::Factor,
        }
    }
}

/// What is known of the value that a KPI judges.
pub(super) enum Outlook {
    /// It is known.
    Value(MetricValue),
    /// The case has no such metric.
    Unknown,
    /// The case has it, and what it is to be compared with has not.
    NothingToCompare {
        /// Why.
        why: String,
        /// Whether it should have it.
        broken: bool,
    },
}

/// All results of a run with their metrics.
pub(super) struct Neighbours<'a> {
    pub(super) results: &'a [CaseResult],
    pub(super) values: &'a [BTreeMap<Metric, MetricValue>],
}

impl Neighbours<'_> {
    /// The value of `result` under `kpi`, whose metric is `own`; `None` where the case starts a series and
    /// is not judged.
    pub(super) fn outlook(
        &self,
        kpi: &Kpi,
        result: &CaseResult,
        own: Option<MetricValue>,
    ) -> Option<Outlook> {
        let Some(comparison) = &kpi.comparison else {
            return Some(own.map_or(Outlook::Unknown, Outlook::Value));
        };
        let counterpart = comparison.counterpart(&result.case, self.results.iter().map(|other| &other.case));
        let Some(counterpart) = counterpart else {
            let why = format!("no case of this run is the same {}", comparison.in_words());
            return match comparison {
                Comparison::GrowsWith(_) => None,
                Comparison::RelativeTo(_) => Some(Outlook::NothingToCompare { why, broken: false }),
            };
        };
        let position = self.results.iter().position(|other| other.case == *counterpart)?;
        let other = self.values[position].get(&kpi.metric);
        Some(match (own, other) {
            (None, _) => Outlook::Unknown,
            (Some(own), Some(other)) => Outlook::Value(ratio(own, other)),
            (Some(_), None) => {
                let broken = !matches!(self.results[position].outcome, Outcome::Skipped { .. });
                let why =
                    format!("{}, which it is compared with, has no {}", counterpart.id, kpi.metric.info().id);
                Outlook::NothingToCompare { why, broken }
            }
        })
    }
}

/// The quotient, with the widest interval that the two allow.
fn ratio(above: MetricValue, below: &MetricValue) -> MetricValue {
    MetricValue {
        value: above.value / below.value,
        low: above.low / below.high,
        high: above.high / below.low,
        clock: above.clock,
    }
}
