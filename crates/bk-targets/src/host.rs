//! The target `host`: the serial float64 scan on one core, which speedups are relative to.

use std::hint::black_box;
use std::path::Path;

use bk_harness::case::{BkCoreSpec, Case, Implementation, Strategy, WorkloadSpec};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::numerics::Numerics;
use bk_harness::vectors::VectorRow;
use bk_harness::workload::{Failure, InputSets, Work, Workload};
use bk_kernels::BkOptions;
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{compare, resolvent, resolvent_values};

use crate::target::Target;
use crate::vectors::check_vectors;
use bk_oracle::conversions::{allowed_units, inputs, numerics, options, problem};

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
        if spec.implementation != Implementation::Host {
            let name = spec.implementation.name();
            return Err(Failure::Skip(format!("the target `host` has no implementation `{name}`")));
        }
        Ok(Box::new(HostWorkload::new(spec)))
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

struct HostWorkload {
    inputs: Inputs,
    options: BkOptions,
}

impl HostWorkload {
    fn new(spec: &BkCoreSpec) -> Self {
        Self { inputs: inputs(spec, 0), options: options(spec) }
    }
}

impl Workload for HostWorkload {
    fn work(&self) -> Work {
        let problem = problem(&self.inputs);
        Work {
            elements: self.inputs.sites() as u64,
            bytes_read: problem.bytes_read(self.inputs.shared),
            // Two float64 a site.
            bytes_written: 2 * problem.bytes_written(),
            flops: problem.flops(),
        }
    }

    fn input_sets(&self) -> InputSets {
        InputSets { count: 1, exceed_cache: false, cpu: true }
    }

    fn launch(&mut self, _set: usize) -> Result<(), Failure> {
        let values = resolvent_values(black_box(&self.inputs), &self.options);
        black_box(values).map(drop).map_err(|error| Failure::Execution(error.to_string()))
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        let output = host_values(&self.inputs, &self.options)?;
        let oracle = resolvent(&self.inputs).map_err(|error| Failure::Execution(error.to_string()))?;
        let allowed = allowed_units(Implementation::Host);
        Ok(numerics(compare(&output, &oracle, &self.options, allowed), allowed))
    }
}
