//! The original's algorithm: determinants of leading and trailing blocks, without rescaling.
//!
//! `theta_i` is the determinant of the first `i` sites of `T - zI`, `phi_i` that of the sites from `i` on:
//!
//! ```text
//! theta_0 = 1, theta_1 = d_0, theta_{i+1} = d_i theta_i - k_{i-1} theta_{i-1}
//! phi_N   = 1, phi_{N-1} = d_{N-1}, phi_i = d_i phi_{i+1} - k_i phi_{i+2}
//! G_ii = theta_i phi_{i+1} / theta_N
//! ```
//! Exact in exact arithmetic, and kept as it was to show where it breaks: determinants grow or shrink exponentially
//! with the number of sites, so they leave the range of the type, and one global denominator loses digits before.
//! Nothing else in this crate uses it.

use num_complex::Complex;

use crate::inputs::Inputs;
use crate::native::{Entry, Real, ShapeError};

/// `(Re, Im)` of `G_ii`, `[B, N]`, by unscaled determinants in the arithmetic of `T`.
///
/// # Errors
/// If the fields of `inputs` do not have the lengths that `batch`, `n` and `shared` give them.
pub fn resolvent<T: Real>(inputs: &Inputs) -> Result<Vec<[T; 2]>, ShapeError>
where
    f32: Entry<T>,
{
    inputs.view()?;
    let mut values = Vec::with_capacity(inputs.sites());
    let mut theta = Vec::with_capacity(inputs.n + 1);
    for row in 0..inputs.batch {
        let (d, k) = shifted_row::<T>(inputs, row);
        append_row(&d, &k, &mut theta, &mut values);
    }
    Ok(values)
}

/// Appends `G_ii` of the row with diagonal `d` `[N]` and coupling products `k` `[N-1]`.
fn append_row<T: Real>(d: &[Complex<T>], k: &[T], theta: &mut Vec<Complex<T>>, values: &mut Vec<[T; 2]>) {
    let (zero, one) = (Complex::new(T::zero(), T::zero()), Complex::new(T::one(), T::zero()));
    theta.clear();
    theta.push(one);
    let mut before = zero;
    for (site, &d) in d.iter().enumerate() {
        let coupling = if site == 0 { T::zero() } else { k[site - 1] };
        let last = theta[site];
        theta.push(d * last - before * coupling);
        before = last;
    }
    let whole = theta[d.len()];
    let first = values.len();
    values.resize(first + d.len(), [T::zero(); 2]);
    let (mut phi, mut after) = (one, zero);
    for site in (0..d.len()).rev() {
        let g = theta[site] * phi / whole;
        values[first + site] = [g.re, g.im];
        let coupling = if site + 1 == d.len() { T::zero() } else { k[site] };
        (phi, after) = (d[site] * phi - after * coupling, phi);
    }
}

/// `d = a - z` `[N]` and `k = b c` `[N-1]` of one row.
fn shifted_row<T: Real>(inputs: &Inputs, row: usize) -> (Vec<Complex<T>>, Vec<T>)
where
    f32: Entry<T>,
{
    let (re, im) = inputs.row_diagonal(row);
    let (b, c) = inputs.row_couplings(row);
    let [z_re, z_im] = inputs.z;
    let diagonal = |site: usize| {
        Complex::new(f32::difference(re[site], z_re), f32::difference(im.map_or(0.0, |im| im[site]), z_im))
    };
    let d = (0..inputs.n).map(diagonal).collect();
    (d, b.iter().zip(c).map(|(&b, &c)| f32::product(b, c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{self, Family};
    use crate::options::BkOptions;
    use crate::reference;

    fn comparison(values: &[[f64; 2]], inputs: &Inputs) -> reference::Comparison {
        let output: Vec<f32> = values.iter().flatten().map(|part| *part as f32).collect();
        let oracle = reference::resolvent(inputs).unwrap();
        reference::compare(&output, &oracle, &BkOptions::default(), 16.0)
    }

    #[test]
    fn on_short_rows_it_is_right() {
        for family in Family::ALL {
            for n in [1, 2, 3, 17] {
                let inputs = families::generate(family, 2, n, false, None, 42);
                let found = comparison(&resolvent::<f64>(&inputs).unwrap(), &inputs);
                assert_eq!(found.rejected, None, "{family:?} n = {n}");
            }
        }
    }

    #[test]
    fn on_long_rows_determinants_leave_the_range_of_the_type() {
        // Overflow at d = 3i in float64, underflow of N(0, 1) entries in float32.
        let inputs = families::generate(Family::Normal, 1, 1024, false, Some([0.0, 3.0]), 42);
        let found = comparison(&resolvent::<f64>(&inputs).unwrap(), &inputs);
        assert!(found.non_finite > 0 && found.rejected.is_some());
        let inputs = families::generate(Family::Normal, 1, 4096, false, None, 42);
        let single = resolvent::<f32>(&inputs).unwrap();
        assert!(single.iter().flatten().any(|part| !part.is_finite() || *part == 0.0));
    }
}
