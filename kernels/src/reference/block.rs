//! One block of the chain: the sites between two cuts.

use num_complex::Complex;

use super::{Reference, UNIT_ROUNDOFF};

/// Smallest positive normal float32: the rounding error of a smaller `k` is not relative to `k`.
const SMALLEST_NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// `(|d| + |k L| + |k R|) |G|` from which on a pole counts as near. Without cancellation it is between 1 and about 3;
/// where a localised pole is not resolved in float32 it is above 10^5, where an extended one is not, above 10^3.
const CANCELLATION_NEAR_A_POLE: f64 = 1024.0;

/// The sites on one side of a site, as a pair of determinants up to a factor, with the pair's error.
#[derive(Clone, Copy)]
pub(super) struct Side {
    /// Determinant of the sites on this side.
    pub(super) whole: Complex<f64>,
    /// The same without the site next to the one looked from.
    pub(super) shorter: Complex<f64>,
    /// `|whole|^2` times the perturbation of `k L`, `L = shorter / whole`, by a relative perturbation 1 of everything that
    /// it depends on: `|k L| + |k| |L|^2 (|d'| + ...)`. The factor makes it finite where `L` is not.
    pub(super) error: f64,
    /// Coupling to this side.
    pub(super) k: f64,
}

impl Side {
    /// Nothing on this side.
    pub(super) const EMPTY: Self =
        Self { whole: Complex::new(1.0, 0.0), shorter: Complex::new(0.0, 0.0), error: 0.0, k: 0.0 };

    /// This side and one more site, of diagonal entry `d`, seen over the coupling `k`.
    fn extended(self, d: Complex<f64>, k: f64) -> Self {
        self.extended_and_scale(d, k).0
    }

    /// [`Side::extended`], and the factor by which both determinants were multiplied.
    pub(super) fn extended_and_scale(self, d: Complex<f64>, k: f64) -> (Self, f64) {
        let whole = d * self.whole - self.shorter * self.k;
        let shorter = self.whole;
        let scale = largest_component(whole, shorter).recip();
        let (whole, shorter) = (whole * scale, shorter * scale);
        let inside = shorter.norm_sqr() * d.norm() + self.error * scale * scale;
        let error = k.abs().max(SMALLEST_NORMAL) * (shorter.norm() * whole.norm() + inside);
        (Self { whole, shorter, error, k }, scale)
    }
}

fn largest_component(x: Complex<f64>, y: Complex<f64>) -> f64 {
    x.re.abs().max(x.im.abs()).max(y.re.abs()).max(y.im.abs())
}

/// Appends the sites of a block with diagonal `d` `[M]` and couplings `k` `[M-1]`, none of them 0.
pub(super) fn append(d: &[Complex<f64>], k: &[f64], reference: &mut Reference) {
    let first = reference.g.len();
    let poisoned = d.iter().any(|d| !d.is_finite()) || k.iter().any(|k| !k.is_finite());
    reference.g.resize(first + d.len(), [f64::NAN; 2]);
    reference.unit.resize(first + d.len(), f64::NAN);
    reference.near_pole.resize(first + d.len(), false);
    if poisoned {
        return;
    }

    let mut sides = Vec::with_capacity(d.len());
    let mut left = Side::EMPTY;
    for (i, &d) in d.iter().enumerate() {
        sides.push(left);
        left = left.extended(d, k.get(i).copied().unwrap_or(0.0));
    }
    let mut right = Side::EMPTY;
    let mut cancellation = 0.0_f64;
    for (i, &d) in d.iter().enumerate().rev() {
        let site = Site::between(&sides[i], d, &right);
        reference.g[first + i] = [site.g.re, site.g.im];
        reference.unit[first + i] = site.unit;
        cancellation = cancellation.max(site.cancellation);
        right = right.extended(d, if i == 0 { 0.0 } else { k[i - 1] });
    }
    reference.near_pole[first..].fill(cancellation > CANCELLATION_NEAR_A_POLE);
}

struct Site {
    g: Complex<f64>,
    unit: f64,
    /// How much larger the terms of `1 / G` are than their sum.
    cancellation: f64,
}

impl Site {
    /// `1 / G = d - k L - k R` of the site between two sides, multiplied by both determinants.
    fn between(left: &Side, d: Complex<f64>, right: &Side) -> Self {
        let num = left.whole * right.whole;
        let terms = [d * num, left.shorter * right.whole * left.k, left.whole * right.shorter * right.k];
        let den = terms[0] - terms[1] - terms[2];
        if den == Complex::ZERO {
            return Self {
                g: Complex::new(f64::NAN, f64::NAN),
                unit: f64::INFINITY,
                cancellation: f64::INFINITY,
            };
        }
        let size = den.norm();
        // |G|^2 (|d| + errors of k L and k R), each factor brought to size before it is squared.
        let (both, left_whole, right_whole) =
            (num.norm() / size, left.whole.norm() / size, right.whole.norm() / size);
        let error = both * both * d.norm()
            + right_whole * right_whole * left.error
            + left_whole * left_whole * right.error;
        Self {
            // Scaled, since the division forms |den|^2.
            g: (num / size) / (den / size),
            unit: UNIT_ROUNDOFF * error,
            cancellation: terms.iter().map(|term| term.norm()).sum::<f64>() / size,
        }
    }
}
