//! The model from outside. One binary for all backends: each takes minutes to compile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[cfg(feature = "ndarray")]
mod decoding;
#[cfg(feature = "ndarray")]
mod files;
#[cfg(feature = "ndarray")]
mod gradients;
mod models;
mod parity;
#[cfg(feature = "ndarray")]
mod recurrence;
#[cfg(feature = "ndarray")]
mod sequential;
#[cfg(feature = "ndarray")]
mod state;
