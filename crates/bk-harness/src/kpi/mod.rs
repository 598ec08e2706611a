//! What must hold of the results, and whether it does.
//!
//! A [`Kpi`] bounds one [`Metric`] of the cases that its condition matches. The verdict looks at the
//! metric's 95 % interval and not at its value alone: an interval on both sides of the bound decides
//! nothing. A case without a trustworthy number never passes.

mod catalogue;
mod comparison;
mod evaluate;
mod judge;
mod metrics;
#[cfg(test)]
mod model_tests;
mod models;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

pub use catalogue::{Direction, MetricInfo, Unit};
pub use comparison::{Comparison, GrowthAxis};
pub use evaluate::evaluate;
pub(crate) use metrics::{COMPARABLE, ratio_of_times, ratio_on};
pub use metrics::{Metric, MetricValue, metrics};

/// A bound on a metric of some cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kpi {
    /// Unique within the config.
    pub name: String,
    /// What is bounded.
    pub metric: Metric,
    /// Of which cases.
    #[serde(rename = "where")]
    pub condition: Condition,
    /// Compared with what, where it is not the metric itself that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// By what.
    pub bound: Bound,
    /// A harder bound whose miss is a warning.
    pub stretch: Option<Bound>,
    /// Whether each case is judged, or one figure of them all.
    pub aggregate: Aggregate,
    /// What a miss means for the run.
    pub severity: Severity,
    /// Judge hardware GPUs only.
    pub hardware_only: bool,
}

/// On which side of a value a metric must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Not below.
    AtLeast(f64),
    /// Not above.
    AtMost(f64),
}

/// What of several cases is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// Every case by itself; the worst verdict counts.
    #[default]
    Each,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The median of the values.
    Median,
}

/// What a missed KPI means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The run fails.
    #[default]
    Fail,
    /// The report says so.
    Warn,
}

/// What became of a KPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval is on the right side of the bound.
    Pass,
    /// The whole interval is on the wrong side.
    Fail,
    /// The interval is on both sides, or a case that should count has no trustworthy value.
    Inconclusive,
    /// Nothing could be judged.
    NotEvaluated,
}

/// A KPI and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KpiResult {
    /// The KPI.
    pub kpi: Kpi,
    /// Over all its cases.
    pub verdict: Verdict,
    /// One sentence: by how much it is met or missed, or why it could not be judged.
    pub summary: String,
    /// The aggregate; for `each` the value nearest to missing the bound, or furthest beyond it.
    pub value: Option<MetricValue>,
    /// Against the harder bound, where there is one.
    pub stretch: Option<Verdict>,
    /// Each case that the KPI is about.
    pub cases: Vec<KpiCase>,
}

/// One case under a KPI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KpiCase {
    /// Name of its benchmark.
    pub benchmark: String,
    /// Id of the case.
    pub id: String,
    /// The metric, where the case has it.
    pub value: Option<MetricValue>,
    /// Of this case alone.
    pub verdict: Verdict,
    /// One sentence: the margin to the bound, or why there is none.
    pub summary: String,
}
