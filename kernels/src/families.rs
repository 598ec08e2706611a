//! Families of inputs, from harmless to hard. The same seed gives the same float32 values on every machine.
//!
//! The stream: a `Pcg64` seeded with `seed_from_u64(seed)` seeds four more, in this order, for the real part of `a`, its
//! imaginary part, `b` and `c`, whether a family draws from them or not. Each array takes its numbers in row-major order,
//! in float64, and rounds them to float32. So the first rows of a batch do not depend on the size of the batch, `a` does
//! not depend on whether `b` and `c` are shared, and a row of couplings that all rows share is that of the first row.

#[cfg(test)]
mod tests;

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use crate::inputs::Inputs;

/// Kinds of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// `a, b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    #[default]
    Normal,
    /// `a = -2 + N(0, 1)`, `b = c = 1`, `z = i`.
    Default,
    /// `a ~ N(0, 1)`, `b = c ~ N(0, 1)`, `z = 0.1 + 0.1i`; `z` chooses the distance to the spectrum.
    Hermitian,
    /// `c = -b`, `a, b ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    Antisymmetric,
    /// `a ~ N(0, 1)`, `|b|, |c|` log-uniform in `[1e-2, 1e2]`, random signs, `z = 0.1 + 0.1i`.
    Mixed,
    /// `a = +-4`, `b, c ~ N(0, 1)`: diagonally dominant, `z = 0.1 + 0.1i`.
    DiagonallyDominant,
    /// `|a| <= 1e4` uniform, `b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    LargeDiagonal,
    /// `|a| <= 1e4` uniform, `b, c ~ N(0, 100^2)`, `z = 0.1 + 0.1i`.
    LargeEntries,
    /// `a = 0`, `b = c = 1`, `z = 0.5 + 0.1i`: extended states.
    Free,
    /// `a = N(0, 1) - i |N(0, 1)|`, `b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    Complex,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::Default,
        Self::Hermitian,
        Self::Antisymmetric,
        Self::Mixed,
        Self::DiagonallyDominant,
        Self::LargeDiagonal,
        Self::LargeEntries,
        Self::Free,
        Self::Complex,
    ];

    /// The spectral parameter (Re z, Im z) that the family comes with.
    pub fn spectral_parameter(self) -> [f32; 2] {
        match self {
            Self::Default => [0.0, 1.0],
            Self::Free => [0.5, 0.1],
            _ => [0.1, 0.1],
        }
    }

    /// One entry of the real part of `a`.
    fn diagonal(self, random: &mut Pcg64) -> f64 {
        match self {
            Self::Normal | Self::Hermitian | Self::Antisymmetric | Self::Mixed | Self::Complex => {
                normal(random)
            }
            Self::Default => -2.0 + normal(random),
            Self::DiagonallyDominant => 4.0 * sign(random),
            Self::LargeDiagonal | Self::LargeEntries => random.random_range(-1e4..=1e4),
            Self::Free => 0.0,
        }
    }

    /// One entry of `b` or `c`.
    fn off_diagonal(self, random: &mut Pcg64) -> f64 {
        match self {
            Self::Normal
            | Self::Hermitian
            | Self::Antisymmetric
            | Self::DiagonallyDominant
            | Self::LargeDiagonal
            | Self::Complex => normal(random),
            Self::LargeEntries => 100.0 * normal(random),
            Self::Mixed => sign(random) * 10.0_f64.powf(random.random_range(-2.0..=2.0)),
            Self::Default | Self::Free => 1.0,
        }
    }
}

fn normal(random: &mut Pcg64) -> f64 {
    StandardNormal.sample(random)
}

fn sign(random: &mut Pcg64) -> f64 {
    if random.next_u64() >> 63 == 0 { 1.0 } else { -1.0 }
}

/// A batch of a family, with its own `z` or a given one.
///
/// # Panics
/// If `batch` or `n` is 0.
pub fn generate(
    family: Family,
    batch: usize,
    n: usize,
    shared: bool,
    z: Option<[f32; 2]>,
    seed: u64,
) -> Inputs {
    assert!(batch > 0 && n > 0, "a batch of {batch} rows of {n} sites is empty");
    let mut seeds = Pcg64::seed_from_u64(seed);
    let [mut for_a_re, mut for_a_im, mut for_b, mut for_c] = [(); 4].map(|()| Pcg64::from_rng(&mut seeds));
    let sites = batch * n;
    let links = if shared { n - 1 } else { batch * (n - 1) };

    let a_re = fill(sites, || family.diagonal(&mut for_a_re));
    let a_im = (family == Family::Complex).then(|| fill(sites, || -normal(&mut for_a_im).abs()));
    let b = fill(links, || family.off_diagonal(&mut for_b));
    let c = match family {
        Family::Hermitian => b.clone(),
        Family::Antisymmetric => b.iter().map(|b| -b).collect(),
        _ => fill(links, || family.off_diagonal(&mut for_c)),
    };
    Inputs { batch, n, a_re, a_im, b, c, shared, z: z.unwrap_or(family.spectral_parameter()) }
}

/// A cotangent `[B, N]` of a batch, real and imaginary parts N(0, 1), from a stream of its own.
pub fn cotangent(batch: usize, n: usize, seed: u64) -> Vec<[f32; 2]> {
    // Far from the seeds of inputs, so that a cotangent does not repeat the matrix it is for.
    let mut random = Pcg64::seed_from_u64(!seed);
    (0..batch * n).map(|_| [normal(&mut random) as f32, normal(&mut random) as f32]).collect()
}

fn fill(len: usize, mut draw: impl FnMut() -> f64) -> Vec<f32> {
    (0..len).map(|_| draw() as f32).collect()
}
