//! An exam for a program in another language: questions in one file, answers in another, marks by the oracle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bk_harness::case::BkCoreSpec;
use bk_harness::numerics::Numerics;
use bk_harness::workload::Work;
use bk_kernels::inputs::Inputs;
use bk_kernels::native::ShapeError;
use bk_kernels::reference::{Reference, compare, resolvent};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use thiserror::Error;

use crate::conversions;

/// Name of the output tensor.
const OUTPUT: &str = "g";

/// Input set 0 of a case, and what a right output is.
#[derive(Debug)]
pub struct Exam {
    spec: BkCoreSpec,
    inputs: Inputs,
    oracle: Reference,
    allowed_units: f64,
}

/// Why an output has no marks.
#[derive(Debug, Error)]
pub enum ExamError {
    /// The inputs do not go together.
    #[error(transparent)]
    Inputs(#[from] ShapeError),
    /// The inputs could not be written.
    #[error("cannot write the inputs to {}: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Why.
        source: SafeTensorError,
    },
    /// There is no output.
    #[error("the engine wrote no output: {}: {source}", path.display())]
    NoOutput {
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output is no safetensors file.
    #[error("the engine's output is no safetensors file: {0}")]
    Unreadable(SafeTensorError),
    /// The file has another tensor.
    #[error("the engine's output holds {found}; expected one tensor `{OUTPUT}`, F32 {expected:?}")]
    OtherTensor {
        /// What it holds.
        found: String,
        /// `[B, N, 2]`.
        expected: [usize; 3],
    },
}

impl Exam {
    /// The exam of the case `spec`, in which errors of up to `allowed_units` are right.
    ///
    /// # Errors
    /// [`ExamError::Inputs`], which the families never cause.
    pub fn new(spec: &BkCoreSpec, allowed_units: f64) -> Result<Self, ExamError> {
        let inputs = conversions::inputs(spec, 0);
        let oracle = resolvent(&inputs)?;
        Ok(Self { spec: spec.clone(), inputs, oracle, allowed_units })
    }

    /// The floor of bytes and operations of one launch.
    pub fn work(&self) -> Work {
        conversions::work(&self.inputs)
    }

    /// Writes the inputs as safetensors: `a_re`, `a_im` if the diagonal is complex, `b`, `c`, `z`; float32.
    ///
    /// # Errors
    /// [`ExamError::Write`]
    pub fn write_inputs(&self, path: &Path) -> Result<(), ExamError> {
        let Inputs { batch, n, .. } = self.inputs;
        let links = [self.inputs.coupling_rows(), n - 1];
        let mut tensors = vec![
            ("a_re", self.inputs.a_re.as_slice(), vec![batch, n]),
            ("b", self.inputs.b.as_slice(), links.to_vec()),
            ("c", self.inputs.c.as_slice(), links.to_vec()),
            ("z", self.inputs.z.as_slice(), vec![2]),
        ];
        if let Some(a_im) = &self.inputs.a_im {
            tensors.push(("a_im", a_im.as_slice(), vec![batch, n]));
        }
        let little_endian = |values: &[f32]| -> Vec<u8> {
            if cfg!(target_endian = "little") {
                bytemuck::cast_slice(values).to_vec()
            } else {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
        };
        let bytes: Vec<_> =
            tensors.into_iter().map(|(name, values, shape)| (name, little_endian(values), shape)).collect();
        let failed = |source| ExamError::Write { path: path.to_owned(), source };
        let views: Result<Vec<_>, _> = bytes
            .iter()
            .map(|(name, bytes, shape)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect();
        safetensors::serialize_to_file(views.map_err(failed)?, None, path).map_err(failed)
    }

    /// Marks the output in `path`: one tensor `g`, float32 `[B, N, 2]`.
    ///
    /// # Errors
    /// When there is no such output. A wrong one is no error but [`Numerics::rejected`].
    pub fn mark(&self, path: &Path) -> Result<Numerics, ExamError> {
        let file = fs::read(path).map_err(|source| ExamError::NoOutput { path: path.to_owned(), source })?;
        let values = self.output(&SafeTensors::deserialize(&file).map_err(ExamError::Unreadable)?)?;
        let options = conversions::options(&self.spec);
        let comparison = compare(&values, &self.oracle, &options, self.allowed_units);
        Ok(conversions::numerics(comparison, self.allowed_units))
    }

    fn output(&self, tensors: &SafeTensors<'_>) -> Result<Vec<f32>, ExamError> {
        let expected = [self.inputs.batch, self.inputs.n, 2];
        match tensors.tensor(OUTPUT) {
            Ok(tensor) if tensor.dtype() == Dtype::F32 && tensor.shape() == expected => {
                let values = tensor.data().as_chunks::<4>().0;
                Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            _ => {
                let name = |(name, view): (String, TensorView<'_>)| {
                    format!("`{name}`, {:?} {:?}", view.dtype(), view.shape())
                };
                let held: Vec<String> = tensors.tensors().into_iter().map(name).collect();
                let found = if held.is_empty() { "nothing".to_owned() } else { held.join("; ") };
                Err(ExamError::OtherTensor { found, expected })
            }
        }
    }
}

#[cfg(test)]
mod tests;
