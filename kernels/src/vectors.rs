//! Test vectors: inputs with results and error units computed in 60 digits. `testdata/README.md` describes the files.

mod check;
mod embedded;
mod file;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use crate::inputs::Inputs;

pub use check::VectorCheck;

/// What to hold against an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// Every value with its unit.
    Full,
    /// Nothing: `z` is the float32 nearest to an eigenvalue, and no digit of the result exists in float32.
    None,
}

/// A real or complex quantity with the absolute error unit of each entry; NaN where it is not defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected<T> {
    /// Values.
    pub value: Vec<T>,
    /// Error units, of the same length.
    pub unit: Vec<f64>,
}

/// Expected gradients of `L`, for the cotangent `g_i = dL/dRe G_ii + i dL/dIm G_ii`, without clipping.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// `dL/dRe a + i dL/dIm a`, `[B, N]`; the imaginary part is 0 if the diagonal is real.
    pub da: Expected<[f64; 2]>,
    /// `dL/db`, of the shape of `b`.
    pub db: Expected<f64>,
    /// `dL/dc`, of the shape of `c`.
    pub dc: Expected<f64>,
    /// `dL/dRe z + i dL/dIm z`, summed over the batch; one entry.
    pub dz: Expected<[f64; 2]>,
}

/// One test vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// Name, unique among the vectors.
    pub name: String,
    /// Family that the input was drawn from.
    pub family: String,
    /// What is special about it; often empty.
    pub note: String,
    /// What to hold against an output.
    pub compare: Compare,
    /// The input.
    pub inputs: Inputs,
    /// `(Re, Im)` of the cotangent, `[B, N]`.
    pub cotangent: Vec<[f32; 2]>,
    /// Expected `G_ii`, `[B, N]`, not clipped; NaN at the sites of an exactly singular block.
    pub g: Expected<[f64; 2]>,
    /// Expected gradients.
    pub gradients: Gradients,
}

/// A vector could not be read.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The file system refused.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// File or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A directory without vectors.
    #[error("{}: no *.json file in it; a directory of test vectors was expected", path.display())]
    NoVectors {
        /// The directory.
        path: PathBuf,
    },
    /// Not JSON, or a key is missing, unknown or of the wrong type.
    #[error("{file}: {source}")]
    Format {
        /// File.
        file: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// The values of a key do not fit the others.
    #[error("{file}: key `{key}`: {problem}")]
    Key {
        /// File.
        file: String,
        /// Key in the file.
        key: &'static str,
        /// What was found and what was expected.
        problem: String,
    },
}

/// The vectors of this crate, in the order of their names.
///
/// # Errors
/// Never for a released crate: its tests read all of them.
pub fn load_embedded() -> Result<Vec<Vector>, VectorError> {
    embedded::FILES.iter().map(|(file, text)| file::parse(file, text)).collect()
}

/// Reads every `*.json` of a directory, in the order of their names.
///
/// # Errors
/// If the directory or one of the files cannot be read, if there is none, or if one is not a test vector.
pub fn load_dir(path: &Path) -> Result<Vec<Vector>, VectorError> {
    let cannot_read = |path: &Path| {
        let path = path.to_owned();
        move |source| VectorError::Read { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot_read(path))? {
        let file = entry.map_err(cannot_read(path))?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(VectorError::NoVectors { path: path.to_owned() });
    }
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).map_err(cannot_read(file))?;
        file::parse(&file.display().to_string(), &text)
    };
    files.iter().map(read).collect()
}
