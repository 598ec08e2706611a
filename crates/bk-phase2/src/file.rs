//! Files of weights, with or without expectations: safetensors, tensors named as in the PyTorch project.
//!
//! `weights.*` are the parameters, `input.ids{1,2}` token ids, `expected.*` what the two calls must give.
//! Metadata: `config`, JSON in the words of [`Phase2Config`]. A file without `dissipation` there is from the
//! original, which runs `memory-only`.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use thiserror::Error;

use crate::config::{ConfigError, Phase2Config};

/// A tensor on the host, in float64.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
}

/// A file that was read, nothing checked against a model yet.
#[derive(Debug, Clone)]
pub struct Phase2File {
    /// What the model is.
    pub config: Phase2Config,
    /// Parameters by name, without `weights.`.
    pub weights: BTreeMap<String, HostTensor>,
    /// Token ids of the first and the second call, `[B, N]`, where the file has them.
    pub inputs: Option<[HostTensor; 2]>,
    /// Expected results by name, without `expected.`.
    pub expected: BTreeMap<String, HostTensor>,
    /// Tensors that belong to none of these, and keys of the configuration that mean nothing here.
    pub unknown: Vec<String>,
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// Not safetensors.
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// No configuration in it.
    #[error("the file's metadata has no `config`: expected the model's sizes there as JSON")]
    NoConfig,
    /// A configuration that is no JSON, or not of a model.
    #[error("the `config` in the file's metadata cannot be read: {0}")]
    Config(#[from] serde_json::Error),
    /// Values that no model can have.
    #[error(transparent)]
    Values(#[from] ConfigError),
    /// A type that has no numbers in float64.
    #[error("`{name}` has elements of type {found:?}, expected F64, F32, F16, BF16, I32 or I64")]
    ElementType {
        /// Name of the tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
    /// Tensors that are missing or misshapen.
    #[error("the file does not fit its own `config`:\n  {}", .0.join("\n  "))]
    Tensors(Vec<String>),
}

impl Phase2File {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`FileError`] with what is wrong in it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let text =
            metadata.metadata().as_ref().and_then(|map| map.get("config")).ok_or(FileError::NoConfig)?;
        let (config, unknown) = parse_config(text)?;
        let mut file =
            Self { config, weights: BTreeMap::new(), inputs: None, expected: BTreeMap::new(), unknown };
        let mut inputs = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
            let tensor = host_tensor(&name, &view)?;
            if let Some(name) = name.strip_prefix("weights.") {
                file.weights.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("expected.") {
                file.expected.insert(name.to_owned(), tensor);
            } else if ["input.ids1", "input.ids2"].contains(&name.as_str()) {
                inputs.insert(name, tensor);
            } else {
                file.unknown.push(name);
            }
        }
        file.unknown.sort();
        if let (Some(first), Some(second)) = (inputs.remove("input.ids1"), inputs.remove("input.ids2")) {
            file.inputs = Some([first, second]);
        }
        Ok(file)
    }
}

/// The configuration, and its keys that nothing here is named after.
fn parse_config(text: &str) -> Result<(Phase2Config, Vec<String>), FileError> {
    let mut value: Value = serde_json::from_str(text)?;
    let known = serde_json::to_value(Phase2Config { ffn_dim: Some(1), ..Phase2Config::small() })?;
    let mut unknown = Vec::new();
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| {
            let meant = known.get(key).is_some();
            if !meant {
                unknown.push(format!("config.{key}"));
            }
            meant
        });
        map.entry("dissipation").or_insert_with(|| "memory-only".into());
    }
    let config: Phase2Config = serde_json::from_value(value)?;
    config.validate()?;
    Ok((config, unknown))
}

fn host_tensor(name: &str, view: &TensorView<'_>) -> Result<HostTensor, FileError> {
    fn numbers<const S: usize>(bytes: &[u8], number: impl Fn([u8; S]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<S>().0.iter().map(|chunk| number(*chunk)).collect()
    }
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F64 => numbers(bytes, f64::from_le_bytes),
        Dtype::F32 => numbers(bytes, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F16 => numbers(bytes, |bytes| f16::from_le_bytes(bytes).into()),
        Dtype::BF16 => numbers(bytes, |bytes| bf16::from_le_bytes(bytes).into()),
        Dtype::I32 => numbers(bytes, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::I64 => numbers(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        found => return Err(FileError::ElementType { name: name.to_owned(), found }),
    };
    Ok(HostTensor { shape: view.shape().to_vec(), values })
}
