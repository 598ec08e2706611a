//! A workload with what is needed to launch and time it.

use std::time::Duration;

use crate::case::{CacheChoice, MeasureSpec};
use crate::device::DeviceClass;
use crate::measure::Stopwatch;
use crate::outcome::CacheState;
use crate::workload::{Failure, Workload};

pub(super) struct Session<'a> {
    pub(super) workload: &'a mut dyn Workload,
    pub(super) spec: &'a MeasureSpec,
    pub(super) class: DeviceClass,
    pub(super) rotation: Rotation,
    stopwatch: &'a dyn Stopwatch,
}

/// What the host saw of some launches behind a delay, between two synchronisations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Batch {
    /// From the delay on until the last launch was with the driver.
    pub(super) issue_seconds: f64,
    /// Until everything was done, the delay included.
    pub(super) total_seconds: f64,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        stopwatch: &'a dyn Stopwatch,
        workload: &'a mut dyn Workload,
        spec: &'a MeasureSpec,
        class: DeviceClass,
    ) -> Self {
        let rotation = Rotation::new(spec.cache, workload);
        Self { workload, spec, class, rotation, stopwatch }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.stopwatch.seconds()
    }

    /// Seconds that `launches` take, from an idle device to an idle device.
    pub(super) fn timed_launches(&mut self, launches: u32) -> Result<f64, Failure> {
        self.workload.synchronize()?;
        let start = self.seconds();
        self.issue(launches)?;
        self.workload.synchronize()?;
        Ok(self.seconds() - start)
    }

    /// Seconds until `launches` are with the driver, which has nothing else to do.
    pub(super) fn issue_seconds(&mut self, launches: u32) -> Result<f64, Failure> {
        self.workload.synchronize()?;
        let start = self.seconds();
        self.issue(launches)?;
        self.workload.flush()?;
        let issued = self.seconds();
        self.workload.synchronize()?;
        Ok(issued - start)
    }

    /// As [`Session::timed_launches`] with a delay queued before them. `None` where the device has no delay.
    pub(super) fn delayed_launches(
        &mut self,
        delay: Duration,
        launches: u32,
    ) -> Result<Option<Batch>, Failure> {
        self.workload.synchronize()?;
        let start = self.seconds();
        if !self.workload.queue_delay(delay)? {
            return Ok(None);
        }
        let queued = self.seconds();
        self.issue(launches)?;
        // The caller's own thread may be done with them long before they are on their way to the device.
        self.workload.flush()?;
        let issued = self.seconds();
        self.workload.synchronize()?;
        Ok(Some(Batch { issue_seconds: issued - queued, total_seconds: self.seconds() - start }))
    }

    /// Time of `launches` by the device's own clock.
    pub(super) fn device_time(&mut self, launches: u32) -> Result<Option<f64>, Failure> {
        self.workload.synchronize()?;
        let first = self.rotation.advance(launches);
        Ok(self.workload.device_time(first, launches)?.map(|duration| duration.as_secs_f64()))
    }

    fn issue(&mut self, launches: u32) -> Result<(), Failure> {
        for _ in 0..launches {
            let set = self.rotation.advance(1);
            self.workload.launch(set)?;
        }
        Ok(())
    }
}

/// Which input set a launch uses.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    state: CacheState,
    count: usize,
    next: usize,
}

impl Rotation {
    fn new(choice: CacheChoice, workload: &dyn Workload) -> Self {
        let sets = workload.input_sets();
        let state = match choice {
            CacheChoice::Hot => CacheState::Hot,
            CacheChoice::Cold if sets.cpu => CacheState::Uncontrolled,
            CacheChoice::Cold if sets.exceed_cache => CacheState::Cold,
            CacheChoice::Cold => CacheState::CacheResident,
        };
        let rotates = matches!(state, CacheState::Cold | CacheState::CacheResident);
        Self { state, count: if rotates { sets.count.max(1) } else { 1 }, next: 0 }
    }

    pub(super) fn state(&self) -> CacheState {
        self.state
    }

    /// The set of the next launch, of `launches` that go through the sets in turn.
    fn advance(&mut self, launches: u32) -> usize {
        let first = self.next;
        self.next = (first + launches as usize) % self.count;
        first
    }
}
