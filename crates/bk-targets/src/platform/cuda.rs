//! The CUDA target: what must be there at run time, and the facts of the device.

use std::path::PathBuf;

use bk_harness::device::{DeviceClass, DeviceInfo};
use cubecl::Runtime;
use cubecl::cuda::{CudaDevice, CudaRuntime};
use cudarc::driver::{result as driver, sys};

use super::cube::CubePlatform;
use crate::target::Unavailable;

/// CUDA on device 0 (choose another with `CUDA_VISIBLE_DEVICES`).
pub(crate) type CudaPlatform = CubePlatform<CudaRuntime, u8>;

/// Opens device 0.
pub(crate) fn open(target: &str) -> Result<(CudaPlatform, DeviceInfo), Unavailable> {
    // SAFETY: both only look for a library.
    let (has_driver, has_compiler) =
        unsafe { (sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !has_driver {
        return Err(missing("no CUDA driver: libcuda.so was not found; install the NVIDIA driver"));
    }
    driver::init().map_err(|error| missing(&format!("the CUDA driver does not start: {error}")))?;
    let device = driver::device::get(0)
        .map_err(|error| missing(&format!("the CUDA driver has no device 0: {error}")))?;
    if !has_compiler {
        return Err(missing(
            "no CUDA run-time compiler: libnvrtc.so was not found; install the CUDA toolkit and let \
             LD_LIBRARY_PATH reach its lib64",
        ));
    }
    if !toolkit_headers() {
        return Err(missing(
            "no CUDA toolkit headers: cuda_runtime.h was found neither in $CUDA_PATH/include nor in \
             /usr/local/cuda, /opt/cuda or /usr; set CUDA_PATH to the toolkit",
        ));
    }
    let name = driver::device::get_name(device).unwrap_or_else(|_| "unnamed CUDA device".to_owned());
    let platform = CudaPlatform::new(CudaDevice::new(0), DeviceClass::Gpu, &name);
    let info = device_info(target, device, name, &platform);
    Ok((platform, info))
}

fn missing(what: &str) -> Unavailable {
    Unavailable(what.to_owned())
}

/// The kernels are compiled against these headers when they are first launched.
fn toolkit_headers() -> bool {
    let named = std::env::var_os("CUDA_PATH").map(PathBuf::from);
    let usual = ["/usr/local/cuda", "/opt/cuda", "/usr"].map(PathBuf::from);
    let places: Vec<PathBuf> = named.map_or_else(|| usual.to_vec(), |path| vec![path]);
    places.iter().any(|place| place.join("include/cuda_runtime.h").is_file())
}

fn device_info(target: &str, device: sys::CUdevice, name: String, platform: &CudaPlatform) -> DeviceInfo {
    let attribute = |kind| {
        // SAFETY: the device handle comes from the driver.
        unsafe { driver::device::get_attribute(device, kind) }.ok().and_then(|value| value.try_into().ok())
    };
    let properties = platform.client().properties();
    use sys::CUdevice_attribute_enum as Attribute;
    DeviceInfo {
        target: target.to_owned(),
        name,
        class: DeviceClass::Gpu,
        runtime: CudaRuntime::name(platform.client()).to_owned(),
        driver: driver_version(),
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        // SAFETY: the device handle comes from the driver.
        memory_bytes: unsafe { driver::device::total_mem(device) }.ok().map(|bytes| bytes as u64),
        l2_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).map(u64::from),
        max_tensor_bytes: Some(properties.memory.max_page_size),
        plane_size: Some(properties.hardware.plane_size_max),
    }
}

/// The kernel module's version, and the CUDA version that the driver speaks.
fn driver_version() -> Option<String> {
    let mut version = 0;
    // SAFETY: the pointer is to a local integer.
    let cuda = unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .ok()
        .map(|()| format!("CUDA {}.{}", version / 1000, version % 1000 / 10));
    let module = std::fs::read_to_string("/proc/driver/nvidia/version").ok().and_then(|text| {
        let version = text.split_whitespace().find(|word| {
            word.split('.').count() >= 2 && word.split('.').all(|part| part.parse::<u32>().is_ok())
        })?;
        Some(format!("NVIDIA {version}"))
    });
    let parts: Vec<String> = module.into_iter().chain(cuda).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
