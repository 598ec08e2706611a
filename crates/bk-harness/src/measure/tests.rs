//! The phases on a device with exact times.

use super::fake::FakeWorkload;
use super::*;
use crate::case::{CacheChoice, ClockChoice, Implementation, MeasureSpec};
use crate::outcome::{CacheState, Clock, Timing};
use crate::testing::{case, measure_spec};
use crate::workload::InputSets;

fn outcome(workload: &mut FakeWorkload, spec: MeasureSpec, class: DeviceClass) -> Outcome {
    let case = Case { measure: spec, ..case("cuda", Implementation::Kernel, 64) };
    let time = workload.time.clone();
    measure_with(&time, workload, &case, class, &mut |_| {})
}

fn measured(workload: &mut FakeWorkload, spec: MeasureSpec, class: DeviceClass) -> Measurement {
    match outcome(workload, spec, class) {
        Outcome::Measured(measurement) => *measurement,
        other => panic!("{other:?}"),
    }
}

fn on_gpu(workload: &mut FakeWorkload) -> Measurement {
    measured(workload, measure_spec(), DeviceClass::Gpu)
}

fn of_clock(measurement: &Measurement, clock: Clock) -> &Timing {
    measurement.timings.iter().find(|timing| timing.clock == clock).unwrap()
}

fn clocks(measurement: &Measurement) -> Vec<Clock> {
    measurement.timings.iter().map(|timing| timing.clock).collect()
}

fn warnings(measurement: &Measurement) -> Vec<&str> {
    measurement.warnings.iter().map(|warning| warning.id.as_str()).collect()
}

fn assert_close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-9 * expected.abs(), "{actual} is not {expected}");
}

#[test]
fn phases_come_in_order() {
    let mut workload = FakeWorkload::new(2e-5);
    let time = workload.time.clone();
    let mut phases = Vec::new();
    let case = case("cuda", Implementation::Kernel, 64);
    let outcome =
        measure_with(&time, &mut workload, &case, DeviceClass::Gpu, &mut |phase| phases.push(phase));
    assert!(matches!(outcome, Outcome::Measured(_)));
    assert_eq!(phases, [Phase::Verify, Phase::WarmUp, Phase::Sample]);
}

#[test]
fn the_slope_is_the_time_of_a_launch_and_the_intercept_what_a_call_costs_beyond() {
    // k launches of 20 µs, the first of which starts once it is issued: 2 + 20 k + 10 µs.
    let measurement = on_gpu(&mut FakeWorkload::new(2e-5));
    assert_eq!(clocks(&measurement), [Clock::LaunchRegression, Clock::Wall]);
    let regression = of_clock(&measurement, Clock::LaunchRegression);
    assert_close(regression.statistics.median, 2e-5);
    assert_close(regression.overhead_seconds.unwrap(), 1.2e-5);
    assert_eq!((regression.samples.len(), regression.issue_hidden), (20, false));
    assert_close(of_clock(&measurement, Clock::Wall).statistics.median, 3.2e-5);
    assert!(warnings(&measurement).is_empty(), "{:?}", measurement.warnings);
}

