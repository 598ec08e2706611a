//! Everything that one run found out: the content of a results file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::device::{DeviceInfo, WGPU_TARGET, WGSL_TARGET};
use crate::environment::Environment;
use crate::kpi::KpiResult;
use crate::outcome::{CaseResult, Outcome};
use crate::plan::HOST_TARGET;

/// Version of the results files; a reader refuses another one.
pub const SCHEMA_VERSION: u32 = 1;

/// One run of one config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// Name of the config, and of the file.
    pub name: String,
    /// When it began, in UTC (RFC 3339).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Seconds from there to its end, time of resumed parts not included.
    pub elapsed_seconds: f64,
    /// Machine, program and call.
    pub environment: Environment,
    /// What was asked for.
    pub config: ConfigRecord,
    /// What became of each target that the config names.
    pub targets: BTreeMap<String, TargetRecord>,
    /// Every case, in the order of the plan.
    pub results: Vec<CaseResult>,
    /// What must hold, and whether it does.
    pub kpis: Vec<KpiResult>,
    /// Whether the run was ended before its last case.
    pub interrupted: bool,
}

/// A config as it was written and as it was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigRecord {
    /// Overlays applied, defaults filled in.
    pub effective: Config,
    /// Text of the file.
    pub source: String,
}

/// What became of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TargetRecord {
    /// It was there.
    Available {
        /// Program that ran its cases: `bkbench`, or an external engine.
        engine: String,
        /// The device.
        device: Box<DeviceInfo>,
        /// Versions of what computed: crate or package to version.
        versions: BTreeMap<String, String>,
    },
    /// It was not there; its cases are skipped.
    Unavailable {
        /// What is missing and how to get it.
        reason: String,
    },
}

/// How many cases ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Proven right and timed.
    pub measured: usize,
    /// Did not apply.
    pub skipped: usize,
    /// Did not work.
    pub failed: usize,
    /// Gave a result or a time that cannot be true.
    pub invalid: usize,
    /// Gave a wrong result and may: see [`CaseResult::is_reported`].
    pub reported: usize,
}

impl Tally {
    /// Counts the outcomes of `results`.
    pub fn of(results: &[CaseResult]) -> Self {
        let mut tally = Self::default();
        for result in results {
            match result.outcome {
                Outcome::Measured(_) => tally.measured += 1,
                Outcome::Skipped { .. } => tally.skipped += 1,
                Outcome::Failed { .. } => tally.failed += 1,
                Outcome::Invalid { .. } if result.is_reported() => tally.reported += 1,
                Outcome::Invalid { .. } => tally.invalid += 1,
            }
        }
        tally
    }
}

impl TargetRecord {
    /// The device, where the target was there.
    pub fn device(&self) -> Option<&DeviceInfo> {
        match self {
            Self::Available { device, .. } => Some(device),
            Self::Unavailable { .. } => None,
        }
    }
}

impl Run {
    /// Calls the target `wgpu` by its compiler, `wgsl`, where that is what its shaders went through: its cases,
    /// their ids and its device. The kernels are others then, and so are their errors and times.
    #[must_use]
    pub fn named_by_compiler(mut self) -> Self {
        let compiles_wgsl = |record: &TargetRecord| {
            record.device().is_some_and(|device| device.runtime == format!("{WGPU_TARGET}<{WGSL_TARGET}>"))
        };
        if !self.targets.get(WGPU_TARGET).is_some_and(compiles_wgsl) {
            return self;
        }
        if let Some(mut record) = self.targets.remove(WGPU_TARGET) {
            if let TargetRecord::Available { device, .. } = &mut record {
                WGSL_TARGET.clone_into(&mut device.target);
            }
            self.targets.insert(WGSL_TARGET.to_owned(), record);
        }
        let is_its = |result: &&mut CaseResult| result.case.target == WGPU_TARGET;
        for result in self.results.iter_mut().filter(is_its) {
            let case = &mut result.case;
            WGSL_TARGET.clone_into(&mut case.target);
            case.id = case.id.replacen(&format!("/{WGPU_TARGET}/"), &format!("/{WGSL_TARGET}/"), 1);
        }
        self
    }

    /// The devices of the targets that were there, as [`crate::kpi::evaluate`] takes them.
    pub fn devices(&self) -> BTreeMap<String, DeviceInfo> {
        let device =
            |(name, record): (&String, &TargetRecord)| Some((name.clone(), record.device()?.clone()));
        self.targets.iter().filter_map(device).collect()
    }

    /// Names of the targets with results, without the `host` reference, to which others are compared, unless there
    /// is nothing else.
    pub fn target_names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> =
            self.results.iter().map(|result| result.case.target.as_str()).collect();
        if names.len() > 1 {
            names.remove(HOST_TARGET);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Implementation;
    use crate::outcome::Clock;
    use crate::testing::{case, config, measured, run, timing};

    fn sweep() -> Run {
        let on =
            |target| measured(case(target, Implementation::Kernel, 1024), vec![timing(Clock::Wall, 1e-4)]);
        run(config(), vec![on("cuda"), on("wgpu")])
    }

    fn compiled_by(compiler: &str) -> Run {
        let mut run = sweep();
        if let Some(TargetRecord::Available { device, .. }) = run.targets.get_mut(WGPU_TARGET) {
            device.runtime = format!("wgpu<{compiler}>");
        }
        run.named_by_compiler()
    }

    #[test]
    fn a_build_that_compiles_wgsl_says_so_in_the_name_of_its_target() {
        let run = compiled_by("wgsl");
        assert_eq!(run.target_names().into_iter().collect::<Vec<_>>(), ["cuda", "wgsl"]);
        assert!(run.targets.contains_key("wgsl") && !run.targets.contains_key("wgpu"));
        assert_eq!(run.devices()["wgsl"].target, "wgsl");
        assert!(run.results.iter().all(|result| result.case.id.contains(&result.case.target)));
        assert_eq!(compiled_by("spirv"), sweep());
    }
}
