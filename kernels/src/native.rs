//! The operation on the CPU, without a tensor library: serial projective scans, in float32 or float64.
//!
//! [`resolvent`] and [`gradients`] are what the CPU backends run. They spread rows over threads when there is enough to
//! do; a row is always computed by one thread in the same order, so results do not depend on the number of threads.

mod gradient;
mod real;
mod scan;
#[cfg(test)]
mod tests;

use std::num::NonZero;
use std::thread;

use crate::options::BkOptions;

pub use gradient::{Gradients, gradients};
pub(crate) use gradient::{gradients_on, through_finish};
pub use real::{Entry, Real};
use scan::{Finish, Row, RowScan};

/// Sites below which starting threads costs more than it saves.
const SITES_WORTH_THREADS: usize = 1 << 16;

/// An argument has a length that does not fit the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// There is no row or no site.
    #[error("batch and n are at least 1, got batch = {batch}, n = {n}")]
    Empty {
        /// Rows.
        batch: usize,
        /// Sites a row.
        n: usize,
    },
    /// A slice is too short or too long.
    #[error("`{argument}` has {found} elements, expected {expected}")]
    Length {
        /// Name of the argument.
        argument: &'static str,
        /// What its length may be, with the shape that it comes from.
        expected: String,
        /// Its length.
        found: usize,
    },
}

/// A borrowed batch of tridiagonal matrices and the spectral parameter, of consistent lengths.
#[derive(Clone, Copy, Debug)]
pub struct Tridiagonal<'a, S> {
    batch: usize,
    n: usize,
    a_re: &'a [S],
    a_im: Option<&'a [S]>,
    b: &'a [S],
    c: &'a [S],
    z: [S; 2],
}

impl<'a, S: Copy> Tridiagonal<'a, S> {
    /// A view of `a_re` and `a_im` `[B, N]`, `b` and `c` `[B, N-1]` or `[1, N-1]` (each on its own), and `z = (Re, Im)`.
    ///
    /// # Errors
    /// If `batch` or `n` is 0 or a slice does not have one of these lengths.
    pub fn new(
        batch: usize,
        n: usize,
        a_re: &'a [S],
        a_im: Option<&'a [S]>,
        b: &'a [S],
        c: &'a [S],
        z: [S; 2],
    ) -> Result<Self, ShapeError> {
        if batch == 0 || n == 0 {
            return Err(ShapeError::Empty { batch, n });
        }
        let sites = batch.checked_mul(n).ok_or(ShapeError::Empty { batch, n })?;
        for (argument, found) in [("a_re", a_re.len()), ("a_im", a_im.map_or(sites, <[S]>::len))] {
            if found != sites {
                let expected = format!("{sites} ([{batch}, {n}])");
                return Err(ShapeError::Length { argument, expected, found });
            }
        }
        let links = n - 1;
        for (argument, found) in [("b", b.len()), ("c", c.len())] {
            if found != links && found != batch * links {
                let expected = format!("{} ([{batch}, {links}]) or {links} ([1, {links}])", batch * links);
                return Err(ShapeError::Length { argument, expected, found });
            }
        }
        Ok(Self { batch, n, a_re, a_im, b, c, z })
    }

    /// Number of sites in the batch, `B * N`.
    pub fn sites(&self) -> usize {
        self.batch * self.n
    }

    fn row(&self, row: usize) -> Row<'a, S> {
        let sites = row * self.n..(row + 1) * self.n;
        let links = self.n - 1;
        let couplings =
            |all: &'a [S]| if all.len() == links { all } else { &all[row * links..(row + 1) * links] };
        Row {
            a_re: &self.a_re[sites.clone()],
            a_im: self.a_im.map(|im| &im[sites]),
            b: couplings(self.b),
            c: couplings(self.c),
            z: self.z,
        }
    }
}

/// Writes `G_ii = [(T - zI)^-1]_ii` as (Re, Im) pairs, `[B, N, 2]`.
///
/// Arithmetic is that of `T`; entries are those of `S`, either `T` itself or float32 in a float64 scan. Results at exact
/// zeros, cuts (`b c = 0`), singular blocks, NaN and Inf are those of the operation's contract.
///
/// # Errors
/// If `output` does not hold `B * N * 2` values.
pub fn resolvent<S: Entry<T>, T: Real>(
    matrices: &Tridiagonal<'_, S>,
    options: &BkOptions,
    output: &mut [T],
) -> Result<(), ShapeError> {
    let threads = if matrices.sites() < SITES_WORTH_THREADS {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get).min(matrices.batch)
    };
    resolvent_on(threads, matrices, options, output)
}

/// [`resolvent`] on a given number of threads, at least 1.
pub(crate) fn resolvent_on<S: Entry<T>, T: Real>(
    threads: usize,
    matrices: &Tridiagonal<'_, S>,
    options: &BkOptions,
    output: &mut [T],
) -> Result<(), ShapeError> {
    let Tridiagonal { batch, n, .. } = *matrices;
    if output.len() != matrices.sites() * 2 {
        let expected = format!("{} ([{batch}, {n}, 2])", matrices.sites() * 2);
        return Err(ShapeError::Length { argument: "output", expected, found: output.len() });
    }
    let (sites, _) = output.as_chunks_mut::<2>();
    let finish = Finish::new(options);
    let share = batch.div_ceil(threads);
    let run = |first_row: usize, share: &mut [[T; 2]]| {
        let mut scan = RowScan::new(n, finish);
        for (row, out) in share.chunks_exact_mut(n).enumerate() {
            scan.run(&matrices.row(first_row + row), out);
        }
    };
    if threads == 1 {
        run(0, sites);
        return Ok(());
    }
    thread::scope(|scope| {
        for (index, rows) in sites.chunks_mut(share * n).enumerate() {
            let run = &run;
            scope.spawn(move || run(index * share, rows));
        }
    });
    Ok(())
}
