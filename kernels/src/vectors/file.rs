//! From the text of a file to a vector: the JSON as it stands, then the lengths and what has to be float32.

use serde::Deserialize;

use super::{Compare, Expected, Gradients, Vector, VectorError};
use crate::inputs::Inputs;

/// A number, or `null` for an undefined one.
type Entry = Option<f64>;
type Matrix = Vec<Vec<Entry>>;

/// A file, key by key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorFile {
    name: String,
    family: String,
    note: String,
    compare: Compare,
    #[serde(rename = "B")]
    batch: usize,
    #[serde(rename = "N")]
    n: usize,
    complex_a: bool,
    shared_bc: bool,
    z: [f64; 2],
    a_re: Matrix,
    a_im: Option<Matrix>,
    b: Matrix,
    c: Matrix,
    g_re: Matrix,
    g_im: Matrix,
    #[serde(rename = "G_re")]
    resolvent_re: Matrix,
    #[serde(rename = "G_im")]
    resolvent_im: Matrix,
    #[serde(rename = "unit_G")]
    resolvent_unit: Matrix,
    da_re: Matrix,
    da_im: Option<Matrix>,
    unit_da: Matrix,
    db: Matrix,
    unit_db: Matrix,
    dc: Matrix,
    unit_dc: Matrix,
    dz: Option<[f64; 2]>,
    unit_dz: Option<f64>,
}

/// Parses the text of `file`, whose name is for errors only.
pub(super) fn parse(file: &str, text: &str) -> Result<Vector, VectorError> {
    let parsed: VectorFile =
        serde_json::from_str(text).map_err(|source| VectorError::Format { file: file.to_owned(), source })?;
    Reader { file }.vector(parsed)
}

struct Reader<'a> {
    file: &'a str,
}

/// Rows and columns that a key must have.
type Shape = (usize, usize);

impl Reader<'_> {
    fn vector(&self, file: VectorFile) -> Result<Vector, VectorError> {
        if file.batch == 0 || file.n == 0 {
            let problem = format!("B = {}, N = {}; both are at least 1", file.batch, file.n);
            return Err(self.error("B", problem));
        }
        let sites = (file.batch, file.n);
        let links = (if file.shared_bc { 1 } else { file.batch }, file.n - 1);
        let a_im = self.if_complex("a_im", file.complex_a, file.a_im)?;
        let da_im = self.if_complex("da_im", file.complex_a, file.da_im)?;

        let inputs = Inputs {
            batch: file.batch,
            n: file.n,
            a_re: self.float32("a_re", file.a_re, sites)?,
            a_im: a_im.map(|im| self.float32("a_im", im, sites)).transpose()?,
            b: self.float32("b", file.b, links)?,
            c: self.float32("c", file.c, links)?,
            shared: file.shared_bc,
            z: [self.as_float32("z", file.z[0])?, self.as_float32("z", file.z[1])?],
        };
        let cotangent = self.float32("g_re", file.g_re, sites)?.into_iter();
        let cotangent =
            cotangent.zip(self.float32("g_im", file.g_im, sites)?).map(|(re, im)| [re, im]).collect();

        let da_re = self.matrix("da_re", file.da_re, sites)?;
        let da_im = match da_im {
            Some(im) => self.matrix("da_im", im, sites)?,
            // NaN stays NaN, so that an undefined gradient is undefined in both parts.
            None => da_re.iter().map(|re| re * 0.0).collect(),
        };
        let gradients = Gradients {
            da: Expected { value: pairs(da_re, da_im), unit: self.matrix("unit_da", file.unit_da, sites)? },
            db: self.expected("db", file.db, "unit_db", file.unit_db, links)?,
            dc: self.expected("dc", file.dc, "unit_dc", file.unit_dc, links)?,
            dz: Expected {
                value: vec![file.dz.unwrap_or([f64::NAN; 2])],
                unit: vec![file.unit_dz.unwrap_or(f64::NAN)],
            },
        };
        let re = self.matrix("G_re", file.resolvent_re, sites)?;
        let im = self.matrix("G_im", file.resolvent_im, sites)?;
        let g = Expected { value: pairs(re, im), unit: self.matrix("unit_G", file.resolvent_unit, sites)? };
        self.nulls_agree(&g)?;
        let (name, family, note, compare) = (file.name, file.family, file.note, file.compare);
        Ok(Vector { name, family, note, compare, inputs, cotangent, g, gradients })
    }

    fn error(&self, key: &'static str, problem: String) -> VectorError {
        VectorError::Key { file: self.file.to_owned(), key, problem }
    }

    /// A key that is there exactly if the diagonal is complex.
    fn if_complex(
        &self,
        key: &'static str,
        complex: bool,
        value: Option<Matrix>,
    ) -> Result<Option<Matrix>, VectorError> {
        match (complex, &value) {
            (true, None) => Err(self.error(key, "missing, expected since complex_a is true".to_owned())),
            (false, Some(_)) => Err(self.error(key, "found, but complex_a is false".to_owned())),
            _ => Ok(value),
        }
    }

    /// The entries of a matrix row after row, NaN for `null`.
    fn matrix(&self, key: &'static str, rows: Matrix, shape: Shape) -> Result<Vec<f64>, VectorError> {
        let (expected_rows, expected_columns) = shape;
        if rows.len() != expected_rows {
            let problem = format!("{} rows, expected {expected_rows}", rows.len());
            return Err(self.error(key, problem));
        }
        if let Some((index, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != expected_columns) {
            let problem = format!("{} entries in row {index}, expected {expected_columns}", row.len());
            return Err(self.error(key, problem));
        }
        Ok(rows.into_iter().flatten().map(|entry| entry.unwrap_or(f64::NAN)).collect())
    }

    /// A matrix of inputs.
    fn float32(&self, key: &'static str, rows: Matrix, shape: Shape) -> Result<Vec<f32>, VectorError> {
        self.matrix(key, rows, shape)?.into_iter().map(|value| self.as_float32(key, value)).collect()
    }

    fn as_float32(&self, key: &'static str, value: f64) -> Result<f32, VectorError> {
        let rounded = value as f32;
        if f64::from(rounded) == value {
            Ok(rounded)
        } else {
            Err(self.error(key, format!("{value} is not a float32 value, expected inputs to be exact")))
        }
    }

    fn expected(
        &self,
        key: &'static str,
        value: Matrix,
        unit_key: &'static str,
        unit: Matrix,
        shape: Shape,
    ) -> Result<Expected<f64>, VectorError> {
        Ok(Expected { value: self.matrix(key, value, shape)?, unit: self.matrix(unit_key, unit, shape)? })
    }

    /// A site is undefined in its value and its unit, or in neither.
    fn nulls_agree(&self, g: &Expected<[f64; 2]>) -> Result<(), VectorError> {
        let agrees =
            |(value, unit): (&[f64; 2], &f64)| value.iter().all(|part| part.is_nan() == unit.is_nan());
        match g.value.iter().zip(&g.unit).position(|site| !agrees(site)) {
            None => Ok(()),
            Some(site) => {
                Err(self.error("G_re", format!("site {site} is null in only some of G_re, G_im and unit_G")))
            }
        }
    }
}

fn pairs(re: Vec<f64>, im: Vec<f64>) -> Vec<[f64; 2]> {
    re.into_iter().zip(im).map(|(re, im)| [re, im]).collect()
}
