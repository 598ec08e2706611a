//! `bkbench verify phase2` and `bkbench export phase2`.

use std::path::PathBuf;

use bk_harness::case::ElementType;
use bk_harness::phase2::MatmulPrecision;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{WorkerPrograms, element_type};

/// `bkbench verify phase2`
#[derive(Debug, Args)]
pub(crate) struct VerifyPhase2Args {
    /// Safetensors files with `weights.*`, `input.ids1`, `input.ids2` and `expected.*`; those built into
    /// the program when absent.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// Check only this target; repeat for more. All that are built in when absent.
    #[arg(long = "target", value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Type of the weights: f64, f32, f16 or bf16.
    #[arg(long, value_parser = element_type, default_value = "f32", value_name = "TYPE")]
    pub(crate) dtype: ElementType,

    /// How float32 matrix products may round.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) precision: PrecisionName,

    /// Seconds that one target may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,

    /// Who checks.
    #[command(flatten)]
    pub(crate) programs: WorkerPrograms,

    /// Print the table as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Of what.
    #[command(subcommand)]
    pub(crate) what: Export,
}

/// What has weights.
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// The Phase 2 model, as safetensors with the tensor names of the PyTorch project.
    Phase2(ExportPhase2Args),
}

/// `bkbench export phase2`
#[derive(Debug, Args)]
pub(crate) struct ExportPhase2Args {
    /// The file to write.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Which weights.
    #[command(flatten)]
    pub(crate) source: ExportSourceArgs,

    /// Whose worker writes; the weights are the same whichever it is.
    #[arg(long, value_name = "TARGET", default_value = "ndarray")]
    pub(crate) target: String,

    /// Seconds that it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,

    /// Who writes.
    #[command(flatten)]
    pub(crate) programs: WorkerPrograms,

    /// Print what was written as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which weights are exported.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ExportSourceArgs {
    /// Fresh ones of a preset: small, base or large.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Fresh ones of a configuration in TOML, as in `configs/presets`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Those of another safetensors file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) from: Option<PathBuf>,

    /// Those that the training example saved.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) checkpoint: Option<PathBuf>,
}

/// Rounding of matrix products as it is typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionName {
    /// In float32, also where there are tensor cores.
    #[default]
    Exact,
    /// As the backend likes: TF32 on CUDA. Outputs alone are judged, by a relative bound.
    Fast,
}

impl From<PrecisionName> for MatmulPrecision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Exact => Self::Exact,
            PrecisionName::Fast => Self::Fast,
        }
    }
}
