//! Which implementation exists on which target.

use crate::baseline::HOST_TARGET;
use crate::case::Implementation;

/// Whether `implementation` exists on `target`. This table is the only reason for which a combination
/// that a config names is left out of the plan without a trace; whatever exists but does not run on the
/// machine at hand becomes a skip with its reason.
pub fn exists_on(implementation: Implementation, target: &str) -> bool {
    match implementation {
        Implementation::Kernel => matches!(target, "cuda" | "wgpu" | "cuda-fusion" | "wgpu-fusion"),
        Implementation::Native => matches!(target, "ndarray" | "flex"),
        Implementation::Tensor => target != HOST_TARGET,
        Implementation::Host => target == HOST_TARGET,
    }
}
