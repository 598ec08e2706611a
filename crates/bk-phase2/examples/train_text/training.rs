//! The loop.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bk_phase2::train::{Batch, cross_entropy, train_step};
use bk_phase2::{BkBackend, Checkpoint, GradientSafety, Phase2Model, Sampling};
use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, Optimizer};
use burn::record::{BinFileRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::curve;
use crate::progress::Progress;
use crate::text::Text;

type Failure = Box<dyn Error>;

/// Trains until a limit, saves, and prints a sample.
pub(crate) fn run<B: BkBackend>(
    device: <B as BackendTypes>::Device,
    arguments: &Arguments,
    text: &Text,
) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.out)?;
    let checkpoint = Checkpoint::at(&arguments.out);
    let (model, mut progress) = begin::<B>(&device, arguments, text, &checkpoint)?;
    let parameters = burn::module::Module::num_params(&model);
    println!("{parameters} parameters on {}", B::name(&device));
    B::seed(&device, arguments.seed.wrapping_add(progress.step as u64));

    let mut optimizer = AdamWConfig::new()
        .with_beta_2(0.95)
        .with_epsilon(1e-8)
        .with_weight_decay(0.01)
        .init::<Autodiff<B>, Phase2Model<Autodiff<B>>>();
    if arguments.resume {
        let moments = Recorder::<Autodiff<B>>::load(&recorder(), moments(arguments), &device)?;
        optimizer = optimizer.load_record(moments);
    }
    let mut safety = GradientSafety::new(arguments.clip).resumed(progress.gradients);
    let bar = progress_bar(arguments);
    bar.set_position(progress.step as u64);
    let (mut start, earlier) = (Instant::now(), progress.seconds);
    let mut first = true;
    let limit = Duration::from_secs_f64(60.0 * arguments.minutes);

    let mut model = model;
    while progress.step < arguments.steps && start.elapsed() < limit {
        let spent = start.elapsed().as_secs_f64() / limit.as_secs_f64();
        let rate = learning_rate(arguments, progress.step, spent);
        let windows = text.windows(arguments.batch, arguments.seq + 1, arguments.seed, progress.step)?;
        let batch = batch::<Autodiff<B>>(windows, arguments.batch, arguments.seq, &device);
        let trained = train_step(model, &mut optimizer, &mut safety, batch, rate)?;
        model = trained.model;
        progress.step += 1;
        if std::mem::take(&mut first) {
            let seconds = start.elapsed().as_secs_f64();
            bar.println(format!("first step: {seconds:.1} s with compilation of kernels, not counted below"));
            start = Instant::now();
        }
        progress.seconds = earlier + start.elapsed().as_secs_f64();
        progress.gradients = safety.statistics();
        bar.set_position(progress.step as u64);
        if progress.step % arguments.log_every == 0 {
            let loss = number(trained.loss)?;
            progress.losses.push((progress.step, loss));
            let norm = progress.gradients.last_norm;
            bar.set_message(format!("loss {loss:.3}, gradient {norm:.2}"));
        }
        if progress.step % arguments.save_every == 0 {
            validate(&model, arguments, text, &device, &mut progress)?;
            save(&model, &optimizer, arguments, &progress, &checkpoint)?;
        }
    }
    bar.finish_and_clear();
    validate(&model, arguments, text, &device, &mut progress)?;
    save(&model, &optimizer, arguments, &progress, &checkpoint)?;
    report(&progress);
    sample(&model.valid(), arguments)
}

/// A fresh model, or that of the checkpoint.
fn begin<B: BkBackend>(
    device: &<B as BackendTypes>::Device,
    arguments: &Arguments,
    text: &Text,
    checkpoint: &Checkpoint,
) -> Result<(Phase2Model<Autodiff<B>>, Progress), Failure> {
    if arguments.resume {
        let progress = Progress::read(&arguments.out)?;
        let model = checkpoint.model::<Autodiff<B>>(device)?;
        if model.config().n_seq != arguments.seq {
            let found = model.config().n_seq;
            return Err(format!("the checkpoint was trained with `--seq {found}`: give that one").into());
        }
        println!("going on from step {}", progress.step);
        return Ok((model, Progress { target: arguments.target.clone(), ..progress }));
    }
    if checkpoint.exists() {
        let folder = arguments.out.display();
        return Err(
            format!("{folder} has a checkpoint: go on with `--resume`, or name another `--out`").into()
        );
    }
    let progress = Progress {
        target: arguments.target.clone(),
        text_bytes: text.len(),
        unigram_entropy: text.unigram_entropy(),
        ..Progress::default()
    };
    Ok((Phase2Model::new(&arguments.config()?, device)?, progress))
}

