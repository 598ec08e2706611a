//! A model as something to be launched and timed.

use std::rc::Rc;

use bk_harness::case::{ElementType, Phase2Spec};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::models::{AnalyticBytes, flops};
use bk_harness::numerics::Numerics;
use bk_harness::workload::{Failure, InputSets, Part, Work, Workload};

use super::Known;
use super::launch::{Launch, Output};
use super::matrix_rate::matrix_rate;
use super::proof::{count_non_finite, proof};
use crate::platform::Platform;

/// Cache assumed where a device does not tell.
const UNKNOWN_CACHE: u64 = 64 << 20;

/// One case on one backend.
pub(crate) struct Throughput<P: Platform> {
    platform: Rc<P>,
    known: Rc<Known>,
    spec: Phase2Spec,
    dtype: ElementType,
    launch: Launch<P::Backend>,
    /// The last output, kept as a user would until the next one is there.
    output: Option<Output<P::Backend>>,
    input_sets: InputSets,
    work: Work,
}

impl<P: Platform> Throughput<P> {
    /// Makes the model and its inputs.
    pub(crate) fn new(
        platform: Rc<P>,
        known: Rc<Known>,
        info: &DeviceInfo,
        spec: &Phase2Spec,
        dtype: ElementType,
    ) -> Result<Self, Failure> {
        let bytes = AnalyticBytes::of(spec, dtype);
        let launch = Launch::new(spec, dtype, platform.device())?;
        platform.synchronize()?;
        Ok(Self {
            platform,
            known,
            launch,
            output: None,
            // Every launch reads all weights: they are what a cache would have to hold.
            input_sets: InputSets {
                count: 1,
                exceed_cache: bytes.weights > 2 * info.l2_bytes.unwrap_or(UNKNOWN_CACHE),
                cpu: info.class != DeviceClass::Gpu,
            },
            work: Work {
                elements: spec.tokens(),
                bytes_read: bytes.weights,
                bytes_written: bytes.logits,
                flops: flops(spec),
            },
            spec: spec.clone(),
            dtype,
        })
    }
}

impl<P: Platform> Workload for Throughput<P> {
    fn work(&self) -> Work {
        self.work
    }

    fn input_sets(&self) -> InputSets {
        self.input_sets
    }

    fn launch(&mut self, _set: usize) -> Result<(), Failure> {
        // Dropped first: two outputs at a time are no part of a launch.
        self.output = None;
        self.output = Some(self.launch.run()?);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.platform.flush()
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        self.platform.synchronize()
    }

    fn parts(&self) -> &'static [Part] {
        self.launch.parts()
    }

    fn launch_part(&mut self, part: Part) -> Result<(), Failure> {
        self.output = None;
        self.output = self.launch.run_part(part)?;
        Ok(())
    }

    fn matrix_rate(&mut self) -> Result<Option<f64>, Failure> {
        matrix_rate(self.platform.as_ref(), &self.known, self.dtype).map(Some)
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        self.launch(0)?;
        self.synchronize()?;
        let non_finite = match &self.output {
            Some(output) => count_non_finite(output, self.spec.mode)?,
            None => 0,
        };
        self.synchronize()?;
        let numerics = proof(self.platform.as_ref(), &self.known, &self.spec, self.dtype)?;
        Ok(with_case(numerics, non_finite))
    }
}

/// The proof with what was seen of the case's own output.
pub(super) fn with_case(numerics: Numerics, non_finite: u64) -> Numerics {
    let why = || format!("{non_finite} values of the output are not finite");
    let rejected = numerics.rejected.or_else(|| (non_finite > 0).then(why));
    Numerics { non_finite: numerics.non_finite + non_finite, rejected, ..numerics }
}
