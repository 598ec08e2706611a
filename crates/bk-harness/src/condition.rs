//! Which cases a rule is about: the `where` of a KPI and the `exclude` of a benchmark.
//!
//! A condition is a table of fields, all of which must hold. A value is matched by equality, a string
//! that starts with a comparison by order (`">=2048"`, `"<512"`, `"!=4096"`), `"256..4096"` by a
//! half-open and `"256..=4096"` by a closed range, and a list when any of its entries holds.

mod matcher;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{BkCoreSpec, Case, Phase2Spec, WorkloadSpec};
use crate::device::{WGPU_TARGET, WGSL_TARGET};

pub use matcher::{BadTest, Comparison, Matcher, MatcherScalar, MatcherValue, Test};

/// Fields that must all hold; an empty condition matches every case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Condition {
    /// What must hold of each field.
    pub fields: BTreeMap<Field, Matcher>,
}

/// What a condition can ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Name of the `[[benchmark]]` table.
    Benchmark,
    /// Kind of the benchmark: `bk-core`, `phase2-throughput`, `phase2-memory`.
    Kind,
    /// Where the case runs: `cuda`, ..., and `host` for the reference.
    Target,
    /// What computes it.
    Implementation,
    /// Storage type.
    Dtype,
    /// Rows `B`.
    Batch,
    /// Sites a row `N`.
    N,
    /// Algorithm of the kernel; `auto` for other implementations.
    Strategy,
    /// Input family.
    Family,
    /// Layout of the off-diagonals.
    Couplings,
    /// Seed of the inputs.
    Seed,
    /// Re z, where the benchmark names `z`; a case with its family's own `z` does not match.
    ZRe,
    /// Im z, as `z_re`.
    ZIm,
    /// Sizes of the model.
    Preset,
    /// What a launch of the model does.
    Mode,
    /// Vocabulary of the model, where the benchmark names one.
    Vocabulary,
}

impl Field {
    /// Every field, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Benchmark,
        Self::Kind,
        Self::Target,
        Self::Implementation,
        Self::Dtype,
        Self::Batch,
        Self::N,
        Self::Strategy,
        Self::Family,
        Self::Couplings,
        Self::Seed,
        Self::ZRe,
        Self::ZIm,
        Self::Preset,
        Self::Mode,
        Self::Vocabulary,
    ];

    /// Name as written in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Benchmark => "benchmark",
            Self::Kind => "kind",
            Self::Target => "target",
            Self::Implementation => "implementation",
            Self::Dtype => "dtype",
            Self::Batch => "batch",
            Self::N => "n",
            Self::Strategy => "strategy",
            Self::Family => "family",
            Self::Couplings => "couplings",
            Self::Seed => "seed",
            Self::ZRe => "z_re",
            Self::ZIm => "z_im",
            Self::Preset => "preset",
            Self::Mode => "mode",
            Self::Vocabulary => "vocabulary",
        }
    }

    /// Whether the field is a number, so that it can be compared by order.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Batch | Self::N | Self::Seed | Self::ZRe | Self::ZIm | Self::Vocabulary)
    }

    fn of(self, case: &Case) -> Option<FieldValue<'_>> {
        let number = |value: usize| FieldValue::Number(value as f64);
        Some(match self {
            Self::Benchmark => FieldValue::Text(&case.benchmark),
            Self::Kind => FieldValue::Text(case.workload.kind_name()),
            Self::Target => FieldValue::Text(&case.target),
            Self::Dtype => FieldValue::Text(case.dtype.name()),
            Self::Batch => number(case.workload.batch()),
            Self::N => number(case.workload.n()),
            _ => {
                return match &case.workload {
                    WorkloadSpec::BkCore(spec) => self.of_bk_core(spec),
                    WorkloadSpec::Phase2Throughput(spec) | WorkloadSpec::Phase2Memory(spec) => {
                        self.of_phase2(spec)
                    }
                };
            }
        })
    }

    fn of_bk_core(self, spec: &BkCoreSpec) -> Option<FieldValue<'static>> {
        Some(match self {
            Self::Implementation => FieldValue::Text(spec.implementation.name()),
            Self::Strategy => FieldValue::Text(spec.strategy.name()),
            Self::Family => FieldValue::Text(spec.family.name()),
            Self::Couplings => FieldValue::Text(spec.couplings.name()),
            Self::Seed => FieldValue::Number(spec.seed as f64),
            Self::ZRe => FieldValue::Single(spec.z?[0]),
            Self::ZIm => FieldValue::Single(spec.z?[1]),
            _ => return None,
        })
    }

    fn of_phase2(self, spec: &Phase2Spec) -> Option<FieldValue<'static>> {
        Some(match self {
            Self::Preset => FieldValue::Text(spec.preset.name()),
            Self::Mode => FieldValue::Text(spec.mode.name()),
            Self::Vocabulary => FieldValue::Number(spec.vocabulary? as f64),
            Self::Seed => FieldValue::Number(spec.seed as f64),
            _ => return None,
        })
    }

    /// Whether both cases have the same value of this field, or both have none.
    pub(crate) fn agrees(self, a: &Case, b: &Case) -> bool {
        self.of(a) == self.of(b)
    }
}

#[derive(PartialEq)]
enum FieldValue<'a> {
    Text(&'a str),
    Number(f64),
    /// Stored in single precision, so compared there: `0.1` in a config is `0.1` in a case.
    Single(f32),
}

/// Whether `test` asks for the wgpu target and `value` is what a build that compiles WGSL calls it in its results.
fn asks_for_wgsl_as_wgpu(test: &Test, field: Field, value: &str) -> bool {
    let is_wgpu = matches!(test, Test::Is(name) if name == WGPU_TARGET);
    field == Field::Target && value == WGSL_TARGET && is_wgpu
}

impl Condition {
    /// Whether every field holds for `case`.
    pub fn matches(&self, case: &Case) -> bool {
        self.fields.iter().all(|(field, matcher)| match field.of(case) {
            Some(FieldValue::Text(text)) => matcher
                .tests
                .iter()
                .any(|test| test.holds_for_text(text) || asks_for_wgsl_as_wgpu(test, *field, text)),
            Some(FieldValue::Number(number)) => matcher.tests.iter().any(|test| test.holds_for(number)),
            Some(FieldValue::Single(number)) => {
                matcher.tests.iter().any(|test| test.in_single_precision().holds_for(f64::from(number)))
            }
            None => false,
        })
    }

    /// Whether the condition asks about `field`.
    pub fn names(&self, field: Field) -> bool {
        self.fields.contains_key(&field)
    }
}
