//! The gradient of one row: a sweep from the left that carries what the sites before contribute, a sweep from the
//! right that does the same for the sites after, and the local determinant where they meet.
//!
//! With `h = conj(dL/dG)` and `S_j = sum_i h_i G_ij G_ji`, `kappa_j = dL/dk_j`, all sums are first-order recursions,
//! since `G_ij G_ji` is a product along the chain. In the scale of the pairs of `scan`, `(D, n)` before site `j` and
//! `(U, m)` after it, with `phi` and `psi` the factors by which the pairs are rescaled on the way:
//!
//! ```text
//! p_j = x_j + h_j D^2,  x_{j+1} = k_j phi^2 p_j        q_j = y_j + h_j U^2,  y_{j-1} = k_{j-1} psi^2 q_j
//! den = (d_j D - k_{j-1} n) U - k_j D m                (D, n, U, m)' = (D, n, U, m) / den
//! S_j = (p_j U') U' + (y_j D') D'                      kappa_j = (p_j U') m' at j + (q_{j+1} D') n' at j+1
//! ```
//!
//! Nothing but the local determinant is divided by. At a cut, `k_j = 0`, pairs start anew and nothing is carried over,
//! but `kappa_j` is what a coupling would do there, so the ratios `n / D` and `m / U` at the cut are kept for it.

use num_complex::Complex;
use num_traits::{One, Zero};

use crate::native::real::{Entry, Real};
use crate::native::scan::{Finish, Pair, Row, RowScan};
use crate::options::{BkOptions, NonFinite};

/// Steps between two rescalings of a pair: half of those of the forward scan, since pairs are squared here.
const RESCALE_EVERY: usize = 2;

/// A site as the sweep from the left leaves it.
#[derive(Clone, Copy)]
struct Left<T> {
    pair: Pair<T>,
    /// What the sites up to and including this one contribute, in the scale of `pair`.
    sum: Complex<T>,
}

/// What a row gives, written by [`RowGradient::run`].
pub(super) struct RowResults<'a, T> {
    /// `S`, `[N]`.
    pub(super) diagonal: &'a mut [Complex<T>],
    /// `Re kappa`, `[N-1]`.
    pub(super) couplings: &'a mut [T],
}

impl<T: Real> RowResults<'_, T> {
    pub(super) fn zero_what_is_not_finite(&mut self) {
        for s in self.diagonal.iter_mut().filter(|s| !(s.re.is_finite() && s.im.is_finite())) {
            *s = Complex::zero();
        }
        for kappa in self.couplings.iter_mut().filter(|kappa| !kappa.is_finite()) {
            *kappa = T::zero();
        }
    }
}

/// Gradients of rows of one length.
pub(super) struct RowGradient<T> {
    options: BkOptions,
    forward: RowScan<T>,
    values: Vec<[T; 2]>,
    cotangent: Vec<Complex<T>>,
    left: Vec<Left<T>>,
}

impl<T: Real> RowGradient<T> {
    pub(super) fn new(n: usize, options: &BkOptions) -> Self {
        let empty = Left { pair: Pair::empty(), sum: Complex::zero() };
        let raw = BkOptions { max_magnitude: None, non_finite: NonFinite::Propagate, ..*options };
        Self {
            options: *options,
            forward: RowScan::new(n, Finish::new(&raw)),
            values: vec![[T::zero(); 2]; n],
            cotangent: vec![Complex::zero(); n],
            left: vec![empty; n],
        }
    }

    /// Computes a row; `cotangent` `[N]` is `dL/dRe G + i dL/dIm G`.
    pub(super) fn run<S: Entry<T>>(
        &mut self,
        row: &Row<'_, S>,
        cotangent: &[[S; 2]],
        out: &mut RowResults<'_, T>,
    ) {
        for (h, &[re, im]) in self.cotangent.iter_mut().zip(cotangent) {
            *h = Complex::new(re.value(), -im.value());
        }
        if self.finishes() {
            self.pass_through_finish(row);
        }
        self.sweep_from_the_left(row);
        self.sweep_from_the_right(row, out);
    }

    /// Whether the forward pass does anything to `G` after computing it.
    fn finishes(&self) -> bool {
        self.options.max_magnitude.is_some() || self.options.non_finite == NonFinite::Zero
    }

    /// From the cotangent of the finished value to that of `G`.
    fn pass_through_finish<S: Entry<T>>(&mut self, row: &Row<'_, S>) {
        self.forward.run(row, &mut self.values);
        let bound = self.options.max_magnitude.map(<T as From<f32>>::from);
        for (h, &[re, im]) in self.cotangent.iter_mut().zip(&self.values) {
            *h = through_finish(*h, Complex::new(re, im), bound);
        }
    }

