//! The oracle against a dense inverse, and against the vectors.

use nalgebra::DMatrix;
use num_complex::Complex;
use proptest::prelude::*;

use super::*;
use crate::families::{self, Family};
use crate::vectors;

/// The dense `(T - zI)^-1` of one row.
fn dense_inverse(inputs: &Inputs, row: usize) -> DMatrix<Complex<f64>> {
    let (d, _) = shifted_row(inputs, row);
    let (b, c) = inputs.row_couplings(row);
    let mut matrix = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(d));
    for i in 0..b.len() {
        matrix[(i, i + 1)] = f64::from(b[i]).into();
        matrix[(i + 1, i)] = f64::from(c[i]).into();
    }
    matrix.try_inverse().expect("the families are not singular")
}

/// The error unit of `G_ii` by its definition: `dG_ii/dd_j = -G_ij G_ji`, `c_j dG_ii/dc_j = -c_j G_i,j+1 G_ji`.
fn unit_by_definition(inputs: &Inputs, row: usize, inverse: &DMatrix<Complex<f64>>, i: usize) -> f64 {
    let (d, _) = shifted_row(inputs, row);
    let (_, c) = inputs.row_couplings(row);
    let diagonal: f64 = (0..inputs.n).map(|j| (inverse[(i, j)] * inverse[(j, i)] * d[j]).norm()).sum();
    let off: f64 =
        (0..c.len()).map(|j| (inverse[(i, j + 1)] * inverse[(j, i)]).norm() * f64::from(c[j]).abs()).sum();
    UNIT_ROUNDOFF * (diagonal + off)
}

fn any_family() -> impl Strategy<Value = Family> {
    proptest::sample::select(Family::ALL.to_vec())
}

