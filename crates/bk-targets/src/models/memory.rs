//! A model as something whose memory is measured.

use std::rc::Rc;

use bk_harness::case::{ElementType, Phase2Spec};
use bk_harness::memory::{MemoryProbe, MemoryWorkload};
use bk_harness::numerics::Numerics;
use bk_harness::workload::Failure;

use super::Known;
use super::launch::Launch;
use super::proof::{count_non_finite, proof};
use super::throughput::with_case;
use crate::platform::Platform;

/// One case on one backend; the model is not there before it is loaded.
pub(crate) struct MemoryOfModel<P: Platform> {
    platform: Rc<P>,
    known: Rc<Known>,
    spec: Phase2Spec,
    dtype: ElementType,
    launch: Option<Launch<P::Backend>>,
}

impl<P: Platform> MemoryOfModel<P> {
    /// Nothing is allocated yet.
    pub(crate) fn new(platform: Rc<P>, known: Rc<Known>, spec: &Phase2Spec, dtype: ElementType) -> Self {
        Self { platform, known, spec: spec.clone(), dtype, launch: None }
    }

    fn launch(&mut self) -> Result<&mut Launch<P::Backend>, Failure> {
        self.launch.as_mut().ok_or_else(|| Failure::Execution("the model is not loaded".to_owned()))
    }
}

impl<P: Platform> MemoryWorkload for MemoryOfModel<P> {
    fn load(&mut self) -> Result<(), Failure> {
        self.launch = Some(Launch::new(&self.spec, self.dtype, self.platform.device())?);
        self.platform.synchronize()
    }

    fn run(&mut self) -> Result<(), Failure> {
        let output = self.launch()?.run()?;
        self.platform.synchronize()?;
        drop(output);
        Ok(())
    }

    fn probe(&self) -> Option<Box<dyn MemoryProbe>> {
        self.platform.memory_probe()
    }

    fn driver_bytes(&self) -> Option<u64> {
        self.platform.driver_bytes()
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        let mode = self.spec.mode;
        let output = self.launch()?.run()?;
        self.platform.synchronize()?;
        let non_finite = count_non_finite(&output, mode)?;
        drop(output);
        // The proof makes models of its own.
        self.launch = None;
        let numerics = proof(self.platform.as_ref(), &self.known, &self.spec, self.dtype)?;
        Ok(with_case(numerics, non_finite))
    }
}
