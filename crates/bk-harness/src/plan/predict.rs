//! What a case will roughly cost, before anything has run.
//!
//! Memory follows from the sizes. Times are weights for a progress bar, from bytes and an order of
//! magnitude of what each implementation moves in a second; a run replaces them with what it sees.

use crate::baseline::HOST_TARGET;
use crate::case::{
    BkCoreSpec, CacheChoice, Case, Couplings, ElementType, Family, Implementation, WorkloadSpec,
};
use crate::models::AnalyticBytes;
use crate::plan::phase2;

/// Cache that input sets are assumed to have to outgrow, as when the device's is unknown.
const ASSUMED_CACHE_BYTES: u64 = 64 << 20;
/// Limits on the number of input sets.
const INPUT_SETS: (u64, u64) = (2, 256);
/// Making inputs, opening buffers, compiling: what a case costs however small it is.
const FIXED_SECONDS: f64 = 0.2;

/// Bytes of inputs and output of every input set, and of what a launch casts.
pub(super) fn memory_bytes(case: &Case) -> u64 {
    match &case.workload {
        WorkloadSpec::BkCore(spec) => scan_memory_bytes(case, spec),
        WorkloadSpec::Phase2Throughput(spec) | WorkloadSpec::Phase2Memory(spec) => {
            AnalyticBytes::of(spec, case.dtype).total()
        }
    }
}

fn scan_memory_bytes(case: &Case, spec: &BkCoreSpec) -> u64 {
    let set = set_bytes(spec, case.dtype);
    let on_cpu = matches!(case.target.as_str(), HOST_TARGET | "ndarray" | "flex");
    let sets = match case.measure.cache {
        CacheChoice::Cold if !on_cpu => {
            (2 * ASSUMED_CACHE_BYTES).div_ceil(set.max(1)).clamp(INPUT_SETS.0, INPUT_SETS.1)
        }
        CacheChoice::Cold | CacheChoice::Hot => 1,
    };
    // The arithmetic is in float32: a launch on half-precision tensors casts them there and back.
    let casts = match case.dtype {
        ElementType::F16 | ElementType::Bf16 => set_bytes(spec, ElementType::F32),
        _ => 0,
    };
    set.saturating_mul(sets).saturating_add(casts)
}

/// Seconds of the whole case: proof, warm-up and samples.
pub(super) fn seconds(case: &Case) -> f64 {
    match &case.workload {
        WorkloadSpec::BkCore(spec) => scan_seconds(case, spec),
        WorkloadSpec::Phase2Throughput(spec) => phase2::throughput_seconds(case, spec),
        WorkloadSpec::Phase2Memory(spec) => phase2::memory_seconds(case, spec),
    }
}

fn scan_seconds(case: &Case, spec: &BkCoreSpec) -> f64 {
    let launch = set_bytes(spec, case.dtype) as f64 / bytes_per_second(case, spec) + 1e-5;
    let oracle = set_bytes(spec, ElementType::F64) as f64 / HOST_BYTES_PER_SECOND;
    let warm_up = (launch * f64::from(case.measure.warmup_runs)).max(case.measure.warmup_seconds);
    let sampling = (launch * f64::from(case.measure.samples)).min(case.measure.max_seconds);
    FIXED_SECONDS + oracle + warm_up + sampling
}

/// Inputs `a`, `b`, `c` and the output `[B, N, 2]`, of each pass.
fn set_bytes(spec: &BkCoreSpec, dtype: ElementType) -> u64 {
    let (batch, n) = (spec.batch as u64, spec.n as u64);
    let diagonal = if spec.family == Family::Complex { 2 } else { 1 };
    let rows = match spec.couplings {
        Couplings::PerRow => batch,
        Couplings::Shared => 1,
    };
    let sites = batch.saturating_mul(n).saturating_mul(diagonal + 2);
    let couplings = rows.saturating_mul(n.saturating_sub(1)).saturating_mul(2);
    let forward = sites.saturating_add(couplings).saturating_mul(dtype.bytes());
    // The backward pass reads the same with a cotangent in the place of the output, and writes as much as it reads of
    // the matrix: less than two forward passes.
    let passes = u64::from(spec.pass.has_forward()) + 2 * u64::from(spec.pass.has_backward());
    forward.saturating_mul(passes)
}

const HOST_BYTES_PER_SECOND: f64 = 4e8;

fn bytes_per_second(case: &Case, spec: &BkCoreSpec) -> f64 {
    let cuda = case.target.starts_with("cuda");
    let wgpu = case.target.starts_with("wgpu");
    match spec.implementation {
        Implementation::Host => HOST_BYTES_PER_SECOND,
        Implementation::Native => 1e9,
        Implementation::Kernel if cuda => 5e11,
        // Between a hardware adapter and a software one.
        Implementation::Kernel => 1e9,
        Implementation::ThetaPhi => HOST_BYTES_PER_SECOND,
        // Between a fused kernel on a GPU and an interpreter on a CPU.
        Implementation::Peer => 1e9,
        Implementation::Tensor if cuda => 1e10,
        Implementation::Tensor if wgpu => 1e8,
        Implementation::Tensor => 5e7,
    }
}
