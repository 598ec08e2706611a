//! What the workloads need of a backend beyond Burn's own trait: clocks, delays, a copy rate.

use std::time::Duration;

use bk_burn::BkBackend;
use bk_harness::memory::MemoryProbe;
use bk_harness::workload::Failure;
use burn::tensor::backend::{Backend, BackendTypes};

#[cfg(all(feature = "cuda", feature = "wgpu"))]
mod clocks;
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod cube;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(all(feature = "fusion", any(feature = "cuda", feature = "wgpu")))]
pub(crate) mod fused;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod memory;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod probes;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;

/// A backend on a device, with its clocks.
pub(crate) trait Platform {
    /// The backend.
    type Backend: BkBackend;

    /// The device.
    fn device(&self) -> &<Self::Backend as BackendTypes>::Device;

    /// See [`bk_harness::workload::Workload::flush`].
    fn flush(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Waits for everything that was queued.
    fn synchronize(&self) -> Result<(), Failure> {
        <Self::Backend as Backend>::sync(self.device())
            .map_err(|error| Failure::Execution(format!("the device failed: {error}")))
    }

    /// See [`bk_harness::workload::Workload::queue_delay`].
    fn queue_delay(&self, _duration: Duration) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Runs `work`, which only queues, between two time stamps of the device.
    fn device_time(
        &self,
        _work: Box<dyn FnOnce() -> Result<(), String> + Send>,
    ) -> Result<Option<Duration>, Failure> {
        Ok(None)
    }

    /// Whether [`Platform::device_time`] gives a time.
    fn has_device_time(&self) -> bool {
        false
    }

    /// Whether a hardware GPU executes the work.
    fn is_hardware_gpu(&self) -> bool {
        false
    }

    /// Whether matrix products of float32 may be rounded to TF32.
    fn has_tensor_cores(&self) -> bool {
        self.is_hardware_gpu()
    }

    /// Something that reads the allocator of the device from another thread.
    fn memory_probe(&self) -> Option<Box<dyn MemoryProbe>> {
        None
    }

    /// Bytes of device memory that the driver says are taken.
    fn driver_bytes(&self) -> Option<u64> {
        None
    }

    /// Bytes a second, read plus written, of a plain copy.
    fn copy_rate(&self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }
}