#[test]
fn without_a_delay_a_short_launch_is_bound_by_its_issue_and_the_report_says_so() {
    let mut workload = FakeWorkload { issue: 1e-5, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    // The device waits for the host: the slope is the host's 10 µs.
    assert_close(measurement.timings[0].statistics.median, 1e-5);
    assert_eq!(warnings(&measurement), ["issue-bound"]);
}

#[test]
fn behind_a_delay_the_slope_is_the_device_s_and_the_overhead_holds_no_delay() {
    let mut workload = FakeWorkload { issue: 1e-5, has_delay: true, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    let regression = &measurement.timings[0];
    assert_close(regression.statistics.median, 4e-6);
    assert!(regression.issue_hidden);
    // A single call: 10 µs issue, 4 µs launch, 10 µs synchronisation.
    assert_close(regression.overhead_seconds.unwrap(), 2e-5);
    assert!(warnings(&measurement).is_empty(), "{:?}", measurement.warnings);
}

#[test]
fn launches_that_another_thread_hands_to_the_driver_are_hidden_too() {
    // The caller is done with 64 of them after 64 µs, the other thread after 1.28 ms.
    let mut workload = FakeWorkload { issue: 1e-6, relay: 2e-5, has_delay: true, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    let regression = &measurement.timings[0];
    assert!(regression.issue_hidden);
    assert!(regression.samples.iter().all(|slope| (slope - 4e-6).abs() < 1e-12), "{:?}", regression.samples);
}

#[test]
fn without_a_delay_launches_are_bound_by_the_thread_that_hands_them_to_the_driver() {
    let mut workload = FakeWorkload { issue: 1e-6, relay: 2e-5, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    assert_close(measurement.timings[0].statistics.median, 2e-5);
    assert_eq!(warnings(&measurement), ["issue-bound"]);
}

#[test]
fn a_delay_that_is_too_short_is_lengthened() {
    let mut workload =
        FakeWorkload { issue: 1e-5, has_delay: true, delay_factor: 0.3, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    assert_close(measurement.timings[0].statistics.median, 4e-6);
    assert!(measurement.timings[0].issue_hidden);
}

#[test]
fn launches_that_no_delay_can_hide_are_timed_without_one() {
    let mut workload = FakeWorkload { issue: 1e-5, has_delay: true, queue: 20, ..FakeWorkload::new(2e-5) };
    let measurement = on_gpu(&mut workload);
    assert!(!measurement.timings[0].issue_hidden);
    let median = measurement.timings[0].statistics.median;
    assert!((median - 2e-5).abs() < 1e-7, "{median}");
    assert!(workload.time.seconds() < 60.0, "{} s", workload.time.seconds());
}

#[test]
fn a_delay_that_does_not_last_is_no_delay() {
    let mut workload =
        FakeWorkload { issue: 1e-5, has_delay: true, delay_factor: 0.0, ..FakeWorkload::new(4e-6) };
    let measurement = on_gpu(&mut workload);
    assert!(!measurement.timings[0].issue_hidden);
    assert_eq!(warnings(&measurement), ["issue-bound"]);
}

#[test]
fn a_slow_host_in_one_round_costs_that_round_only() {
    // The launch that follows number 700 finds a host that was away for 50 ms.
    let mut workload = FakeWorkload { has_delay: true, ..FakeWorkload::new(4e-6) };
    let time = workload.time.clone();
    workload.duration = Box::new(move |launch, _| {
        if launch == 700 {
            time.away(0.05);
        }
        4e-6
    });
    let measurement = on_gpu(&mut workload);
    assert!(workload.launches > 700);
    let regression = &measurement.timings[0];
    assert!(regression.issue_hidden);
    assert!(regression.samples.iter().all(|slope| (slope - 4e-6).abs() < 1e-12), "{:?}", regression.samples);
}

#[test]
fn slopes_that_no_time_can_have_are_never_reported() {
    // The more launches there were, the faster each is: batches take ever less time, and slopes are negative.
    let mut workload = FakeWorkload::new(0.0);
    workload.issue = 0.0;
    workload.duration = Box::new(|launch, _| 1e-3 * 0.9_f64.powi(launch as i32));
    workload.synchronisation = 0.0;
    match outcome(&mut workload, measure_spec(), DeviceClass::Gpu) {
        Outcome::Failed { error } => assert!(error.contains("slope of 0 or less"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_slows_down_steadily_does_not_bend_the_median_slope() {
    // 0.01 % longer with each launch: upward rounds overestimate and downward rounds underestimate.
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| 2e-5 * (1.0 + 1e-4 * f64::from(launch)));
    let measurement = on_gpu(&mut workload);
    let slopes = &measurement.timings[0].samples;
    let pairs: Vec<f64> = slopes.chunks_exact(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect();
    // Rounds of 127 launches: a pair is 1.27 % apart from the next in each round, 2.54 % in both.
    for neighbours in pairs.windows(2) {
        let step = (neighbours[1] - neighbours[0]) / 2e-5;
        assert!((step - 0.0254).abs() < 1e-3, "{step}");
    }
    assert!(warnings(&measurement).contains(&"drift"));
}

#[test]
fn a_cpu_is_timed_by_wall_and_has_a_regression_to_compare_with() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.sets = InputSets { count: 1, exceed_cache: false, cpu: true };
    let measurement = measured(&mut workload, measure_spec(), DeviceClass::Cpu);
    assert_eq!(clocks(&measurement), [Clock::Wall, Clock::LaunchRegression]);
    assert_close(of_clock(&measurement, Clock::LaunchRegression).statistics.median, 2e-5);
    assert_eq!(measurement.cache, CacheState::Uncontrolled);
}

#[test]
fn a_software_device_is_timed_by_wall_and_by_its_time_stamps_and_is_labelled() {
    let mut workload = FakeWorkload { has_time_stamps: true, ..FakeWorkload::new(2e-5) };
    let measurement = measured(&mut workload, measure_spec(), DeviceClass::Software);
    assert_eq!(clocks(&measurement), [Clock::Wall, Clock::DeviceTimestamp]);
    assert_close(of_clock(&measurement, Clock::DeviceTimestamp).statistics.median, 2e-5);
    assert_eq!(warnings(&measurement), ["software-device"]);
}

#[test]
fn a_coarse_device_clock_times_several_short_launches_at_once() {
    // Launches of 0.25 µs by a clock of 0.1 µs.
    let mut workload = FakeWorkload { has_time_stamps: true, ..FakeWorkload::new(2.5e-7) };
    let spec = MeasureSpec { clock: ClockChoice::DeviceTimestamp, ..measure_spec() };
    let measurement = measured(&mut workload, spec, DeviceClass::Gpu);
    let time = measurement.timings[0].statistics.median;
    assert!((time - 2.5e-7).abs() < 0.01 * 2.5e-7, "{time}");
}

#[test]
fn a_clock_that_the_device_lacks_skips_the_case() {
    let spec = MeasureSpec { clock: ClockChoice::DeviceTimestamp, ..measure_spec() };
    let reason = "no time by the clock device_timestamp: the device has no time stamps".to_owned();
    assert_eq!(outcome(&mut FakeWorkload::new(2e-5), spec, DeviceClass::Gpu), Outcome::Skipped { reason });
}

#[test]
fn cold_launches_rotate_through_every_set_and_hot_ones_stay() {
    let mut cold = FakeWorkload::new(2e-5);
    let measurement = on_gpu(&mut cold);
    assert_eq!(measurement.cache, CacheState::Cold);
    // Without the proof's own launches, which are on set 0, the sets follow each other.
    let timed = &cold.used_sets[2..cold.used_sets.len() - 1];
    assert!(timed.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 4), "{timed:?}");

    let mut hot = FakeWorkload::new(2e-5);
    let spec = MeasureSpec { cache: CacheChoice::Hot, ..measure_spec() };
    assert_eq!(measured(&mut hot, spec, DeviceClass::Gpu).cache, CacheState::Hot);
    assert!(hot.used_sets.iter().all(|set| *set == 0));
}

#[test]
fn sets_that_fit_the_cache_rotate_and_are_labelled() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.sets.exceed_cache = false;
    let measurement = on_gpu(&mut workload);
    assert_eq!(measurement.cache, CacheState::CacheResident);
    assert_eq!(warnings(&measurement), ["cache-resident"]);
}

#[test]
fn a_wrong_output_is_never_timed() {
    let mut workload = FakeWorkload { wrong_from: Some(1), ..FakeWorkload::new(2e-5) };
    match outcome(&mut workload, measure_spec(), DeviceClass::Gpu) {
        Outcome::Invalid { why, numerics: Some(numerics) } => {
            assert_eq!(why, "error of 40 units, 16 are allowed");
            assert_eq!(numerics.max_error_units, 40.0);
        }
        other => panic!("{other:?}"),
    }
    // The first launch and the proof.
    assert_eq!(workload.launches, 2);
}

#[test]
fn an_output_that_turns_wrong_while_it_is_timed_makes_the_case_invalid() {
    let mut workload = FakeWorkload { wrong_from: Some(2), ..FakeWorkload::new(2e-5) };
    match outcome(&mut workload, measure_spec(), DeviceClass::Gpu) {
        Outcome::Invalid { why, .. } => {
            assert!(why.starts_with("right before the timed launches, wrong after them"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_proofs_the_worse_is_recorded() {
    assert_eq!(on_gpu(&mut FakeWorkload::new(2e-5)).numerics.max_error_units, 2.0);
}

#[test]
fn a_failure_in_any_phase_is_seen_at_the_next_synchronisation() {
    for fails_at in [1, 2, 5, 100, 1000] {
        let mut workload = FakeWorkload { fails_at: Some(fails_at), ..FakeWorkload::new(2e-5) };
        let failed = Outcome::Failed { error: "out of memory".to_owned() };
        assert_eq!(outcome(&mut workload, measure_spec(), DeviceClass::Gpu), failed, "at {fails_at}");
        // At most one batch was launched in vain.
        assert!(workload.launches <= fails_at + 64, "{}", workload.launches);
    }
}

#[test]
fn a_case_that_does_not_apply_is_skipped_with_its_reason() {
    struct Inapplicable(FakeWorkload);
    impl Workload for Inapplicable {
        fn work(&self) -> crate::workload::Work {
            self.0.work()
        }
        fn input_sets(&self) -> InputSets {
            self.0.input_sets()
        }
        fn launch(&mut self, _set: usize) -> Result<(), Failure> {
            Err(Failure::Skip("a row of 2^30 sites needs tensors of 8 GB".to_owned()))
        }
        fn synchronize(&mut self) -> Result<(), Failure> {
            self.0.synchronize()
        }
        fn verify(&mut self) -> Result<Numerics, Failure> {
            self.0.verify()
        }
    }
    let mut workload = Inapplicable(FakeWorkload::new(2e-5));
    let case = case("cuda", Implementation::Kernel, 64);
    let outcome = measure(&mut workload, &case, DeviceClass::Gpu, &mut |_| {});
    let reason = "a row of 2^30 sites needs tensors of 8 GB".to_owned();
    assert_eq!(outcome, Outcome::Skipped { reason });
}

#[test]
fn a_launch_faster_than_the_memory_allows_is_invalid_when_cold() {
    // 20,000 bytes in 20 µs are 1 GB/s.
    let with_copy_rate = |rate| FakeWorkload { copy_rate: Ok(Some(rate)), ..FakeWorkload::new(2e-5) };
    match outcome(&mut with_copy_rate(0.79e9), measure_spec(), DeviceClass::Gpu) {
        Outcome::Invalid { why, .. } => assert_eq!(
            why,
            "a launch that must move 20.0 kB cannot take 20.0 µs (launch_regression): that is 1.00 GB/s, \
             and a plain copy reaches 790 MB/s"
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(on_gpu(&mut with_copy_rate(0.81e9)).copy_bytes_per_second, Some(0.81e9));
    // A cache may well be faster than the memory.
    let hot = MeasureSpec { cache: CacheChoice::Hot, ..measure_spec() };
    assert_eq!(measured(&mut with_copy_rate(1e8), hot, DeviceClass::Gpu).cache, CacheState::Hot);
}

#[test]
fn a_copy_that_fails_costs_the_copy_rate_and_not_the_case() {
    let copy_rate = Err(Failure::Execution("no memory for the copy".to_owned()));
    let measurement = on_gpu(&mut FakeWorkload { copy_rate, ..FakeWorkload::new(2e-5) });
    assert_eq!(measurement.copy_bytes_per_second, None);
    assert_eq!(warnings(&measurement), ["copy-rate-unknown"]);
}

#[test]
fn warm_up_lasts_until_compilation_is_over() {
    // Autotune tries slow candidates for 40 launches.
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| if launch < 40 { 1e-3 / f64::from(launch + 1) } else { 2e-5 });
    let measurement = on_gpu(&mut workload);
    assert!(measurement.warmup_runs >= 40, "{}", measurement.warmup_runs);
    assert_close(measurement.timings[0].statistics.median, 2e-5);
}

#[test]
fn warm_up_takes_the_runs_and_the_time_that_were_asked_for() {
    let spec = MeasureSpec { warmup_runs: 37, ..measure_spec() };
    assert_eq!(measured(&mut FakeWorkload::new(2e-5), spec, DeviceClass::Gpu).warmup_runs, 37);
    let spec = MeasureSpec { warmup_seconds: 0.1, ..measure_spec() };
    let measurement = measured(&mut FakeWorkload::new(2e-5), spec, DeviceClass::Gpu);
    assert!((0.1..0.101).contains(&measurement.warmup_seconds), "{}", measurement.warmup_seconds);
}

#[test]
fn a_device_that_never_settles_is_sampled_after_a_while_and_labelled() {
    // 3 % longer with each launch, and back to the start after 50.
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| 1e-3 * 1.03_f64.powi((launch % 50) as i32));
    let measurement = on_gpu(&mut workload);
    assert!((1.0..1.01).contains(&measurement.warmup_seconds), "{}", measurement.warmup_seconds);
    assert!(warnings(&measurement).contains(&"unsettled"), "{:?}", measurement.warnings);
}

#[test]
fn a_slow_first_launch_is_told_apart_from_the_others() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| if launch == 0 { 1.5 } else { 2e-5 });
    let measurement = on_gpu(&mut workload);
    assert_close(measurement.first_launch_seconds, 1.5 + 1.2e-5);
    assert_eq!(warnings(&measurement), ["slow-first-launch"]);
}

#[test]
fn few_samples_and_noise_are_labelled_and_kept() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| if launch % 3 == 0 { 3e-5 } else { 2e-5 });
    let spec = MeasureSpec { clock: ClockChoice::Wall, samples: 8, ..measure_spec() };
    let measurement = measured(&mut workload, spec, DeviceClass::Gpu);
    assert_eq!(measurement.timings[0].samples.len(), 8);
    assert!(warnings(&measurement).contains(&"few-samples"), "{:?}", measurement.warnings);
    assert!(warnings(&measurement).contains(&"noisy"), "{:?}", measurement.warnings);
}

#[test]
fn the_time_budget_bounds_a_slow_case() {
    let mut workload = FakeWorkload::new(0.3);
    let measurement = on_gpu(&mut workload);
    // Batches of 1 and 2 launches, for which 5 samples are taken however long they last.
    assert_eq!(measurement.timings[0].samples.len(), 5);
    assert_close(measurement.timings[0].statistics.median, 0.3);
    assert_eq!(measurement.timings[1].samples.len(), 5);
}

#[test]
fn a_long_launch_on_a_cpu_is_its_own_slope() {
    let mut workload = FakeWorkload::new(0.3);
    workload.synchronisation = 0.0;
    let measurement = measured(&mut workload, measure_spec(), DeviceClass::Cpu);
    let clocks: Vec<Clock> = measurement.timings.iter().map(|timing| timing.clock).collect();
    assert_eq!(clocks, [Clock::Wall, Clock::LaunchRegression]);
    assert_eq!(measurement.timings[0].samples, measurement.timings[1].samples);
    // The first launch, both proofs, warm-up, five samples, and nothing for the slope.
    assert_eq!(workload.launches, 1 + workload.verifications + measurement.warmup_runs + 5);
}

#[test]
fn parts_are_timed_by_themselves_as_often_as_launches_are() {
    let mut workload = FakeWorkload::new(5e-5);
    assert_eq!(on_gpu(&mut workload).parts, []);
    workload.parts = Some([2e-5, 4e-5]);
    let parts = on_gpu(&mut workload).parts;
    let seconds: Vec<f64> = parts.iter().map(|part| part.statistics.median).collect();
    // Issue and synchronisation are in each of them: 2 + 10 µs.
    assert_close(seconds[0], 3.2e-5);
    assert_close(seconds[1], 5.2e-5);
    assert_eq!(parts[0].samples.len(), measure_spec().samples as usize);
}

#[test]
fn the_launch_after_the_proof_is_the_first_without_compilation() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.duration = Box::new(|launch, _| if launch == 0 { 1.0 } else { 2e-5 });
    let measurement = on_gpu(&mut workload);
    assert!(measurement.first_launch_seconds > 1.0);
    assert_close(measurement.warm_launch_seconds.unwrap(), 3.2e-5);
}

#[test]
fn a_matrix_rate_that_cannot_be_measured_is_a_warning_and_no_failure() {
    let mut workload = FakeWorkload::new(2e-5);
    workload.matrix_rate = Ok(Some(1e12));
    assert_eq!(on_gpu(&mut workload).matrix_flops_per_second, Some(1e12));
    workload.matrix_rate = Err(Failure::Execution("out of memory".to_owned()));
    let measurement = on_gpu(&mut workload);
    assert_eq!(measurement.matrix_flops_per_second, None);
    assert!(warnings(&measurement).contains(&"matrix-rate-unknown"));
}
