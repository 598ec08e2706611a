//! CubeCL runtimes: the clocks of a stream of launches.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use bk_harness::device::DeviceClass;
use bk_harness::memory::MemoryProbe;
use bk_harness::workload::Failure;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime};
use cubecl::future::block_on;
use cubecl::prelude::*;

use super::Platform;
use super::memory::{AllocatorProbe, Nvml};
use super::probes::{Delay, measure_copy_rate};

/// A CubeCL runtime on a device. `BT` is the type in which the backend stores booleans.
pub(crate) struct CubePlatform<R: CubeRuntime, BT: BoolElement> {
    client: ComputeClient<R>,
    device: R::Device,
    class: DeviceClass,
    /// Whether `profile` reads the device's own clock; on CUDA it is the host's.
    timestamps: bool,
    delay: Cell<Option<Delay>>,
    copy_rate: Cell<Option<f64>>,
    /// Name of the device, by which the driver knows it.
    name: String,
    nvml: OnceCell<Option<Nvml>>,
    booleans: core::marker::PhantomData<BT>,
}

impl<R: CubeRuntime, BT: BoolElement> CubePlatform<R, BT> {
    pub(crate) fn new(device: R::Device, class: DeviceClass, name: &str) -> Self {
        let client = R::client(&device);
        let method = client.properties().timing_method;
        Self {
            client,
            device,
            class,
            timestamps: method == cubecl::profile::TimingMethod::Device,
            delay: Cell::new(None),
            copy_rate: Cell::new(None),
            name: name.to_owned(),
            nvml: OnceCell::new(),
            booleans: core::marker::PhantomData,
        }
    }

    pub(crate) fn client(&self) -> &ComputeClient<R> {
        &self.client
    }

    fn delay(&self) -> Result<Delay, Failure> {
        if let Some(delay) = self.delay.get() {
            return Ok(delay);
        }
        let delay = Delay::calibrate(&self.client)?;
        self.delay.set(Some(delay));
        Ok(delay)
    }
}

impl<R: CubeRuntime, BT: BoolElement> Platform for CubePlatform<R, BT> {
    type Backend = CubeBackend<R, f32, i32, BT>;

    fn device(&self) -> &R::Device {
        &self.device
    }

    fn flush(&self) -> Result<(), Failure> {
        // A thread of CubeCL 0.10 hands launches over: what is asked of it now comes after them. wgpu's collects them until a
        // flush; on CUDA a flush would wait for what was queued before the last one, a delay too.
        let on_cuda = R::name(&self.client) == "cuda";
        let flushed = if on_cuda { self.client.exclusive(|| ()) } else { self.client.flush() };
        flushed.map_err(|error| Failure::Execution(format!("the device failed: {error:?}")))
    }

    fn queue_delay(&self, duration: Duration) -> Result<bool, Failure> {
        // A CPU adapter executes launches on the cores that issue them: there is nothing to hide behind.
        if self.class != DeviceClass::Gpu {
            return Ok(false);
        }
        self.delay()?.queue(&self.client, duration);
        Ok(true)
    }

    fn has_device_time(&self) -> bool {
        self.timestamps
    }

    fn device_time(
        &self,
        work: Box<dyn FnOnce() -> Result<(), String> + Send>,
    ) -> Result<Option<Duration>, Failure> {
        if !self.timestamps {
            return Ok(None);
        }
        let failed = |error: String| Failure::Execution(format!("the device failed: {error}"));
        let (done, duration) =
            self.client.profile(work, "bk-core").map_err(|error| failed(format!("{error:?}")))?;
        done.map_err(failed)?;
        Ok(Some(block_on(duration.resolve()).duration()))
    }

    fn is_hardware_gpu(&self) -> bool {
        self.class == DeviceClass::Gpu
    }

    fn memory_probe(&self) -> Option<Box<dyn MemoryProbe>> {
        Some(Box::new(AllocatorProbe::of_this_thread(&self.client)))
    }

    fn driver_bytes(&self) -> Option<u64> {
        self.nvml.get_or_init(|| Nvml::of_device(&self.name)).as_ref()?.bytes_taken()
    }

    fn copy_rate(&self) -> Result<Option<f64>, Failure> {
        if self.class != DeviceClass::Gpu {
            return Ok(None);
        }
        if self.copy_rate.get().is_none() {
            self.copy_rate.set(Some(measure_copy_rate(&self.client)?));
        }
        Ok(self.copy_rate.get())
    }
}
