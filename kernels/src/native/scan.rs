//! One row: a sweep from the left, a sweep from the right, and the local determinant where they meet.
//!
//! With `d_i = a_i - z` and `k_i = b_i c_i`, let `K(i..j)` be the determinant of rows `i..j` of `T - zI`. The left pair
//! `(D, n)_i ~ (K(0..i), K(0..i-1))` and the right pair `(U, m)_i ~ (K(i..N-1), K(i+1..N-1))`, each defined up to a factor,
//! obey `(D, n) <- (d D - k n, D)`, and `G_ii = n_i U_{i+1} / (D_i U_{i+1} - k_i n_i m_{i+1})`. Only this local determinant is
//! divided by, so a vanishing pivot is nothing special, and the free factor keeps everything in range at any `N`.

use num_complex::Complex;
use num_traits::{One, Zero};

use super::real::{Entry, Real};
use crate::options::{BkOptions, NonFinite};

/// Steps between two rescalings of a pair. A step multiplies the larger entry by at most
/// `rho = max(1, |Re d| + |Im d| + |k|)`, so float32 stays in range while `2 rho^4 < 2^128`: up to `rho` of about 2^31.
const RESCALE_EVERY: usize = 4;

/// Every so many steps, a multiple of `RESCALE_EVERY`, the rescaling divides by the larger entry. Powers of two leave a
/// common phase in a pair, which wanders as the row goes on, and `Im G` loses digits where it is much smaller than `|G|`.
const MAKE_CANONICAL_EVERY: usize = 16;

/// The entries of one row, `a` `[N]`, `b` and `c` `[N-1]`.
pub(super) struct Row<'a, S> {
    pub(super) a_re: &'a [S],
    pub(super) a_im: Option<&'a [S]>,
    pub(super) b: &'a [S],
    pub(super) c: &'a [S],
    pub(super) z: [S; 2],
}

impl<S: Copy> Row<'_, S> {
    /// `d_i = a_i - z`.
    #[inline]
    pub(super) fn shifted<T>(&self, site: usize) -> Complex<T>
    where
        S: Entry<T>,
    {
        let im = self.a_im.map_or(S::zero(), |im| im[site]);
        Complex::new(S::difference(self.a_re[site], self.z[0]), S::difference(im, self.z[1]))
    }

    /// `k` of the link between `site` and `site + 1`; 0 after the last site.
    #[inline]
    pub(super) fn coupling<T: Real>(&self, site: usize) -> T
    where
        S: Entry<T>,
    {
        if site < self.b.len() { S::product(self.b[site], self.c[site]) } else { T::zero() }
    }
}

/// Determinant of a block and of the block without its last (or first) site, up to a common factor.
#[derive(Clone, Copy)]
pub(super) struct Pair<T> {
    pub(super) whole: Complex<T>,
    pub(super) shorter: Complex<T>,
}

impl<T: Real> Pair<T> {
    /// The pair of the empty block, where a sweep starts and starts again after a cut.
    pub(super) fn empty() -> Self {
        Self { whole: Complex::one(), shorter: Complex::zero() }
    }

    /// The pair of the block with one more site, of diagonal entry `d`, over the coupling `k`.
    #[inline]
    pub(super) fn extended(self, d: Complex<T>, k: T) -> Self {
        Self { whole: d * self.whole - self.shorter * k, shorter: self.whole }
    }

    #[inline]
    pub(super) fn scaled(self, factor: Complex<T>) -> Self {
        Self { whole: self.whole * factor, shorter: self.shorter * factor }
    }

    #[inline]
    fn unit_scale(self) -> T {
        T::unit_scale([self.whole.re, self.whole.im, self.shorter.re, self.shorter.im])
    }

    /// The factor that a pair is multiplied by after `steps` steps of its sweep.
    #[inline]
    pub(super) fn rescaling(self, steps: usize) -> Complex<T> {
        let scale = self.unit_scale();
        if steps.is_multiple_of(MAKE_CANONICAL_EVERY) {
            let larger = if taxicab(self.shorter) > taxicab(self.whole) { self.shorter } else { self.whole };
            // In [1, 2) up to a factor of sqrt 2, so that its square neither overflows nor vanishes.
            let larger = larger * scale;
            if !larger.is_zero() {
                return larger.conj() * (scale / larger.norm_sqr());
            }
        }
        Complex::from(scale)
    }
}

/// `|Re w| + |Im w|`.
#[inline]
fn taxicab<T: Real>(w: Complex<T>) -> T {
    w.re.abs() + w.im.abs()
}

/// What becomes of a numerator and a denominator.
#[derive(Clone, Copy)]
pub(super) struct Finish<T> {
    max_magnitude: Option<T>,
    zero_non_finite: bool,
}

impl<T: Real> Finish<T> {
    pub(super) fn new(options: &BkOptions) -> Self {
        Self {
            max_magnitude: options.max_magnitude.map(<T as From<f32>>::from),
            zero_non_finite: options.non_finite == NonFinite::Zero,
        }
    }

