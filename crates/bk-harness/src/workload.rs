//! The contract between the harness and the thing that it measures.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::{DeviceClass, DeviceInfo};
use crate::numerics::Numerics;

/// Something that can be launched, waited for and checked.
///
/// A workload holds several input sets so that launches need not find their inputs in the cache. All
/// methods are called from one thread.
pub trait Workload {
    /// Bytes and operations that one launch cannot do without.
    fn work(&self) -> Work;

    /// Number of distinct input sets, at least 1, and whether they outgrow the cache.
    fn input_sets(&self) -> InputSets;

    /// Queues one execution on input set `set`, `0..input_sets().count`, without waiting for it.
    ///
    /// # Errors
    /// Only what is known at once; a failure on the device may show in [`Workload::synchronize`].
    fn launch(&mut self, set: usize) -> Result<(), Failure>;

    /// Waits until every launch is with the device's driver: where another thread hands them over, [`Workload::launch`]
    /// returns before they are.
    ///
    /// # Errors
    /// As [`Workload::launch`].
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Waits until everything that was queued is done.
    ///
    /// # Errors
    /// Any launch since the last call that failed.
    fn synchronize(&mut self) -> Result<(), Failure>;

    /// Queues work that keeps the device busy for about `duration`, so that launches queued behind it
    /// are issued before the first one starts. Returns whether the device can do so.
    ///
    /// # Errors
    /// As [`Workload::launch`].
    fn queue_delay(&mut self, _duration: Duration) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Time of `launches` executions by the device's own clock, `None` where it has none.
    /// Execution `i` uses input set `(first_set + i) % count`.
    ///
    /// # Errors
    /// As [`Workload::synchronize`].
    fn device_time(&mut self, _first_set: usize, _launches: u32) -> Result<Option<Duration>, Failure> {
        Ok(None)
    }

    /// Bytes a second (read plus written) that a plain copy reaches on this device, where it was measured.
    fn copy_rate(&mut self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    /// Parts of a launch that can be executed one by one, in order; none by default.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    /// Queues one of [`Workload::parts`]; the caller goes through them in order.
    ///
    /// # Errors
    /// As [`Workload::launch`]; always for a workload without parts.
    fn launch_part(&mut self, part: Part) -> Result<(), Failure> {
        Err(Failure::Execution(format!("a launch has no part `{}`", part.name())))
    }

    /// Operations a second of a large matrix product on this device, where it was measured.
    ///
    /// # Errors
    /// As [`Workload::synchronize`].
    fn matrix_rate(&mut self) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    /// Executes once on input set 0 with a poisoned output and compares with the float64 oracle.
    ///
    /// # Errors
    /// When the execution fails; a wrong result is no error but [`Numerics::rejected`].
    fn verify(&mut self) -> Result<Numerics, Failure>;
}

/// A part of a launch that is timed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// From the input to the loss.
    Forward,
    /// From the loss to the gradients.
    Backward,
}

impl Part {
    /// Name as written in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }
}

/// What one launch cannot do without: the floor of its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Elements (sites, tokens) processed.
    pub elements: u64,
    /// Bytes read, each input once.
    pub bytes_read: u64,
    /// Bytes written, each output once.
    pub bytes_written: u64,
    /// Floating-point operations.
    pub flops: u64,
}

/// The input sets of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSets {
    /// How many there are.
    pub count: usize,
    /// Whether a launch finds its inputs gone from the cache when every set is used in turn.
    pub exceed_cache: bool,
    /// Whether the device is a CPU, where inputs are not rotated.
    pub cpu: bool,
}

/// Cache assumed where a device does not tell.
const UNKNOWN_CACHE: u64 = 64 << 20;

/// Input sets at most; more would only cost time to make.
const MOST_SETS: u64 = 256;

impl InputSets {
    /// As many sets as it takes to outgrow the cache of `device` twice, at least 2 and at most 256; one on a
    /// CPU, where inputs are not rotated.
    pub fn for_work(work: &Work, device: &DeviceInfo) -> Self {
        if device.class != DeviceClass::Gpu {
            return Self { count: 1, exceed_cache: false, cpu: true };
        }
        let bytes = (work.bytes_read + work.bytes_written).max(1);
        let target = 2 * device.l2_bytes.unwrap_or(UNKNOWN_CACHE);
        let count = target.div_ceil(bytes).clamp(2, MOST_SETS);
        Self { count: count as usize, exceed_cache: count * bytes >= target, cpu: false }
    }
}

/// Why a case has no measurement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The case does not apply to this device.
    #[error("{0}")]
    Skip(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Execution(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(class: DeviceClass, l2_bytes: Option<u64>) -> DeviceInfo {
        DeviceInfo {
            target: "cuda".to_owned(),
            name: "Example GPU".to_owned(),
            class,
            runtime: "cuda".to_owned(),
            driver: None,
            multiprocessors: None,
            memory_bytes: None,
            l2_bytes,
            max_tensor_bytes: None,
            plane_size: None,
        }
    }

    fn sets(bytes: u64, device: &DeviceInfo) -> InputSets {
        let work = Work { elements: 1, bytes_read: bytes / 2, bytes_written: bytes / 2, flops: 0 };
        InputSets::for_work(&work, device)
    }

    #[test]
    fn input_sets_outgrow_the_cache_of_a_gpu_twice_where_256_of_them_do() {
        let gpu = device(DeviceClass::Gpu, Some(50 << 20));
        assert_eq!(sets(10 << 20, &gpu), InputSets { count: 10, exceed_cache: true, cpu: false });
        assert_eq!(sets(1 << 30, &gpu), InputSets { count: 2, exceed_cache: true, cpu: false });
        assert_eq!(sets(1 << 10, &gpu), InputSets { count: 256, exceed_cache: false, cpu: false });
        assert_eq!(sets(64 << 20, &device(DeviceClass::Gpu, None)).count, 2);
    }

    #[test]
    fn inputs_are_not_rotated_on_a_cpu() {
        for class in [DeviceClass::Cpu, DeviceClass::Software] {
            assert_eq!(
                sets(1 << 10, &device(class, None)),
                InputSets { count: 1, exceed_cache: false, cpu: true }
            );
        }
    }
}
