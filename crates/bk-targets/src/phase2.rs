//! The Phase 2 model on a backend: against files of expectations, and out to files.

use std::fs;
use std::path::{Path, PathBuf};

use bk_harness::case::ElementType;
use bk_harness::phase2::{
    ExportOutcome, ExportSource, MatmulPrecision, ParityBound, ParityFile, ParityOutcome, ParityRow,
};
use bk_harness::workload::Failure;
use bk_phase2::parity::{self, Bound, Parity};
use bk_phase2::{
    BkBackend, Checkpoint, CheckpointError, FileError, ImportError, ModelError, Phase2Config, Phase2File,
    Phase2Model, Precision,
};
use burn::tensor::DType;
use burn::tensor::backend::{Backend, BackendTypes};

use crate::platform::Platform;

/// The fixtures of the original, for whoever names no file.
const BUILT_IN: [(&str, &[u8]); 3] = [
    ("parity_small", include_bytes!("../../bk-phase2/testdata/parity_small.safetensors")),
    ("parity_wide", include_bytes!("../../bk-phase2/testdata/parity_wide.safetensors")),
    ("parity_eta", include_bytes!("../../bk-phase2/testdata/parity_eta.safetensors")),
];

/// Why there is no result.
enum Stop {
    /// What was given is wrong.
    Refused(String),
    /// It does not apply here.
    Skipped(String),
    /// It broke.
    Failed(String),
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::File(error) => Self::Refused(error.to_string()),
            ImportError::Model(error) => error.into(),
        }
    }
}

impl From<ModelError> for Stop {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Config(_) | ModelError::SingularBasis { .. } => Self::Refused(error.to_string()),
            ModelError::ElementType { .. } => Self::Skipped(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<CheckpointError> for Stop {
    fn from(error: CheckpointError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Skip(reason) => Self::Skipped(reason),
            Failure::Execution(error) => Self::Failed(error),
        }
    }
}

/// Runs every file, or those built in, and compares.
pub(crate) fn verify<P: Platform>(
    platform: &P,
    files: &[PathBuf],
    dtype: ElementType,
    precision: MatmulPrecision,
) -> ParityOutcome {
    let checked = || -> Result<Vec<ParityFile>, Stop> {
        if files.is_empty() {
            return BUILT_IN
                .iter()
                .map(|(name, bytes)| check(platform, name, bytes, dtype, precision))
                .collect();
        }
        files
            .iter()
            .map(|path| check(platform, &path.display().to_string(), &read(path)?, dtype, precision))
            .collect()
    };
    match checked() {
        Ok(files) => ParityOutcome::Checked { files },
        Err(Stop::Refused(error)) => ParityOutcome::Refused { error },
        Err(Stop::Skipped(reason)) => ParityOutcome::Skipped { reason },
        Err(Stop::Failed(error)) => ParityOutcome::Failed { error },
    }
}

fn check<P: Platform>(
    platform: &P,
    name: &str,
    bytes: &[u8],
    dtype: ElementType,
    precision: MatmulPrecision,
) -> Result<ParityFile, Stop> {
    let at = |error: FileError| Stop::Refused(format!("{name}: {error}"));
    let file = Phase2File::parse(bytes).map_err(at)?;
    let precision = match precision {
        MatmulPrecision::Exact => Precision::Exact,
        MatmulPrecision::Fast => Precision::Fast,
    };
    let parity = parity::check::<P::Backend>(&file, platform.device(), burn_type(dtype), precision);
    let parity = parity.map_err(|error| match error {
        ImportError::File(error) => at(error),
        other => other.into(),
    })?;
    platform.synchronize()?;
    Ok(conversion(name, parity))
}

fn conversion(file: &str, parity: Parity) -> ParityFile {
    let finite = |value: f64| value.is_finite().then_some(value);
    let rows = parity.rows.into_iter().map(|row| ParityRow {
        tensor: row.name,
        max_abs_error: finite(row.max_abs),
        relative_rms_error: finite(row.relative_rms),
        bound: row.bound.map(|bound| match bound {
            Bound::Absolute(most) => ParityBound::MaxAbs(most),
            Bound::RelativeRms(most) => ParityBound::RelativeRms(most),
        }),
        passed: row.passed,
    });
    ParityFile {
        file: file.to_owned(),
        rows: rows.collect(),
        unknown_tensors: parity.warnings,
        basis_condition: parity.condition,
    }
}

/// Writes the weights of `source` to `file`.
pub(crate) fn export<P: Platform>(platform: &P, source: &ExportSource, file: &Path) -> ExportOutcome {
    let written = || -> Result<ExportOutcome, Stop> {
        let (model, unknown_tensors) = model::<P::Backend>(source, platform.device())?;
        let bytes = model.export()?;
        let read_back = Phase2File::parse(&bytes).map_err(|error| Stop::Failed(error.to_string()))?;
        fs::write(file, bytes)
            .map_err(|error| Stop::Failed(format!("cannot write {}: {error}", file.display())))?;
        Ok(ExportOutcome::Written {
            tensors: read_back.weights.len(),
            parameters: read_back.weights.values().map(|tensor| tensor.values.len()).sum(),
            unknown_tensors,
        })
    };
    match written() {
        Ok(outcome) => outcome,
        Err(Stop::Refused(error)) => ExportOutcome::Refused { error },
        Err(Stop::Skipped(reason)) => ExportOutcome::Skipped { reason },
        Err(Stop::Failed(error)) => ExportOutcome::Failed { error },
    }
}

/// The model of a source, and the tensors in it that are none of the model's.
fn model<B: BkBackend>(
    source: &ExportSource,
    device: &<B as BackendTypes>::Device,
) -> Result<(Phase2Model<B>, Vec<String>), Stop> {
    match source {
        ExportSource::Preset(name) => {
            let config = Phase2Config::preset(name)
                .ok_or_else(|| Stop::Refused(format!("`{name}` is no preset: small, base or large")))?;
            Ok((Phase2Model::new(&config, device)?, Vec::new()))
        }
        ExportSource::Config(path) => {
            let text = String::from_utf8(read(path)?)
                .map_err(|_| Stop::Refused(format!("{} is not UTF-8", path.display())))?;
            let config = Phase2Config::from_toml(&text)
                .map_err(|error| Stop::Refused(format!("{}: {error}", path.display())))?;
            Ok((Phase2Model::new(&config, device)?, Vec::new()))
        }
        ExportSource::File(path) => {
            let at = |error: FileError| Stop::Refused(format!("{}: {error}", path.display()));
            let file = Phase2File::parse(&read(path)?).map_err(at)?;
            Ok(Phase2Model::import(&file, device)?)
        }
        ExportSource::Checkpoint(folder) => Ok((Checkpoint::at(folder).model(device)?, Vec::new())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| Stop::Refused(format!("cannot read {}: {error}", path.display())))
}

fn burn_type(dtype: ElementType) -> DType {
    match dtype {
        ElementType::F64 => DType::F64,
        ElementType::F32 => DType::F32,
        ElementType::F16 => DType::F16,
        ElementType::Bf16 => DType::BF16,
    }
}
