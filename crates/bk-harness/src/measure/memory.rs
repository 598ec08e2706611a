//! Peak memory of a case: baseline, load, passes under a sampler, proof.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Ended;
use crate::case::Case;
use crate::device::DeviceClass;
use crate::memory::{
    AllocatorMemory, AllocatorReading, MemoryMeasurement, MemoryProbe, MemoryWorkload, Rise, resident_set,
};
use crate::models::{AnalyticBytes, flops};
use crate::outcome::{CacheState, Measurement, Outcome, Warning};
use crate::protocol::Phase;
use crate::warning::Oddity;
use crate::workload::{Failure, Work};

/// Fewer readings than this in a pass may miss the peak: a pass allocates some hundred times.
const FEW_READINGS_A_PASS: u64 = 50;

/// A first pass above this factor of the others held more than the workload.
const FIRST_PASS_FACTOR: f64 = 1.05;

/// Pause of a sampler that has nothing to read but has to notice the end.
const NOTHING_TO_READ: Duration = Duration::from_millis(1);

/// Measures the peak memory of `workload`: one pass, then as many as the case has samples while its time
/// lasts. The proof that it computes the right thing comes last, since it needs memory of its own.
///
/// `observer` is told each phase as it begins; [`Phase::Prepare`] has passed when there is a workload. A
/// wrong result or a failure is an [`Outcome`], never a panic of the harness itself.
pub fn measure_memory(
    workload: &mut dyn MemoryWorkload,
    case: &Case,
    class: DeviceClass,
    observer: &mut dyn FnMut(Phase),
) -> Outcome {
    match run(workload, case, class, observer) {
        Ok(measurement) => Outcome::Measured(Box::new(measurement)),
        Err(ended) => *ended,
    }
}

fn run(
    workload: &mut dyn MemoryWorkload,
    case: &Case,
    class: DeviceClass,
    observer: &mut dyn FnMut(Phase),
) -> Result<Measurement, Ended> {
    let Some(spec) = case.workload.phase2() else {
        let error = format!("`{}` has no memory to measure", case.workload.kind_name());
        return Err(Box::new(Outcome::Failed { error }));
    };
    observer(Phase::WarmUp);
    let mut sampler = Sampler::new(workload.probe());
    let baseline = sampler.read();
    let (driver_before, resident_before) = (workload.driver_bytes(), resident_set());
    workload.load()?;
    let loaded = sampler.read();
    let start = Instant::now();
    let first = sampler.watch(|| workload.run())?;
    let first_launch_seconds = start.elapsed().as_secs_f64();

    observer(Phase::Sample);
    let (passes, warm_launch_seconds) = passes(workload, case, &mut sampler)?;
    let (driver_after, resident_after) = (workload.driver_bytes(), resident_set());

    observer(Phase::Verify);
    let numerics = workload.verify()?;
    if let Some(why) = numerics.rejected.clone() {
        return Err(Box::new(Outcome::Invalid { why, numerics: Some(numerics) }));
    }
    let allocator = baseline.zip(loaded).map(|(baseline, loaded)| AllocatorMemory {
        baseline: baseline.in_use,
        loaded: loaded.in_use,
        first_pass_peak: first.in_use,
        peaks: passes.iter().map(|pass| pass.in_use).collect(),
        reserved: passes.iter().map(|pass| pass.reserved).fold(first.reserved, u64::max),
        readings: sampler.readings,
    });
    let rise = |baseline: Option<u64>, peak: Option<u64>| {
        baseline.zip(peak).map(|(baseline, peak)| Rise { baseline, peak })
    };
    let memory = MemoryMeasurement {
        analytic: AnalyticBytes::of(spec, case.dtype),
        allocator,
        // Pages are never given back meanwhile, so what is taken at the end is the peak.
        driver: rise(driver_before, driver_after),
        resident: rise(resident_before.map(|(now, _)| now), resident_after.map(|(_, most)| most)),
    };
    if memory.peak_bytes().is_none() {
        let reason = "neither an allocator nor the operating system tells how much memory is in use";
        return Err(Box::new(Outcome::Skipped { reason: reason.to_owned() }));
    }
    let passes_run = 1 + passes.len() as u64;
    Ok(Measurement {
        numerics,
        timings: Vec::new(),
        first_launch_seconds,
        warm_launch_seconds,
        parts: Vec::new(),
        warmup_runs: 1,
        warmup_seconds: first_launch_seconds,
        cache: CacheState::Uncontrolled,
        work: Work {
            elements: spec.tokens(),
            bytes_read: memory.analytic.weights,
            bytes_written: memory.analytic.logits,
            flops: flops(spec),
        },
        copy_bytes_per_second: None,
        matrix_flops_per_second: None,
        warnings: oddities(&memory, class, passes_run).into_iter().map(Warning::from).collect(),
        memory: Some(memory),
    })
}

