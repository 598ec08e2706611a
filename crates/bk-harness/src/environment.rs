//! What the machine and the program were like when a run was made.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Prefixes of the environment variables that change what is measured: compilers, drivers, autotune, and
/// how many threads compute.
const RELEVANT_PREFIXES: [&str; 8] = ["CUBECL_", "CUDA_", "LP_", "MESA_", "RAYON_", "VK_", "WGPU_", "OMP_"];

/// A variable with one of these in its name is never recorded, whatever its prefix.
const SECRET_PARTS: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "KEY"];

/// Machine, program and call of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Name of the machine.
    pub host: Option<String>,
    /// Operating system and its version.
    pub os: String,
    /// Version of the operating system's kernel.
    pub os_kernel: Option<String>,
    /// Architecture that the program was compiled for: `x86_64`, `aarch64`, ...
    pub architecture: String,
    /// Model of the CPU.
    pub cpu: Option<String>,
    /// Cores, without the second thread of each.
    pub physical_cores: Option<u32>,
    /// Threads that the operating system lets this process run at once.
    pub available_threads: Option<u32>,
    /// Bytes of main memory.
    pub memory_bytes: u64,
    /// Environment variables that change what is measured.
    pub variables: BTreeMap<String, String>,
    /// The program.
    pub build: BuildInfo,
    /// The call: name of the program and its arguments.
    pub command_line: Vec<String>,
}

/// What is known of a program since it was compiled; its binary passes it in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildInfo {
    /// Version of the program.
    pub version: String,
    /// Revision of the sources, where they were in a git tree.
    pub git_revision: Option<String>,
    /// Whether sources differed from that revision.
    pub git_dirty: Option<bool>,
    /// Compiler and its version.
    pub rustc: String,
    /// Cargo features that were on.
    pub features: Vec<String>,
    /// Versions of the crates that compute.
    pub crate_versions: BTreeMap<String, String>,
}

impl Environment {
    /// Looks at the machine and at this process. `command_line` starts with the program, of which only
    /// the file name is kept.
    pub fn capture(build: BuildInfo, command_line: impl IntoIterator<Item = String>) -> Self {
        let refresh = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(refresh);
        let cpu = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
        Self {
            host: System::host_name(),
            os: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
            os_kernel: System::kernel_version(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu: cpu.filter(|brand| !brand.is_empty()),
            physical_cores: System::physical_core_count().and_then(|count| count.try_into().ok()),
            available_threads: std::thread::available_parallelism()
                .ok()
                .and_then(|count| count.get().try_into().ok()),
            memory_bytes: system.total_memory(),
            variables: relevant(std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })),
            build,
            command_line: without_directory(command_line),
        }
    }
}

/// The variables worth recording; everything else in the environment is the user's own business.
fn relevant(variables: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    variables
        .filter(|(name, _)| RELEVANT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|(name, _)| !SECRET_PARTS.iter().any(|part| name.to_uppercase().contains(part)))
        .collect()
}

/// Where the program is installed says nothing of the run, but may say something of the user.
fn without_directory(command_line: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = command_line.into_iter().collect();
    if let Some(program) = words.first_mut() {
        let name = Path::new(program.as_str()).file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name {
            *program = name;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory_and_threads() {
        let environment = Environment::capture(BuildInfo::default(), ["/opt/bin/bkbench".to_owned()]);
        assert!(environment.memory_bytes > 0);
        assert!(environment.available_threads > Some(0));
        assert_eq!(environment.command_line, ["bkbench"]);
    }

    #[test]
    fn only_variables_that_matter_are_recorded_and_no_secrets() {
        let seen = ["CUDA_PATH", "HOME", "VK_ICD_FILENAMES", "AWS_SECRET_ACCESS_KEY", "CUBECL_LICENSE_TOKEN"];
        let recorded = relevant(seen.iter().map(|name| ((*name).to_owned(), "value".to_owned())));
        assert_eq!(recorded.keys().collect::<Vec<_>>(), ["CUDA_PATH", "VK_ICD_FILENAMES"]);
    }

    #[test]
    fn arguments_are_kept_as_they_were_given() {
        let words = without_directory(["target/release/bkbench", "run", "configs/a.toml"].map(str::to_owned));
        assert_eq!(words, ["bkbench", "run", "configs/a.toml"]);
    }
}
