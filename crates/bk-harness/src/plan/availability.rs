//! Which implementation exists on which target.

use crate::baseline::HOST_TARGET;
use crate::case::Implementation;
use crate::config::KNOWN_TARGETS;

/// Whether `implementation` exists on `target`. This table is the only reason for which a combination
/// that a config names is left out of the plan without a trace; whatever exists but does not run on the
/// machine at hand becomes a skip with its reason.
pub fn exists_on(implementation: Implementation, target: &str) -> bool {
    match implementation {
        Implementation::Kernel => matches!(target, "cuda" | "wgpu" | "cuda-fusion" | "wgpu-fusion"),
        Implementation::Native => matches!(target, "ndarray" | "flex"),
        Implementation::Tensor => KNOWN_TARGETS.contains(&target),
        Implementation::Host | Implementation::ThetaPhi => target == HOST_TARGET,
        // Every other name is that of an external engine.
        Implementation::Peer => target != HOST_TARGET && !KNOWN_TARGETS.contains(&target),
    }
}
