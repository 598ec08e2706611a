//! Which cases `--target` and `--filter` leave, and which stay because others are relative to them.

use regex::Regex;

use crate::baseline::{Baseline, HOST_TARGET, implementation};
use crate::case::{Case, Implementation};
use crate::config::{Config, KNOWN_TARGETS, did_you_mean};
use crate::plan::{PlanError, Role, Selection};

/// The cases that run, each with the reason.
pub(super) fn select(
    config: &Config,
    cases: Vec<Case>,
    selection: &Selection,
    engines: &[String],
) -> Result<Vec<(Case, Role)>, PlanError> {
    selection.targets.iter().flatten().try_for_each(|name| check_target(name, engines))?;
    let filter = compile(selection)?;
    let named = |case: &Case| match &filter {
        Some(filter) => filter.is_match(&format!("{}/{}", case.benchmark, case.id)),
        None => true,
    };
    let on_target = |case: &Case| match &selection.targets {
        Some(targets) => targets.contains(&case.target),
        None => true,
    };
    let selected: Vec<bool> = cases.iter().map(|case| named(case) && on_target(case)).collect();
    if !selected.contains(&true) {
        return Err(nothing_selected(config, &cases, selection));
    }

    let is_baseline = |candidate: &Case| {
        let kept = match implementation(candidate) {
            Some(Implementation::Host) => Some(Baseline::Host),
            // Lost to `--target` only: a filter that leaves `native` out means to.
            Some(Implementation::Native) if named(candidate) => Some(Baseline::Native),
            _ => None,
        };
        kept.is_some_and(|baseline| {
            cases.iter().zip(&selected).any(|(case, selected)| *selected && baseline.serves(candidate, case))
        })
    };
    let roles: Vec<Option<Role>> = cases
        .iter()
        .zip(&selected)
        .map(|(case, selected)| match selected {
            true => Some(Role::Selected),
            false => is_baseline(case).then_some(Role::Baseline),
        })
        .collect();
    Ok(cases.into_iter().zip(roles).filter_map(|(case, role)| Some((case, role?))).collect())
}

/// Whether `name` is a target that the command line can name: one of `bkbench` itself or of `engines`.
///
/// # Errors
/// [`PlanError::UnknownTarget`]
pub fn check_target(name: &str, engines: &[String]) -> Result<(), PlanError> {
    let known = || KNOWN_TARGETS.into_iter().chain(engines.iter().map(String::as_str));
    if name == HOST_TARGET || known().any(|target| target == name) {
        return Ok(());
    }
    let suggestion =
        did_you_mean(name, known()).map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    let known = known().collect::<Vec<_>>().join(", ");
    Err(PlanError::UnknownTarget { name: name.to_owned(), suggestion, known })
}

fn compile(selection: &Selection) -> Result<Option<Regex>, PlanError> {
    let Some(pattern) = &selection.filter else { return Ok(None) };
    Regex::new(pattern).map(Some).map_err(|error| {
        // The parser's message is a drawing of several lines that ends in its reason.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned();
        PlanError::BadFilter { pattern: pattern.clone(), reason }
    })
}

fn nothing_selected(config: &Config, cases: &[Case], selection: &Selection) -> PlanError {
    let mut asked = Vec::new();
    if let Some(targets) = &selection.targets {
        asked.push(format!("--target {}", targets.join(", ")));
    }
    if let Some(filter) = &selection.filter {
        asked.push(format!("--filter `{filter}`"));
    }
    let mut targets: Vec<&str> = Vec::new();
    for case in cases {
        if !targets.contains(&case.target.as_str()) {
            targets.push(&case.target);
        }
    }
    let example =
        cases.last().map_or_else(String::new, |case| format!(", such as `{}/{}`", case.benchmark, case.id));
    PlanError::NothingSelected {
        config: config.name.clone(),
        selection: asked.join(" with "),
        available: format!("{} cases on {}{example}", cases.len(), targets.join(", ")),
    }
}
