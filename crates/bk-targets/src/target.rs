//! A device that was opened, and what can be asked of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bk_harness::case::{Case, ElementType, Implementation, Strategy, WorkloadSpec};
use bk_harness::device::DeviceInfo;
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
}

impl<P: Platform> BurnTarget<P> {
    pub(crate) fn new(platform: P, info: DeviceInfo) -> Self {
        Self { platform: Rc::new(platform), info }
    }
}

impl<P: Platform + 'static> Target for BurnTarget<P> {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn workload(&mut self, case: &Case) -> Result<Box<dyn Workload>, Failure> {
        if case.dtype != ElementType::F32 {
            let name = case.dtype.name();
            return Err(Failure::Skip(format!("{name}: bk-core is measured in f32 on this target")));
        }
        let WorkloadSpec::BkCore(spec) = &case.workload;
        if spec.implementation == Implementation::Host {
            return Err(Failure::Skip("`host` runs on the target `host` alone".to_owned()));
        }
        let workload = BkCoreWorkload::new(Rc::clone(&self.platform), &self.info, spec)?;
        Ok(Box::new(workload))
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
