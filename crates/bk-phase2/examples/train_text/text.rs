//! The text: what is trained on, what is held back, and what it costs to say nothing of context.

use std::fs;
use std::io;
use std::path::PathBuf;

use rand::SeedableRng;
use rand_distr::{Distribution, Uniform};
use rand_pcg::Pcg64Mcg;

/// The last part of the text is not trained on.
const HELD_BACK: f64 = 0.05;

/// Bytes to train on and bytes to validate with.
pub(crate) struct Text {
    bytes: Vec<u8>,
    trained: usize,
}

impl Text {
    pub(crate) fn read(files: &[PathBuf]) -> io::Result<Self> {
        let mut bytes = Vec::new();
        for path in files {
            let file = fs::read(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            bytes.extend(file);
        }
        let trained = (bytes.len() as f64 * (1.0 - HELD_BACK)) as usize;
        Ok(Self { bytes, trained })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// `-sum p log p` over the bytes, in nats: the loss of a model that knows how often each occurs and
    /// nothing else.
    pub(crate) fn unigram_entropy(&self) -> f64 {
        let mut counts = [0usize; 256];
        for byte in &self.bytes {
            counts[usize::from(*byte)] += 1;
        }
        let share = |count: usize| count as f64 / self.bytes.len() as f64;
        counts.into_iter().filter(|count| *count > 0).map(|count| -share(count) * share(count).ln()).sum()
    }

    /// `batch` windows of `length` bytes from anywhere in the trained part: those of `step`, whatever went
    /// before.
    pub(crate) fn windows(
        &self,
        batch: usize,
        length: usize,
        seed: u64,
        step: usize,
    ) -> Result<Vec<i32>, String> {
        let stream = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64);
        let mut random = Pcg64Mcg::seed_from_u64(stream);
        let last = self.trained.checked_sub(length).ok_or_else(|| self.too_short(length))?;
        let starts = Uniform::new_inclusive(0, last).map_err(|error| error.to_string())?;
        let window = |start: usize| self.bytes[start..start + length].iter().map(|byte| i32::from(*byte));
        Ok((0..batch).flat_map(|_| window(starts.sample(&mut random))).collect())
    }

    /// Windows of `length` bytes that cover the part held back, `batch` at most, and how many there are.
    pub(crate) fn held_back(&self, batch: usize, length: usize) -> (Vec<i32>, usize) {
        let windows: Vec<&[u8]> = self.bytes[self.trained..].chunks_exact(length).take(batch).collect();
        (windows.concat().into_iter().map(i32::from).collect(), windows.len())
    }

    fn too_short(&self, length: usize) -> String {
        format!(
            "the text has {} bytes to train on and a sequence needs {length}: give more text or a shorter `--seq`",
            self.trained
        )
    }
}
