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
fn every_vector_is_held_to_its_values_and_to_its_gradients() {
    use bk_harness::case::Strategy;

    for name in ["host", "ndarray"] {
        let dtype = if name == "host" { ElementType::F64 } else { ElementType::F32 };
        let rows = open(name, dtype).unwrap().verify_vectors(None, Strategy::Auto).unwrap();
        assert_eq!(rows.len(), 2 * 32, "{name}");
        assert!(rows.iter().all(|row| row.passed), "{name}: {rows:?}");
        assert_eq!(rows.iter().filter(|row| row.name.ends_with(" gradients")).count(), 32, "{name}");
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn both_passes_are_proven_right_and_cost_what_each_costs() {
    use bk_harness::case::Pass;

    let of = |pass| BkCoreBenchmark::new("ndarray", 2, 100).pass(pass).samples(5).warmups(1).run().unwrap();
    let [forward, backward, both] = [Pass::Forward, Pass::Backward, Pass::ForwardBackward].map(of);
    for report in [&forward, &backward, &both] {
        assert!(report.numerics().max_error_units <= 16.0, "{:?}", report.numerics());
    }
    // a, b, c and G in 4 bytes each; then a, b, c, the cotangent, and a gradient of each of a, b, c.
    let bytes = |report: &bk_targets::BkCoreReport| {
        report.measurement.work.bytes_read + report.measurement.work.bytes_written
    };
    assert_eq!(bytes(&forward), 4 * (200 + 2 * 198 + 400) + 8);
    assert_eq!(bytes(&backward), 4 * (2 * (200 + 2 * 198) + 400) + 16);
    assert_eq!(bytes(&both), bytes(&forward) + bytes(&backward));
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

#[cfg(feature = "ndarray")]
mod models {
    use bk_harness::case::{ElementType, Mode, Preset};
    use bk_harness::workload::Part;
    use bk_targets::{BenchmarkError, MemoryBenchmark, ThroughputBenchmark};

    fn small(target: &str, mode: Mode) -> ThroughputBenchmark {
        ThroughputBenchmark::new(target, Preset::Small, 2, 24).vocabulary(64).mode(mode).samples(3).warmups(1)
    }

    #[test]
    fn every_mode_is_proven_right_and_its_tokens_are_those_of_a_launch() {
        for (mode, tokens) in [(Mode::Forward, 48), (Mode::Prefill, 48), (Mode::Decode, 2)] {
            let report = small("ndarray", mode).run().unwrap();
            assert_eq!(report.measurement.work.elements, tokens, "{mode:?}");
            assert!(report.measurement.parts.is_empty());
            // The reference is the same backend.
            assert_eq!(report.measurement.numerics.max_rel_error, 0.0, "{mode:?}");
            assert!(report.measurement.numerics.compared > 100, "{mode:?}");
        }
    }

    #[test]
    fn backward_is_timed_beside_forward_and_its_gradients_are_proven() {
        let report = small("ndarray", Mode::ForwardBackward).run().unwrap();
        let parts: Vec<Part> = report.measurement.parts.iter().map(|part| part.part).collect();
        assert_eq!(parts, [Part::Forward, Part::Backward]);
        // The loss and the gradient of 256 embeddings of width 256.
        assert_eq!(report.measurement.numerics.compared, 1 + 256 * 256);
        let rate = report.measurement.matrix_flops_per_second.unwrap();
        assert!(rate > 1e8, "{rate}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn another_backend_agrees_with_ndarray_within_the_bound_of_its_type() {
        let report = small("flex", Mode::Forward).run().unwrap();
        let error = report.measurement.numerics.max_rel_error;
        assert!(error > 0.0 && error < 1e-3, "{error}");
        let report = small("flex", Mode::Forward).dtype(ElementType::F16).run().unwrap();
        let error = report.measurement.numerics.max_rel_error;
        assert!(error > 1e-5 && error < 2e-2, "{error}");
    }

    #[test]
    fn a_type_that_the_target_cannot_store_is_told() {
        let error = small("ndarray", Mode::Forward).dtype(ElementType::F16).run().map(drop);
        let Err(BenchmarkError::NotMeasured { reason, .. }) = error else { panic!("{error:?}") };
        assert!(reason.contains("no F16 numbers"), "{reason}");
    }

    #[test]
    fn the_memory_of_a_cpu_is_its_resident_set_and_at_least_the_weights() {
        let report = MemoryBenchmark::new("ndarray", Preset::Small, 1, 64).passes(1).run().unwrap();
        let memory = report.memory();
        assert!(memory.allocator.is_none());
        // Other tests of this process allocate, too, and what they free may be taken again.
        assert!(report.peak_bytes > memory.analytic.weights / 2, "{memory:?}");
    }
}
