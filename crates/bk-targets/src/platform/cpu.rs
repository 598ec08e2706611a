//! The CPU backends: everything is done when a call returns.

use bk_burn::BkBackend;
use bk_harness::device::{DeviceClass, DeviceInfo};
use burn::tensor::backend::Backend;

use super::Platform;
use crate::host::cpu_name;

/// A backend that runs on the CPU.
pub(crate) struct CpuPlatform<B: Backend> {
    device: B::Device,
}

impl<B: BkBackend> CpuPlatform<B> {
    pub(crate) fn new() -> Self {
        Self { device: B::Device::default() }
    }
}

impl<B: BkBackend> Platform for CpuPlatform<B> {
    type Backend = B;

    fn device(&self) -> &B::Device {
        &self.device
    }
}

/// The facts of a CPU target.
pub(crate) fn cpu_info(target: &str, runtime: &str) -> DeviceInfo {
    DeviceInfo {
        target: target.to_owned(),
        name: cpu_name(),
        class: DeviceClass::Cpu,
        runtime: runtime.to_owned(),
        driver: None,
        multiprocessors: None,
        memory_bytes: None,
        l2_bytes: None,
        max_tensor_bytes: None,
        plane_size: None,
    }
}
