//! A file's model against the file's expectations: two calls, the second with the state of the first.

use std::collections::BTreeMap;

use bk_burn::{BkBackend, Precision};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::diagnostics::Diagnostics;
use crate::error::ModelError;
use crate::file::{FileError, HostTensor, Phase2File};
use crate::model::Phase2Model;
use crate::state::State;
use crate::weights::ImportError;

/// What came of one expected tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct ParityRow {
    /// Its name, without `expected.`.
    pub name: String,
    /// Largest `|found - expected|`; NaN where a value is NaN.
    pub max_abs: f64,
    /// `||found - expected|| / ||expected||`.
    pub relative_rms: f64,
    /// What it is held to, if anything.
    pub bound: Option<Bound>,
    /// Whether it keeps to it.
    pub passed: bool,
}

/// What an error must not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// The largest absolute error.
    Absolute(f64),
    /// The relative root mean square.
    RelativeRms(f64),
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Parity {
    /// One row an expected tensor, by name.
    pub rows: Vec<ParityRow>,
    /// Names of tensors that were not used.
    pub warnings: Vec<String>,
    /// Condition number of the resonance basis.
    pub condition: f64,
}

impl Parity {
    /// Whether every row passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed)
    }
}

/// Runs the two calls of a file in `dtype` on a device and compares.
///
/// # Errors
/// When tensors are missing, misshapen or none of this model's, or the model cannot run.
pub fn check<B: BkBackend>(
    file: &Phase2File,
    device: &<B as BackendTypes>::Device,
    dtype: DType,
    precision: Precision,
) -> Result<Parity, ImportError> {
    let (model, mut warnings) = Phase2Model::<B>::import(file, device)?;
    let model = model.cast(dtype)?.with_precision(precision);
    let found = results(&model, file)?;
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    for (name, result) in &found {
        match file.expected.get(name) {
            None => problems.push(format!("`expected.{name}` is missing")),
            Some(expected) if expected.shape != result.shape => problems.push(format!(
                "`expected.{name}` has shape {:?}, and the model gives {:?}",
                expected.shape, result.shape
            )),
            Some(expected) => rows.push(row(name, result, expected, bound(name, dtype, precision))),
        }
    }
    if !problems.is_empty() {
        return Err(FileError::Tensors(problems).into());
    }
    let extra = file.expected.keys().filter(|name| !found.contains_key(*name));
    warnings.extend(extra.map(|name| format!("expected.{name}")));
    Ok(Parity { rows, warnings, condition: model.basis().condition() })
}

/// Everything that a file may expect, by name.
fn results<B: BkBackend>(
    model: &Phase2Model<B>,
    file: &Phase2File,
) -> Result<BTreeMap<String, HostTensor>, ImportError> {
    let Some(inputs) = &file.inputs else {
        let missing = "`input.ids1` or `input.ids2` is missing: this file has weights alone".to_owned();
        return Err(FileError::Tensors(vec![missing]).into());
    };
    let mut results = BTreeMap::new();
    let mut state = None;
    for (call, ids) in inputs.iter().enumerate() {
        let ids = upload_ids::<B>(ids, call + 1, file, &model.device())?;
        let (logits, next, diagnostics) = model.forward_with_diagnostics(ids, state)?;
        results.insert(format!("logits{}", call + 1), read(logits)?);
        collect(&mut results, call + 1, &diagnostics, &next)?;
        state = Some(next);
    }
    Ok(results)
}

fn collect<B: Backend>(
    results: &mut BTreeMap<String, HostTensor>,
    call: usize,
    diagnostics: &Diagnostics<B>,
    state: &State<B>,
) -> Result<(), ModelError> {
    for (index, (block, carried)) in diagnostics.blocks.iter().zip(&state.blocks).enumerate() {
        let mut put = |name: &str, tensor: HostTensor| {
            results.insert(format!("block{index}.{name}{call}"), tensor);
        };
        put("bk", read(block.resolvent.clone())?);
        put("gamma", read(block.potential.gamma.clone())?);
        put("out", read(block.output.clone())?);
        put("eta_after", read(carried.eta.clone())?);
        if let Some(memory) = &carried.memory {
            put("state", read(memory.clone())?);
        }
    }
    Ok(())
}

fn upload_ids<B: Backend>(
    ids: &HostTensor,
    call: usize,
    file: &Phase2File,
    device: &B::Device,
) -> Result<Tensor<B, 2, Int>, FileError> {
    let vocabulary = file.config.vocab_size;
    let known = |id: &f64| id.fract() == 0.0 && (0.0..vocabulary as f64).contains(id);
    let [batch, n] = ids.shape[..] else {
        let problem = format!("`input.ids{call}` has shape {:?}, expected [B, N]", ids.shape);
        return Err(FileError::Tensors(vec![problem]));
    };
    if let Some(id) = ids.values.iter().find(|id| !known(id)) {
        let problem = format!("`input.ids{call}` has the id {id}, and the vocabulary has {vocabulary} words");
        return Err(FileError::Tensors(vec![problem]));
    }
    let ids = ids.values.iter().map(|id| *id as i32).collect();
    Ok(Tensor::from_data(TensorData::new(ids, [batch, n]), device))
}

fn row(name: &str, found: &HostTensor, expected: &HostTensor, bound: Option<Bound>) -> ParityRow {
    let pairs = || found.values.iter().zip(&expected.values);
    // A NaN must not be lost in a maximum.
    let worst = |most: f64, error: f64| if error > most || error.is_nan() { error } else { most };
    let errors = pairs().map(|(found, expected)| (found - expected).abs());
    let max_abs = errors.fold(0.0f64, |most, error| if most.is_nan() { most } else { worst(most, error) });
    let square = pairs().map(|(found, expected)| (found - expected).powi(2)).sum::<f64>();
    let size = expected.values.iter().map(|value| value * value).sum::<f64>();
    let relative_rms = if square == 0.0 { 0.0 } else { (square / size).sqrt() };
    let passed = match bound {
        Some(Bound::Absolute(most)) => max_abs <= most,
        Some(Bound::RelativeRms(most)) => relative_rms <= most,
        None => max_abs.is_finite(),
    };
    ParityRow { name: name.to_owned(), max_abs, relative_rms, bound, passed }
}

/// The bounds: absolute for exact arithmetic. The resonance basis is ill-conditioned, so what has gone
/// through it may be off by more. With TF32 or half precision a resonance near the threshold may fall on the
/// other side, so outputs alone are judged.
fn bound(name: &str, dtype: DType, precision: Precision) -> Option<Bound> {
    let kind = name.rsplit('.').next().unwrap_or(name);
    let output = kind.starts_with("out") || kind.starts_with("logits");
    match (dtype, precision) {
        (DType::F64, _) => Some(Bound::Absolute(1e-8)),
        (DType::F32, Precision::Exact) => Some(Bound::Absolute(match kind {
            "bk1" | "bk2" | "gamma1" | "gamma2" => 1e-4,
            "eta_after1" | "eta_after2" => 1e-6,
            "state1" | "state2" | "logits2" => 5e-3,
            _ => 1e-3,
        })),
        (DType::BF16, _) => output.then_some(Bound::RelativeRms(5e-2)),
        _ => output.then_some(Bound::RelativeRms(1e-2)),
    }
}

/// A tensor on the host.
pub(crate) fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<HostTensor, ModelError> {
    let data = tensor.try_into_data().map_err(|error| ModelError::Read(error.to_string()))?;
    Ok(HostTensor { shape: data.shape.to_vec(), values: data.iter::<f64>().collect() })
}
