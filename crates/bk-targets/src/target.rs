//! A device that was opened, and what can be asked of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bk_harness::case::{BkCoreSpec, Case, ElementType, Implementation, Strategy, WorkloadSpec};
use bk_harness::device::DeviceInfo;
use bk_harness::memory::MemoryWorkload;
use bk_harness::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use bk_harness::vectors::VectorRow;
use bk_harness::workload::{Failure, Workload};
use thiserror::Error;

use crate::bk_core::BkCoreWorkload;
use crate::phase2;
use crate::platform::Platform;
use crate::registry::crate_versions;
use crate::vectors::verify_vectors;

/// A target on this machine.
pub trait Target {
    /// What it runs on.
    fn device(&self) -> &DeviceInfo;

    /// Versions of the crates that compute.
    fn versions(&self) -> BTreeMap<String, String> {
        crate_versions()
    }

    /// Prepares a case: inputs on the device, nothing launched.
    ///
    /// # Errors
    /// [`Failure::Skip`] where the case does not apply to this device.
    fn workload(&mut self, case: &Case) -> Result<Box<dyn Workload>, Failure>;

    /// Prepares a case about memory: nothing allocated.
    ///
    /// # Errors
    /// [`Failure::Skip`] where the case does not apply to this device.
    fn memory_workload(&mut self, case: &Case) -> Result<Box<dyn MemoryWorkload>, Failure>;

    /// Computes the test vectors, those of `dir` or the embedded ones, and compares.
    ///
    /// # Errors
    /// When vectors cannot be read or a computation fails; wrong results are rows.
    fn verify_vectors(&mut self, dir: Option<&Path>, strategy: Strategy) -> Result<Vec<VectorRow>, Failure>;

    /// Runs the Phase 2 model of every file, or those built in, and compares with what the file expects.
    fn verify_phase2(
        &mut self,
        files: &[PathBuf],
        dtype: ElementType,
        precision: MatmulPrecision,
    ) -> ParityOutcome;

    /// Writes weights of the Phase 2 model to a safetensors file.
    fn export_phase2(&mut self, source: &ExportSource, file: &Path) -> ExportOutcome;
}

/// The target is not there, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A target that is a Burn backend.
pub(crate) struct BurnTarget<P: Platform> {
    platform: Rc<P>,
    info: DeviceInfo,
    #[cfg(feature = "ndarray")]
    known: Rc<crate::models::Known>,
}

/// What is asked of a target that cannot be.
pub(crate) const MEMORY: &str = "a case about memory is not timed";
pub(crate) const NO_MEMORY: &str = "this case is not about memory";

impl<P: Platform> BurnTarget<P> {
    pub(crate) fn new(platform: P, info: DeviceInfo) -> Self {
        Self {
            platform: Rc::new(platform),
            info,
            #[cfg(feature = "ndarray")]
            known: Rc::default(),
        }
    }

    fn scan(&self, case: &Case, spec: &BkCoreSpec) -> Result<Box<dyn Workload>, Failure>
    where
        P: 'static,
    {
        if spec.implementation == Implementation::Host {
            return Err(Failure::Skip("`host` runs on the target `host` alone".to_owned()));
        }
        let workload = BkCoreWorkload::new(Rc::clone(&self.platform), &self.info, spec, case.dtype)?;
        Ok(Box::new(workload))
    }
}

impl<P: Platform + 'static> Target for BurnTarget<P> {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn workload(&mut self, case: &Case) -> Result<Box<dyn Workload>, Failure> {
        match &case.workload {
            WorkloadSpec::BkCore(spec) => self.scan(case, spec),
            WorkloadSpec::Phase2Throughput(spec) => models::throughput(self, case, spec),
            WorkloadSpec::Phase2Memory(_) => Err(Failure::Execution(MEMORY.to_owned())),
        }
    }

    fn memory_workload(&mut self, case: &Case) -> Result<Box<dyn MemoryWorkload>, Failure> {
        match &case.workload {
            WorkloadSpec::Phase2Memory(spec) => models::memory(self, case, spec),
            WorkloadSpec::BkCore(_) | WorkloadSpec::Phase2Throughput(_) => {
                Err(Failure::Execution(NO_MEMORY.to_owned()))
            }
        }
    }

    fn verify_vectors(&mut self, dir: Option<&Path>, strategy: Strategy) -> Result<Vec<VectorRow>, Failure> {
        verify_vectors(self.platform.as_ref(), dir, strategy)
    }

    fn verify_phase2(
        &mut self,
        files: &[PathBuf],
        dtype: ElementType,
        precision: MatmulPrecision,
    ) -> ParityOutcome {
        phase2::verify(self.platform.as_ref(), files, dtype, precision)
    }

    fn export_phase2(&mut self, source: &ExportSource, file: &Path) -> ExportOutcome {
        phase2::export(source, file)
    }
}

/// Models are proven right against those of ndarray.
#[cfg(feature = "ndarray")]
mod models {
    use std::rc::Rc;

    use bk_harness::case::{Case, Phase2Spec};
    use bk_harness::memory::MemoryWorkload;
    use bk_harness::workload::{Failure, Workload};

    use super::BurnTarget;
    use crate::models::{MemoryOfModel, Throughput};
    use crate::platform::Platform;

    pub(super) fn throughput<P: Platform + 'static>(
        target: &BurnTarget<P>,
        case: &Case,
        spec: &Phase2Spec,
    ) -> Result<Box<dyn Workload>, Failure> {
        let (platform, known) = (Rc::clone(&target.platform), Rc::clone(&target.known));
        Ok(Box::new(Throughput::new(platform, known, &target.info, spec, case.dtype)?))
    }

    pub(super) fn memory<P: Platform + 'static>(
        target: &BurnTarget<P>,
        case: &Case,
        spec: &Phase2Spec,
    ) -> Result<Box<dyn MemoryWorkload>, Failure> {
        let (platform, known) = (Rc::clone(&target.platform), Rc::clone(&target.known));
        Ok(Box::new(MemoryOfModel::new(platform, known, spec, case.dtype)))
    }
}

#[cfg(not(feature = "ndarray"))]
mod models {
    use bk_harness::case::{Case, Phase2Spec};
    use bk_harness::memory::MemoryWorkload;
    use bk_harness::workload::{Failure, Workload};

    use super::BurnTarget;
    use crate::platform::Platform;

    const WHY: &str = "models are proven right against those of ndarray, which this build leaves out: build with the \
                       feature `ndarray`";

    pub(super) fn throughput<P: Platform>(
        _target: &BurnTarget<P>,
        _case: &Case,
        _spec: &Phase2Spec,
    ) -> Result<Box<dyn Workload>, Failure> {
        Err(Failure::Skip(WHY.to_owned()))
    }

    pub(super) fn memory<P: Platform>(
        _target: &BurnTarget<P>,
        _case: &Case,
        _spec: &Phase2Spec,
    ) -> Result<Box<dyn MemoryWorkload>, Failure> {
        Err(Failure::Skip(WHY.to_owned()))
    }
}
