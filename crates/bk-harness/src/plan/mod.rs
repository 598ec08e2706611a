//! The cases that a config stands for, in the order in which they run.

mod availability;
mod expand;
mod id;
mod phase2;
mod predict;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;
use thiserror::Error;

use crate::case::Case;
use crate::config::{Config, KNOWN_TARGETS};

pub use crate::baseline::HOST_TARGET;
pub use availability::exists_on;
pub(crate) use expand::{expand, point_count};
pub(crate) use id::problem_name;
pub use selection::check_target;

/// Every case of a run, ordered so that each (target, dtype) is one contiguous piece for one worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// In the order of the report: the `host` reference first.
    pub cases: Vec<PlannedCase>,
}

/// A case and what it is expected to cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedCase {
    /// What is run.
    pub case: Case,
    /// Why it is in the plan.
    pub role: Role,
    /// Bytes by arithmetic on the sizes alone: inputs and outputs of all input sets, or of a model its
    /// weights, activations and logits.
    pub predicted_memory_bytes: u64,
    /// A rough weight for the time that is left, in seconds: from the bytes and a guessed rate.
    pub predicted_seconds: f64,
}

/// Why a case is in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The config and the selection ask for it.
    Selected,
    /// The selection leaves it out, but a selected case's speedup is relative to it.
    Baseline,
}

/// Which part of a config runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these targets; baselines stay.
    pub targets: Option<Vec<String>>,
    /// Only cases where this regular expression matches in `BENCHMARK/ID`; the `host` reference stays.
    pub filter: Option<String>,
}

/// A selection that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// `--target` names none.
    #[error("there is no target `{name}`{suggestion}; targets are {known}")]
    UnknownTarget {
        /// What was asked for.
        name: String,
        /// `; did you mean ...?`, or empty.
        suggestion: String,
        /// What there is.
        known: String,
    },
    /// `--filter` is no regular expression.
    #[error("--filter `{pattern}` is not a regular expression: {reason}")]
    BadFilter {
        /// What was asked for.
        pattern: String,
        /// Of the parser.
        reason: String,
    },
    /// No case is left.
    #[error("no case of `{config}` is selected by {selection}; the config has {available}")]
    NothingSelected {
        /// Name of the config.
        config: String,
        /// The selection in words.
        selection: String,
        /// What there is to select from.
        available: String,
    },
}

impl Plan {
    /// Expands `config` and keeps what `selection` names.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn new(config: &Config, selection: &Selection) -> Result<Self, PlanError> {
        let engines: Vec<String> = config.engines.iter().map(|engine| engine.target.clone()).collect();
        Self::beside(config, selection, &engines)
    }

    /// As [`Plan::new`], for a config that runs together with others: a selection may name the target of
    /// any of `engines`.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn beside(config: &Config, selection: &Selection, engines: &[String]) -> Result<Self, PlanError> {
        let cases: Vec<Case> = config.benchmarks.iter().flat_map(expand).collect();
        let mut chosen = selection::select(config, cases, selection, engines)?;
        // Stable: within a (target, dtype) the order of the config stays.
        chosen.sort_by_key(|(case, _)| (target_rank(&case.target), case.target.clone(), case.dtype));
        let cases = chosen.into_iter().map(|(case, role)| PlannedCase::new(case, role)).collect();
        Ok(Self { cases })
    }

    /// Targets of the plan, without repetition.
    pub fn targets(&self) -> BTreeSet<&str> {
        self.cases.iter().map(|planned| planned.case.target.as_str()).collect()
    }

    /// Sum of the predicted times.
    pub fn predicted_seconds(&self) -> f64 {
        self.cases.iter().map(|planned| planned.predicted_seconds).sum()
    }
}

impl PlannedCase {
    fn new(case: Case, role: Role) -> Self {
        Self {
            predicted_memory_bytes: predict::memory_bytes(&case),
            predicted_seconds: predict::seconds(&case),
            case,
            role,
        }
    }
}

/// The reference first, since every speedup is relative to it; then the targets as documented.
fn target_rank(target: &str) -> usize {
    match target {
        HOST_TARGET => 0,
        _ => 1 + KNOWN_TARGETS.iter().position(|known| *known == target).unwrap_or(KNOWN_TARGETS.len()),
    }
}
