//! A benchmark harness: sweep -> plan -> measure -> record -> report.
//!
//! A TOML [`config`] describes a sweep; [`plan`] expands it to [`case::Case`]s; a worker opens the
//! [`workload::Workload`] of each case and [`measure`] proves it right and times it; the
//! [`outcome::Outcome`]s become a [`record::Run`] in JSON, on which [`kpi`] gives verdicts and which
//! [`report`] turns into Markdown. The parent process and its workers talk in the messages of
//! [`protocol`].
//!
//! Nothing here knows Burn, CubeCL or a GPU: a workload is a trait, and the tests use a fake one with
//! exact times.

pub(crate) mod baseline;
pub mod case;
pub mod condition;
pub mod config;
pub mod device;
pub mod environment;
pub(crate) mod finite;
pub mod kpi;
pub mod measure;
pub mod numerics;
pub mod outcome;
pub mod phase2;
pub mod plan;
pub mod protocol;
pub mod record;
pub mod regression;
pub mod report;
pub mod stats;
pub mod stopping;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod units;
pub mod vectors;
pub mod views;
pub mod warning;
pub mod workload;
