//! Gradients of the diagonal on the CPU: serial scans, threads over rows, in O(N) time and memory.

mod approximate;
mod row;
#[cfg(test)]
mod tests;

use std::num::NonZero;
use std::thread;

use num_complex::Complex;

use super::real::{Entry, Real};
use super::{SITES_WORTH_THREADS, ShapeError, Tridiagonal};
use crate::options::{BkOptions, NonFinite};
use row::{RowGradient, RowResults};

pub(crate) use row::through_finish;

/// Rows are summed in at most so many blocks, whatever the number of threads, so that results do not depend on it. A
/// block of shared couplings takes 8 bytes a site; with 32 of them that is less than the input has.
const MOST_BLOCKS: usize = 32;

/// Gradients of a real `L`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients<T> {
    /// `dL/dRe a`, `[B, N]`.
    pub a_re: Vec<T>,
    /// `dL/dIm a`, `[B, N]`; `None` for a real diagonal.
    pub a_im: Option<Vec<T>>,
    /// `dL/db`, of the shape of `b`, so summed over the batch if that shares it.
    pub b: Vec<T>,
    /// `dL/dc`, of the shape of `c`.
    pub c: Vec<T>,
    /// `(dL/dRe z, dL/dIm z)`, summed over the batch.
    pub z: [T; 2],
}

impl Gradients<f64> {
    /// The nearest float32 values.
    pub fn to_float32(&self) -> Gradients<f32> {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        Gradients {
            a_re: narrow(&self.a_re),
            a_im: self.a_im.as_deref().map(narrow),
            b: narrow(&self.b),
            c: narrow(&self.c),
            z: self.z.map(|value| value as f32),
        }
    }
}

/// The gradients of `L` for the cotangent `(dL/dRe G_ii, dL/dIm G_ii)`, `[B, N, 2]`.
///
/// [`BkOptions::gradient`] says which. The exact ones are those of the forward pass with the same options:
///
/// * A clipped value passes on what turns it. A value that was zeroed passes nothing on.
/// * In a block that is exactly singular, or has an entry that is NaN or Inf, gradients are NaN, and so are sums
///   over them (`z`, shared couplings). With `max_magnitude`, sites that are exactly singular pass nothing on. With
///   [`NonFinite::Zero`], gradients that would be NaN or Inf are 0 and add nothing to sums.
/// * A coupling with `b c = 0` cuts the chain, and no block changes a bit of another block's gradients. The gradient
///   of the cut itself sees both blocks: `dL/db = c dL/d(bc)`, which is exactly 0 where `c = 0`.
///
/// # Errors
/// If `cotangent` does not hold `B * N * 2` values.
pub fn gradients<S: Entry<T>, T: Real>(
    matrices: &Tridiagonal<'_, S>,
    cotangent: &[S],
    options: &BkOptions,
) -> Result<Gradients<T>, ShapeError> {
    let threads = if matrices.sites() < SITES_WORTH_THREADS {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get).min(matrices.batch)
    };
    gradients_on(threads, matrices, cotangent, options)
}

/// [`gradients`] on a given number of threads, at least 1.
pub(crate) fn gradients_on<S: Entry<T>, T: Real>(
    threads: usize,
    matrices: &Tridiagonal<'_, S>,
    cotangent: &[S],
    options: &BkOptions,
) -> Result<Gradients<T>, ShapeError> {
    let Tridiagonal { batch, n, .. } = *matrices;
    if cotangent.len() != matrices.sites() * 2 {
        let expected = format!("{} ([{batch}, {n}, 2])", matrices.sites() * 2);
        return Err(ShapeError::Length { argument: "cotangent", expected, found: cotangent.len() });
    }
    if let Some(alpha) = options.gradient.blend_weight() {
        return approximate::gradients(matrices, cotangent, options, alpha);
    }
    let mut gradients = matrices.zero_gradients();
    let mut blocks = blocks(matrices, cotangent, &mut gradients);
    let share = blocks.len().div_ceil(threads);
    if threads == 1 {
        run(matrices, &mut blocks, options);
    } else {
        thread::scope(|scope| {
            for blocks in blocks.chunks_mut(share) {
                scope.spawn(|| run(matrices, blocks, options));
            }
        });
    }
    let sums = Sums::of(blocks, matrices.n - 1);
    sums.store(matrices, &mut gradients);
    if options.non_finite == NonFinite::Zero {
        gradients.zero_what_is_not_finite();
    }
    Ok(gradients)
}

