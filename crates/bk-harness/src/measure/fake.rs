//! A workload on a device whose every time is known.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::Stopwatch;
use crate::numerics::Numerics;
use crate::workload::{Failure, InputSets, Part, Work, Workload};

/// Time of the fake world, in seconds; it passes only when the fake device or its host does something.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeTime(Rc<Cell<f64>>);

impl FakeTime {
    fn pass(&self, seconds: f64) {
        self.0.set(self.0.get() + seconds);
    }

    /// The host does something else for a while.
    pub(super) fn away(&self, seconds: f64) {
        self.pass(seconds);
    }

    fn wait_until(&self, moment: f64) {
        self.0.set(self.0.get().max(moment));
    }
}

impl Stopwatch for FakeTime {
    fn seconds(&self) -> f64 {
        self.0.get()
    }
}

/// A device that works off launches in order, and a host that takes time to issue them.
pub(super) struct FakeWorkload {
    pub(super) time: FakeTime,
    /// Host time to issue a launch.
    pub(super) issue: f64,
    /// Time of another thread to hand a launch to the driver.
    pub(super) relay: f64,
    /// When it will be done with those so far.
    pub(super) relayed_at: f64,
    /// Device time of launch number `.0` on input set `.1`.
    pub(super) duration: Box<dyn Fn(u32, usize) -> f64>,
    /// Host time of a synchronisation, after the device is idle.
    pub(super) synchronisation: f64,
    /// Whether the device can be kept busy.
    pub(super) has_delay: bool,
    /// Launches that the driver queues: at one more the host waits until all before it are done.
    pub(super) queue: u32,
    pub(super) queued: u32,
    /// How long a delay lasts, as a part of what was asked for.
    pub(super) delay_factor: f64,
    pub(super) has_time_stamps: bool,
    pub(super) sets: InputSets,
    pub(super) copy_rate: Result<Option<f64>, Failure>,
    pub(super) matrix_rate: Result<Option<f64>, Failure>,
    /// Device time of the forward and the backward part, where a launch has them.
    pub(super) parts: Option<[f64; 2]>,
    /// Launch after which the device is broken, seen at the next synchronisation.
    pub(super) fails_at: Option<u32>,
    /// Number of the verification from which on the output is wrong.
    pub(super) wrong_from: Option<u32>,
    pub(super) launches: u32,
    pub(super) used_sets: Vec<usize>,
    pub(super) verifications: u32,
    pub(super) busy_until: f64,
}

impl FakeWorkload {
    /// Launches of `duration` seconds each, issued in 2 µs, with synchronisations of 10 µs.
    pub(super) fn new(duration: f64) -> Self {
        Self {
            time: FakeTime::default(),
            issue: 2e-6,
            relay: 0.0,
            relayed_at: 0.0,
            duration: Box::new(move |_, _| duration),
            synchronisation: 1e-5,
            has_delay: false,
            queue: u32::MAX,
            queued: 0,
            delay_factor: 1.0,
            has_time_stamps: false,
            sets: InputSets { count: 4, exceed_cache: true, cpu: false },
            copy_rate: Ok(None),
            matrix_rate: Ok(None),
            parts: None,
            fails_at: None,
            wrong_from: None,
            launches: 0,
            used_sets: Vec::new(),
            verifications: 0,
            busy_until: 0.0,
        }
    }

    fn work_for(&mut self, seconds: f64) {
        self.busy_until = self.busy_until.max(self.time.seconds()).max(self.relayed_at) + seconds;
    }
}

impl Workload for FakeWorkload {
    fn work(&self) -> Work {
        Work { elements: 1000, bytes_read: 12_000, bytes_written: 8_000, flops: 40_000 }
    }

    fn input_sets(&self) -> InputSets {
        self.sets
    }

    fn launch(&mut self, set: usize) -> Result<(), Failure> {
        self.time.pass(self.issue);
        if self.queued >= self.queue {
            self.time.wait_until(self.busy_until);
            self.queued = 0;
        }
        self.queued += 1;
        self.relayed_at = self.relayed_at.max(self.time.seconds()) + self.relay;
        let duration = (self.duration)(self.launches, set);
        self.work_for(duration);
        self.launches += 1;
        self.used_sets.push(set);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.time.wait_until(self.relayed_at);
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        self.time.wait_until(self.busy_until);
        self.time.pass(self.synchronisation);
        self.queued = 0;
        match self.fails_at {
            Some(launch) if self.launches >= launch => Err(Failure::Execution("out of memory".to_owned())),
            _ => Ok(()),
        }
    }

    fn queue_delay(&mut self, duration: Duration) -> Result<bool, Failure> {
        if self.has_delay {
            self.time.pass(self.issue);
            self.work_for(duration.as_secs_f64() * self.delay_factor);
        }
        Ok(self.has_delay)
    }

    fn device_time(&mut self, first_set: usize, launches: u32) -> Result<Option<Duration>, Failure> {
        if !self.has_time_stamps {
            return Ok(None);
        }
        let mut seconds = 0.0;
        for launch in 0..launches as usize {
            let set = (first_set + launch) % self.sets.count;
            self.used_sets.push(set);
            seconds += (self.duration)(self.launches, set);
            self.launches += 1;
        }
        self.time.pass(seconds);
        // The fake device's clock ticks every 100 ns.
        Ok(Some(Duration::from_nanos((seconds * 1e7).floor() as u64 * 100)))
    }

    fn copy_rate(&mut self) -> Result<Option<f64>, Failure> {
        self.copy_rate.clone()
    }

    fn parts(&self) -> &'static [Part] {
        if self.parts.is_some() { &[Part::Forward, Part::Backward] } else { &[] }
    }

    fn launch_part(&mut self, part: Part) -> Result<(), Failure> {
        let Some([forward, backward]) = self.parts else { panic!("no parts were offered") };
        self.time.pass(self.issue);
        self.work_for(match part {
            Part::Forward => forward,
            Part::Backward => backward,
        });
        Ok(())
    }

    fn matrix_rate(&mut self) -> Result<Option<f64>, Failure> {
        self.matrix_rate.clone()
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        self.launch(0)?;
        self.synchronize()?;
        self.verifications += 1;
        let wrong = self.wrong_from.is_some_and(|first| self.verifications >= first);
        let error = if wrong { 40.0 } else { f64::from(self.verifications) };
        let rejected = wrong.then(|| "error of 40 units, 16 are allowed".to_owned());
        Ok(Numerics { max_error_units: error, rejected, ..crate::testing::numerics() })
    }
}
