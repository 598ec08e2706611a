//! Between the words of a case and the types of the kernels.

use bk_harness::case::{self, BkCoreSpec, Couplings, Implementation};
use bk_harness::numerics::Numerics;
use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::Comparison;
use bk_kernels::{BkOptions, BkProblem, GradMode, NonFinite, Routine, Strategy};

pub(crate) fn family(family: case::Family) -> Family {
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

pub(crate) fn strategy(strategy: case::Strategy) -> Strategy {
    match strategy {
        case::Strategy::Auto => Strategy::default(),
        case::Strategy::Serial => Strategy::forced(Routine::Serial),
        case::Strategy::Cube => Strategy::forced(Routine::Cube),
        case::Strategy::MultiCube => Strategy::forced(Routine::MultiCube),
    }
}

pub(crate) fn options(spec: &BkCoreSpec) -> BkOptions {
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
pub(crate) fn inputs(spec: &BkCoreSpec, set: usize) -> Inputs {
    let shared = spec.couplings == Couplings::Shared;
    let seed = spec.seed.wrapping_add(set as u64);
    generate(family(spec.family), spec.batch, spec.n, shared, spec.z, seed)
}

pub(crate) fn problem(inputs: &Inputs) -> BkProblem {
    BkProblem { batch: inputs.batch, n: inputs.n, complex_diagonal: inputs.a_im.is_some() }
}

/// Error units that an implementation is held to (`METHODOLOGY.md`).
pub(crate) fn allowed_units(implementation: Implementation) -> f64 {
    match implementation {
        Implementation::Kernel | Implementation::Native | Implementation::Host => 16.0,
        Implementation::Tensor => 128.0,
    }
}

pub(crate) fn numerics(comparison: Comparison, allowed_error_units: f64) -> Numerics {
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
