//! The oracle against a dense inverse, finite differences and the vectors.

use nalgebra::DMatrix;
use proptest::prelude::*;

use super::*;
use crate::families::{self, Family};
use crate::reference::resolvent_values;
use crate::vectors;

/// Relative error of the dense inverse, which is not accurate in each entry.
const DENSE: f64 = 1e-9;
/// Its error relative to the largest entry.
const DENSE_NORM: f64 = 1e-12;

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

fn any_family() -> impl Strategy<Value = Family> {
    proptest::sample::select(Family::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_gradients_are_those_of_the_dense_inverse(
        family in any_family(), n in 1_usize..40, shared: bool, seed: u64,
    ) {
        let inputs = families::generate(family, 2, n, shared, None, seed);
        let g = families::cotangent(2, n, seed);
        let oracle = gradients(&inputs, &g, &BkOptions::default()).unwrap();
        let links = n - 1;
        let (mut db, mut dc) = (vec![0.0; inputs.b.len()], vec![0.0; inputs.c.len()]);
        let mut dz = Complex::ZERO;
        for row in 0..2 {
            let inverse = dense_inverse(&inputs, row);
            let h = |i: usize| Complex::new(f64::from(g[row * n + i][0]), -f64::from(g[row * n + i][1]));
            let sum = |p: usize, q: usize| -> Complex<f64> {
                (0..n).map(|i| h(i) * inverse[(i, p)] * inverse[(q, i)]).sum()
            };
            for j in 0..n {
                let (site, s) = (row * n + j, sum(j, j));
                let expected = [-s.re, if inputs.a_im.is_some() { s.im } else { 0.0 }];
                let found = oracle.da.value[site];
                let error = (found[0] - expected[0]).hypot(found[1] - expected[1]);
                let tolerance = 1e-6 * oracle.da.unit[site] + DENSE * expected[0].hypot(expected[1]);
                prop_assert!(error <= tolerance, "a at {site}: {found:?}, dense {expected:?}");
                dz += s.conj();
            }
            for j in 0..links {
                let link = if shared { j } else { row * links + j };
                db[link] -= sum(j, j + 1).re;
                dc[link] -= sum(j + 1, j).re;
            }
        }
        for (name, found, expected) in [("b", &oracle.db, &db), ("c", &oracle.dc, &dc)] {
            let largest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
            for (link, (&value, &unit)) in found.value.iter().zip(&found.unit).enumerate() {
                let error = (value - expected[link]).abs();
                let tolerance = 1e-6 * unit + DENSE * expected[link].abs() + DENSE_NORM * largest;
                prop_assert!(error <= tolerance, "{name} at {link}: {value}, dense {}", expected[link]);
            }
        }
        let [re, im] = oracle.dz.value[0];
        prop_assert!((Complex::new(re, im) - dz).norm() <= 1e-6 * oracle.dz.unit[0] + DENSE * dz.norm());
    }

    /// The bound that a unit is: random relative changes of everything that it counts stay below it.
    #[test]
    fn relative_changes_of_the_input_move_gradients_by_less_than_their_units(
        family in any_family(), n in 2_usize..60, seed: u64,
    ) {
        let inputs = families::generate(family, 1, n, false, Some([0.0, 0.0]), seed);
        let g = families::cotangent(1, n, seed);
        let nudges = families::generate(Family::Normal, 4, n, false, None, !seed);
        // `z` is 0, so that changes of `a` are those of `d`. Large enough that rounding to float32 is no matter.
        const SIZE: f64 = 1e-4;
        let nudge = |x: &[f32], row: usize| -> Vec<f32> {
            let signs = &nudges.a_re[row * n..];
            x.iter().zip(signs).map(|(&x, s)| (f64::from(x) * (1.0 + SIZE * f64::from(s.signum()))) as f32).collect()
        };
        let nudged = Inputs {
            a_re: nudge(&inputs.a_re, 0),
            a_im: inputs.a_im.as_ref().map(|im| nudge(im, 0)),
            b: nudge(&inputs.b, 1),
            ..inputs.clone()
        };
        let before = gradients(&inputs, &g, &BkOptions::default()).unwrap();
        let after = gradients(&nudged, &g, &BkOptions::default()).unwrap();
        let forward = resolvent(&inputs).unwrap();
        // To first order: only where these changes are small.
        prop_assume!((0..n).all(|site| forward.condition(site) * SIZE < 0.02));
        let factor = 1.1 * SIZE / UNIT_ROUNDOFF;
        for (site, (x, y)) in before.da.value.iter().zip(&after.da.value).enumerate() {
            let error = (x[0] - y[0]).hypot(x[1] - y[1]);
            prop_assert!(error <= factor * before.da.unit[site], "a at {site}: {error}");
        }
        // `db = c kappa`, and `c` does not change; `dc = b kappa` changes by `b` too, so it is no test of kappa.
        for (link, (x, y)) in before.db.value.iter().zip(&after.db.value).enumerate() {
            prop_assert!((x - y).abs() <= factor * before.db.unit[link], "b at {link}: {}", (x - y).abs());
        }
    }
}

/// `L` whose cotangent is `g`.
fn objective(inputs: &Inputs, g: &[[f32; 2]], options: &BkOptions) -> f64 {
    let values = resolvent_values(inputs, options).unwrap();
    values.iter().zip(g).map(|(v, g)| v[0] * f64::from(g[0]) + v[1] * f64::from(g[1])).sum()
}

/// The central difference of `L` in one float32 entry, over the step that float32 really makes.
fn difference(
    inputs: &Inputs,
    g: &[[f32; 2]],
    options: &BkOptions,
    entry: impl Fn(&mut Inputs) -> &mut f32,
) -> f64 {
    let at = |sign: f32| {
        let mut moved = inputs.clone();
        let x = entry(&mut moved);
        *x += sign * 2.0_f32.powi(-11);
        let value = f64::from(*x);
        (value, objective(&moved, g, options))
    };
    let ((x1, l1), (x0, l0)) = (at(1.0), at(-1.0));
    (l1 - l0) / (x1 - x0)
}

fn agrees(found: f64, expected: f64, scale: f64) -> bool {
    (found - expected).abs() <= 2e-4 * scale.max(1.0)
}

#[test]
fn finite_differences_in_every_parameter_agree_with_and_without_a_clip() {
    for (family, shared, bound) in
        [(Family::Normal, false, None), (Family::Complex, true, None), (Family::Complex, false, Some(0.7))]
    {
        let mut inputs = families::generate(family, 3, 7, shared, Some([0.1, 0.8]), 5);
        if !shared {
            // A cut, with a coupling that is missing on one side only.
            inputs.b[3] = 0.0;
        }
        let g = families::cotangent(3, 7, 9);
        let options = BkOptions { max_magnitude: bound, ..BkOptions::default() };
        if let Some(bound) = bound {
            let values = resolvent(&inputs).unwrap().g;
            let clipped = values.iter().filter(|g| g[0].hypot(g[1]) > f64::from(bound)).count();
            assert!(clipped > 3 && clipped < 18, "{clipped} of 21 values are above the bound");
        }
        let oracle = gradients(&inputs, &g, &options).unwrap();
        let scale = oracle.da.value.iter().flatten().fold(0.0_f64, |max, x| max.max(x.abs()));
        for site in 0..21 {
            let slope = difference(&inputs, &g, &options, |inputs| &mut inputs.a_re[site]);
            assert!(agrees(slope, oracle.da.value[site][0], scale), "{family:?} Re a {site}");
            if inputs.a_im.is_some() {
                let slope =
                    difference(&inputs, &g, &options, |inputs| &mut inputs.a_im.as_mut().unwrap()[site]);
                assert!(agrees(slope, oracle.da.value[site][1], scale), "{family:?} Im a {site}");
            }
        }
        for link in 0..inputs.b.len() {
            let (db, dc) = (oracle.db.value[link], oracle.dc.value[link]);
            let slope = difference(&inputs, &g, &options, |inputs| &mut inputs.b[link]);
            assert!(agrees(slope, db, scale), "{family:?} b {link}: {slope} {db}");
            let slope = difference(&inputs, &g, &options, |inputs| &mut inputs.c[link]);
            assert!(agrees(slope, dc, scale), "{family:?} c {link}: {slope} {dc}");
        }
        for part in 0..2 {
            let slope = difference(&inputs, &g, &options, |inputs| &mut inputs.z[part]);
            assert!(agrees(slope, oracle.dz.value[0][part], 21.0 * scale), "{family:?} z {part}");
        }
    }
}

#[test]
fn the_oracle_meets_every_vector_and_its_units_are_not_far_above_theirs() {
    let mut ratios = Vec::new();
    for vector in vectors::load_embedded().unwrap() {
        let oracle = gradients(&vector.inputs, &vector.cotangent, &BkOptions::default()).unwrap();
        let pairs = [
            (&oracle.da.value, &oracle.da.unit, &vector.gradients.da),
            (&oracle.dz.value, &oracle.dz.unit, &vector.gradients.dz),
        ];
        for (values, units, expected) in pairs {
            for (index, &[re, im]) in expected.value.iter().enumerate() {
                if re.is_nan() {
                    assert!(!units[index].is_finite(), "{} {index}", vector.name);
                    continue;
                }
                if units[index] == f64::INFINITY {
                    assert_eq!(vector.compare, vectors::Compare::None, "{} {index}", vector.name);
                    continue;
                }
                let error = (values[index][0] - re).hypot(values[index][1] - im);
                assert!(error <= 1e-6 * expected.unit[index], "{} {index}: {error}", vector.name);
                if expected.unit[index] > 0.0 {
                    ratios.push(units[index] / expected.unit[index]);
                }
            }
        }
        for (found, expected) in [(&oracle.db, &vector.gradients.db), (&oracle.dc, &vector.gradients.dc)] {
            for (index, &value) in expected.value.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                if found.unit[index] == f64::INFINITY {
                    continue;
                }
                let error = (found.value[index] - value).abs();
                assert!(error <= 1e-6 * expected.unit[index], "{} {index}: {error}", vector.name);
                if expected.unit[index] > 0.0 {
                    ratios.push(found.unit[index] / expected.unit[index]);
                }
            }
        }
    }
    ratios.sort_by(f64::total_cmp);
    let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part) as usize];
    // Theirs are for changes of up to 2 * 2^-24.
    assert!(at(0.0) > 0.5, "smallest ratio {}", at(0.0));
    assert!(at(0.5) < 4.0 && at(0.9) < 50.0, "median {}, ninth decile {}", at(0.5), at(0.9));
}
