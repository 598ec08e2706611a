//! The float64 oracle of the gradients, with an error unit for every entry.
//!
//! For a real `L` with `h_i = conj(dL/dG_ii)`, `dL = Re sum_i h_i dG_ii`, the gradients are sums over sites `i` of terms
//! `h_i G_ij G_ji` (for `a_j` and `z`) and `h_i G_ij^2 G_{j+1,j+1} / G_jj`-like ones (for `k_j`). Each term is a product of
//! determinants of blocks, so what a relative change of `d_m` or `k_m` does to it is again a local quantity:
//!
//! ```text
//! d ln(G_ij G_ji) = -2 d_m G_mm           for d_m between i and j
//!                 = 1 - 2 e_m             for k_m between i and j,  e_m = k_m K(0..m-1) K(m+2..N-1) / K(0..N-1)
//! ```
//!
//! and outside of `i..j` it is twice what the same change does to `ln G_ii` or `ln G_jj`. The unit of a gradient is
//! `u = 2^-24` times the sum of all these magnitudes over terms and perturbations, relative changes of the `h_i`
//! included: a bound, to first order, on what relative changes of `u` in all `d`, `k` and `h` do, and never less than
//! `u` times the sum of the magnitudes of the terms. It is computed in O(N) beside the gradient itself. Sums over the
//! batch (`z`, shared couplings) have the sum of the units. Against the largest of 24 random perturbations, which the
//! test vectors have as units, it is larger by a factor of 1 to 10, where long paths contribute more.
//!
//! `block` shares no code with [`crate::native`]; the tests hold it against a dense inverse and finite differences.

mod block;
mod check;
#[cfg(test)]
mod tests;

use num_complex::Complex;

use super::{Reference, UNIT_ROUNDOFF, resolvent, shifted_row};
use crate::inputs::Inputs;
use crate::native::{self, ShapeError, through_finish};
use crate::options::{APPROXIMATION_LIMIT, BkOptions, NonFinite, SMALLEST_SQUARE, SQUARE_OFFSET};
use crate::vectors::{Expected, Gradients};
use block::Row;

pub use check::GradientCheck;

/// Units of the forward pass that the rule allows: how far the value that a clip sees may be off.
const FORWARD_UNITS: f64 = 16.0;

/// A gradient with its error unit: NaN where an entry of the block is not finite, infinite where float32 does not
/// determine it (a pole on top of `z`).
#[derive(Clone, Copy, Debug)]
struct Bounded {
    value: Complex<f64>,
    unit: f64,
}

impl Bounded {
    const ZERO: Self = Self { value: Complex::ZERO, unit: 0.0 };
    const UNRESOLVED: Self = Self { value: Complex::new(f64::NAN, f64::NAN), unit: f64::INFINITY };
    const POISONED: Self = Self { value: Complex::new(f64::NAN, f64::NAN), unit: f64::NAN };

    fn plus(self, other: Self) -> Self {
        if self.unit.is_nan() || other.unit.is_nan() {
            return Self::POISONED;
        }
        Self { value: self.value + other.value, unit: self.unit + other.unit }
    }

    /// `factor` times the real part; 0 for the factor 0, whatever the gradient is.
    fn times(self, factor: f64) -> Self {
        if factor == 0.0 {
            return Self::ZERO;
        }
        Self { value: Complex::from(self.value.re * factor), unit: self.unit * factor.abs() }
    }

    /// What [`NonFinite::Zero`] makes of it.
    fn finished(self, options: &BkOptions) -> Self {
        if options.non_finite == NonFinite::Zero && self.unit.is_nan() { Self::ZERO } else { self }
    }
}

/// The gradients that [`crate::native::gradients`] and the kernels approximate, for the cotangent
/// `(dL/dRe G_ii, dL/dIm G_ii)`, `[B, N]`.
///
/// # Errors
/// If the fields of `inputs` or the cotangent do not have the lengths that `batch`, `n` and `shared` give them.
pub fn gradients(
    inputs: &Inputs,
    cotangent: &[[f32; 2]],
    options: &BkOptions,
) -> Result<Gradients, ShapeError> {
    if cotangent.len() != inputs.sites() {
        let expected = format!("{} ([{}, {}])", inputs.sites(), inputs.batch, inputs.n);
        return Err(ShapeError::Length { argument: "cotangent", expected, found: cotangent.len() });
    }
    let forward = resolvent(inputs)?;
    let mut sums = Sums::new(inputs);
    for row in 0..inputs.batch {
        let sites = row * inputs.n..(row + 1) * inputs.n;
        let (d, k) = shifted_row(inputs, row);
        let h: Vec<_> =
            sites.clone().map(|site| passed_on(cotangent[site], site, &forward, options)).collect();
        let gradients = match options.gradient.blend_weight() {
            None => Row { d: &d, k: &k, h: &h, forward: &forward, first: sites.start }.gradients(),
            Some(alpha) => (
                sites.map(|site| approximation(cotangent[site], site, &forward, options, alpha)).collect(),
                vec![Bounded::ZERO; k.len()],
            ),
        };
        sums.add_row(inputs, row, &gradients.0, &gradients.1, options);
    }
    Ok(sums.finish(inputs, options))
}

/// The same gradients without error units: serial float64 on one thread. This is the `host` implementation.
///
/// # Errors
/// As [`gradients`].
pub fn serial_gradients(
    inputs: &Inputs,
    cotangent: &[[f32; 2]],
    options: &BkOptions,
) -> Result<native::Gradients<f64>, ShapeError> {
    native::gradients_on(1, &inputs.view()?, cotangent.as_flattened(), options)
}

