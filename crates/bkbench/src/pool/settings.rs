//! How a built-in worker sets up its runtime.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use bk_harness::config::RuntimeOptions;

/// What a worker is told beside its target and type. External programs are told nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// What the config says.
    pub(crate) runtime: RuntimeOptions,
    /// One stream for all threads, so that a thread which reads the memory sees that of the others.
    pub(crate) single_stream: bool,
}

impl WorkerSettings {
    /// Those of `runtime`, with a stream for each thread.
    pub(crate) fn new(runtime: &RuntimeOptions) -> Self {
        Self { runtime: runtime.clone(), single_stream: false }
    }

    /// The same with one stream for all threads.
    pub(crate) fn single_stream(&self) -> Self {
        Self { single_stream: true, ..self.clone() }
    }

    /// Adds them to the command of a built-in worker.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(level) = self.runtime.autotune {
            command.args(["--autotune", level.name()]);
        }
        if self.single_stream {
            command.arg("--single-stream");
        }
        if let Some(folder) = self.runtime.kernel_cache.then(kernel_cache).flatten() {
            command.arg("--kernel-cache").arg(folder);
        }
    }
}

/// Folder of compiled kernels of this very program: the runtime's cache knows a kernel by its name and not
/// by its code, so a program that was built anew must not find the kernels of the old one. `None` without
/// a place for caches.
fn kernel_cache() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let metadata = program.metadata().ok()?;
    let mut hasher = DefaultHasher::new();
    (crate::build::VERSION, metadata.len(), metadata.modified().ok()?).hash(&mut hasher);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").or_else(|| std::env::var_os("LOCALAPPDATA"))?;
        Some(PathBuf::from(home).join(".cache"))
    })?;
    Some(caches.join("bkbench").join("kernels").join(format!("{:016x}", hasher.finish())))
}

#[cfg(test)]
mod tests {
    use bk_harness::config::AutotuneLevel;

    use super::*;

    fn arguments(settings: &WorkerSettings) -> Vec<String> {
        let mut command = Command::new("worker");
        settings.apply(&mut command);
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_settings_of_the_config_reach_the_worker() {
        let runtime = RuntimeOptions { autotune: Some(AutotuneLevel::Minimal), kernel_cache: false };
        let settings = WorkerSettings::new(&runtime);
        assert_eq!(arguments(&settings), ["--autotune", "minimal"]);
        assert_eq!(arguments(&settings.single_stream()), ["--autotune", "minimal", "--single-stream"]);
    }

    #[test]
    fn compiled_kernels_are_kept_in_a_folder_of_this_program_alone() {
        let settings = WorkerSettings::new(&RuntimeOptions { autotune: None, kernel_cache: true });
        let arguments = arguments(&settings);
        let [option, folder] = arguments.as_slice() else { panic!("{arguments:?}") };
        assert_eq!(option, "--kernel-cache");
        assert!(folder.contains("bkbench") && !folder.ends_with("kernels"), "{folder}");
    }
}
