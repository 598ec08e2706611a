//! The crate from outside: its own test build would instantiate every backend a second time.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bk_harness::case::ElementType;
use bk_targets::{BenchmarkError, BkCoreBenchmark, crate_versions, open};

#[test]
fn the_lock_file_names_the_version_of_every_measured_crate() {
    let versions = crate_versions();
    assert_eq!(versions["burn"], "0.21.0");
    assert_eq!(versions["cubecl"], "0.10.0");
    assert_eq!(versions.len(), 12, "{versions:?}");
}

#[test]
fn an_unknown_target_is_refused_with_the_names_of_this_build() {
    let Err(error) = open("tpu", ElementType::F32) else { panic!("there is no such target") };
    assert!(error.to_string().contains("`tpu` is not in this build"), "{error}");
    assert!(error.to_string().contains("host"), "{error}");
}

#[test]
fn a_target_that_is_not_there_is_told_before_anything_runs() {
    let error = BkCoreBenchmark::new("tpu", 1, 8).run().map(drop);
    assert!(matches!(error, Err(BenchmarkError::Unavailable(_))), "{error:?}");
}

#[cfg(feature = "ndarray")]
#[test]
fn the_native_scan_is_right_and_its_speedup_is_the_ratio_of_both_times() {
    use bk_harness::outcome::Measurement;

    let report = BkCoreBenchmark::new("ndarray", 2, 100).samples(5).warmups(1).run().unwrap();
    assert!(report.numerics().max_error_units <= 16.0, "{:?}", report.numerics());
    let clock = report.speedup.clock.unwrap();
    let median = |measurement: &Measurement| {
        let timing = measurement.timings.iter().find(|timing| timing.clock == clock);
        timing.unwrap().statistics.median
    };
    let ratio = median(&report.host) / median(&report.measurement);
    assert!((report.speedup.value / ratio - 1.0).abs() < 1e-9, "{} {ratio}", report.speedup.value);
}
