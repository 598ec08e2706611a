//! Reports: text and figures that are functions of the recorded runs and of nothing else.

mod environment;
mod errors;
mod headline;
mod kpis;
mod markdown;
mod problems;
mod ranking;
mod results;
mod svg;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::case::{Case, WorkloadSpec};
use crate::device::DeviceClass;
use crate::record::Run;

pub use markdown::markdown;
pub use svg::{Figure, figures};

/// Name of a target in a report: one that is executed on the CPU says so.
fn target_label(run: &Run, target: &str) -> String {
    let device = run.targets.get(target).and_then(crate::record::TargetRecord::device);
    match device {
        Some(device) if device.class == DeviceClass::Software => format!("{target} (software)"),
        _ => target.to_owned(),
    }
}

/// Name of a case in a table: its id, and `software` where it is executed on the CPU.
fn case_label(run: &Run, case: &Case) -> String {
    let device = run.targets.get(&case.target).and_then(crate::record::TargetRecord::device);
    match device {
        Some(device) if device.class == DeviceClass::Software => format!("`{}` software", case.id),
        _ => format!("`{}`", case.id),
    }
}

/// Names of the benchmarks that have results, in the order in which they ran.
fn benchmarks(run: &Run) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for result in &run.results {
        if !names.contains(&result.case.benchmark.as_str()) {
            names.push(&result.case.benchmark);
        }
    }
    names
}

/// Cases with a name for the line on which they lie: what they have in common but `N`.
fn by_line<'a, T>(points: impl IntoIterator<Item = (&'a Case, T)>) -> BTreeMap<String, Vec<(usize, T)>> {
    let mut lines: BTreeMap<String, Vec<(usize, T)>> = BTreeMap::new();
    for (case, value) in points {
        let WorkloadSpec::BkCore(spec) = &case.workload;
        let line = case.id.replacen(&format!("-n{}/", spec.n), "/", 1);
        lines.entry(line).or_default().push((spec.n, value));
    }
    lines
}