impl<S: Copy> Tridiagonal<'_, S> {
    pub(super) fn zero_gradients<T: Real>(&self) -> Gradients<T> {
        let zeros = |len| vec![T::zero(); len];
        Gradients {
            a_re: zeros(self.sites()),
            a_im: self.a_im.map(|_| zeros(self.sites())),
            b: zeros(self.b.len()),
            c: zeros(self.c.len()),
            z: [T::zero(); 2],
        }
    }

    /// Whether one row of these couplings serves the batch.
    fn is_shared(&self, couplings: &[S]) -> bool {
        self.batch > 1 && couplings.len() == self.n - 1
    }
}

impl<T: Real> Gradients<T> {
    fn zero_what_is_not_finite(&mut self) {
        let all = self.a_re.iter_mut().chain(self.a_im.iter_mut().flatten());
        for value in all.chain(&mut self.b).chain(&mut self.c).chain(&mut self.z) {
            if !value.is_finite() {
                *value = T::zero();
            }
        }
    }
}

/// Consecutive rows, where their gradients go, and their part of the sums over the batch.
struct Block<'a, S, T> {
    first_row: usize,
    cotangent: &'a [S],
    a_re: &'a mut [T],
    a_im: &'a mut [T],
    /// Empty where the batch shares them.
    b: &'a mut [T],
    c: &'a mut [T],
    /// Sum of `Re kappa` over the rows if `b` and `c` are both shared, of the gradient of the one that is; else empty.
    shared: Vec<f64>,
    /// Sum of `S`.
    sum: Complex<f64>,
}

fn blocks<'a, S: Copy, T: Real>(
    matrices: &Tridiagonal<'_, S>,
    cotangent: &'a [S],
    gradients: &'a mut Gradients<T>,
) -> Vec<Block<'a, S, T>> {
    let n = matrices.n;
    let rows = matrices.batch.div_ceil(MOST_BLOCKS);
    let (shared_b, shared_c) = (matrices.is_shared(matrices.b), matrices.is_shared(matrices.c));
    let mut a_im = gradients.a_im.as_mut().map(|a_im| a_im.chunks_mut(rows * n));
    // No links, or none of their own: as many empty slices as there are blocks.
    let links = rows * (n - 1);
    let mut b = (!shared_b && n > 1).then(|| gradients.b.chunks_mut(links));
    let mut c = (!shared_c && n > 1).then(|| gradients.c.chunks_mut(links));
    let part = |parts: &mut Option<std::slice::ChunksMut<'a, T>>| {
        parts.as_mut().and_then(Iterator::next).unwrap_or_default()
    };
    gradients
        .a_re
        .chunks_mut(rows * n)
        .zip(cotangent.chunks(rows * n * 2))
        .enumerate()
        .map(|(index, (a_re, cotangent))| Block {
            first_row: index * rows,
            cotangent,
            a_re,
            a_im: part(&mut a_im),
            b: part(&mut b),
            c: part(&mut c),
            shared: if shared_b || shared_c { vec![0.0; n - 1] } else { Vec::new() },
            sum: Complex::ZERO,
        })
        .collect()
}