    fn sweep_from_the_left<S: Entry<T>>(&mut self, row: &Row<'_, S>) {
        let mut pair = Pair::<T>::empty();
        let mut carried = Complex::<T>::zero();
        let mut k = T::zero();
        for (site, left) in self.left.iter_mut().enumerate() {
            if k.is_zero() {
                pair = restarted(pair);
                carried = Complex::zero();
            } else if site.is_multiple_of(RESCALE_EVERY) {
                let factor = pair.rescaling(site);
                pair = pair.scaled(factor);
                carried = carried * factor * factor;
            }
            let sum = carried + self.cotangent[site] * (pair.whole * pair.whole);
            *left = Left { pair, sum };
            pair = extended(pair, row.shifted(site), k);
            k = row.coupling(site);
            carried = sum * k;
        }
    }

    fn sweep_from_the_right<S: Entry<T>>(&self, row: &Row<'_, S>, out: &mut RowResults<'_, T>) {
        let n = self.left.len();
        let mut right = Pair::<T>::empty();
        let mut carried = Complex::<T>::zero();
        // Couplings to the site on the right and on the left.
        let mut k = T::zero();
        // What the site on the right does to the coupling between.
        let mut from_right = Complex::<T>::zero();
        for site in (0..n).rev() {
            let k_left = if site == 0 { T::zero() } else { row.coupling(site - 1) };
            if k.is_zero() {
                right = restarted(right);
                carried = Complex::zero();
            } else if (n - 1 - site).is_multiple_of(RESCALE_EVERY) {
                let factor = right.rescaling(n - 1 - site);
                right = right.scaled(factor);
                carried = carried * factor * factor;
            }
            let Left { pair: left, sum } = self.left[site];
            let h = self.cotangent[site];
            let both = carried + h * (right.whole * right.whole);
            let including = extended(left, row.shifted(site), k_left);
            let den = including.whole * right.whole - crossed(left.whole * right.shorter, k);
            let inverse = self.inverse(den);
            let left = left.scaled(inverse);
            let shared = right.scaled(inverse);
            let towards_right = sum * shared.whole;
            let towards_left = both * left.whole;
            out.diagonal[site] = towards_right * shared.whole + (carried * left.whole) * left.whole;
            if site + 1 < n {
                out.couplings[site] = (towards_right * shared.shorter + from_right).re;
            }
            from_right = towards_left * left.shorter;
            right = extended(right, row.shifted(site), k);
            carried = both * k_left;
            k = k_left;
        }
    }

    /// `1 / den`. An exactly singular site has no derivative: NaN, or nothing where the forward pass gives a bounded
    /// value for it.
    fn inverse(&self, den: Complex<T>) -> Complex<T> {
        if den.is_zero() {
            return if self.finishes() { Complex::zero() } else { Complex::new(T::nan(), T::nan()) };
        }
        inverse(den)
    }
}

/// The pair behind a cut: a new start for the block, and the ratio at the end of the block before it.
fn restarted<T: Real>(pair: Pair<T>) -> Pair<T> {
    Pair { whole: Complex::one(), shorter: pair.shorter * inverse(pair.whole) }
}

/// [`Pair::extended`], without a bit of what is behind a cut.
#[inline]
fn extended<T: Real>(pair: Pair<T>, d: Complex<T>, k: T) -> Pair<T> {
    Pair { whole: d * pair.whole - crossed(pair.shorter, k), shorter: pair.whole }
}

/// `k w`, and 0 for `k = 0` whatever `w` is.
#[inline]
fn crossed<T: Real>(w: Complex<T>, k: T) -> Complex<T> {
    if k.is_zero() { Complex::zero() } else { w * k }
}

/// `1 / w` without overflow of `|w|^2`.
#[inline]
fn inverse<T: Real>(w: Complex<T>) -> Complex<T> {
    let scale = T::unit_scale([w.re, w.im, T::zero(), T::zero()]);
    let unit = w * scale;
    unit.conj() * (scale / unit.norm_sqr())
}

/// The cotangent `h` of a finished value as one of `G` itself: a clip `m G / |G|` passes on what turns `G`,
/// `(m / |G|) (h - Re(h G) conj(G) / |G|^2)`. A value that is not finite was clipped from infinity or zeroed, or stays
/// NaN as do its derivatives: it passes nothing on.
pub(crate) fn through_finish<T: Real>(h: Complex<T>, g: Complex<T>, bound: Option<T>) -> Complex<T> {
    if !(g.re.is_finite() && g.im.is_finite()) {
        return Complex::zero();
    }
    let Some(bound) = bound else { return h };
    let scale = T::unit_scale([g.re, g.im, T::zero(), T::zero()]);
    let unit = g * scale;
    let magnitude = unit.norm_sqr().sqrt();
    if magnitude <= bound * scale {
        return h;
    }
    let direction = unit / magnitude;
    (h - direction.conj() * (h * direction).re) * (bound * scale / magnitude)
}
