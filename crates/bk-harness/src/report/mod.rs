//! Reports: text and figures that are functions of the recorded runs and of nothing else.

mod comprehensive;
mod details;
mod embedded;
mod environment;
mod errors;
mod headline;
mod html;
mod kpis;
mod markdown;
mod models;
mod problems;
mod ranking;
mod results;
mod svg;
mod table;
#[cfg(test)]
mod tests;

use crate::case::Case;
use crate::device::DeviceClass;
use crate::record::Run;

pub use comprehensive::Comprehensive;
pub use embedded::{EmbeddedError, with_kpi_tables};
pub use html::{HtmlError, html};
pub use markdown::{markdown, suite_markdown};
pub use svg::{Figure, figures};

/// Name of a target in a report: one that is executed on the CPU says so.
fn target_label(run: &Run, target: &str) -> String {
    let device = run.targets.get(target).and_then(crate::record::TargetRecord::device);
    match device {
        Some(device) if device.class == DeviceClass::Software => format!("{target} (software)"),
        _ => target.to_owned(),
    }
}

/// Name of a case in a table: its id, `software` where it is executed on the CPU, and the type that it
/// stands for where the config allowed another.
fn case_label(run: &Run, case: &Case) -> String {
    let device = run.targets.get(&case.target).and_then(crate::record::TargetRecord::device);
    let mut label = format!("`{}`", case.id);
    if device.is_some_and(|device| device.class == DeviceClass::Software) {
        label += " software";
    }
    if let Some(asked) = case.workload.phase2().and_then(|spec| spec.asked_dtype) {
        label += &format!(" in {} instead of {}", case.dtype.name(), asked.name());
    }
    label
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