/// The cotangent of `G_ii` itself, and how far it may be off in units of `2^-24`.
#[derive(Clone, Copy, Debug)]
struct Cotangent {
    value: Complex<f64>,
    spread: f64,
}

/// `h` behind clip and zeroing. The clip's Jacobian changes by at most three times the relative change of `G`, and jumps
/// where `|G|` is the bound: there either side is right.
fn passed_on([re, im]: [f32; 2], site: usize, forward: &Reference, options: &BkOptions) -> Cotangent {
    let h = Complex::new(f64::from(re), -f64::from(im));
    let [g_re, g_im] = forward.g[site];
    let (g, unit) = (Complex::new(g_re, g_im), forward.unit[site]);
    let Some(bound) = options.max_magnitude.map(f64::from) else {
        return Cotangent { value: h, spread: h.norm() };
    };
    let value = through_finish(h, g, Some(bound));
    let turned = through_finish(h, g, Some(bound.min(g.norm() * (1.0 - f64::EPSILON))));
    let distance = (g.norm() - bound).abs();
    let jump = if distance <= FORWARD_UNITS * unit {
        (h - turned).norm() / (FORWARD_UNITS * UNIT_ROUNDOFF)
    } else {
        0.0
    };
    let clipped =
        if g.norm() > bound { 3.0 * bound / g.norm() * h.norm() * forward.condition(site) } else { 0.0 };
    Cotangent { value, spread: value.norm() + clipped + jump }
}

/// The original's approximations, which are local; `S` of [`crate::GradMode::Blend`].
fn approximation(
    [re, im]: [f32; 2],
    site: usize,
    forward: &Reference,
    options: &BkOptions,
    alpha: f32,
) -> Bounded {
    let [g_re, g_im] = forward.g[site];
    let (h, mut g, unit) =
        (Complex::new(f64::from(re), -f64::from(im)), Complex::new(g_re, g_im), forward.unit[site]);
    if unit.is_nan() {
        return Bounded::POISONED.finished(options);
    }
    if unit == f64::INFINITY {
        return Bounded::UNRESOLVED;
    }
    let relative = 2.0 * unit / g.norm();
    if let Some(bound) = options.max_magnitude.map(f64::from) {
        g *= (bound / g.norm()).min(1.0);
    }
    let alpha = f64::from(alpha);
    let square = g * g;
    let smallest = f64::from(SMALLEST_SQUARE);
    let raised = if square.norm() < smallest { square * (smallest / square.norm()) } else { square };
    let shifted = raised + f64::from(SQUARE_OFFSET);
    let diagonal = h * square * (1.0 - alpha);
    let quotient = if alpha == 0.0 { Complex::ZERO } else { h / shifted * alpha };
    let limit = f64::from(APPROXIMATION_LIMIT);
    let value = diagonal + quotient;
    let change = diagonal.norm() * relative + quotient.norm() * relative * (raised.norm() / shifted.norm());
    Bounded {
        value: Complex::new(value.re.clamp(-limit, limit), value.im.clamp(-limit, limit)),
        unit: change + UNIT_ROUNDOFF * (diagonal.norm() + quotient.norm()),
    }
}

/// The gradients of a batch as its rows are added.
struct Sums {
    a: Vec<Bounded>,
    b: Vec<Bounded>,
    c: Vec<Bounded>,
    z: Bounded,
}

impl Sums {
    fn new(inputs: &Inputs) -> Self {
        let links = inputs.coupling_rows() * (inputs.n - 1);
        Self {
            a: Vec::with_capacity(inputs.sites()),
            b: vec![Bounded::ZERO; links],
            c: vec![Bounded::ZERO; links],
            z: Bounded::ZERO,
        }
    }

    fn add_row(
        &mut self,
        inputs: &Inputs,
        row: usize,
        s: &[Bounded],
        kappa: &[Bounded],
        options: &BkOptions,
    ) {
        let (b, c) = inputs.row_couplings(row);
        let first = if inputs.shared { 0 } else { row * kappa.len() };
        for (link, kappa) in kappa.iter().map(|kappa| kappa.finished(options)).enumerate() {
            let (db, dc) = (&mut self.b[first + link], &mut self.c[first + link]);
            *db = db.plus(kappa.times(f64::from(c[link])));
            *dc = dc.plus(kappa.times(f64::from(b[link])));
        }
        self.a.extend(s.iter().map(|s| s.finished(options)));
        if options.gradient.blend_weight().is_none() {
            self.z = s.iter().fold(self.z, |sum, s| sum.plus(s.finished(options)));
        }
    }

    fn finish(self, inputs: &Inputs, options: &BkOptions) -> Gradients {
        let complex = inputs.a_im.is_some();
        let da = |s: &Bounded| [-s.value.re, if complex { s.value.im } else { 0.0 * s.value.im }];
        let real = |all: &[Bounded]| Expected {
            value: all.iter().map(|entry| entry.finished(options).value.re).collect(),
            unit: all.iter().map(|entry| entry.finished(options).unit).collect(),
        };
        let z = self.z.finished(options);
        Gradients {
            da: Expected {
                value: self.a.iter().map(da).collect(),
                unit: self.a.iter().map(|entry| entry.unit).collect(),
            },
            db: real(&self.b),
            dc: real(&self.c),
            dz: Expected { value: vec![[z.value.re, -z.value.im]], unit: vec![z.unit] },
        }
    }
}
