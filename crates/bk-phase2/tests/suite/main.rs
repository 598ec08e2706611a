//! The model from outside. One binary for all backends: each takes minutes to compile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

#[cfg(feature = "cuda-tests")]
mod cuda;
#[cfg(feature = "ndarray")]
mod decoding;
#[cfg(feature = "ndarray")]
mod files;
#[cfg(feature = "ndarray")]
mod gradients;
#[cfg(feature = "ndarray")]
mod left;
mod models;
mod parity;
#[cfg(feature = "ndarray")]
mod products;
#[cfg(feature = "ndarray")]
mod recurrence;
#[cfg(feature = "ndarray")]
mod sequential;
#[cfg(feature = "ndarray")]
mod state;
#[cfg(feature = "ndarray")]
mod training;
