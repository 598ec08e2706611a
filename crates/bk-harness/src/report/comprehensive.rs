//! Everything of some runs in one flat JSON file, for scripts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::benchmarks;
use crate::environment::Environment;
use crate::kpi::KpiResult;
use crate::record::{Run, SCHEMA_VERSION, Tally, TargetRecord};
use crate::views::{Row, row};

/// Some runs, without their samples and configs, which are in the results files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comprehensive {
    /// Version of this layout.
    pub schema_version: u32,
    /// One a run, the oldest first.
    pub runs: Vec<ComprehensiveRun>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComprehensiveRun {
    /// Name of the config.
    pub name: String,
    /// Whether the `[quick]` overlay was applied: then the figures are no claim.
    pub quick: bool,
    /// When it began, in UTC (RFC 3339).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// The headline of the report.
    pub verdict: String,
    /// How many cases ended in which way.
    pub tally: Tally,
    /// What must hold, and whether it does.
    pub kpi_results: Vec<KpiResult>,
    /// The cases of each benchmark by its name, one a row.
    pub benchmarks: BTreeMap<String, Vec<Row>>,
    /// What became of each target.
    pub targets: BTreeMap<String, TargetRecord>,
    /// Machine, program and call.
    pub environment: Environment,
}

impl Comprehensive {
    /// Of `runs`, in their order.
    pub fn of(runs: &[Run]) -> Self {
        Self { schema_version: SCHEMA_VERSION, runs: runs.iter().map(of_run).collect() }
    }
}

fn of_run(run: &Run) -> ComprehensiveRun {
    let rows = |benchmark: &str| {
        let cases = run.results.iter().filter(|result| result.case.benchmark == benchmark);
        cases.map(|result| row(result, &run.results)).collect()
    };
    ComprehensiveRun {
        name: run.name.clone(),
        quick: run.config.effective.quick,
        started: run.started,
        verdict: super::headline::standing(run).verdict,
        tally: Tally::of(&run.results),
        kpi_results: run.kpis.clone(),
        benchmarks: benchmarks(run).into_iter().map(|name| (name.to_owned(), rows(name))).collect(),
        targets: run.targets.clone(),
        environment: run.environment.clone(),
    }
}
