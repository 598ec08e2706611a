//! Inputs of a case and the float64 answer to them.
//!
//! [`conversions`] turns the words of a case into the types of the kernels; [`Exam`] hands the inputs of a case
//! to a program in another language and marks what comes back. Nothing here knows Burn or a device, so whoever
//! proves a result need not compile a backend.

pub mod conversions;
mod exam;

pub use exam::{Exam, ExamError};
