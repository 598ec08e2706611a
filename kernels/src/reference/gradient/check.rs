//! How far gradients are from what is expected, and whether they count as right.

use crate::native;
use crate::reference::compare::median;
use crate::vectors::{Expected, Gradients};

/// What became of the gradients of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GradientCheck {
    /// Largest error in units of its entry; infinite for one that is not finite, or differs where the unit is 0.
    pub worst_units: f64,
    /// Which gradient (`a`, `b`, `c`, `z`) the largest error is in, and the index there.
    pub worst: Option<(&'static str, usize)>,
    /// Entries whose error is above the allowed number of units.
    pub failures: u64,
    /// Entries that were compared.
    pub compared: u64,
    /// Entries without an expected value, and those that float32 does not determine: not compared.
    pub undefined: u64,
    /// Entries which are NaN in an exact calculation, since an entry of the matrix is, and are finite here.
    pub finite_where_nan: u64,
    /// Sum of the squares of the errors.
    pub squared_error: f64,
    /// Largest error.
    pub max_abs_error: f64,
    /// Largest error relative to its entry, of those that are not 0.
    pub max_rel_error: f64,
    /// Median of the same.
    pub median_rel_error: f64,
    /// Entries that are NaN or infinite here.
    pub non_finite: u64,
    /// Largest magnitude expected.
    pub max_magnitude: f64,
    /// Whether all is right.
    pub passed: bool,
}

impl Gradients {
    /// Holds gradients against these: at most `allowed` units of error in each entry, in complex modulus for the
    /// gradient of `z` and of a complex diagonal. Gradients below the normal range of float32 may be flushed to 0.
    pub fn check(&self, found: &native::Gradients<f32>, allowed: f64) -> GradientCheck {
        let mut check = GradientCheck::default();
        let mut relative = Vec::new();
        let a_im = |site: usize| found.a_im.as_ref().map_or(Some(&0.0), |a_im| a_im.get(site));
        let a = |site: usize| Some([*found.a_re.get(site)?, *a_im(site)?]);
        check.hold("a", &self.da, found.a_re.len(), a, allowed, &mut relative);
        let real = |expected: &Expected<f64>| Expected {
            value: expected.value.iter().map(|&value| [value, 0.0 * value]).collect(),
            unit: expected.unit.clone(),
        };
        check.hold(
            "b",
            &real(&self.db),
            found.b.len(),
            |link| Some([*found.b.get(link)?, 0.0]),
            allowed,
            &mut relative,
        );
        check.hold(
            "c",
            &real(&self.dc),
            found.c.len(),
            |link| Some([*found.c.get(link)?, 0.0]),
            allowed,
            &mut relative,
        );
        check.hold("z", &self.dz, 1, |_| Some(found.z), allowed, &mut relative);
        check.max_rel_error = relative.iter().copied().fold(0.0, f64::max);
        check.median_rel_error = median(&mut relative);
        check.passed = check.failures == 0;
        check
    }
}

impl GradientCheck {
    fn hold(
        &mut self,
        name: &'static str,
        expected: &Expected<[f64; 2]>,
        length: usize,
        found: impl Fn(usize) -> Option<[f32; 2]>,
        allowed: f64,
        relative: &mut Vec<f64>,
    ) {
        if length != expected.value.len() {
            self.failures += expected.value.len().max(1) as u64;
            self.note(name, 0, f64::INFINITY);
            return;
        }
        for (index, (&[re, im], &unit)) in expected.value.iter().zip(&expected.unit).enumerate() {
            let Some(output) = found(index).map(|parts| parts.map(f64::from)) else {
                self.failures += 1;
                self.note(name, index, f64::INFINITY);
                continue;
            };
            self.non_finite += u64::from(output.iter().any(|part| !part.is_finite()));
            if re.is_nan() || im.is_nan() {
                self.undefined += 1;
                let finite = output.iter().all(|part| part.is_finite());
                self.finite_where_nan += u64::from(finite && unit.is_nan());
                continue;
            }
            let (error, size) = ((output[0] - re).hypot(output[1] - im), re.hypot(im));
            self.compared += 1;
            self.squared_error += error * error;
            self.max_abs_error = self.max_abs_error.max(error);
            self.max_magnitude = self.max_magnitude.max(size);
            if size > 0.0 && error.is_finite() {
                relative.push(error / size);
            }
            let flushed = size > 0.0 && error <= f64::from(f32::MIN_POSITIVE);
            let units = if error == 0.0 || flushed {
                0.0
            } else if error.is_nan() {
                f64::INFINITY
            } else {
                error / unit
            };
            self.failures += u64::from(units > allowed);
            self.note(name, index, units);
        }
    }

    fn note(&mut self, name: &'static str, index: usize, units: f64) {
        if self.worst.is_none() || units > self.worst_units {
            self.worst_units = units;
            self.worst = Some((name, index));
        }
    }
}
