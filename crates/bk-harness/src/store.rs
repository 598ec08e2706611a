//! Results on disk: files that are written whole or not at all, and the journal that makes a run resumable.

mod error;
mod files;
mod journal;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use files::{load_run, load_runs, load_text, save_json, save_text};
pub use journal::{Fingerprint, Journal};
