//! The backward pass: gradients against the vectors and the oracle, by every routine.

mod device;
mod options;
mod sizes;
mod special;
mod vectors;
