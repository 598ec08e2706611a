//! What can be typed.

use std::path::PathBuf;

use bk_phase2::{ConfigError, Phase2Config, Resolvent};
use clap::{Parser, ValueEnum};

/// Train a causal byte-level Phase 2 model on text files.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Text files; their bytes, one file after the other, are the text.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// ndarray, wgpu or cuda.
    #[arg(long, default_value = "ndarray")]
    pub(crate) target: String,
    /// Sizes of the model: small, base or large, or a TOML file like those in `configs/presets`.
    #[arg(long, default_value = "small", value_name = "PRESET|FILE")]
    pub(crate) model: String,
    /// Sequences a step.
    #[arg(long, default_value_t = 32)]
    pub(crate) batch: usize,
    /// Bytes a sequence; also the longest text that the model can then continue.
    #[arg(long, default_value_t = 256)]
    pub(crate) seq: usize,
    /// Stop after so many steps.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) steps: usize,
    /// Stop after so many minutes of training.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) minutes: f64,
    /// Highest learning rate, after the warm-up; it falls to a tenth of it along a cosine.
    #[arg(long, default_value_t = 1e-3)]
    pub(crate) lr: f64,
    /// Steps in which the learning rate rises.
    #[arg(long, default_value_t = 100)]
    pub(crate) warmup: usize,
    /// Norm to which gradients are clipped.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) clip: f64,
    /// Probability of dropout.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) dropout: f64,
    /// How weights begin. Those from the zeta zeros are tiny: raise `--zeta-scale` with them.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) init: InitName,
    /// Factor of the spectra with `--init zeta`.
    #[arg(long, default_value_t = 300.0)]
    pub(crate) zeta_scale: f64,
    /// Steps between two points of the loss curve.
    #[arg(long, default_value_t = 20)]
    pub(crate) log_every: usize,
    /// Steps between two checkpoints.
    #[arg(long, default_value_t = 1000)]
    pub(crate) save_every: usize,
    /// Folder of checkpoint, loss curve and sample.
    #[arg(long, default_value = "train_text", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Go on from the checkpoint in that folder.
    #[arg(long)]
    pub(crate) resume: bool,
    /// What the sample at the end begins with.
    #[arg(long, default_value = "The ")]
    pub(crate) prompt: String,
    /// Bytes of the sample, as far as the model has positions.
    #[arg(long, default_value_t = 240)]
    pub(crate) sample: usize,
    /// Temperature of the sample.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) temperature: f64,
    /// Seed of weights, batches, dropout and sample.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// How weights begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitName {
    /// As Burn's layers do.
    #[default]
    Burn,
    /// From the zeta zeros.
    Zeta,
}

impl Arguments {
    /// The model that they ask for.
    pub(crate) fn config(&self) -> Result<Phase2Config, ConfigError> {
        let sizes = match Phase2Config::preset(&self.model) {
            Some(preset) => preset,
            None => {
                let text = std::fs::read_to_string(&self.model).map_err(|error| {
                    let problem = format!("`{}` is no preset and cannot be read: {error}", self.model);
                    ConfigError { problems: vec![problem] }
                })?;
                Phase2Config::from_toml(&text)?
            }
        };
        let config = Phase2Config {
            vocab_size: 256,
            n_seq: self.seq,
            resolvent: Resolvent::Causal,
            dropout: self.dropout,
            use_zeta_init: self.init == InitName::Zeta,
            zeta_scale: self.zeta_scale,
            seed: self.seed,
            ..sizes
        };
        config.validate()?;
        Ok(config)
    }
}
