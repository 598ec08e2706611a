//! A worker without a device: it answers every case with made-up times, or misbehaves on request.
//!
//! It shows how small a program is that speaks the worker protocol, and it is what the end-to-end tests
//! run against. Try it:
//!
//! ```sh
//! cargo build -p bkbench --example fake_worker
//! bkbench devices --worker "cuda=target/debug/examples/fake_worker"
//! ```
//! `--on PART=ACTION` chooses what happens to cases whose `BENCHMARK/ID` contains `PART`; the last one
//! that fits counts. `--seconds PART=S` chooses their time in the same way, 1 ms by default.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{abort, exit};
use std::thread::sleep;
use std::time::Duration;

use bk_harness::case::{Case, WorkloadSpec};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::memory::{AllocatorMemory, MemoryMeasurement};
use bk_harness::models::AnalyticBytes;
use bk_harness::numerics::Numerics;
use bk_harness::outcome::{CacheState, Clock, Measurement, Outcome, Statistics, Timing};
use bk_harness::phase2::{ExportOutcome, ParityBound, ParityFile, ParityOutcome, ParityRow};
use bk_harness::protocol::{Event, PROTOCOL_VERSION, Phase, Request, Role};
use bk_harness::vectors::{VectorRow, VectorsOutcome};
use bk_harness::workload::Work;
use clap::{Parser, ValueEnum};
use serde_json::json;

/// A worker without a device.
#[derive(Debug, Parser)]
struct Arguments {
    /// Target to play.
    #[arg(long)]
    target: String,
    /// Ignored: it has no tensors.
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Say that the target is missing for this reason.
    #[arg(long)]
    unavailable: Option<String>,
    /// Version of the protocol to claim.
    #[arg(long, default_value_t = PROTOCOL_VERSION)]
    version: u32,
    /// Play a hardware GPU instead of a CPU.
    #[arg(long)]
    gpu: bool,
    /// What happens to some cases.
    #[arg(long, value_parser = rule::<Action>)]
    on: Vec<(String, Action)>,
    /// How long some cases take.
    #[arg(long, value_parser = seconds)]
    seconds: Vec<(String, f64)>,
    /// Relative distance between the fastest and the slowest sample.
    #[arg(long, default_value_t = 0.0)]
    spread: f64,
    /// Write the name of each case that it gets at the end of this file.
    #[arg(long)]
    log: Option<PathBuf>,
}

/// What can happen to a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Action {
    /// It is measured.
    #[default]
    Measure,
    /// It is measured after a second.
    Slow,
    /// It does not apply.
    Skip,
    /// It fails.
    Fail,
    /// Its result is wrong.
    Wrong,
    /// Its errors are not numbers.
    Nan,
    /// Its time is no number, which JSON cannot hold.
    NanTime,
    /// The process aborts.
    Abort,
    /// The process ends with code 3.
    Exit,
    /// Nothing comes.
    Hang,
    /// Something else than the protocol comes.
    Garbage,
    /// A thread panics, and the case is measured nevertheless.
    Panic,
}

fn rule<T: ValueEnum>(text: &str) -> Result<(String, T), String> {
    let (part, value) = text.split_once('=').ok_or("expected PART=ACTION")?;
    Ok((part.to_owned(), T::from_str(value, true)?))
}

fn seconds(text: &str) -> Result<(String, f64), String> {
    let (part, value) = text.split_once('=').ok_or("expected PART=SECONDS")?;
    Ok((part.to_owned(), value.parse().map_err(|error| format!("{value}: {error}"))?))
}

/// The value of the last rule that fits `name`.
fn last_that_fits<T: Copy>(rules: &[(String, T)], name: &str) -> Option<T> {
    rules.iter().rev().find(|(part, _)| name.contains(part)).map(|(_, value)| *value)
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(reason) = &arguments.unavailable {
        return send(&Event::Unavailable { protocol: arguments.version, reason: reason.clone() });
    }
    send(&Event::Hello {
        protocol: arguments.version,
        role: Role::Worker,
        engine: "fake_worker".to_owned(),
        device: Box::new(device(&arguments)),
        versions: BTreeMap::from([("made-up".to_owned(), arguments.dtype.clone())]),
    })?;
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Request::Run { case } => run(&arguments, &case)?,
            Request::VerifyVectors { .. } => send(&Event::Vectors { outcome: vectors(&arguments) })?,
            Request::Prepare { .. } | Request::Measure { .. } => eprintln!("not an engine"),
            Request::VerifyPhase2 { .. } => send(&Event::Parity { outcome: parity(&arguments) })?,
            Request::ExportPhase2 { .. } => send(&Event::Exported { outcome: exported(&arguments) })?,
            Request::Exit => break,
        }
    }
    Ok(())
}

