//! What a worker knows of the device that it runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target that CubeCL reaches through wgpu.
pub(crate) const WGPU_TARGET: &str = "wgpu";
/// What it is called in results where its shaders are compiled from WGSL.
pub(crate) const WGSL_TARGET: &str = "wgsl";

/// A device as its worker found it. Unknown facts are absent, never guessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceInfo {
    /// Target that was opened.
    pub target: String,
    /// Name as the driver gives it.
    pub name: String,
    /// What executes the work.
    pub class: DeviceClass,
    /// Runtime and compiler: `cuda`, `wgpu<spirv>`, `wgpu<wgsl>`, `ndarray`, ...
    pub runtime: String,
    /// Driver and its version.
    pub driver: Option<String>,
    /// Streaming multiprocessors or compute units.
    pub multiprocessors: Option<u32>,
    /// Bytes of device memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of the last-level cache.
    pub l2_bytes: Option<u64>,
    /// Bytes of the largest tensor that the runtime can allocate.
    pub max_tensor_bytes: Option<u64>,
    /// Units of a plane (warp, subgroup).
    pub plane_size: Option<u32>,
}

/// What kind of hardware executes the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceClass {
    /// A hardware GPU.
    Gpu,
    /// A GPU interface executed on the CPU: never a performance claim.
    Software,
    /// The CPU itself.
    Cpu,
}
