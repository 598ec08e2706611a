//! Everything about one case, for a reader who asks how its number came about.

use super::html::{escaped, inline};
use super::table::Table;
use crate::kpi::metrics;
use crate::memory::MemoryMeasurement;
use crate::outcome::{CaseResult, Measurement, Outcome, Statistics};
use crate::record::Run;
use crate::units;

/// Width and height of the picture of samples, in user units.
const PICTURE: (f64, f64) = (300.0, 40.0);

/// The body of a case's drill-down, as HTML.
pub(super) fn details(run: &Run, result: &CaseResult) -> String {
    match &result.outcome {
        Outcome::Measured(measurement) => measured(run, result, measurement),
        Outcome::Skipped { reason } => paragraph("Skipped", reason),
        Outcome::Failed { error } => paragraph("Failed", error),
        Outcome::Invalid { why, .. } => paragraph("Invalid", why),
    }
}

fn paragraph(status: &str, why: &str) -> String {
    format!("<p><strong>{status}:</strong> {}</p>\n", escaped(why))
}

fn measured(run: &Run, result: &CaseResult, measurement: &Measurement) -> String {
    let mut text = String::new();
    for warning in &measurement.warnings {
        text += &format!(
            "<p class=\"warning\"><strong>{}:</strong> {}. {}.</p>\n",
            escaped(&warning.id),
            escaped(&warning.cause),
            escaped(&warning.remedy)
        );
    }
    text += &values(run, result).html();
    text += &times(measurement);
    if let Some(memory) = &measurement.memory {
        text += &bytes(memory).html();
    }
    text + &format!(
        "<p>Warm-up: {} launches in {}. Proof: {} values compared, {} not finite.</p>\n",
        measurement.warmup_runs,
        units::time(measurement.warmup_seconds),
        measurement.numerics.compared,
        measurement.numerics.non_finite
    )
}

fn values(run: &Run, result: &CaseResult) -> Table {
    let mut table = Table::new().text("metric").number("value").text("meaning");
    for (metric, value) in metrics(result, &run.results) {
        let info = metric.info();
        table.row(vec![
            format!("`{}`", info.id),
            units::metric(&value, info.unit),
            info.description.to_owned(),
        ]);
    }
    table
}

/// A row a clock or part, and a picture of its samples in the order in which they were taken.
fn times(measurement: &Measurement) -> String {
    let clocks = measurement
        .timings
        .iter()
        .map(|timing| (units::clock(timing.clock), &timing.statistics, &timing.samples));
    let parts = measurement.parts.iter().map(|part| (part.part.name(), &part.statistics, &part.samples));
    let mut text = String::new();
    for (name, statistics, samples) in clocks.chain(parts) {
        text += &format!("<p>{}: {}</p>\n{}", inline(name), spread(statistics), picture(samples));
    }
    text
}

fn spread(statistics: &Statistics) -> String {
    escaped(&format!(
        "median {}, 5th to 95th percentile {} to {}, least {}, most {}, {} samples, {} outliers",
        units::median_time(statistics),
        units::time(statistics.p5),
        units::time(statistics.p95),
        units::time(statistics.min),
        units::time(statistics.max),
        statistics.count,
        statistics.outliers
    ))
}

/// The samples as a line from the first to the last, between the least and the most of them.
fn picture(samples: &[f64]) -> String {
    let (width, height) = PICTURE;
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if samples.len() < 2 || most <= least {
        return String::new();
    }
    let step = width / (samples.len() - 1) as f64;
    let points: Vec<String> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            format!("{:.1},{:.1}", index as f64 * step, height * (most - sample) / (most - least))
        })
        .collect();
    format!(
        "<svg class=\"samples\" viewBox=\"-2 -2 {} {}\" role=\"img\"><title>Samples in order</title>\
         <polyline points=\"{}\" fill=\"none\" stroke=\"currentColor\"/></svg>\n",
        width + 4.0,
        height + 4.0,
        points.join(" ")
    )
}

fn bytes(memory: &MemoryMeasurement) -> Table {
    let mut table = Table::new().text("memory").number("bytes");
    let mut add = |name: &str, bytes: u64| table.row(vec![name.to_owned(), units::bytes(bytes as f64)]);
    if let Some(allocator) = &memory.allocator {
        add("in use before the model", allocator.baseline);
        add("in use with its weights", allocator.loaded);
        add("peak in use in the first pass", allocator.first_pass_peak);
        for (pass, peak) in allocator.peaks.iter().enumerate() {
            add(&format!("peak in use in pass {}", pass + 2), *peak);
        }
        add("reserved from the driver", allocator.reserved);
    }
    for (name, rise) in [("the driver's view", memory.driver), ("resident set", memory.resident)] {
        if let Some(rise) = rise {
            add(&format!("{name} before"), rise.baseline);
            add(&format!("{name} at most"), rise.peak);
        }
    }
    table
}
