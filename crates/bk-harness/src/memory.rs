//! Peak memory of a workload: what reads it, and what was read.
//!
//! The allocators of GPU runtimes have no peak counter, so the bytes in use are read again and again while
//! the workload runs. What such readings miss is short; `METHODOLOGY.md` says how short.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::AnalyticBytes;
use crate::numerics::Numerics;
use crate::workload::Failure;

/// Something whose memory is measured. All methods are called from one thread.
pub trait MemoryWorkload {
    /// Brings onto the device what a launch needs and keeps: weights and inputs.
    ///
    /// # Errors
    /// What fails, out of memory for one.
    fn load(&mut self) -> Result<(), Failure>;

    /// Runs once, waits for the end and drops the output.
    ///
    /// # Errors
    /// As [`MemoryWorkload::load`].
    fn run(&mut self) -> Result<(), Failure>;

    /// Something that reads the memory of the device while another thread runs the workload; `None` on
    /// targets that allocate in the process itself.
    fn probe(&self) -> Option<Box<dyn MemoryProbe>>;

    /// Bytes of device memory that the driver says are taken; `None` where it says nothing.
    fn driver_bytes(&self) -> Option<u64>;

    /// Proves that what was run computes the right thing; called last, since it needs memory itself.
    ///
    /// # Errors
    /// When the proof fails to run; a wrong result is no error but [`Numerics::rejected`].
    fn verify(&mut self) -> Result<Numerics, Failure>;
}

/// Reads the allocator of a device.
pub trait MemoryProbe: Send {
    /// What is allocated now; `None` when it cannot be read.
    fn read(&mut self) -> Option<AllocatorReading>;
}

/// What an allocator holds at one moment, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllocatorReading {
    /// Of tensors that are alive.
    pub in_use: u64,
    /// Of the pages that it took from the driver.
    pub reserved: u64,
}

/// Memory of a case, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryMeasurement {
    /// By arithmetic.
    pub analytic: AnalyticBytes,
    /// By the allocator of the device; absent on targets that allocate in the process itself.
    pub allocator: Option<AllocatorMemory>,
    /// By the driver.
    pub driver: Option<Rise>,
    /// Resident set of the process.
    pub resident: Option<Rise>,
}

/// What the allocator of a device held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllocatorMemory {
    /// In use before the model was there.
    pub baseline: u64,
    /// In use with weights and inputs on the device.
    pub loaded: u64,
    /// Peak in use during the first pass, which may hold copies that autotune makes.
    pub first_pass_peak: u64,
    /// Peak in use of each pass after it.
    pub peaks: Vec<u64>,
    /// Most that was reserved from the driver.
    pub reserved: u64,
    /// Readings that the peaks are the maximum of.
    pub readings: u64,
}

/// A quantity before the model was there, and its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rise {
    /// Before.
    pub baseline: u64,
    /// At most.
    pub peak: u64,
}

impl Rise {
    /// What came on top of the baseline.
    pub fn bytes(&self) -> u64 {
        self.peak.saturating_sub(self.baseline)
    }
}

impl AllocatorMemory {
    /// Peak of the passes that hold no autotuning, with what was in use before taken off.
    pub fn peak_bytes(&self) -> u64 {
        let peak = self.peaks.iter().copied().max().unwrap_or(self.first_pass_peak);
        peak.saturating_sub(self.baseline)
    }
}

impl MemoryMeasurement {
    /// The figure that KPIs bound: the allocator's peak of bytes in use, and on a target without an
    /// allocator of its own the rise of the resident set.
    pub fn peak_bytes(&self) -> Option<u64> {
        let allocator = self.allocator.as_ref().map(AllocatorMemory::peak_bytes);
        allocator.or_else(|| self.resident.as_ref().map(Rise::bytes))
    }
}

/// Bytes of the resident set of this process, now and at most so far, where the operating system tells.
pub(crate) fn resident_set() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = |key: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((kib("VmRSS:")? * 1024, kib("VmHWM:")? * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocator(peaks: &[u64]) -> AllocatorMemory {
        AllocatorMemory {
            baseline: 10,
            loaded: 110,
            first_pass_peak: 900,
            peaks: peaks.to_vec(),
            reserved: 4096,
            readings: 100,
        }
    }

    fn memory(allocator: Option<AllocatorMemory>) -> MemoryMeasurement {
        MemoryMeasurement {
            analytic: AnalyticBytes { weights: 100, activations: 50, logits: 50 },
            allocator,
            driver: None,
            resident: Some(Rise { baseline: 1000, peak: 1300 }),
        }
    }

    #[test]
    fn the_copies_that_autotune_makes_in_the_first_pass_are_in_no_peak() {
        assert_eq!(memory(Some(allocator(&[410, 430, 420]))).peak_bytes(), Some(420));
        assert_eq!(memory(Some(allocator(&[]))).peak_bytes(), Some(890), "one pass is all there is");
    }

    #[test]
    fn without_an_allocator_the_resident_set_counts() {
        assert_eq!(memory(None).peak_bytes(), Some(300));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_is_touched_shows_in_the_resident_set() {
        let (before, _) = resident_set().unwrap();
        // Opaque, or an optimiser leaves it out.
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let (with, most) = resident_set().unwrap();
        assert!(with >= before + (48 << 20) && most >= with, "{before} {with} {most}");
        assert_eq!(block[block.len() - 1], 1);
    }
}
