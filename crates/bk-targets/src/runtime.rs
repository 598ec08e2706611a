//! How the runtime that compiles and tunes kernels is set up, before a target is opened.

use std::path::PathBuf;

use bk_harness::config::AutotuneLevel;

/// Settings of the runtime of GPU targets. The default leaves everything as `cubecl.toml` and the
/// environment have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeSetup {
    /// How finely autotune tells sizes apart.
    pub autotune: Option<AutotuneLevel>,
    /// One stream for all threads, so that memory is counted in one place.
    pub single_stream: bool,
    /// Folder in which compiled kernels are kept. The runtime knows a kernel by its name and not by its
    /// code: give each build of a program a folder of its own.
    pub kernel_cache: Option<PathBuf>,
}

/// Applies `setup` on top of `cubecl.toml` and the environment. Call it once, before [`open`](crate::open);
/// where the runtime has been used already, and in a build without GPU targets, nothing happens.
///
/// Returns whether it was applied.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub fn configure(setup: &RuntimeSetup) -> bool {
    use cubecl::config::autotune;
    use cubecl::config::cache::CacheConfig;
    use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    // The runtime panics when it is set up twice, and has no call that asks first.
    if CubeClRuntimeConfig::storage().lock().is_some() {
        return false;
    }
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    if let Some(level) = setup.autotune {
        config.autotune.level = match level {
            AutotuneLevel::Minimal => autotune::AutotuneLevel::Minimal,
            AutotuneLevel::Balanced => autotune::AutotuneLevel::Balanced,
            AutotuneLevel::Extensive => autotune::AutotuneLevel::Extensive,
            AutotuneLevel::Full => autotune::AutotuneLevel::Full,
        };
    }
    if setup.single_stream {
        config.streaming.max_streams = 1;
    }
    if let Some(folder) = &setup.kernel_cache {
        config.compilation.cache = Some(CacheConfig::File(folder.clone()));
    }
    CubeClRuntimeConfig::set(config);
    true
}

/// Without GPU targets there is no runtime.
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
pub fn configure(_setup: &RuntimeSetup) -> bool {
    false
}
