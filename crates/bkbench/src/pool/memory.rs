//! Cases about memory: each in a worker of its own, in which nothing else has allocated or tuned.

use bk_harness::case::{Case, WorkloadSpec};
use bk_harness::device::DeviceClass;
use bk_harness::outcome::{CaseResult, Outcome};

use super::settings::WorkerSettings;
use super::{Interrupted, Observer, Pool, Refusal};

/// Whether `case` needs a worker of its own.
pub(super) fn is_about_memory(case: &Case) -> bool {
    matches!(case.workload, WorkloadSpec::Phase2Memory(_))
}

impl Pool {
    /// Runs cases about memory, all of one target and type.
    ///
    /// On a device that tunes, a worker that is thrown away runs them all first: autotune copies inputs
    /// and outputs, and its choices are then in its cache on disk.
    pub(super) fn run_memory(
        &self,
        cases: &[Case],
        settings: &WorkerSettings,
        observer: &mut dyn Observer,
    ) -> Result<(), Interrupted> {
        let settings = settings.single_stream();
        self.rehearse(cases, &settings, observer)?;
        for case in cases {
            observer.started(case);
            let outcome = match self.open(&case.target, case.dtype, &settings) {
                Ok((mut session, _)) => {
                    let outcome = session.run(case, &mut |phase| observer.phase(case, phase))?;
                    session.end();
                    outcome
                }
                Err(Refusal::Interrupted) => return Err(Interrupted),
                Err(Refusal::Unavailable(reason)) => Outcome::Skipped { reason },
                Err(Refusal::Broken(error)) => Outcome::Failed { error },
            };
            observer.finished(CaseResult { case: case.clone(), outcome });
        }
        Ok(())
    }

    /// Fills the autotune cache. What becomes of the cases here is of no interest: whatever is wrong with
    /// one shows again in its own worker.
    fn rehearse(
        &self,
        cases: &[Case],
        settings: &WorkerSettings,
        observer: &mut dyn Observer,
    ) -> Result<(), Interrupted> {
        let Some(first) = cases.first() else { return Ok(()) };
        let mut session = match self.open(&first.target, first.dtype, settings) {
            Ok((_, greeting)) if greeting.device.class == DeviceClass::Cpu => return Ok(()),
            Ok((session, _)) => session,
            Err(Refusal::Interrupted) => return Err(Interrupted),
            Err(_) => return Ok(()),
        };
        for case in cases {
            observer.rehearsed(case);
            session.run(case, &mut |_| {})?;
        }
        session.end();
        Ok(())
    }
}
