//! A random matrix of given singular values, `U diag(s) V^T` with Haar-distributed `U` and `V`.
//!
//! A product of the Householder reflections that triangularise a Gaussian matrix, in subspaces of falling
//! dimension, is Haar-distributed (Stewart, SIAM J. Numer. Anal. 17, 1980). Applying them to the diagonal matrix gives
//! the product at once, so no factor is formed and no factorisation is needed.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// `[rows, columns]`, row-major, with the singular values `spectrum` (as many as the shorter side).
pub(crate) fn with_singular_values(
    rows: usize,
    columns: usize,
    spectrum: &[f64],
    random: &mut impl Rng,
) -> Vec<f32> {
    let mut matrix = vec![0.0f32; rows * columns];
    for (index, value) in spectrum.iter().enumerate() {
        let coin: f64 = StandardNormal.sample(random);
        let sign = coin.signum();
        matrix[index * columns + index] = (sign * value) as f32;
    }
    let rank = spectrum.len();
    let mut products = vec![0.0f32; columns];
    for first in (0..rank).rev() {
        // Rows and columns before `first` are still diagonal.
        let direction = unit_vector(rows - first, random);
        reflect_rows(&mut matrix[first * columns..], columns, first, &direction, &mut products);
    }
    for first in (0..rank).rev() {
        let direction = unit_vector(columns - first, random);
        for row in matrix.chunks_exact_mut(columns) {
            reflect(&mut row[first..], &direction);
        }
    }
    matrix
}

/// The axis of the reflection that takes the first unit vector to a uniformly distributed direction.
fn unit_vector(length: usize, random: &mut impl Rng) -> Vec<f32> {
    loop {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(random)).collect();
        let norm = |vector: &[f64]| vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        // The sign that adds to the first component cancels nothing.
        vector[0] += norm(&vector).copysign(vector[0]);
        let norm = norm(&vector);
        if norm > 0.0 {
            return vector.into_iter().map(|x| (x / norm) as f32).collect();
        }
    }
}

/// `(I - 2 v v^T) M` for the columns from `first` on.
fn reflect_rows(matrix: &mut [f32], columns: usize, first: usize, v: &[f32], products: &mut [f32]) {
    let products = &mut products[first..];
    products.fill(0.0);
    for (row, weight) in matrix.chunks_exact(columns).zip(v) {
        for (product, entry) in products.iter_mut().zip(&row[first..]) {
            *product += weight * entry;
        }
    }
    for (row, weight) in matrix.chunks_exact_mut(columns).zip(v) {
        for (product, entry) in products.iter().zip(&mut row[first..]) {
            *entry -= 2.0 * weight * product;
        }
    }
}

/// `x (I - 2 v v^T)`.
fn reflect(x: &mut [f32], v: &[f32]) {
    let product: f32 = x.iter().zip(v).map(|(x, v)| x * v).sum();
    for (x, v) in x.iter_mut().zip(v) {
        *x -= 2.0 * product * v;
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::with_singular_values;

    #[test]
    fn the_singular_values_are_those_asked_for() {
        for (rows, columns) in [(1, 1), (7, 3), (3, 7), (20, 20), (1, 5)] {
            let spectrum: Vec<f64> = (1..=rows.min(columns)).map(|index| 1.0 / index as f64).collect();
            let mut random = Pcg64Mcg::seed_from_u64(3);
            let values = with_singular_values(rows, columns, &spectrum, &mut random);
            let matrix = DMatrix::from_row_iterator(rows, columns, values.iter().map(|&x| f64::from(x)));
            let found = matrix.singular_values();
            for (found, expected) in found.iter().zip(&spectrum) {
                assert!((found - expected).abs() < 1e-5, "{rows}x{columns}: {found} {expected}");
            }
        }
    }

    #[test]
    fn the_factors_are_full_and_not_aligned_with_the_axes() {
        let mut random = Pcg64Mcg::seed_from_u64(4);
        let values = with_singular_values(30, 30, &[1.0; 30], &mut random);
        // Entries of an orthogonal matrix have mean square 1/30; one of size 1 would be a fixed axis.
        assert!(values.iter().all(|x| x.abs() < 0.9), "an axis is left where it was");
    }
}
