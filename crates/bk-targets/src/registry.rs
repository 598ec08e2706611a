//! The targets of this build.

use std::collections::BTreeMap;

use bk_harness::case::ElementType;

use crate::host::HostTarget;
#[cfg(any(feature = "cuda", feature = "wgpu", feature = "ndarray", feature = "flex"))]
use crate::target::BurnTarget;
use crate::target::{Target, Unavailable};

/// Names that [`open`] knows in this build.
pub fn known_targets() -> &'static [&'static str] {
    &[
        #[cfg(feature = "cuda")]
        "cuda",
        #[cfg(feature = "wgpu")]
        "wgpu",
        #[cfg(feature = "ndarray")]
        "ndarray",
        #[cfg(feature = "flex")]
        "flex",
        #[cfg(all(feature = "fusion", feature = "cuda"))]
        "cuda-fusion",
        #[cfg(all(feature = "fusion", feature = "wgpu"))]
        "wgpu-fusion",
        "host",
    ]
}

/// Opens a target. One target and one element type a process: Burn fixes default types once.
///
/// # Errors
/// [`Unavailable`] with what is missing: the target is not in this build, or its device or driver is not
/// on this machine.
pub fn open(target: &str, _dtype: ElementType) -> Result<Box<dyn Target>, Unavailable> {
    match target {
        #[cfg(feature = "cuda")]
        "cuda" => {
            let (platform, info) = crate::platform::cuda::open(target)?;
            Ok(Box::new(BurnTarget::new(platform, info)))
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => {
            let (platform, info) = crate::platform::wgpu::open(target)?;
            Ok(Box::new(BurnTarget::new(platform, info)))
        }
        #[cfg(all(feature = "fusion", feature = "cuda"))]
        "cuda-fusion" => {
            let (platform, info) = crate::platform::cuda::open(target)?;
            let platform = crate::platform::fused::FusedPlatform::around(&platform);
            Ok(Box::new(BurnTarget::new(platform, info)))
        }
        #[cfg(all(feature = "fusion", feature = "wgpu"))]
        "wgpu-fusion" => {
            let (platform, info) = crate::platform::wgpu::open(target)?;
            let platform = crate::platform::fused::FusedPlatform::around(&platform);
            Ok(Box::new(BurnTarget::new(platform, info)))
        }
        #[cfg(feature = "ndarray")]
        "ndarray" => {
            use crate::platform::cpu::{CpuPlatform, cpu_info};
            let platform = CpuPlatform::<burn::backend::NdArray<f32>>::new();
            Ok(Box::new(BurnTarget::new(platform, cpu_info(target, "ndarray"))))
        }
        #[cfg(feature = "flex")]
        "flex" => {
            use crate::platform::cpu::{CpuPlatform, cpu_info};
            let platform = CpuPlatform::<burn::backend::Flex>::new();
            Ok(Box::new(BurnTarget::new(platform, cpu_info(target, "flex"))))
        }
        "host" => Ok(Box::new(HostTarget::new())),
        other => Err(Unavailable(format!(
            "target `{other}` is not in this build, which has {}",
            known_targets().join(", ")
        ))),
    }
}

/// Versions of the crates whose code is measured, from the lock file of this build.
pub fn crate_versions() -> BTreeMap<String, String> {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    const MEASURED: [&str; 12] = [
        "bk-kernels",
        "burn",
        "burn-cubecl",
        "burn-flex",
        "burn-ndarray",
        "cubecl",
        "cubecl-cuda",
        "cubecl-spirv",
        "cubecl-wgpu",
        "cudarc",
        "ndarray",
        "wgpu",
    ];
    let quoted = |line: &str, key: &str| {
        line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
    };
    let mut versions = BTreeMap::new();
    let mut name = None;
    for line in LOCK.lines() {
        if let Some(found) = quoted(line, "name") {
            name = Some(found);
        } else if let Some(version) = quoted(line, "version")
            && let Some(name) = name.take().filter(|name| MEASURED.contains(&name.as_str()))
        {
            versions.insert(name, version);
        }
    }
    versions
}
