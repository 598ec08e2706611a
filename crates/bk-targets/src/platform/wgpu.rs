//! The wgpu target: Vulkan, Metal or DirectX, hardware or software.

use std::panic::catch_unwind;

use bk_harness::device::{DeviceClass, DeviceInfo};
use cubecl::Runtime;
use cubecl::wgpu::{AutoGraphicsApi, RuntimeOptions, WgpuDevice, WgpuRuntime, init_setup};

use super::cube::CubePlatform;
use crate::target::Unavailable;

/// wgpu on its default device (choose another with `CUBECL_WGPU_DEFAULT_DEVICE`).
pub(crate) type WgpuPlatform = CubePlatform<WgpuRuntime, u32>;

/// Opens the default device.
pub(crate) fn open(target: &str) -> Result<(WgpuPlatform, DeviceInfo), Unavailable> {
    let device = WgpuDevice::default();
    let chosen = device.clone();
    // Without an adapter the runtime panics; there is no call that asks first.
    let setup = catch_unwind(move || init_setup::<AutoGraphicsApi>(&chosen, RuntimeOptions::default()))
        .map_err(|_| {
            Unavailable(
                "no graphics adapter: wgpu found none; install a Vulkan driver (on Debian, \
                 `mesa-vulkan-drivers libvulkan1` brings a software one)"
                    .to_owned(),
            )
        })?;
    let adapter = setup.adapter.get_info();
    // The type of an adapter is named rather than matched: that needs no dependency on wgpu itself.
    let class = match format!("{:?}", adapter.device_type).as_str() {
        "DiscreteGpu" | "IntegratedGpu" | "VirtualGpu" => DeviceClass::Gpu,
        _ => DeviceClass::Software,
    };
    let driver = format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned();
    #[cfg(feature = "cuda")]
    let driver = if class == DeviceClass::Gpu && super::clocks::hold_up(&adapter.name) {
        format!("{driver}, clocks held up by a CUDA context")
    } else {
        driver
    };
    let platform = WgpuPlatform::new(device, class, &adapter.name);
    let properties = platform.client().properties();
    let info = DeviceInfo {
        target: target.to_owned(),
        name: adapter.name.clone(),
        class,
        runtime: WgpuRuntime::name(platform.client()).to_owned(),
        driver: Some(driver),
        multiprocessors: properties.hardware.num_streaming_multiprocessors,
        memory_bytes: None,
        l2_bytes: None,
        max_tensor_bytes: Some(properties.memory.max_page_size),
        plane_size: (properties.hardware.plane_size_min == properties.hardware.plane_size_max)
            .then_some(properties.hardware.plane_size_max),
    };
    Ok((platform, info))
}
