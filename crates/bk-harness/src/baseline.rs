//! What a speedup is relative to.

use crate::case::{BkCoreSpec, Case, ElementType, Implementation, Strategy, WorkloadSpec};

/// Name of the pseudo target of the serial reference on the CPU.
pub const HOST_TARGET: &str = "host";

/// The cases that another case's time is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// The serial float64 reference on the CPU.
    Host,
    /// Plain tensor operations on the same target in the same type.
    Tensor,
    /// The float32 scan on `ndarray`.
    Native,
}

impl Baseline {
    /// Whether `candidate` is this baseline of `case`. A case is no baseline of itself, and the
    /// reference has none.
    pub(crate) fn serves(self, candidate: &Case, case: &Case) -> bool {
        let role = match self {
            Self::Host => implementation(candidate) == Some(Implementation::Host),
            Self::Tensor => {
                implementation(candidate) == Some(Implementation::Tensor)
                    && candidate.target == case.target
                    && candidate.dtype == case.dtype
            }
            Self::Native => {
                implementation(candidate) == Some(Implementation::Native)
                    && candidate.target == "ndarray"
                    && candidate.dtype == ElementType::F32
            }
        };
        role && !is_host(case)
            && !(candidate.benchmark == case.benchmark && candidate.id == case.id)
            && same_problem(candidate, case)
    }
}

/// Whether `candidate` stands beside `case` for its errors: the original's algorithm on the same input.
pub(crate) fn stands_beside(candidate: &Case, case: &Case) -> bool {
    implementation(candidate) == Some(Implementation::ThetaPhi) && same_problem(candidate, case)
}

/// What computes `case`; nothing has a choice of it but the scan.
pub(crate) fn implementation(case: &Case) -> Option<Implementation> {
    match &case.workload {
        WorkloadSpec::BkCore(spec) => Some(spec.implementation),
        WorkloadSpec::Phase2Throughput(_) | WorkloadSpec::Phase2Memory(_) => None,
    }
}

/// Whether `case` is the serial reference, to which others are compared.
pub(crate) fn is_host(case: &Case) -> bool {
    implementation(case) == Some(Implementation::Host)
}

/// Whether both cases of one benchmark answer the same question, each in its own way.
pub(crate) fn same_problem(a: &Case, b: &Case) -> bool {
    let (WorkloadSpec::BkCore(spec_a), WorkloadSpec::BkCore(spec_b)) = (&a.workload, &b.workload) else {
        return false;
    };
    let neutral = |spec: &BkCoreSpec| BkCoreSpec {
        implementation: Implementation::Host,
        strategy: Strategy::Auto,
        ..spec.clone()
    };
    a.benchmark == b.benchmark && neutral(spec_a) == neutral(spec_b)
}
