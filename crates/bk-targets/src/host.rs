//! The target `host`: the serial float64 scan on one core, which speedups are relative to, and the original's
//! algorithm, which shows why it is not.

use std::hint::black_box;
use std::path::Path;

use bk_harness::case::{Case, ElementType, Implementation, Strategy, WorkloadSpec};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::numerics::Numerics;
use bk_harness::vectors::VectorRow;
use bk_harness::workload::{Failure, InputSets, Work, Workload};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{compare, resolvent, resolvent_values};
use bk_kernels::{BkOptions, theta_phi};
use bk_oracle::conversions::{allowed_units, inputs, numerics, options, work};

use crate::target::Target;
use crate::vectors::check_vectors;

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
        let WorkloadSpec::BkCore(spec) = &case.workload;
        let algorithm = match (spec.implementation, case.dtype) {
            (Implementation::Host, ElementType::F64) => Algorithm::Scan,
            (Implementation::ThetaPhi, ElementType::F32) => Algorithm::ThetaPhi32,
            (Implementation::ThetaPhi, ElementType::F64) => Algorithm::ThetaPhi64,
            (implementation, dtype) => {
                let (name, dtype) = (implementation.name(), dtype.name());
                return Err(Failure::Skip(format!(
                    "the target `host` has no implementation `{name}` in {dtype}"
                )));
            }
        };
        Ok(Box::new(HostWorkload { algorithm, inputs: inputs(spec, 0), options: options(spec) }))
    }

    fn verify_vectors(&mut self, dir: Option<&Path>, _strategy: Strategy) -> Result<Vec<VectorRow>, Failure> {
        check_vectors(dir, host_values)
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

/// What the host computes with, serially.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// The projective scan in float64: the reference.
    Scan,
    /// The original's determinants in float32.
    ThetaPhi32,
    /// The original's determinants in float64.
    ThetaPhi64,
}

struct HostWorkload {
    algorithm: Algorithm,
    inputs: Inputs,
    options: BkOptions,
}

impl HostWorkload {
    fn implementation(&self) -> Implementation {
        match self.algorithm {
            Algorithm::Scan => Implementation::Host,
            Algorithm::ThetaPhi32 | Algorithm::ThetaPhi64 => Implementation::ThetaPhi,
        }
    }

    /// The output, `[B, N, 2]`; the original's algorithm knows no options.
    fn values(&self) -> Result<Vec<f32>, Failure> {
        let single = |values: Vec<[f64; 2]>| values.into_iter().flatten().map(|part| part as f32).collect();
        let values = match self.algorithm {
            Algorithm::Scan => return host_values(&self.inputs, &self.options),
            Algorithm::ThetaPhi32 => theta_phi::resolvent::<f32>(&self.inputs).map(Vec::into_flattened),
            Algorithm::ThetaPhi64 => theta_phi::resolvent::<f64>(&self.inputs).map(single),
        };
        values.map_err(|error| Failure::Execution(error.to_string()))
    }
}

impl Workload for HostWorkload {
    fn work(&self) -> Work {
        let work = work(&self.inputs);
        match self.algorithm {
            Algorithm::ThetaPhi32 => work,
            // Two float64 a site.
            Algorithm::Scan | Algorithm::ThetaPhi64 => Work { bytes_written: 2 * work.bytes_written, ..work },
        }
    }

    fn input_sets(&self) -> InputSets {
        InputSets { count: 1, exceed_cache: false, cpu: true }
    }

    fn launch(&mut self, _set: usize) -> Result<(), Failure> {
        let inputs = black_box(&self.inputs);
        match self.algorithm {
            Algorithm::Scan => black_box(resolvent_values(inputs, &self.options)).map(drop),
            Algorithm::ThetaPhi32 => black_box(theta_phi::resolvent::<f32>(inputs)).map(drop),
            Algorithm::ThetaPhi64 => black_box(theta_phi::resolvent::<f64>(inputs)).map(drop),
        }
        .map_err(|error| Failure::Execution(error.to_string()))
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        let output = self.values()?;
        let oracle = resolvent(&self.inputs).map_err(|error| Failure::Execution(error.to_string()))?;
        let allowed = allowed_units(self.implementation());
        Ok(numerics(compare(&output, &oracle, &self.options, allowed), allowed))
    }
}