    /// `num / den`, clipped, with the documented value where `den` is 0.
    #[inline]
    fn quotient(self, num: Complex<T>, den: Complex<T>) -> [T; 2] {
        // With |s den| near 1 its square is in range, whatever the size of den.
        let scale = T::unit_scale([den.re, den.im, T::zero(), T::zero()]);
        let unit = den * scale;
        let direction = num * unit.conj();
        let size = scale / unit.norm_sqr();
        let g = match self.max_magnitude {
            None if den.is_zero() => Complex::new(T::nan(), T::nan()),
            None => direction * size,
            Some(max) if den.is_zero() => at_magnitude(num, max),
            // Before the last multiplication, which may overflow.
            Some(max) if magnitude(direction) > max / size => at_magnitude(direction, max),
            Some(_) => direction * size,
        };
        if self.zero_non_finite && !(g.re.is_finite() && g.im.is_finite()) {
            [T::zero(); 2]
        } else {
            [g.re, g.im]
        }
    }
}

/// `|w|` without overflow.
#[inline]
fn magnitude<T: Real>(w: Complex<T>) -> T {
    let scale = T::unit_scale([w.re, w.im, T::zero(), T::zero()]);
    (w * scale).norm_sqr().sqrt() / scale
}

/// `max * w / |w|`, or 0 for 0.
#[inline]
fn at_magnitude<T: Real>(w: Complex<T>, max: T) -> Complex<T> {
    let scale = T::unit_scale([w.re, w.im, T::zero(), T::zero()]);
    let unit = w * scale;
    if unit.is_zero() { unit } else { unit * (max / unit.norm_sqr().sqrt()) }
}

/// Scans rows of one length.
pub(super) struct RowScan<T> {
    finish: Finish<T>,
    /// Factor of the left pair's rescaling before each site that is a multiple of `RESCALE_EVERY`.
    factors: Vec<Complex<T>>,
}

impl<T: Real> RowScan<T> {
    pub(super) fn new(n: usize, finish: Finish<T>) -> Self {
        Self { finish, factors: vec![Complex::one(); n.div_ceil(RESCALE_EVERY)] }
    }

    /// Computes a row. `out` `[N]` holds the left sweep's `D_i` until the right sweep replaces them by `G_ii`.
    pub(super) fn run<S: Entry<T>>(&mut self, row: &Row<'_, S>, out: &mut [[T; 2]]) {
        self.sweep_from_the_left(row, out);
        self.sweep_from_the_right(row, out);
    }

    fn sweep_from_the_left<S: Entry<T>>(&mut self, row: &Row<'_, S>, out: &mut [[T; 2]]) {
        let mut left = Pair::empty();
        let mut k = T::zero();
        for (site, out) in out.iter_mut().enumerate() {
            if k.is_zero() {
                left = Pair::empty();
            } else if site.is_multiple_of(RESCALE_EVERY) {
                let factor = left.rescaling(site);
                self.factors[site / RESCALE_EVERY] = factor;
                left = left.scaled(factor);
            }
            left = left.extended(row.shifted(site), k);
            *out = [left.whole.re, left.whole.im];
            k = row.coupling(site);
        }
    }

    fn sweep_from_the_right<S: Entry<T>>(&self, row: &Row<'_, S>, out: &mut [[T; 2]]) {
        let mut right = Pair::empty();
        // Couplings to the site on the right and on the left.
        let mut k = T::zero();
        for site in (0..out.len()).rev() {
            let k_left = if site == 0 { T::zero() } else { row.coupling(site - 1) };
            let steps = out.len() - 1 - site;
            if k.is_zero() {
                right = Pair::empty();
            } else if steps.is_multiple_of(RESCALE_EVERY) {
                right = right.scaled(right.rescaling(steps));
            }
            let left = Pair {
                whole: Complex::new(out[site][0], out[site][1]),
                shorter: if k_left.is_zero() { Complex::one() } else { self.left_whole(site - 1, out) },
            };
            // Products of two pairs that have both grown overflow first.
            let scale = left.unit_scale();
            let (whole, shorter) = (left.whole * scale, left.shorter * scale);
            let num = shorter * right.whole;
            let den = whole * right.whole - shorter * right.shorter * k;
            out[site] = self.finish.quotient(num, den);
            right = right.extended(row.shifted(site), k);
            k = k_left;
        }
    }

    /// `D` of the left pair at `site` in the scale of the pair after it.
    #[inline]
    fn left_whole(&self, site: usize, out: &[[T; 2]]) -> Complex<T> {
        let whole = Complex::new(out[site][0], out[site][1]);
        let next = site + 1;
        if next.is_multiple_of(RESCALE_EVERY) { whole * self.factors[next / RESCALE_EVERY] } else { whole }
    }
}
