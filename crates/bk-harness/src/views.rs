//! The files of a run: one for each target, and beside it the views that the config names.
//!
//! ```text
//! <out>/<target>/<config>.json      the run, as far as it concerns the target, with what it is compared to
//! <out>/<target>/<view>.json        one row a case: the metrics of the benchmarks with `view = "..."`
//! ```
//! A view holds nothing that cannot be computed from the run; it is there for scripts that want a flat table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, is_host, stands_beside};
use crate::case::{Case, ElementType, WorkloadSpec};
use crate::kpi::{self, KpiResult, Metric, MetricValue, metrics};
use crate::outcome::{CaseResult, Outcome};
use crate::record::{Run, SCHEMA_VERSION, TargetRecord};
use crate::store::{StoreError, save_json};

/// A flat table of some benchmarks of a run on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// Version of this layout.
    pub schema_version: u32,
    /// Name of the file, without `.json`.
    pub view: String,
    /// Name of the config.
    pub config_name: String,
    /// When the run began, in UTC (RFC 3339).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Which target it is about.
    pub target: String,
    /// What became of the target.
    pub device: Option<TargetRecord>,
    /// One a case.
    pub rows: Vec<Row>,
    /// The KPIs that concern these cases, judged on this target alone.
    pub kpis: Vec<KpiResult>,
}

/// One case in a flat table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Name of its benchmark.
    pub benchmark: String,
    /// Id of the case.
    pub id: String,
    /// Where it ran: the view's target, or that of a baseline.
    pub target: String,
    /// Type of its tensors.
    pub dtype: ElementType,
    /// What was computed.
    pub workload: WorkloadSpec,
    /// How it ended: `measured`, `skipped`, `failed` or `invalid`.
    pub status: Status,
    /// Why there are no times.
    pub reason: Option<String>,
    /// Everything known of it, by metric.
    pub metrics: BTreeMap<Metric, MetricValue>,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Proven right and timed.
    Measured,
    /// Did not apply.
    Skipped,
    /// Did not work.
    Failed,
    /// Gave a result or a time that cannot be true.
    Invalid,
}

