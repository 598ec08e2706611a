//! What the unit tests share.

use bk_harness::case::{
    BkCoreSpec, CacheChoice, Case, ClockChoice, Couplings, ElementType, Family, Implementation, MeasureSpec,
    Mode, NonFinite, Pass, Phase2Spec, Preset, Strategy, WorkloadSpec,
};
use bk_harness::numerics::Numerics;
use bk_harness::outcome::{CacheState, Measurement};
use bk_harness::workload::Work;

/// A small case on `target` that may take ten seconds.
pub(crate) fn case(target: &str) -> Case {
    Case {
        id: format!("bk-core/{target}/f32/b2-n8/tensor"),
        benchmark: "small".to_owned(),
        target: target.to_owned(),
        dtype: ElementType::F32,
        workload: WorkloadSpec::BkCore(BkCoreSpec {
            batch: 2,
            n: 8,
            implementation: Implementation::Tensor,
            strategy: Strategy::Auto,
            family: Family::Normal,
            couplings: Couplings::PerRow,
            z: None,
            seed: 42,
            max_magnitude: None,
            non_finite: NonFinite::Propagate,
            pass: Pass::Forward,
        }),
        measure: MeasureSpec {
            clock: ClockChoice::Auto,
            cache: CacheChoice::Cold,
            warmup_runs: 1,
            warmup_seconds: 0.0,
            samples: 5,
            relative_noise: None,
            max_seconds: 1.0,
            timeout_seconds: 10.0,
        },
    }
}

/// A case about the memory of a small model on `target`.
pub(crate) fn memory_case(target: &str) -> Case {
    let spec = Phase2Spec {
        preset: Preset::Small,
        mode: Mode::Forward,
        batch: 1,
        n: 8,
        vocabulary: None,
        seed: 42,
        asked_dtype: None,
        force: false,
    };
    let id = format!("phase2-memory/{target}/f32/b1-n8/small-forward");
    Case { id, workload: WorkloadSpec::Phase2Memory(spec), ..case(target) }
}

/// A measurement without times whose mean squared error is not a number.
pub(crate) fn measurement() -> Measurement {
    Measurement {
        numerics: Numerics {
            mse: f64::NAN,
            mse_clipped: 0.0,
            max_abs_error: 0.0,
            max_rel_error: 0.0,
            median_rel_error: 0.0,
            max_error_units: 0.0,
            allowed_error_units: 16.0,
            max_magnitude: 0.0,
            non_finite: 0,
            expected_non_finite: 0,
            compared: 32,
            rejected: None,
        },
        timings: Vec::new(),
        first_launch_seconds: 1.0,
        warm_launch_seconds: None,
        parts: Vec::new(),
        warmup_runs: 1,
        warmup_seconds: 1.0,
        cache: CacheState::Uncontrolled,
        work: Work { elements: 16, bytes_read: 64, bytes_written: 128, flops: 1000 },
        copy_bytes_per_second: None,
        matrix_flops_per_second: None,
        memory: None,
        warnings: Vec::new(),
    }
}