/// The passes after the first, at least one, and how long the first of them took.
fn passes(
    workload: &mut dyn MemoryWorkload,
    case: &Case,
    sampler: &mut Sampler,
) -> Result<(Vec<AllocatorReading>, Option<f64>), Ended> {
    let start = Instant::now();
    let mut passes = Vec::new();
    let mut warm_launch_seconds = None;
    while passes.len() < case.measure.samples as usize {
        passes.push(sampler.watch(|| workload.run())?);
        let elapsed = start.elapsed().as_secs_f64();
        warm_launch_seconds.get_or_insert(elapsed);
        if elapsed >= case.measure.max_seconds {
            break;
        }
    }
    Ok((passes, warm_launch_seconds))
}

fn oddities(memory: &MemoryMeasurement, class: DeviceClass, passes: u64) -> Vec<Oddity> {
    let mut oddities = Vec::new();
    if let Some(allocator) = &memory.allocator {
        if allocator.readings < FEW_READINGS_A_PASS * passes {
            oddities.push(Oddity::FewReadings { readings: allocator.readings });
        }
        let (first_bytes, peak_bytes) =
            (allocator.first_pass_peak.saturating_sub(allocator.baseline), allocator.peak_bytes());
        if first_bytes as f64 > FIRST_PASS_FACTOR * peak_bytes as f64 {
            oddities.push(Oddity::FirstPassPeak { first_bytes, peak_bytes });
        }
    }
    if class == DeviceClass::Software {
        oddities.push(Oddity::SoftwareDevice);
    }
    oddities
}

/// Reads an allocator, from this thread or from one beside it.
struct Sampler {
    probe: Option<Box<dyn MemoryProbe>>,
    readings: u64,
}

impl Sampler {
    fn new(probe: Option<Box<dyn MemoryProbe>>) -> Self {
        Self { probe, readings: 0 }
    }

    fn read(&mut self) -> Option<AllocatorReading> {
        self.probe.as_mut()?.read()
    }

    /// Runs `work` and returns the most that was seen meanwhile, and right after it.
    fn watch(&mut self, work: impl FnOnce() -> Result<(), Failure>) -> Result<AllocatorReading, Failure> {
        let Some(probe) = self.probe.as_mut() else {
            return work().map(|()| AllocatorReading::default());
        };
        let done = AtomicBool::new(false);
        let (outcome, (most, readings)) = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch_until(&done, probe.as_mut()));
            let ended = EndOfWork(&done);
            let outcome = work();
            drop(ended);
            (outcome, watcher.join().unwrap_or_default())
        });
        self.readings += readings;
        outcome.map(|()| most)
    }
}

/// Ends the watch also when the work panics, lest the scope wait for ever.
struct EndOfWork<'a>(&'a AtomicBool);