fn run(arguments: &Arguments, case: &Case) -> io::Result<()> {
    let name = format!("{}/{}", case.benchmark, case.id);
    if let Some(log) = &arguments.log {
        writeln!(OpenOptions::new().create(true).append(true).open(log)?, "{name}")?;
    }
    send(&Event::Phase { case: case.id.clone(), phase: Phase::Sample })?;
    let outcome = match last_that_fits(&arguments.on, &name).unwrap_or_default() {
        Action::Measure => measured(arguments, case, &name),
        Action::Slow => {
            sleep(Duration::from_secs(1));
            measured(arguments, case, &name)
        }
        Action::Skip => Outcome::Skipped { reason: "does not apply here".to_owned() },
        Action::Fail => Outcome::Failed { error: "out of device memory".to_owned() },
        Action::Wrong => {
            Outcome::Invalid { why: "error of 1e3 units".to_owned(), numerics: Some(numerics(1e3)) }
        }
        Action::Nan => {
            Outcome::Invalid { why: "32 entries are NaN".to_owned(), numerics: Some(numerics(f64::NAN)) }
        }
        Action::NanTime => return nan_time(arguments, case, &name),
        Action::Abort => abort(),
        Action::Exit => {
            eprintln!("device lost");
            exit(3);
        }
        Action::Hang => loop {
            sleep(Duration::from_secs(60));
        },
        Action::Garbage => return write_line("Autotune: 3 kernels"),
        Action::Panic => {
            let thread = std::thread::spawn(|| panic!("memory page does not exist"));
            // It has panicked, as it was to.
            let _ = thread.join();
            measured(arguments, case, &name)
        }
    };
    send(&Event::Result { case: case.id.clone(), outcome: Box::new(outcome) })
}

/// A result as a careless engine writes it: `null` where a time should be.
fn nan_time(arguments: &Arguments, case: &Case, name: &str) -> io::Result<()> {
    let mut outcome = serde_json::to_value(measured(arguments, case, name))?;
    outcome["timings"][0]["samples"][0] = json!(f64::NAN);
    write_line(&json!({ "event": "result", "case": case.id, "outcome": outcome }).to_string())
}

fn measured(arguments: &Arguments, case: &Case, name: &str) -> Outcome {
    let center = last_that_fits(&arguments.seconds, name).unwrap_or(1e-3);
    let count = case.measure.samples.max(2);
    let step = |sample: u32| f64::from(sample) / f64::from(count - 1) - 0.5;
    let samples: Vec<f64> =
        (0..count).map(|sample| center * (1.0 + arguments.spread * step(sample))).collect();
    let Some(statistics) = Statistics::from_samples(&samples) else {
        return Outcome::Failed { error: format!("{center} s is no time") };
    };
    let clock = Clock::Wall;
    let timing = Timing { clock, samples, statistics, overhead_seconds: None, issue_hidden: false };
    // A case about memory has no times.
    let timings = if memory(case).is_some() { Vec::new() } else { vec![timing] };
    let elements = (case.workload.batch() * case.workload.n()) as u64;
    Outcome::Measured(Box::new(Measurement {
        numerics: numerics(0.5),
        timings,
        first_launch_seconds: 0.1,
        warm_launch_seconds: Some(center),
        parts: Vec::new(),
        warmup_runs: 1,
        warmup_seconds: 0.1,
        cache: CacheState::Uncontrolled,
        work: Work {
            elements,
            bytes_read: elements * 12,
            bytes_written: elements * 8,
            flops: elements * 100,
        },
        copy_bytes_per_second: None,
        matrix_flops_per_second: None,
        memory: memory(case),
        warnings: Vec::new(),
    }))
}