fn run<S: Entry<T>, T: Real>(
    matrices: &Tridiagonal<'_, S>,
    blocks: &mut [Block<'_, S, T>],
    options: &BkOptions,
) {
    let n = matrices.n;
    let mut row_gradient = RowGradient::new(n, options);
    let mut diagonal = vec![num_traits::Zero::zero(); n];
    let mut couplings = vec![T::zero(); n - 1];
    for block in blocks {
        for (index, cotangent) in block.cotangent.as_chunks::<2>().0.chunks_exact(n).enumerate() {
            let row = matrices.row(block.first_row + index);
            let mut out = RowResults { diagonal: &mut diagonal, couplings: &mut couplings };
            row_gradient.run(&row, cotangent, &mut out);
            if options.non_finite == NonFinite::Zero {
                out.zero_what_is_not_finite();
            }
            block.take_diagonal(index, &diagonal);
            block.take_couplings(index, &couplings, row.b, row.c);
        }
    }
}

impl<S: Entry<T>, T: Real> Block<'_, S, T> {
    fn take_diagonal(&mut self, row: usize, diagonal: &[Complex<T>]) {
        let n = diagonal.len();
        for (da, s) in self.a_re[row * n..][..n].iter_mut().zip(diagonal) {
            *da = -s.re;
        }
        if !self.a_im.is_empty() {
            for (da, s) in self.a_im[row * n..][..n].iter_mut().zip(diagonal) {
                *da = s.im;
            }
        }
        self.sum += diagonal.iter().map(|s| Complex::new(s.re.widen(), s.im.widen())).sum::<Complex<f64>>();
    }

    fn take_couplings(&mut self, row: usize, kappa: &[T], b: &[S], c: &[S]) {
        let links = kappa.len();
        if !self.b.is_empty() {
            for ((db, kappa), c) in self.b[row * links..][..links].iter_mut().zip(kappa).zip(c) {
                *db = times(c.value(), *kappa);
            }
        }
        if !self.c.is_empty() {
            for ((dc, kappa), b) in self.c[row * links..][..links].iter_mut().zip(kappa).zip(b) {
                *dc = times(b.value(), *kappa);
            }
        }
        if self.shared.is_empty() {
            return;
        }
        let both = self.b.is_empty() && self.c.is_empty();
        let factors = if self.b.is_empty() { c } else { b };
        for ((sum, kappa), factor) in self.shared.iter_mut().zip(kappa).zip(factors) {
            *sum += if both { kappa.widen() } else { times(factor.value().widen(), kappa.widen()) };
        }
    }
}

/// The gradient of one factor of `k`. Where the other is 0 there is no way through, not even for a NaN.
fn times<T: Real>(factor: T, kappa: T) -> T {
    if factor.is_zero() { T::zero() } else { factor * kappa }
}

/// Sums over the batch, added up in the order of the blocks.
struct Sums {
    shared: Vec<f64>,
    sum: Complex<f64>,
}

impl Sums {
    fn of<S, T>(blocks: Vec<Block<'_, S, T>>, links: usize) -> Self {
        let mut sums = Self { shared: vec![0.0; links], sum: Complex::ZERO };
        for block in blocks {
            sums.sum += block.sum;
            for (total, part) in sums.shared.iter_mut().zip(block.shared) {
                *total += part;
            }
        }
        sums
    }

    fn store<S: Entry<T>, T: Real>(self, matrices: &Tridiagonal<'_, S>, gradients: &mut Gradients<T>) {
        let Tridiagonal { b, c, .. } = *matrices;
        let (shared_b, shared_c) = (matrices.is_shared(b), matrices.is_shared(c));
        // With both shared, the sum is of kappa and the other one a common factor.
        let finished = |factor: S, sum: f64| {
            T::narrow(if shared_b && shared_c { times(factor.value().widen(), sum) } else { sum })
        };
        for (link, &sum) in self.shared.iter().enumerate() {
            if shared_b {
                gradients.b[link] = finished(c[link], sum);
            }
            if shared_c {
                gradients.c[link] = finished(b[link], sum);
            }
        }
        gradients.z = [T::narrow(self.sum.re), T::narrow(-self.sum.im)];
    }
}
