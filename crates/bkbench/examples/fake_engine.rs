//! An external engine without a device: it computes on the CPU and makes up its times, or misbehaves on request.
//!
//! It shows what a program has to do that lets bkbench prove its results, and it is what the end-to-end tests run
//! against. `--on PART=ACTION` chooses what happens to cases whose `BENCHMARK/ID` contains `PART`; the last one
//! that fits counts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::exit;
use std::thread::sleep;
use std::time::Duration;

use bk_harness::case::Case;
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::outcome::{CacheState, Clock, Outcome};
use bk_harness::protocol::{EngineTimes, EngineTiming, Event, PROTOCOL_VERSION, Phase, Request, Role};
use bk_kernels::BkOptions;
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::resolvent_values;
use clap::{Parser, ValueEnum};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// An external engine without a device.
#[derive(Debug, Parser)]
struct Arguments {
    /// Target to play.
    #[arg(long)]
    target: String,
    /// Ignored: it computes in float64 and rounds.
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Say that the target is missing for this reason.
    #[arg(long)]
    unavailable: Option<String>,
    /// Version of the protocol to claim.
    #[arg(long, default_value_t = PROTOCOL_VERSION)]
    version: u32,
    /// Claim to prove its own results.
    #[arg(long)]
    worker: bool,
    /// Seconds a launch.
    #[arg(long, default_value_t = 1e-3)]
    seconds: f64,
    /// What happens to some cases.
    #[arg(long, value_parser = rule)]
    on: Vec<(String, Action)>,
}

/// What can happen to a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Action {
    /// It is right and timed.
    #[default]
    Measure,
    /// It does not apply.
    Skip,
    /// It fails.
    Fail,
    /// One entry of the output is off.
    Wrong,
    /// One entry of the output is NaN.
    Nan,
    /// The output has another shape.
    Misshapen,
    /// There is no output.
    NoOutput,
    /// The output is no tensor.
    NoTensor,
    /// The process dies before there is an output.
    Die,
    /// The engine claims to have measured the case itself.
    Claim,
    /// The process dies while it is to measure.
    DieLater,
    /// It fails to measure.
    FailLater,
    /// The output is off after the timed launches.
    WrongLater,
    /// The output is not written anew after the timed launches.
    NoOutputLater,
    /// Nothing comes of measuring.
    HangLater,
    /// There are no times.
    NoTimes,
    /// A time is negative.
    NegativeTime,
    /// Twice the same clock.
    SameClock,
    /// Inputs are said to be cold on a CPU.
    ColdCpu,
}

fn rule(text: &str) -> Result<(String, Action), String> {
    let (part, value) = text.split_once('=').ok_or("expected PART=ACTION")?;
    Ok((part.to_owned(), Action::from_str(value, true)?))
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(reason) = &arguments.unavailable {
        return send(&Event::Unavailable { protocol: arguments.version, reason: reason.clone() });
    }
    send(&Event::Hello {
        protocol: arguments.version,
        role: if arguments.worker { Role::Worker } else { Role::Engine },
        engine: "fake_engine".to_owned(),
        device: Box::new(device(&arguments)),
        versions: BTreeMap::from([("made-up".to_owned(), arguments.dtype.clone())]),
    })?;
    let mut prepared = None;
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Request::Prepare { case, inputs, output, .. } => {
                let action = action(&arguments, &case);
                send(&Event::Phase { case: case.id.clone(), phase: Phase::Prepare })?;
                prepare(&case, action, &inputs, &output)?;
                prepared = Some((*case, action, inputs, output));
            }
            Request::Measure { .. } => match &prepared {
                Some((case, action, inputs, output)) => measure(&arguments, case, *action, inputs, output)?,
                None => eprintln!("asked to measure before anything was prepared"),
            },
            Request::Exit => break,
            Request::Run { .. }
            | Request::VerifyVectors { .. }
            | Request::VerifyPhase2 { .. }
            | Request::ExportPhase2 { .. } => eprintln!("not a worker"),
        }
    }
    Ok(())
}

fn action(arguments: &Arguments, case: &Case) -> Action {
    let name = format!("{}/{}", case.benchmark, case.id);
    let fitting = arguments.on.iter().rev().find(|(part, _)| name.contains(part));
    fitting.map(|(_, action)| *action).unwrap_or_default()
}

