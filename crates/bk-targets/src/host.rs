//! The target `host`: the serial float64 scan on one core, which speedups are relative to, and the original's
//! algorithm, which shows why it is not.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use bk_harness::case::{BkCoreSpec, Case, ElementType, Implementation, Pass, Strategy, WorkloadSpec};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::memory::MemoryWorkload;
use bk_harness::numerics::Numerics;
use bk_harness::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use bk_harness::vectors::VectorRow;
use bk_harness::workload::{Failure, InputSets, Work, Workload};
use bk_kernels::BkOptions;
use bk_kernels::inputs::Inputs;
use bk_kernels::native::Gradients;
use bk_kernels::reference::{Reference, compare, resolvent, resolvent_values, serial_gradients};
use bk_oracle::conversions::{allowed_units, inputs, numerics, options};

use crate::gradients::{compare_gradients, cotangent, graver, work};
use crate::target::Target;
use crate::theta_phi::ThetaPhiWorkload;
use crate::vectors::check_vectors;

const NO_MODEL: &str = "the target `host` has the scan alone and not the model";

/// The CPU, one core.
pub(crate) struct HostTarget {
    info: DeviceInfo,
}

impl HostTarget {
    pub(crate) fn new() -> Self {
        let info = DeviceInfo {
            target: "host".to_owned(),
            name: cpu_name(),
            class: DeviceClass::Cpu,
            runtime: "serial float64".to_owned(),
            driver: None,
            multiprocessors: None,
            memory_bytes: None,
            l2_bytes: None,
            max_tensor_bytes: None,
            plane_size: None,
        };
        Self { info }
    }
}

impl Target for HostTarget {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn workload(&mut self, case: &Case) -> Result<Box<dyn Workload>, Failure> {
        let WorkloadSpec::BkCore(spec) = &case.workload else {
            return Err(Failure::Skip("the target `host` runs no models".to_owned()));
        };
        match (spec.implementation, case.dtype) {
            (Implementation::Host, ElementType::F64) => Ok(Box::new(HostWorkload::new(spec))),
            (Implementation::ThetaPhi, dtype) => ThetaPhiWorkload::open(spec, dtype),
            (implementation, dtype) => {
                let (name, dtype) = (implementation.name(), dtype.name());
                Err(Failure::Skip(format!("the target `host` has no implementation `{name}` in {dtype}")))
            }
        }
    }

    fn memory_workload(&mut self, _case: &Case) -> Result<Box<dyn MemoryWorkload>, Failure> {
        Err(Failure::Skip("the target `host` runs no models".to_owned()))
    }

    fn verify_vectors(&mut self, dir: Option<&Path>, _strategy: Strategy) -> Result<Vec<VectorRow>, Failure> {
        let gradients = |inputs: &Inputs, cotangent: &[[f32; 2]], options: &BkOptions| {
            let found = serial_gradients(inputs, cotangent, options);
            found.map(|found| found.to_float32()).map_err(|error| Failure::Execution(error.to_string()))
        };
        check_vectors(dir, host_values, Some(gradients))
    }

    fn verify_phase2(
        &mut self,
        _files: &[PathBuf],
        _dtype: ElementType,
        _precision: MatmulPrecision,
    ) -> ParityOutcome {
        ParityOutcome::Skipped { reason: NO_MODEL.to_owned() }
    }

    fn export_phase2(&mut self, _source: &ExportSource, _file: &Path) -> ExportOutcome {
        ExportOutcome::Skipped { reason: NO_MODEL.to_owned() }
    }
}

/// Name of the processor as the operating system tells it.
pub(crate) fn cpu_name() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    model.unwrap_or_else(|| format!("{} CPU", std::env::consts::ARCH))
}

fn host_values(inputs: &Inputs, options: &BkOptions) -> Result<Vec<f32>, Failure> {
    let values = resolvent_values(inputs, options).map_err(|error| Failure::Execution(error.to_string()))?;
    Ok(values.into_iter().flatten().map(|value| value as f32).collect())
}

struct HostWorkload {
    inputs: Inputs,
    /// Of a backward pass.
    cotangent: Vec<[f32; 2]>,
    pass: Pass,
    options: BkOptions,
    /// Of the forward pass, once it was needed.
    oracle: Option<Reference>,
}

impl HostWorkload {
    fn new(spec: &BkCoreSpec) -> Self {
        let cotangent = if spec.pass.has_backward() { cotangent(spec, 0) } else { Vec::new() };
        Self { inputs: inputs(spec, 0), cotangent, pass: spec.pass, options: options(spec), oracle: None }
    }

    fn gradients(&self) -> Result<Gradients<f64>, Failure> {
        serial_gradients(black_box(&self.inputs), &self.cotangent, &self.options)
            .map_err(|error| Failure::Execution(error.to_string()))
    }
}

impl Workload for HostWorkload {
    fn work(&self) -> Work {
        let work = work(&self.inputs, self.pass);
        // Results are float64.
        Work { bytes_written: 2 * work.bytes_written, ..work }
    }

    fn input_sets(&self) -> InputSets {
        InputSets { count: 1, exceed_cache: false, cpu: true }
    }

    fn launch(&mut self, _set: usize) -> Result<(), Failure> {
        if self.pass.has_forward() {
            let values = resolvent_values(black_box(&self.inputs), &self.options);
            black_box(values).map(drop).map_err(|error| Failure::Execution(error.to_string()))?;
        }
        if self.pass.has_backward() {
            black_box(self.gradients()?);
        }
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        let allowed = allowed_units(Implementation::Host);
        let gradients = if self.pass.has_backward() {
            let found = self.gradients()?.to_float32();
            Some(compare_gradients(&found, &self.inputs, &self.cotangent, &self.options, allowed)?)
        } else {
            None
        };
        if !self.pass.has_forward() {
            return gradients.ok_or_else(|| Failure::Execution("the case has no pass to verify".to_owned()));
        }
        let output = host_values(&self.inputs, &self.options)?;
        let oracle = match self.oracle.take() {
            Some(oracle) => oracle,
            None => resolvent(&self.inputs).map_err(|error| Failure::Execution(error.to_string()))?,
        };
        let oracle = self.oracle.insert(oracle);
        let values = numerics(compare(&output, oracle, &self.options, allowed), allowed);
        Ok(match gradients {
            Some(gradients) => graver(values, gradients),
            None => values,
        })
    }
}