fn value(g: [f64; 2]) -> Complex<f64> {
    Complex::new(g[0], g[1])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_oracle_and_its_units_are_those_of_the_dense_inverse(
        family in any_family(), n in 1_usize..40, shared: bool, seed: u64,
    ) {
        let inputs = families::generate(family, 2, n, shared, None, seed);
        let oracle = resolvent(&inputs).unwrap();
        let plain = resolvent_values(&inputs, &BkOptions::default()).unwrap();
        for row in 0..2 {
            let inverse = dense_inverse(&inputs, row);
            for i in 0..n {
                let (site, expected) = (row * n + i, inverse[(i, i)]);
                // 2^-52 relative to 2^-24, and room for the dense inverse, whose errors are not componentwise.
                let tolerance = 1e-6 * oracle.unit[site];
                prop_assert!((value(oracle.g[site]) - expected).norm() <= tolerance, "oracle at {row}, {i}");
                prop_assert!((value(plain[site]) - expected).norm() <= tolerance, "values at {row}, {i}");
                let unit = unit_by_definition(&inputs, row, &inverse, i);
                prop_assert!((oracle.unit[site] / unit - 1.0).abs() < 1e-6, "unit {} {unit}", oracle.unit[site]);
            }
        }
    }

    #[test]
    fn reversing_the_chain_reverses_the_result(family in any_family(), n in 1_usize..300, seed: u64) {
        let inputs = families::generate(family, 1, n, false, None, seed);
        let rev = |x: &[f32]| x.iter().rev().copied().collect::<Vec<_>>();
        let reversed = Inputs {
            a_re: rev(&inputs.a_re), a_im: inputs.a_im.as_deref().map(rev), b: rev(&inputs.c), c: rev(&inputs.b),
            ..inputs.clone()
        };
        let (straight, reversed) = (resolvent(&inputs).unwrap(), resolvent(&reversed).unwrap());
        for i in 0..n {
            let there = n - 1 - i;
            let error = (value(straight.g[i]) - value(reversed.g[there])).norm();
            prop_assert!(error <= 1e-7 * straight.unit[i]);
            prop_assert!((straight.unit[i] / reversed.unit[there] - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn the_oracle_meets_every_vector_to_many_more_digits_than_float32_has() {
    for vector in vectors::load_embedded().unwrap() {
        let oracle = resolvent(&vector.inputs).unwrap();
        let plain = resolvent_values(&vector.inputs, &BkOptions::default()).unwrap();
        for (site, (&expected, &unit)) in vector.g.value.iter().zip(&vector.g.unit).enumerate() {
            let name = &vector.name;
            if unit.is_nan() {
                assert!(oracle.g[site][0].is_nan() && plain[site][0].is_nan(), "{name} {site} is undefined");
                assert_eq!(oracle.unit[site], f64::INFINITY, "{name} {site}");
                continue;
            }
            // Units are 2^-24: 1e-7 of one is a relative error of a few 2^-48 after conditioning.
            for g in [oracle.g[site], plain[site]] {
                assert!(
                    (value(g) - value(expected)).norm() <= 1e-7 * unit,
                    "{name} {site}: {g:?} {expected:?}"
                );
            }
            // The files give units to three digits. Where G is exactly 0 (an exact zero of the diagonal stays one under
            // relative perturbations) they have an upper bound instead.
            let here = oracle.unit[site];
            let agree = (here / unit - 1.0).abs() < 6e-3 || (expected == [0.0; 2] && here <= unit);
            assert!(agree, "{name} {site}: unit {here}, in the file {unit}");
        }
    }
}

fn chain(a_re: &[f32], b: &[f32], c: &[f32], z: [f32; 2]) -> Inputs {
    let (a_re, b, c) = (a_re.to_vec(), b.to_vec(), c.to_vec());
    Inputs { batch: 1, n: a_re.len(), a_re, a_im: None, b, c, shared: false, z }
}

#[test]
fn one_site_is_a_reciprocal() {
    let oracle = resolvent(&chain(&[2.0], &[], &[], [0.0, 0.5])).unwrap();
    let expected = Complex::new(2.0, -0.5).inv();
    assert!((value(oracle.g[0]) - expected).norm() < 1e-16);
    assert!((oracle.condition(0) - 1.0).abs() < 1e-15, "1 / d has condition 1");
}

#[test]
fn the_hopping_chain_is_exactly_zero_and_stays_so_under_perturbations() {
    let oracle = resolvent(&chain(&[0.0; 6], &[1.0; 5], &[1.0; 5], [0.0; 2])).unwrap();
    assert_eq!(oracle.g, [[0.0; 2]; 6]);
    assert_eq!(oracle.unit, [0.0; 6]);
}

#[test]
fn an_exactly_singular_block_is_undefined_and_leaves_the_others_alone() {
    let inputs = chain(&[1.0, 2.0, 2.0, 4.0], &[0.0, 2.0, 5.0], &[3.0, 2.0, 0.0], [0.0; 2]);
    let oracle = resolvent(&inputs).unwrap();
    assert_eq!((oracle.g[0], oracle.g[3]), ([1.0, 0.0], [0.25, 0.0]));
    assert!(oracle.g[1][0].is_nan() && oracle.g[2][0].is_nan());
    assert_eq!(oracle.unit[1..3], [f64::INFINITY; 2]);
    assert_eq!(oracle.near_pole, [false, true, true, false]);
}

#[test]
fn a_product_that_underflows_in_float32_cuts_and_one_that_overflows_poisons() {
    let cut = resolvent(&chain(&[1.0, f32::NAN], &[1e-30], &[1e-30], [0.0; 2])).unwrap();
    assert_eq!(cut.g[0], [1.0, 0.0]);
    assert!(cut.unit[1].is_nan());
    let poisoned = resolvent(&chain(&[1.0, 1.0], &[1e30], &[1e30], [0.0; 2])).unwrap();
    assert!(poisoned.g.iter().flatten().chain(&poisoned.unit).all(|x| x.is_nan()));
}

#[test]
fn entries_near_the_limits_of_float32_keep_their_units_finite() {
    for size in [1e-18_f32, 1e18] {
        let scaled = |x: &[f32]| x.iter().map(|x| x * size).collect::<Vec<_>>();
        let normal = families::generate(Family::Normal, 1, 500, false, None, 1);
        let [re, im] = normal.z;
        let inputs =
            chain(&scaled(&normal.a_re), &scaled(&normal.b), &scaled(&normal.c), [re * size, im * size]);
        let oracle = resolvent(&inputs).unwrap();
        assert!(oracle.unit.iter().all(|unit| unit.is_finite()), "{size}");
        assert!((0..500).all(|site| (1.0..1e5).contains(&oracle.condition(site))), "{size}");
    }
}

#[test]
fn fields_of_the_wrong_length_are_refused() {
    let mut inputs = chain(&[1.0, 1.0], &[1.0], &[1.0], [0.0; 2]);
    inputs.c.push(1.0);
    let error = resolvent(&inputs).unwrap_err().to_string();
    assert_eq!(error, "`c` has 2 elements, expected 1 ([1, 1]) or 1 ([1, 1])");
}