/// Writes the files of `run` under `out` and returns their paths. Each is written whole or not at all.
///
/// # Errors
/// [`StoreError::Io`] of the first file that could not be written.
pub fn write(out: &Path, run: &Run) -> Result<Vec<PathBuf>, StoreError> {
    let mut written = Vec::new();
    for target in run.target_names() {
        let part = restricted(run, target);
        let path = out.join(target).join(format!("{}.json", run.name));
        save_json(&path, &part)?;
        written.push(path);
        for view in views(&part, target) {
            let path = out.join(target).join(format!("{}.json", view.view));
            save_json(&path, &view)?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The part of `run` that concerns `target`: its cases, those that they are compared to, and the original's
/// algorithm on their inputs.
pub fn restricted(run: &Run, target: &str) -> Run {
    let own: Vec<&Case> =
        run.results.iter().map(|result| &result.case).filter(|case| case.target == target).collect();
    let results: Vec<CaseResult> = run
        .results
        .iter()
        .filter(|result| {
            let needed = |case: &&Case| is_baseline(&result.case, case) || stands_beside(&result.case, case);
            result.case.target == target || own.iter().any(needed)
        })
        .cloned()
        .collect();
    let named: BTreeSet<&str> = results.iter().map(|result| result.case.target.as_str()).collect();
    let targets = run.targets.iter().filter(|(name, _)| named.contains(name.as_str()));
    let targets = targets.map(|(name, record)| (name.clone(), record.clone())).collect();
    let mut part = Run { results, targets, kpis: Vec::new(), ..run.clone() };
    part.kpis = kpi::evaluate(&run.config.effective.kpis, &part.results, &part.devices());
    part.kpis.retain(|kpi| !kpi.cases.is_empty());
    part
}

/// The views that the config of `run` names, as far as they concern `target`.
pub fn views(run: &Run, target: &str) -> Vec<View> {
    let mut benchmarks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for benchmark in &run.config.effective.benchmarks {
        if let Some(view) = &benchmark.view {
            benchmarks.entry(view).or_default().push(&benchmark.name);
        }
    }
    benchmarks.iter().map(|(view, names)| self::view(run, target, view, names)).collect()
}

fn view(run: &Run, target: &str, name: &str, benchmarks: &[&str]) -> View {
    let results: Vec<CaseResult> = run
        .results
        .iter()
        .filter(|result| benchmarks.contains(&result.case.benchmark.as_str()))
        .cloned()
        .collect();
    let mut kpis = kpi::evaluate(&run.config.effective.kpis, &results, &run.devices());
    kpis.retain(|kpi| !kpi.cases.is_empty());
    View {
        schema_version: SCHEMA_VERSION,
        view: name.to_owned(),
        config_name: run.name.clone(),
        started: run.started,
        target: target.to_owned(),
        device: run.targets.get(target).cloned(),
        rows: results.iter().map(|result| row(result, &results)).collect(),
        kpis,
    }
}

/// One case in a flat table; `all` holds what it is compared to.
pub(crate) fn row(result: &CaseResult, all: &[CaseResult]) -> Row {
    let (status, reason) = match &result.outcome {
        Outcome::Measured(_) => (Status::Measured, None),
        Outcome::Skipped { reason } => (Status::Skipped, Some(reason.clone())),
        Outcome::Failed { error } => (Status::Failed, Some(error.clone())),
        Outcome::Invalid { why, .. } => (Status::Invalid, Some(why.clone())),
    };
    Row {
        benchmark: result.case.benchmark.clone(),
        id: result.case.id.clone(),
        target: result.case.target.clone(),
        dtype: result.case.dtype,
        workload: result.case.workload.clone(),
        status,
        reason,
        metrics: metrics(result, all),
    }
}

fn is_baseline(candidate: &Case, case: &Case) -> bool {
    !is_host(case)
        && [Baseline::Host, Baseline::Tensor, Baseline::Native]
            .into_iter()
            .any(|baseline| baseline.serves(candidate, case))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Implementation;
    use crate::outcome::Clock;
    use crate::store::load_run;
    use crate::testing::{case, config, measured, run, timing};

    fn sweep() -> Run {
        let skipped = Outcome::Skipped { reason: "no Vulkan loader".to_owned() };
        run(
            config(),
            vec![
                measured(case("host", Implementation::Host, 1024), vec![timing(Clock::Wall, 1e-2)]),
                measured(case("host", Implementation::Host, 4096), vec![timing(Clock::Wall, 4e-2)]),
                measured(case("cuda", Implementation::Kernel, 1024), vec![timing(Clock::Wall, 1e-4)]),
                CaseResult { case: case("wgpu", Implementation::Kernel, 4096), outcome: skipped },
            ],
        )
    }

    fn ids(results: &[CaseResult]) -> Vec<&str> {
        results.iter().map(|result| result.case.id.as_str()).collect()
    }

    #[test]
    fn each_target_has_its_run_and_its_views_and_the_reference_has_none() {
        let out = tempfile::tempdir().unwrap();
        let written = write(out.path(), &sweep()).unwrap();
        let relative: Vec<_> =
            written.iter().map(|path| path.strip_prefix(out.path()).unwrap().to_str().unwrap()).collect();
        let expected = [
            "cuda/bk_core.json",
            "cuda/bk_core_scaling.json",
            "wgpu/bk_core.json",
            "wgpu/bk_core_scaling.json",
        ];
        assert_eq!(relative, expected);
        let read = load_run(&written[0]).unwrap();
        assert_eq!(read, restricted(&sweep(), "cuda"));
    }

    #[test]
    fn a_run_of_the_reference_alone_has_a_file_too() {
        let out = tempfile::tempdir().unwrap();
        let alone = run(
            config(),
            vec![measured(case("host", Implementation::Host, 1024), vec![timing(Clock::Wall, 1e-2)])],
        );
        let written = write(out.path(), &alone).unwrap();
        assert!(written[0].ends_with("host/bk_core.json"), "{written:?}");
        assert_eq!(load_run(&written[0]).unwrap().results.len(), 1);
    }

    #[test]
    fn a_target_s_part_holds_its_cases_and_only_the_baselines_of_those() {
        let part = restricted(&sweep(), "cuda");
        assert_eq!(
            ids(&part.results),
            ["bk-core/host/f64/b16-n1024/host", "bk-core/cuda/f32/b16-n1024/kernel"]
        );
        assert_eq!(part.targets.keys().collect::<Vec<_>>(), ["cuda", "host"]);
    }

    #[test]
    fn a_view_is_a_flat_table_of_metrics_and_reasons() {
        let view = &views(&restricted(&sweep(), "cuda"), "cuda")[0];
        let row = &view.rows[1];
        assert_eq!((row.status, row.target.as_str()), (Status::Measured, "cuda"));
        assert!((row.metrics[&Metric::Speedup].value - 100.0).abs() < 1e-9);
        let view = &views(&restricted(&sweep(), "wgpu"), "wgpu")[0];
        let row = view.rows.last().unwrap();
        assert_eq!((row.status, row.reason.as_deref()), (Status::Skipped, Some("no Vulkan loader")));
        assert!(row.metrics.is_empty());
    }

    #[test]
    fn a_view_reads_back_as_it_was_written() {
        let view = &views(&restricted(&sweep(), "cuda"), "cuda")[0];
        let json = serde_json::to_string(view).unwrap();
        assert_eq!(&serde_json::from_str::<View>(&json).unwrap(), view);
        assert!(json.contains(r#""speedup":{"value":"#), "{json}");
    }

    #[test]
    fn benchmarks_without_a_view_have_no_file() {
        let mut run = sweep();
        run.config.effective.benchmarks[0].view = None;
        assert!(views(&run, "cuda").is_empty());
    }
}
