//! Where a run is: what `--resume` goes on from besides weights and moments.

use std::fs;
use std::io;
use std::path::Path;

use bk_phase2::GradientStatistics;
use serde::{Deserialize, Serialize};

/// `progress.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps done.
    pub(crate) step: usize,
    /// Seconds of training.
    pub(crate) seconds: f64,
    /// Target of the last run.
    pub(crate) target: String,
    /// Bytes of the text.
    pub(crate) text_bytes: usize,
    /// `-sum p log p` of its bytes, in nats.
    pub(crate) unigram_entropy: f64,
    /// What happened to the gradients.
    pub(crate) gradients: GradientStatistics,
    /// Step and training loss in nats a byte.
    pub(crate) losses: Vec<(usize, f64)>,
    /// Step and loss on the part held back.
    pub(crate) validation: Vec<(usize, f64)>,
}

impl Progress {
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(folder.join("progress.json"))?;
        serde_json::from_str(&text).map_err(Into::into)
    }

    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join("progress.json"), serde_json::to_string_pretty(self)?)
    }

    /// The mean of the last points of the curve: single batches are noisy.
    pub(crate) fn recent_loss(&self) -> f64 {
        let recent = &self.losses[self.losses.len().saturating_sub(10)..];
        recent.iter().map(|(_, loss)| loss).sum::<f64>() / recent.len().max(1) as f64
    }
}