/// What a case about memory needs: as much as it should by arithmetic, and a tenth more.
fn memory(case: &Case) -> Option<MemoryMeasurement> {
    let WorkloadSpec::Phase2Memory(spec) = &case.workload else { return None };
    let analytic = AnalyticBytes::of(spec, case.dtype);
    let peak = analytic.total() + analytic.total() / 10;
    let allocator = AllocatorMemory {
        baseline: 0,
        loaded: analytic.weights,
        first_pass_peak: peak,
        peaks: vec![peak],
        reserved: peak.next_power_of_two(),
        readings: 1000,
    };
    Some(MemoryMeasurement { analytic, allocator: Some(allocator), driver: None, resident: None })
}

/// Errors of an output that is `units` roundings away from the truth.
fn numerics(units: f64) -> Numerics {
    Numerics {
        mse: units * 1e-15,
        mse_clipped: units * 1e-15,
        max_abs_error: units * 1e-7,
        max_rel_error: units * 1e-7,
        median_rel_error: units * 1e-8,
        max_error_units: units,
        allowed_error_units: 16.0,
        max_magnitude: 2.0,
        non_finite: if units.is_nan() { 32 } else { 0 },
        expected_non_finite: 0,
        compared: 32,
        rejected: (units > 16.0 || units.is_nan()).then(|| "made up to be wrong".to_owned()),
    }
}

/// Two vectors, of which the second follows the rule for `vectors`.
fn vectors(arguments: &Arguments) -> VectorsOutcome {
    let action = last_that_fits(&arguments.on, "vectors").unwrap_or_default();
    let row = |name: &str, passed: bool| VectorRow {
        name: name.to_owned(),
        n: 4,
        batch: 1,
        worst_units: Some(if passed { 0.5 } else { 1e3 }),
        allowed_units: 16.0,
        passed,
        note: String::new(),
    };
    match action {
        Action::Skip => VectorsOutcome::Skipped { reason: "does not apply here".to_owned() },
        Action::Fail => VectorsOutcome::Failed { error: "out of device memory".to_owned() },
        action => {
            VectorsOutcome::Checked { rows: vec![row("one", true), row("two", action != Action::Wrong)] }
        }
    }
}

/// One file of two tensors, of which the second follows the rule for `phase2`.
fn parity(arguments: &Arguments) -> ParityOutcome {
    let action = last_that_fits(&arguments.on, "phase2").unwrap_or_default();
    let row = |tensor: &str, passed: bool| ParityRow {
        tensor: tensor.to_owned(),
        max_abs_error: Some(if passed { 1e-5 } else { 0.5 }),
        relative_rms_error: Some(1e-6),
        bound: Some(ParityBound::MaxAbs(1e-3)),
        passed,
    };
    match action {
        Action::Skip => ParityOutcome::Skipped { reason: "does not apply here".to_owned() },
        Action::Fail => ParityOutcome::Failed { error: "out of device memory".to_owned() },
        action => ParityOutcome::Checked {
            files: vec![ParityFile {
                file: "made up".to_owned(),
                rows: vec![row("logits1", true), row("logits2", action != Action::Wrong)],
                unknown_tensors: Vec::new(),
                basis_condition: 166.0,
            }],
        },
    }
}

/// Nothing is written; the rule for `phase2` says how it ends.
fn exported(arguments: &Arguments) -> ExportOutcome {
    match last_that_fits(&arguments.on, "phase2").unwrap_or_default() {
        Action::Skip => ExportOutcome::Skipped { reason: "does not apply here".to_owned() },
        Action::Fail => ExportOutcome::Failed { error: "disk full".to_owned() },
        Action::Wrong => ExportOutcome::Refused { error: "`ln_f.bias` is missing".to_owned() },
        _ => ExportOutcome::Written { tensors: 3, parameters: 12, unknown_tensors: Vec::new() },
    }
}

fn device(arguments: &Arguments) -> DeviceInfo {
    DeviceInfo {
        target: arguments.target.clone(),
        name: "Made-up device".to_owned(),
        class: if arguments.gpu { DeviceClass::Gpu } else { DeviceClass::Cpu },
        runtime: "fake".to_owned(),
        driver: None,
        multiprocessors: None,
        memory_bytes: Some(8 << 30),
        l2_bytes: None,
        max_tensor_bytes: None,
        plane_size: None,
    }
}

fn send(event: &Event) -> io::Result<()> {
    write_line(&serde_json::to_string(event)?)
}

fn write_line(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