fn prepare(case: &Case, action: Action, inputs: &Path, output: &Path) -> io::Result<()> {
    let ended = |outcome| send(&Event::Result { case: case.id.clone(), outcome: Box::new(outcome) });
    match action {
        Action::Skip => return ended(Outcome::Skipped { reason: "does not apply here".to_owned() }),
        Action::Fail => return ended(Outcome::Failed { error: "out of device memory".to_owned() }),
        Action::Claim => {
            return ended(Outcome::Invalid { why: "it is for me to say".to_owned(), numerics: None });
        }
        Action::Die => {
            eprintln!("device lost");
            exit(3);
        }
        Action::NoOutput => {}
        Action::NoTensor => fs::write(output, "no tensor")?,
        _ => compute(action, inputs, output)?,
    }
    send(&Event::Prepared { case: case.id.clone(), first_launch_seconds: 0.1 })
}

/// Writes the right answer, or what `action` makes of it.
fn compute(action: Action, inputs: &Path, output: &Path) -> io::Result<()> {
    let inputs = read(inputs)?;
    let values = resolvent_values(&inputs, &BkOptions::default()).map_err(io::Error::other)?;
    let mut values: Vec<f32> = values.into_iter().flatten().map(|part| part as f32).collect();
    match action {
        Action::Wrong => values[0] += 1.0,
        Action::Nan => values[1] = f32::NAN,
        _ => {}
    }
    let shape = match action {
        Action::Misshapen => vec![inputs.sites(), 2],
        _ => vec![inputs.batch, inputs.n, 2],
    };
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(io::Error::other)?;
    safetensors::serialize_to_file([("g", view)], None, output).map_err(io::Error::other)
}

fn read(path: &Path) -> io::Result<Inputs> {
    let bytes = fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(io::Error::other)?;
    let values = |name: &str| -> io::Result<Vec<f32>> {
        let tensor = file.tensor(name).map_err(io::Error::other)?;
        Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    let shape =
        |name: &str| file.tensor(name).map(|tensor| tensor.shape().to_vec()).map_err(io::Error::other);
    let (sites, links, z) = (shape("a_re")?, shape("b")?, values("z")?);
    Ok(Inputs {
        batch: sites[0],
        n: sites[1],
        a_re: values("a_re")?,
        a_im: if file.names().contains(&"a_im") { Some(values("a_im")?) } else { None },
        b: values("b")?,
        c: values("c")?,
        shared: links[0] != sites[0],
        z: [z[0], z[1]],
    })
}

fn measure(
    arguments: &Arguments,
    case: &Case,
    action: Action,
    inputs: &Path,
    output: &Path,
) -> io::Result<()> {
    send(&Event::Phase { case: case.id.clone(), phase: Phase::Sample })?;
    match action {
        Action::DieLater => exit(3),
        Action::FailLater => {
            let outcome = Box::new(Outcome::Failed { error: "out of device memory".to_owned() });
            return send(&Event::Result { case: case.id.clone(), outcome });
        }
        Action::HangLater => sleep(Duration::from_secs(60)),
        Action::WrongLater => compute(Action::Wrong, inputs, output)?,
        Action::NoOutputLater => {}
        _ => compute(Action::Measure, inputs, output)?,
    }
    let samples =
        (0..case.measure.samples).map(|index| arguments.seconds * (1.0 + 1e-3 * f64::from(index % 3)));
    let mut timing = EngineTiming {
        clock: Clock::Wall,
        samples: samples.collect(),
        issue_hidden: false,
        issue_seconds: None,
        overhead_seconds: None,
    };
    if action == Action::NegativeTime {
        timing.samples[1] = -1e-3;
    }
    let timings = match action {
        Action::NoTimes => Vec::new(),
        Action::SameClock => vec![timing.clone(), timing],
        _ => vec![timing],
    };
    let times = EngineTimes {
        warmup_runs: 1,
        warmup_seconds: 0.1,
        settled: true,
        cache: if action == Action::ColdCpu { CacheState::Cold } else { CacheState::Uncontrolled },
        copy_bytes_per_second: None,
        timings,
    };
    send(&Event::Sampled { case: case.id.clone(), times: Box::new(times) })
}

fn device(arguments: &Arguments) -> DeviceInfo {
    DeviceInfo {
        target: arguments.target.clone(),
        name: "Made-up device".to_owned(),
        class: DeviceClass::Cpu,
        runtime: "fake".to_owned(),
        driver: None,
        multiprocessors: None,
        memory_bytes: None,
        l2_bytes: None,
        max_tensor_bytes: None,
        plane_size: None,
    }
}

fn send(event: &Event) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(event)?)?;
    output.flush()
}
