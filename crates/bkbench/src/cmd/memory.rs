//! `bkbench memory configs/kpi.toml`: what the models of a config need by prediction, and whether it fits the
//! devices of this machine. With `--find-max` also the largest N that runs, found by running.

use std::collections::BTreeSet;

use bk_harness::case::{Case, WorkloadSpec};
use bk_harness::environment::Environment;
use bk_harness::models::{AnalyticBytes, refusal};
use bk_harness::units;
use serde::Serialize;

use super::pool;
use super::run::build_info;
use crate::cli::MemoryArgs;
use crate::error::Error;
use crate::execute::Targets;
use crate::exit::Exit;
use crate::find_max::{Found, find_max};
use crate::output;
use crate::pool::{Interrupted, WorkerSettings};
use crate::sweep::{self, Sweep};

/// A case and what it needs.
#[derive(Debug, Serialize)]
struct Need {
    config: String,
    id: String,
    bytes: AnalyticBytes,
    total_bytes: u64,
    /// Why it cannot run here; absent where it may.
    refusal: Option<String>,
}

/// Both tables, for `--json`.
#[derive(Debug, Serialize)]
struct Tables {
    needs: Vec<Need>,
    largest: Vec<Found>,
}

pub(crate) fn run(arguments: &MemoryArgs) -> Result<Exit, Error> {
    let mut sweeps = Sweep::load_all(&arguments.sweep)?;
    for sweep in &mut sweeps {
        let about_memory = |case: &Case| matches!(case.workload, WorkloadSpec::Phase2Memory(_));
        sweep.plan.cases.retain(|planned| about_memory(&planned.case));
    }
    sweeps.retain(|sweep| !sweep.plan.cases.is_empty());
    if sweeps.is_empty() {
        return Err(Error::NoMemory);
    }
    let pool = pool(&arguments.programs, &sweep::engines(&sweeps)?)?;
    let targets = Targets::probe(&pool, &sweeps).map_err(|Interrupted| Error::Interrupted)?;
    let environment = Environment::capture(build_info(), std::env::args());
    let needs = needs(&sweeps, &targets, &environment);
    let mut largest = Vec::new();
    if arguments.find_max {
        for sweep in &sweeps {
            let settings = WorkerSettings::new(&sweep.config.runtime);
            for case in one_of_each(sweep) {
                let Some(device) = targets.device(&case.target) else { continue };
                let found =
                    find_max(&pool, &settings, &case, device, environment.memory_bytes, arguments.limit);
                largest.push(found.map_err(|Interrupted| Error::Interrupted)?);
            }
        }
    }
    // Looked for and nowhere found is no answer.
    let answered = !arguments.find_max || largest.iter().any(|found| found.largest.is_some());
    if arguments.json {
        output::json(&Tables { needs, largest })?;
    } else {
        output::text(&format!("{}\n{}", needs_table(&needs), largest_table(&largest)))?;
    }
    Ok(if answered { Exit::Pass } else { Exit::Inconclusive })
}

fn needs(sweeps: &[Sweep], targets: &Targets, environment: &Environment) -> Vec<Need> {
    let planned = sweeps.iter().flat_map(|sweep| sweep.plan.cases.iter().map(move |case| (sweep, case)));
    planned
        .filter_map(|(sweep, planned)| {
            let case = &planned.case;
            let bytes = AnalyticBytes::of(case.workload.phase2()?, case.dtype);
            let refusal = match targets.device(&case.target) {
                Some(device) => refusal(case, device, environment.memory_bytes),
                None => Some("the target is not on this machine; `bkbench devices` tells why".to_owned()),
            };
            let (config, id) = (sweep.config.name.clone(), case.id.clone());
            Some(Need { config, id, bytes, total_bytes: bytes.total(), refusal })
        })
        .collect()
}

/// Of the cases that differ in `N` alone the first: the largest `N` is the same for all of them.
fn one_of_each(sweep: &Sweep) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    let cases = sweep.plan.cases.iter().map(|planned| planned.case.clone());
    let without_n = |case: &Case| case.id.replacen(&format!("-n{}/", case.workload.n()), "/", 1);
    cases.filter(|case| seen.insert(without_n(case))).collect()
}

fn needs_table(needs: &[Need]) -> String {
    let mut table = output::table(["case", "weights", "activations", "logits", "total", ""]);
    for need in needs {
        let bytes = |bytes: u64| units::bytes(bytes as f64);
        table.add_row([
            need.id.clone(),
            bytes(need.bytes.weights),
            bytes(need.bytes.activations),
            bytes(need.bytes.logits),
            bytes(need.total_bytes),
            need.refusal.clone().unwrap_or_else(|| "fits by prediction".to_owned()),
        ]);
    }
    table.trim_fmt()
}

fn largest_table(largest: &[Found]) -> String {
    if largest.is_empty() {
        return String::new();
    }
    let mut table = output::table(["case", "largest N", "peak in use", "next", "why not"]);
    for found in largest {
        let number = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        table.add_row([
            found.id.clone(),
            number(found.largest),
            found.peak_bytes.map_or_else(|| "-".to_owned(), |bytes| units::bytes(bytes as f64)),
            number(found.smallest_that_failed),
            found.why.clone().unwrap_or_default(),
        ]);
    }
    table.trim_fmt()
}