impl Drop for EndOfWork<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn watch_until(done: &AtomicBool, probe: &mut dyn MemoryProbe) -> (AllocatorReading, u64) {
    let (mut most, mut readings) = (AllocatorReading::default(), 0);
    loop {
        // Looked at before reading: the last reading is then after the end.
        let last = done.load(Ordering::Acquire);
        match probe.read() {
            Some(reading) => {
                most.in_use = most.in_use.max(reading.in_use);
                most.reserved = most.reserved.max(reading.reserved);
                readings += 1;
            }
            None => thread::sleep(NOTHING_TO_READ),
        }
        if last {
            return (most, readings);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::case::{Implementation, MeasureSpec, Mode, Phase2Spec, Preset, WorkloadSpec};
    use crate::numerics::Numerics;
    use crate::testing;

    /// A device with 1,000 bytes of something else, on which weights take 500 and a pass 200 more for a
    /// while; the first one 900, which is autotune's.
    struct Fake {
        in_use: Arc<AtomicU64>,
        passes: u32,
        has_probe: bool,
        rejected: Option<String>,
        fails_at: Option<u32>,
    }

    struct Probe(Arc<AtomicU64>);

    impl MemoryProbe for Probe {
        fn read(&mut self) -> Option<AllocatorReading> {
            let in_use = self.0.load(Ordering::SeqCst);
            Some(AllocatorReading { in_use, reserved: in_use.next_power_of_two() })
        }
    }

    impl Fake {
        fn new() -> Self {
            let in_use = Arc::new(AtomicU64::new(1000));
            Self { in_use, passes: 0, has_probe: true, rejected: None, fails_at: None }
        }
    }

    impl MemoryWorkload for Fake {
        fn load(&mut self) -> Result<(), Failure> {
            self.in_use.fetch_add(500, Ordering::SeqCst);
            Ok(())
        }

        fn run(&mut self) -> Result<(), Failure> {
            self.passes += 1;
            if self.fails_at == Some(self.passes) {
                return Err(Failure::Execution("out of memory".to_owned()));
            }
            let bytes = if self.passes == 1 { 900 } else { 200 };
            self.in_use.fetch_add(bytes, Ordering::SeqCst);
            // Long enough to be seen on a machine that is busy with other things.
            thread::sleep(Duration::from_millis(30));
            self.in_use.fetch_sub(bytes, Ordering::SeqCst);
            Ok(())
        }

        fn probe(&self) -> Option<Box<dyn MemoryProbe>> {
            self.has_probe.then(|| Box::new(Probe(Arc::clone(&self.in_use))) as Box<dyn MemoryProbe>)
        }

        fn driver_bytes(&self) -> Option<u64> {
            Some(10_000 + self.in_use.load(Ordering::SeqCst))
        }

        fn verify(&mut self) -> Result<Numerics, Failure> {
            Ok(Numerics { rejected: self.rejected.clone(), ..testing::numerics() })
        }
    }

    fn case(samples: u32) -> Case {
        let (preset, mode) = (Preset::Small, Mode::Forward);
        let spec = Phase2Spec {
            preset,
            mode,
            batch: 2,
            n: 8,
            vocabulary: Some(256),
            seed: 42,
            asked_dtype: None,
            force: false,
        };
        let measure = MeasureSpec { samples, ..testing::measure_spec() };
        let workload = WorkloadSpec::Phase2Memory(spec);
        Case { workload, measure, ..testing::case("cuda", Implementation::Kernel, 8) }
    }

    fn measure(fake: &mut Fake) -> Outcome {
        measure_memory(fake, &case(3), DeviceClass::Gpu, &mut |_| {})
    }

    #[test]
    fn the_peak_is_that_of_the_later_passes_without_what_was_there_before() {
        let mut fake = Fake::new();
        let Outcome::Measured(measurement) = measure(&mut fake) else { panic!("not measured") };
        let memory = measurement.memory.unwrap();
        assert_eq!(memory.peak_bytes(), Some(700));
        let allocator = memory.allocator.unwrap();
        assert_eq!((allocator.baseline, allocator.loaded), (1000, 1500));
        assert_eq!((allocator.first_pass_peak, allocator.peaks.len()), (2400, 3));
        assert_eq!(memory.driver.unwrap().bytes(), 500);
        let warnings: Vec<&str> = measurement.warnings.iter().map(|one| one.id.as_str()).collect();
        assert!(warnings.contains(&"first-pass-peak"), "{warnings:?}");
        assert_eq!(fake.passes, 4);
    }

    #[test]
    fn without_a_probe_the_resident_set_is_what_there_is() {
        let mut fake = Fake { has_probe: false, ..Fake::new() };
        let Outcome::Measured(measurement) = measure(&mut fake) else { panic!("not measured") };
        let memory = measurement.memory.unwrap();
        assert!(memory.allocator.is_none() && memory.resident.is_some());
    }

    #[test]
    fn a_wrong_model_has_no_memory() {
        let mut fake = Fake { rejected: Some("logits are NaN".to_owned()), ..Fake::new() };
        let Outcome::Invalid { why, .. } = measure(&mut fake) else { panic!("counted") };
        assert_eq!(why, "logits are NaN");
    }

    #[test]
    fn a_pass_that_fails_fails_the_case() {
        let mut fake = Fake { fails_at: Some(3), ..Fake::new() };
        assert_eq!(measure(&mut fake), Outcome::Failed { error: "out of memory".to_owned() });
    }

    #[test]
    fn phases_come_in_order_with_the_proof_last() {
        let mut phases = Vec::new();
        measure_memory(&mut Fake::new(), &case(1), DeviceClass::Gpu, &mut |phase| phases.push(phase));
        assert_eq!(phases, [Phase::WarmUp, Phase::Sample, Phase::Verify]);
    }
}
