//! Tells the binary which source it was built from: revision, whether that was modified, compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the binary is made of, from the root of the workspace.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "kernels/src",
    "crates/bk-burn/src",
    "crates/bk-harness/src",
    "crates/bk-phase2/src",
    "crates/bk-targets/src",
    "crates/bkbench/src",
    "crates/bkbench/build.rs",
];

/// What a commit or `git add` changes, from the git directory.
const GIT_STATE: [&str; 3] = ["HEAD", "index", "logs/HEAD"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let repository = Repository::at(&root);

    // Whatever is modified shows when one of these changes, and nothing else makes this script run again.
    watch(SOURCES.iter().map(|path| root.join(path)));
    if let Some(repository) = &repository {
        watch(GIT_STATE.iter().map(|path| repository.git_directory.join(path)));
    }

    let compiler = std::env::var("RUSTC").ok().and_then(|rustc| output(Command::new(rustc).arg("--version")));
    set("BKBENCH_GIT_REVISION", repository.as_ref().and_then(Repository::revision));
    set("BKBENCH_GIT_MODIFIED", repository.as_ref().and_then(Repository::modified));
    set("BKBENCH_RUSTC", compiler);
    set("BKBENCH_FEATURES", Some(features()));
}

/// The git repository whose work tree is this workspace.
struct Repository {
    root: PathBuf,
    git_directory: PathBuf,
}

impl Repository {
    /// `None` without git, outside of a repository, and for a copy of the sources inside another project's
    /// repository, whose revision says nothing about them.
    fn at(root: &Path) -> Option<Self> {
        let top = git(root, &["rev-parse", "--show-toplevel"])?;
        let same = Path::new(&top).canonicalize().ok()? == root.canonicalize().ok()?;
        let git_directory = git(root, &["rev-parse", "--absolute-git-dir"])?.into();
        same.then(|| Self { root: root.to_owned(), git_directory })
    }

    fn revision(&self) -> Option<String> {
        git(&self.root, &["rev-parse", "--short=12", "HEAD"])
    }

    /// `true` or `false`: whether a source differs from the revision.
    fn modified(&self) -> Option<String> {
        // Optional locks would let `status` rewrite the index, which is watched.
        let arguments = ["--no-optional-locks", "status", "--porcelain", "--"];
        let changes = git(&self.root, &[arguments.as_slice(), SOURCES.as_slice()].concat())?;
        Some((!changes.is_empty()).to_string())
    }
}

fn watch(paths: impl Iterator<Item = PathBuf>) {
    // A path that does not exist would count as changed on every build.
    for path in paths.filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// The cargo features of this build, separated by commas.
fn features() -> String {
    let names = ["cuda", "wgpu", "vulkan", "ndarray", "flex", "autotune", "fusion"];
    let on = |name: &&str| std::env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some();
    names.into_iter().filter(on).collect::<Vec<_>>().join(",")
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    output(Command::new("git").arg("-C").arg(root).args(arguments))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn set(variable: &str, value: Option<String>) {
    println!("cargo::rustc-env={variable}={}", value.as_deref().unwrap_or("unknown"));
}