/// Up in the warm-up, then down along a cosine to a tenth; the nearer limit counts.
fn learning_rate(arguments: &Arguments, step: usize, spent: f64) -> f64 {
    let rise = (step + 1) as f64 / arguments.warmup.max(1) as f64;
    let done = spent.max(step as f64 / arguments.steps as f64).min(1.0);
    let fall = 0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    arguments.lr * rise.min(1.0) * fall
}

/// Windows of `seq + 1` bytes as inputs and the byte after each.
fn batch<B: Backend>(windows: Vec<i32>, rows: usize, seq: usize, device: &B::Device) -> Batch<B> {
    let all = Tensor::<B, 2, burn::tensor::Int>::from_data(TensorData::new(windows, [rows, seq + 1]), device);
    Batch { ids: all.clone().slice([0..rows, 0..seq]), targets: all.slice([0..rows, 1..seq + 1]) }
}

fn validate<B: BkBackend>(
    model: &Phase2Model<Autodiff<B>>,
    arguments: &Arguments,
    text: &Text,
    device: &<B as BackendTypes>::Device,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let (windows, rows) = text.held_back(arguments.batch, arguments.seq + 1);
    if rows == 0 {
        return Ok(());
    }
    let batch = batch::<B>(windows, rows, arguments.seq, device);
    let loss = number(cross_entropy(model.valid().logits(batch.ids, None)?, batch.targets))?;
    progress.validation.push((progress.step, loss));
    Ok(())
}

fn save<B, O>(
    model: &Phase2Model<Autodiff<B>>,
    optimizer: &O,
    arguments: &Arguments,
    progress: &Progress,
    checkpoint: &Checkpoint,
) -> Result<(), Failure>
where
    B: BkBackend,
    O: Optimizer<Phase2Model<Autodiff<B>>, Autodiff<B>>,
{
    checkpoint.save(&model.valid())?;
    Recorder::<Autodiff<B>>::record(&recorder(), optimizer.to_record(), moments(arguments))?;
    fs::write(arguments.out.join("loss.svg"), curve::svg(progress))?;
    progress.write(&arguments.out)?;
    Ok(())
}

fn recorder() -> BinFileRecorder<FullPrecisionSettings> {
    BinFileRecorder::new()
}

/// Where the optimiser's moments are, without the ending.
fn moments(arguments: &Arguments) -> PathBuf {
    arguments.out.join("optimizer")
}

fn report(progress: &Progress) {
    let rate = progress.step as f64 / progress.seconds;
    println!("{} steps in {:.0} s ({rate:.1} a second)", progress.step, progress.seconds);
    let gradients = progress.gradients;
    println!(
        "gradients: {} clipped, {} skipped, mean norm {:.3}, largest {:.3}",
        gradients.clipped, gradients.skipped, gradients.mean_norm, gradients.max_norm
    );
    let validation =
        progress.validation.last().map_or_else(|| "-".to_owned(), |(_, loss)| format!("{loss:.4}"));
    println!(
        "final loss {:.4} nats a byte, on the part held back {validation}; unigram entropy {:.4}",
        progress.recent_loss(),
        progress.unigram_entropy
    );
}

fn sample<B: BkBackend>(model: &Phase2Model<B>, arguments: &Arguments) -> Result<(), Failure> {
    let sampling = Sampling { temperature: arguments.temperature, top_k: Some(50), seed: arguments.seed };
    let prompt: Vec<usize> = arguments.prompt.bytes().map(usize::from).collect();
    let tokens = model.generate(&prompt, arguments.sample, &sampling)?;
    let bytes: Vec<u8> =
        prompt.into_iter().chain(tokens).filter_map(|token| u8::try_from(token).ok()).collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    fs::write(arguments.out.join("sample.txt"), &text)?;
    println!("\n{text}");
    Ok(())
}

fn progress_bar(arguments: &Arguments) -> ProgressBar {
    let bar = ProgressBar::new(arguments.steps as u64);
    let template = "{elapsed_precise} step {pos}/{len} {wide_bar} {per_sec} {msg}";
    // Not a terminal: the bar draws nothing, and the report at the end stands alone.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn number<B: Backend>(tensor: Tensor<B, 1>) -> Result<f64, Failure> {
    let data = tensor.try_into_data().map_err(|error| error.to_string())?;
    data.iter::<f64>().next().ok_or_else(|| "a loss without a value".into())
}
