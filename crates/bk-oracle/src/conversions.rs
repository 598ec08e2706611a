//! Between the words of a case and the types of the kernels.

use bk_harness::case::{self, BkCoreSpec, Couplings, Implementation};
use bk_harness::config::DEFAULT_ENGINE_UNITS;
use bk_harness::numerics::Numerics;
use bk_harness::workload::Work;
use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::Comparison;
use bk_kernels::{BkOptions, BkProblem, GradMode, NonFinite, Routine, Strategy};

/// The family of inputs.
pub fn family(family: case::Family) -> Family {
    match family {
        case::Family::Normal => Family::Normal,
        case::Family::Default => Family::Default,
        case::Family::Hermitian => Family::Hermitian,
        case::Family::Antisymmetric => Family::Antisymmetric,
        case::Family::Mixed => Family::Mixed,
        case::Family::DiagonallyDominant => Family::DiagonallyDominant,
        case::Family::LargeDiagonal => Family::LargeDiagonal,
        case::Family::LargeEntries => Family::LargeEntries,
        case::Family::Free => Family::Free,
        case::Family::Complex => Family::Complex,
    }
}

/// The algorithm of the kernel.
pub fn strategy(strategy: case::Strategy) -> Strategy {
    match strategy {
        case::Strategy::Auto => Strategy::default(),
        case::Strategy::Serial => Strategy::forced(Routine::Serial),
        case::Strategy::Cube => Strategy::forced(Routine::Cube),
        case::Strategy::MultiCube => Strategy::forced(Routine::MultiCube),
    }
}

/// The options of the operation.
pub fn options(spec: &BkCoreSpec) -> BkOptions {
    BkOptions {
        max_magnitude: spec.max_magnitude,
        non_finite: match spec.non_finite {
            case::NonFinite::Propagate => NonFinite::Propagate,
            case::NonFinite::Zero => NonFinite::Zero,
        },
        gradient: GradMode::Exact,
    }
}

/// Input set `set` of a case: sets differ in their seed alone.
pub fn inputs(spec: &BkCoreSpec, set: usize) -> Inputs {
    let shared = spec.couplings == Couplings::Shared;
    let seed = spec.seed.wrapping_add(set as u64);
    generate(family(spec.family), spec.batch, spec.n, shared, spec.z, seed)
}

/// Sizes of a batch.
pub fn problem(inputs: &Inputs) -> BkProblem {
    BkProblem { batch: inputs.batch, n: inputs.n, complex_diagonal: inputs.a_im.is_some() }
}

/// The floor of bytes and operations of one launch: each input and output once.
pub fn work(inputs: &Inputs) -> Work {
    let problem = problem(inputs);
    Work {
        elements: inputs.sites() as u64,
        bytes_read: problem.bytes_read(inputs.shared),
        bytes_written: problem.bytes_written(),
        flops: problem.flops(),
    }
}

/// Error units that an implementation is held to (`METHODOLOGY.md`). A peer's bound is in its `[[engine]]` table.
pub fn allowed_units(implementation: Implementation) -> f64 {
    match implementation {
        Implementation::Kernel | Implementation::Native | Implementation::Host => 16.0,
        // The bound of exact arithmetic in float32: how far beyond it the original's algorithm is, is the question.
        Implementation::ThetaPhi => 16.0,
        Implementation::Tensor => 128.0,
        Implementation::Peer => DEFAULT_ENGINE_UNITS,
    }
}

/// A comparison as results hold it, with the bound that it was made with.
pub fn numerics(comparison: Comparison, allowed_error_units: f64) -> Numerics {
    Numerics {
        mse: comparison.mse,
        mse_clipped: comparison.mse_clipped,
        max_abs_error: comparison.max_abs_error,
        max_rel_error: comparison.max_rel_error,
        median_rel_error: comparison.median_rel_error,
        max_error_units: comparison.max_error_units,
        allowed_error_units,
        max_magnitude: comparison.max_magnitude,
        non_finite: comparison.non_finite,
        expected_non_finite: comparison.expected_non_finite,
        compared: comparison.compared,
        rejected: comparison.rejected,
    }
}
