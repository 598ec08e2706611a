//! The acceptance rule of the vectors.

use super::{Compare, Vector};
use crate::native;
use crate::reference::GradientCheck;

/// What became of one output against a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorCheck {
    /// Largest error in units of its site; infinite for an output that is not finite, or differs where the unit is 0.
    pub worst_units: f64,
    /// Row and site of the largest error, if a site was compared.
    pub worst_site: Option<(usize, usize)>,
    /// Sites whose error is above the allowed number of units.
    pub failures: usize,
    /// Sites that were compared.
    pub compared: usize,
    /// Sites without an expected value (of an exactly singular block); not compared.
    pub undefined: usize,
    /// How many of those the output has a finite value for. Without clipping and zeroing they should all be NaN.
    pub undefined_but_finite: usize,
    /// Whether the output is right.
    pub passed: bool,
}

impl Vector {
    /// Holds an unclipped output `[B, N, 2]` against the vector: at most `allowed` units of error at each site.
    ///
    /// An output of the wrong length fails at every site. With [`Compare::None`] any output of the right length passes.
    pub fn check(&self, output: &[f32], allowed: f64) -> VectorCheck {
        let sites = self.inputs.sites();
        let mut check = VectorCheck {
            worst_units: 0.0,
            worst_site: None,
            failures: 0,
            compared: 0,
            undefined: 0,
            undefined_but_finite: 0,
            passed: true,
        };
        if output.len() != sites * 2 {
            return VectorCheck { worst_units: f64::INFINITY, failures: sites, passed: false, ..check };
        }
        if self.compare == Compare::None {
            return check;
        }
        let (outputs, _) = output.as_chunks::<2>();
        for (site, &[re, im]) in outputs.iter().enumerate() {
            let [expected_re, expected_im] = self.g.value[site];
            if expected_re.is_nan() {
                check.undefined += 1;
                check.undefined_but_finite += usize::from(re.is_finite() && im.is_finite());
                continue;
            }
            check.compared += 1;
            let error = (f64::from(re) - expected_re).hypot(f64::from(im) - expected_im);
            let units = in_units(error, self.g.unit[site]);
            check.failures += usize::from(units > allowed);
            if units > check.worst_units || check.worst_site.is_none() {
                check.worst_units = units;
                check.worst_site = Some((site / self.inputs.n, site % self.inputs.n));
            }
        }
        check.passed = check.failures == 0;
        check
    }

    /// Holds unclipped, exact gradients against the vector: at most `allowed` units of error in each entry.
    ///
    /// With [`Compare::None`] any gradients pass.
    pub fn check_gradients(&self, found: &native::Gradients<f32>, allowed: f64) -> GradientCheck {
        if self.compare == Compare::None {
            return GradientCheck { passed: true, ..GradientCheck::default() };
        }
        self.gradients.check(found, allowed)
    }
}

fn in_units(error: f64, unit: f64) -> f64 {
    if error == 0.0 {
        0.0
    } else if error.is_nan() {
        f64::INFINITY
    } else {
        error / unit
    }
}
