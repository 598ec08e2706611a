//! The Phase 2 model on a backend: against files of expectations, and out to files.

use std::fs;
use std::path::{Path, PathBuf};

use bk_harness::case::ElementType;
use bk_harness::phase2::{
    ExportOutcome, ExportSource, MatmulPrecision, ParityBound, ParityFile, ParityOutcome, ParityRow,
};
use bk_harness::workload::Failure;
use bk_phase2::parity::{self, Bound, Parity};
#[cfg(any(feature = "ndarray", feature = "flex"))]
use bk_phase2::{Checkpoint, Phase2Config, Phase2Model};
use bk_phase2::{FileError, ImportError, ModelError, Phase2File, Precision};
#[cfg(any(feature = "ndarray", feature = "flex"))]
use burn::tensor::backend::BackendTypes;

use crate::element::burn_type;
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

#[cfg(any(feature = "ndarray", feature = "flex"))]
impl From<bk_phase2::CheckpointError> for Stop {
    fn from(error: bk_phase2::CheckpointError) -> Self {
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

/// Where weights are made and read: their values are the same on every backend, and each backend more is
/// one more model to compile.
#[cfg(feature = "ndarray")]
type Host = burn::backend::NdArray<f32>;
#[cfg(all(feature = "flex", not(feature = "ndarray")))]
type Host = burn::backend::Flex;

/// Says what is missing.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub(crate) fn export(_source: &ExportSource, _file: &Path) -> ExportOutcome {
    ExportOutcome::Skipped { reason: "weights are exported by a build with `ndarray` or `flex`".to_owned() }
}

/// Writes the weights of `source` to `file`.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub(crate) fn export(source: &ExportSource, file: &Path) -> ExportOutcome {
    let written = || -> Result<ExportOutcome, Stop> {
        let device = <Host as BackendTypes>::Device::default();
        let (model, unknown_tensors) = model(source, &device)?;
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
#[cfg(any(feature = "ndarray", feature = "flex"))]
fn model(
    source: &ExportSource,
    device: &<Host as BackendTypes>::Device,
) -> Result<(Phase2Model<Host>, Vec<String>), Stop> {
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
