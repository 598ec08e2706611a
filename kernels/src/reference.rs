//! The float64 oracle: `G_ii` and, for each site, how far rounding the input to float32 can move it.
//!
//! Every entry is used once in the expression for `G_ii`, so a float32 scan returns the exact `G_ii` of a matrix whose
//! `d_j = a_j - z` and `k_j = b_j c_j` carry relative errors of a few `u = 2^-24`. Hence the acceptance rule of this crate:
//! `|G - oracle| <= C unit`, where a site's `unit = u (sum_j |dG_ii/dd_j| |d_j| + sum_j |dG_ii/dk_j| |k_j|)` comes from the
//! input alone, and `C` is a small constant of the algorithm.
//!
//! [`resolvent`] is written block by block, with divisions only at the end, and shares no code with [`crate::native`].
//! [`resolvent_values`] is the serial float64 implementation that speedups are relative to: the native scan in float64.

mod block;
mod compare;
mod gradient;
#[cfg(test)]
mod tests;

use num_complex::Complex;

use crate::inputs::Inputs;
use crate::native::{self, Entry, ShapeError};
use crate::options::BkOptions;

pub use compare::{Comparison, OutputType, compare, compare_stored};
pub use gradient::{GradientCheck, gradients, serial_gradients};

/// Unit roundoff of float32.
pub const UNIT_ROUNDOFF: f64 = 1.0 / (1_u64 << 24) as f64;

/// What an output is compared with. Nothing in it is clipped.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Sites `N` a row.
    pub n: usize,
    /// `(Re, Im)` of `G_ii`, `[B, N]`; NaN where `T - zI` is exactly singular and where an entry of the block is NaN or Inf.
    pub g: Vec<[f64; 2]>,
    /// Error unit of each site, `[B, N]`: what relative perturbations of `2^-24` of all `d` and `k` can do to `G_ii`, to
    /// first order. 0 where they can do nothing, infinite where `T - zI` is exactly singular, NaN where an entry of the
    /// block is not finite.
    pub unit: Vec<f64>,
    /// Whether a pole is near the site's block: somewhere in it the subtraction `1 / G_jj = d - k L - k R` cancels. Where
    /// a unit also reaches `|G|`, then rounding may put the pole right onto `z`, and not only digits but sizes are lost.
    /// A unit reaches `|G|` at a zero of `G` too, where results are small and regular. `[B, N]`.
    pub near_pole: Vec<bool>,
}

impl Reference {
    /// Componentwise condition number of `G_ii` with respect to all `d_j` and `k_j`: `unit / (2^-24 |G_ii|)`.
    ///
    /// Infinite where `G_ii = 0` moves under perturbations; NaN where it is 0 and does not, or is not finite.
    ///
    /// # Panics
    /// If there is no such site.
    pub fn condition(&self, site: usize) -> f64 {
        let [re, im] = self.g[site];
        self.unit[site] / (UNIT_ROUNDOFF * re.hypot(im))
    }
}

/// The oracle: values and error units.
///
/// `k` is the exact product of the float32 entries and `d` their exact difference, except where float32 arithmetic gives
/// `k = 0` (also by underflow), which cuts the chain here too, or leaves its range, which poisons the block here too.
///
/// # Errors
/// If the fields of `inputs` do not have the lengths that `batch`, `n` and `shared` give them.
pub fn resolvent(inputs: &Inputs) -> Result<Reference, ShapeError> {
    inputs.view()?;
    let sites = inputs.sites();
    let mut reference = Reference {
        n: inputs.n,
        g: Vec::with_capacity(sites),
        unit: Vec::with_capacity(sites),
        near_pole: Vec::with_capacity(sites),
    };
    for row in 0..inputs.batch {
        let (d, k) = shifted_row(inputs, row);
        let mut first = 0;
        // A block ends where the coupling to the next site is 0 and at the end of the row.
        for end in 1..=inputs.n {
            if end == inputs.n || k[end - 1] == 0.0 {
                block::append(&d[first..end], &k[first..end - 1], &mut reference);
                first = end;
            }
        }
    }
    Ok(reference)
}

/// `d` `[N]` and `k` `[N-1]` of one row.
fn shifted_row(inputs: &Inputs, row: usize) -> (Vec<Complex<f64>>, Vec<f64>) {
    let (re, im) = inputs.row_diagonal(row);
    let (b, c) = inputs.row_couplings(row);
    let [z_re, z_im] = inputs.z;
    let d = (0..inputs.n)
        .map(|i| {
            Complex::new(f32::difference(re[i], z_re), f32::difference(im.map_or(0.0, |im| im[i]), z_im))
        })
        .collect();
    let k = b.iter().zip(c).map(|(&b, &c)| f32::product(b, c)).collect();
    (d, k)
}

/// The same values without error units: serial float64 on one thread. This is the `host` implementation.
///
/// # Errors
/// If the fields of `inputs` do not have the lengths that `batch`, `n` and `shared` give them.
pub fn resolvent_values(inputs: &Inputs, options: &BkOptions) -> Result<Vec<[f64; 2]>, ShapeError> {
    let mut values = vec![[0.0; 2]; inputs.sites()];
    native::resolvent_on(1, &inputs.view()?, options, values.as_flattened_mut())?;
    Ok(values)
}
