//! `bkbench plan configs/quick.toml`: the cases that `run` would run, in their order, with what they are
//! predicted to cost. Nothing is opened: whether a target is there, `bkbench devices` tells.

use bk_harness::plan::{PlannedCase, Role};
use bk_harness::units;
use serde::Serialize;

use crate::cli::PlanArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::sweep::Sweep;

/// The plan of one config, for `--json`.
#[derive(Serialize)]
struct PlanOf<'a> {
    config: &'a str,
    predicted_seconds: f64,
    cases: &'a [PlannedCase],
}

pub(crate) fn run(arguments: &PlanArgs) -> Result<Exit, Error> {
    show(&Sweep::load_all(&arguments.sweep)?, arguments.json)
}

/// Prints what `sweeps` would run.
pub(crate) fn show(sweeps: &[Sweep], json: bool) -> Result<Exit, Error> {
    if json {
        let plans: Vec<PlanOf<'_>> = sweeps.iter().map(plan_of).collect();
        output::json(&plans)?;
    } else {
        let texts: Vec<String> = sweeps.iter().map(text).collect();
        output::text(&texts.join("\n"))?;
    }
    Ok(Exit::Pass)
}

fn plan_of(sweep: &Sweep) -> PlanOf<'_> {
    PlanOf {
        config: &sweep.config.name,
        predicted_seconds: sweep.plan.predicted_seconds(),
        cases: &sweep.plan.cases,
    }
}

fn text(sweep: &Sweep) -> String {
    let mut table = output::table(["case", "memory", "time", ""]);
    for planned in &sweep.plan.cases {
        table.add_row([
            format!("{}/{}", planned.case.benchmark, planned.case.id),
            units::memory(planned.predicted_memory_bytes),
            units::time(planned.predicted_seconds),
            match planned.role {
                Role::Selected => String::new(),
                Role::Baseline => "baseline of others".to_owned(),
            },
        ]);
    }
    format!(
        "{}: {} cases, roughly {}\n{}\n",
        sweep.config.name,
        sweep.plan.cases.len(),
        units::time(sweep.plan.predicted_seconds()),
        table.trim_fmt(),
    )
}
