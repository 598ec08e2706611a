//! The targets with Burn's Fusion around a CubeCL runtime: the same device, a lazy stream before it.

use burn::tensor::backend::BackendTypes;
use burn_fusion::{Fusion, FusionBackend};

use super::Platform;

/// Fusion around another platform. Its launches happen at a synchronisation, so only `wall` is a clock.
pub(crate) struct FusedPlatform<P: Platform> {
    device: <P::Backend as BackendTypes>::Device,
}

impl<P: Platform> FusedPlatform<P> {
    pub(crate) fn around(platform: &P) -> Self {
        Self { device: platform.device().clone() }
    }
}

impl<P: Platform> Platform for FusedPlatform<P>
where
    P::Backend: FusionBackend,
    Fusion<P::Backend>: bk_burn::BkBackend<Device = <P::Backend as BackendTypes>::Device>,
{
    type Backend = Fusion<P::Backend>;

    fn device(&self) -> &<P::Backend as BackendTypes>::Device {
        &self.device
    }
}
