//! The engine that is built in: the targets of `bk-targets`, where this build has any.

use std::path::PathBuf;

use bk_harness::config::AutotuneLevel;

/// How the runtime of a GPU target is set up before it is opened.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "targets"), expect(dead_code, reason = "there is nothing to set up"))]
pub(crate) struct Setup {
    /// How finely autotune tells sizes apart.
    pub(crate) autotune: Option<AutotuneLevel>,
    /// One stream for all threads.
    pub(crate) single_stream: bool,
    /// Folder in which compiled kernels are kept.
    pub(crate) kernel_cache: Option<PathBuf>,
}

#[cfg(feature = "targets")]
pub(crate) use with_targets::{crate_versions, known_targets, open};
#[cfg(not(feature = "targets"))]
pub(crate) use without_targets::{crate_versions, known_targets, open};

#[cfg(feature = "targets")]
mod with_targets {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use bk_harness::case::{Case, ElementType, Strategy, WorkloadSpec};
    use bk_harness::measure::{measure, measure_memory};
    use bk_harness::outcome::Outcome;
    use bk_harness::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
    use bk_harness::protocol::{Event, PROTOCOL_VERSION, Phase, Role};
    use bk_harness::vectors::VectorsOutcome;
    use bk_harness::workload::Failure;
    use bk_targets::{RuntimeSetup, Target};

    use super::Setup;
    use crate::worker::Engine;

    /// Targets that are compiled in.
    pub(crate) fn known_targets() -> &'static [&'static str] {
        bk_targets::known_targets()
    }

    /// Versions of the crates that compute.
    pub(crate) fn crate_versions() -> BTreeMap<String, String> {
        bk_targets::crate_versions()
    }

    /// Opens the device of `target`, or says what is missing.
    pub(crate) fn open(target: &str, dtype: ElementType, setup: &Setup) -> Result<Box<dyn Engine>, String> {
        bk_targets::configure(&RuntimeSetup {
            autotune: setup.autotune,
            single_stream: setup.single_stream,
            kernel_cache: setup.kernel_cache.clone(),
        });
        let target = bk_targets::open(target, dtype).map_err(|unavailable| unavailable.to_string())?;
        Ok(Box::new(TargetEngine(target)))
    }

    struct TargetEngine(Box<dyn Target>);

    impl Engine for TargetEngine {
        fn hello(&self) -> Event {
            Event::Hello {
                protocol: PROTOCOL_VERSION,
                role: Role::Worker,
                engine: "bkbench".to_owned(),
                device: Box::new(self.0.device().clone()),
                versions: self.0.versions(),
            }
        }

        fn run(&mut self, case: &Case, observe: &mut dyn FnMut(Phase)) -> Outcome {
            observe(Phase::Prepare);
            let class = self.0.device().class;
            let outcome = match &case.workload {
                WorkloadSpec::Phase2Memory(_) => self
                    .0
                    .memory_workload(case)
                    .map(|mut workload| measure_memory(workload.as_mut(), case, class, observe)),
                WorkloadSpec::BkCore(_) | WorkloadSpec::Phase2Throughput(_) => {
                    self.0.workload(case).map(|mut workload| measure(workload.as_mut(), case, class, observe))
                }
            };
            outcome.unwrap_or_else(|failure| match failure {
                Failure::Skip(reason) => Outcome::Skipped { reason },
                Failure::Execution(error) => Outcome::Failed { error },
            })
        }

        fn verify_vectors(&mut self, dir: Option<&Path>, strategy: Strategy) -> VectorsOutcome {
            match self.0.verify_vectors(dir, strategy) {
                Ok(rows) => VectorsOutcome::Checked { rows },
                Err(Failure::Skip(reason)) => VectorsOutcome::Skipped { reason },
                Err(Failure::Execution(error)) => VectorsOutcome::Failed { error },
            }
        }

        fn verify_phase2(
            &mut self,
            files: &[PathBuf],
            dtype: ElementType,
            precision: MatmulPrecision,
        ) -> ParityOutcome {
            self.0.verify_phase2(files, dtype, precision)
        }

        fn export_phase2(&mut self, source: &ExportSource, file: &Path) -> ExportOutcome {
            self.0.export_phase2(source, file)
        }
    }
}

#[cfg(not(feature = "targets"))]
mod without_targets {
    use std::collections::BTreeMap;

    use bk_harness::case::ElementType;

    use super::Setup;
    use crate::worker::Engine;

    /// None: cases need an external worker.
    pub(crate) fn known_targets() -> &'static [&'static str] {
        &[]
    }

    /// None.
    pub(crate) fn crate_versions() -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Says that the target is not in this build.
    pub(crate) fn open(target: &str, _dtype: ElementType, _setup: &Setup) -> Result<Box<dyn Engine>, String> {
        Err(format!(
            "this bkbench was built without any target: build it with its default features, or name a program \
             with `--worker {target}=COMMAND`"
        ))
    }
}
