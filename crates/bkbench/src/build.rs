//! What this program was built from, as `build.rs` found it.

/// Git revision of the source; `unknown` outside of a repository.
pub(crate) const GIT_REVISION: &str = env!("BKBENCH_GIT_REVISION");

/// `rustc --version`.
pub(crate) const RUSTC: &str = env!("BKBENCH_RUSTC");

/// Version, revision and targets, as `bkbench --version` prints them.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("BKBENCH_GIT_REVISION"),
    ", targets: ",
    env!("BKBENCH_FEATURES"),
    ")"
);

/// Whether the source had changes that are not in [`GIT_REVISION`]; `None` when that is unknown.
pub(crate) fn git_modified() -> Option<bool> {
    env!("BKBENCH_GIT_MODIFIED").parse().ok()
}

/// Cargo features that were on.
pub(crate) fn features() -> Vec<String> {
    env!("BKBENCH_FEATURES").split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
