//! The forward kernel on a device, against test vectors and the float64 oracle.
//!
//! | file | what it holds the kernel to |
//! |---|---|
//! | `vectors` | the test vectors, through every routine and layout |
//! | `sizes` | awkward numbers of rows and sites, input families, long and ill-conditioned rows |
//! | `isolation` | zeros, cuts, singular blocks, NaN: what must not touch what |
//! | `gradients` | the backward pass, by the same rules |
//! | `layouts` | strided rows and shared couplings |
//! | `options` | clipping and non-finite handling |
//! | `arguments` | what is refused before a launch |
//!
//! The runtime is a feature: `--features vulkan` (SPIR-V), `wgpu` (WGSL) or `cuda`. Without one only the
//! CPU side of the crate is tested.
#![cfg(any(feature = "cuda", feature = "wgpu"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, which Clippy does not see as such"
)]

mod arguments;
mod device;
mod gradients;
mod isolation;
mod layouts;
mod options;
mod sizes;
mod vectors;
