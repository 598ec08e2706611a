//! The scan against the vectors and the oracle, and what is said of special values.

use super::*;
use crate::families::{self, Family};
use crate::inputs::Inputs;
use crate::options::GradMode;
use crate::reference::{self, GradientCheck};
use crate::vectors;

/// Error units that a serial float32 scan is allowed.
const ALLOWED_UNITS: f64 = 16.0;

const CLIPPED: BkOptions =
    BkOptions { max_magnitude: Some(2.0), non_finite: NonFinite::Propagate, gradient: GradMode::Exact };
const ZEROED: BkOptions =
    BkOptions { max_magnitude: None, non_finite: NonFinite::Zero, gradient: GradMode::Exact };

fn gradients_of(inputs: &Inputs, cotangent: &[[f32; 2]], options: &BkOptions) -> Gradients<f32> {
    gradients(&inputs.view().unwrap(), cotangent.as_flattened(), options).unwrap()
}

fn check(inputs: &Inputs, options: &BkOptions) -> GradientCheck {
    let cotangent = families::cotangent(inputs.batch, inputs.n, 3);
    let oracle = reference::gradients(inputs, &cotangent, options).unwrap();
    oracle.check(&gradients_of(inputs, &cotangent, options), ALLOWED_UNITS)
}

/// Every gradient bit for bit, a row after another: `a`, `b` and `c` of each.
fn bits_of_rows(inputs: &Inputs, found: &Gradients<f32>) -> Vec<Vec<u32>> {
    let links = inputs.n - 1;
    (0..inputs.batch)
        .map(|row| {
            let a = &found.a_re[row * inputs.n..][..inputs.n];
            let (b, c) = (&found.b[row * links..][..links], &found.c[row * links..][..links]);
            a.iter().chain(b).chain(c).map(|x| x.to_bits()).collect()
        })
        .collect()
}

#[test]
fn every_vector_is_met_and_its_singular_sites_are_not_finite() {
    for vector in vectors::load_embedded().unwrap() {
        let found = gradients_of(&vector.inputs, &vector.cotangent, &BkOptions::default());
        let check = vector.check_gradients(&found, ALLOWED_UNITS);
        // Next to a singular block the files leave what is multiplied by a coupling of 0 undefined; it is 0.
        let zeros = if vector.name == "n31_singular_block" { 4 } else { 0 };
        assert!(check.passed && check.finite_where_nan == zeros, "{}: {check:?}", vector.name);
    }
}

#[test]
fn a_wrong_gradient_is_told_by_its_name_and_place() {
    let vectors = vectors::load_embedded().unwrap();
    let vector = vectors.iter().find(|vector| vector.name == "n31").unwrap();
    let right = gradients_of(&vector.inputs, &vector.cotangent, &BkOptions::default());
    let wrong = |change: &dyn Fn(&mut Gradients<f32>)| {
        let mut gradients = right.clone();
        change(&mut gradients);
        let check = vector.check_gradients(&gradients, ALLOWED_UNITS);
        assert!(!check.passed);
        check.worst.unwrap()
    };
    assert_eq!(wrong(&|g| g.a_re[7] *= 1.01), ("a", 7));
    assert_eq!(wrong(&|g| g.b[3] = f32::NAN), ("b", 3));
    assert_eq!(wrong(&|g| g.c[29] += 1.0), ("c", 29));
    assert_eq!(wrong(&|g| g.z[1] = -g.z[1]), ("z", 0));
    assert_eq!(wrong(&|g| g.c.truncate(5)), ("c", 0));
}

#[test]
fn every_family_is_within_the_allowed_units_at_every_length() {
    for family in Family::ALL {
        for n in [1, 2, 3, 4, 16, 17, 33, 4096] {
            for options in [BkOptions::default(), CLIPPED] {
                let inputs = families::generate(family, 2, n, n == 33, None, 7);
                let check = check(&inputs, &options);
                assert!(check.passed, "{family:?} {n} {options:?}: {check:?}");
                assert_eq!(check.undefined, 0, "{family:?} {n}");
            }
        }
    }
}

#[test]
fn long_hermitian_rows_near_their_spectrum_keep_their_digits() {
    for distance in [1e-3, 1e-6] {
        let inputs = families::generate(Family::Hermitian, 1, 65536, false, Some([0.1, distance]), 3);
        let check = check(&inputs, &BkOptions::default());
        assert!(check.passed && check.undefined < 6000, "{check:?}");
    }
}

#[test]
fn a_clip_changes_gradients_and_a_bound_above_every_value_does_not() {
    let inputs = families::generate(Family::Normal, 2, 100, false, None, 11);
    let cotangent = families::cotangent(2, 100, 3);
    let plain = gradients_of(&inputs, &cotangent, &BkOptions::default());
    let wide = BkOptions { max_magnitude: Some(1e6), ..CLIPPED };
    assert_eq!(gradients_of(&inputs, &cotangent, &wide), plain);
    assert_ne!(gradients_of(&inputs, &cotangent, &CLIPPED), plain);
}

/// One row of 60 sites in blocks of 20; `middle` is put into the middle one.
fn three_blocks(middle: impl Fn(&mut Inputs)) -> Inputs {
    let mut inputs = families::generate(Family::Normal, 1, 60, false, Some([0.25, 0.0]), 5);
    inputs.b[19] = 0.0;
    inputs.c[39] = 0.0;
    middle(&mut inputs);
    inputs
}

#[test]
fn a_singular_or_poisoned_block_changes_no_bit_of_another_blocks_gradients() {
    let cotangent = families::cotangent(1, 60, 8);
    let singular = |inputs: &mut Inputs| {
        (inputs.a_re[30], inputs.b[29], inputs.b[30]) = (0.25, 0.0, 0.0);
    };
    for options in [BkOptions::default(), CLIPPED, ZEROED] {
        let usual = gradients_of(&three_blocks(|_| {}), &cotangent, &options);
        let changes: [&dyn Fn(&mut Inputs); 4] = [
            &|inputs| inputs.a_re[30] = f32::NAN,
            &|inputs| inputs.b[25] = f32::INFINITY,
            &|inputs| inputs.a_re[25] = 1e30,
            &singular,
        ];
        for change in changes {
            let found = gradients_of(&three_blocks(change), &cotangent, &options);
            for site in (0..19).chain(40..60) {
                assert_eq!(found.a_re[site].to_bits(), usual.a_re[site].to_bits(), "a {site} {options:?}");
            }
            for link in (0..18).chain(40..59) {
                assert_eq!(found.b[link].to_bits(), usual.b[link].to_bits(), "b {link} {options:?}");
                assert_eq!(found.c[link].to_bits(), usual.c[link].to_bits(), "c {link} {options:?}");
            }
            // `c = 0` in the cut: no way to reach `b` through it.
            assert_eq!(found.b[39], 0.0);
        }
    }
}

#[test]
fn a_poisoned_block_has_nan_gradients_and_zeroing_leaves_none() {
    let inputs = three_blocks(|inputs| inputs.a_re[30] = f32::NAN);
    let cotangent = families::cotangent(1, 60, 8);
    for options in [BkOptions::default(), CLIPPED] {
        let found = gradients_of(&inputs, &cotangent, &options);
        assert!(found.a_re[20..40].iter().all(|da| da.is_nan()), "{options:?}");
        assert!(found.z.iter().all(|dz| dz.is_nan()), "the sum has a part that is NaN");
    }
    let found = gradients_of(&inputs, &cotangent, &ZEROED);
    assert!(found.a_re[20..40].iter().all(|&da| da == 0.0));
    assert!(found.z.iter().all(|&dz| dz != 0.0), "the other blocks add to the sum");
    assert!(check(&inputs, &ZEROED).passed);
    assert_eq!(check(&inputs, &BkOptions::default()).finite_where_nan, 0);
}

#[test]
fn an_exactly_singular_site_passes_nothing_on_where_it_is_clipped_and_nan_where_it_is_not() {
    let inputs = three_blocks(|inputs| {
        (inputs.a_re[30], inputs.b[29], inputs.b[30]) = (0.25, 0.0, 0.0);
    });
    let cotangent = families::cotangent(1, 60, 8);
    assert!(gradients_of(&inputs, &cotangent, &BkOptions::default()).a_re[30].is_nan());
    for options in [CLIPPED, ZEROED] {
        let found = gradients_of(&inputs, &cotangent, &options);
        assert_eq!(found.a_re[30], 0.0, "{options:?}");
        assert!(found.a_re.iter().all(|da| da.is_finite()), "{options:?}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads_or_on_the_other_rows() {
    for shared in [false, true] {
        let inputs = families::generate(Family::Complex, 70, 21, shared, None, 3);
        let cotangent = families::cotangent(70, 21, 4);
        let run = |threads| {
            let view = inputs.view().unwrap();
            gradients_on::<f32, f32>(threads, &view, cotangent.as_flattened(), &BkOptions::default()).unwrap()
        };
        assert_eq!(run(1), run(3));
        if !shared {
            let mut other = inputs.clone();
            other.a_re[21 * 30 + 4] = f32::NAN;
            let other = gradients_of(&other, &cotangent, &BkOptions::default());
            let (rows, found) = (bits_of_rows(&inputs, &run(2)), bits_of_rows(&inputs, &other));
            assert!((0..70).all(|row| (row == 30) == (rows[row] != found[row])));
        }
    }
}

#[test]
fn one_of_two_shared_couplings_is_summed_and_the_other_is_not() {
    let inputs = families::generate(Family::Normal, 5, 9, false, None, 2);
    let cotangent = families::cotangent(5, 9, 4);
    // Every row has the `b` of the first.
    let dense = Inputs { b: inputs.b[..8].repeat(5), ..inputs.clone() };
    let expected = gradients_of(&dense, &cotangent, &BkOptions::default());
    let Inputs { batch, n, ref a_re, ref b, ref c, z, .. } = inputs;
    let view = Tridiagonal::new(batch, n, a_re, None, &b[..8], c, z).unwrap();
    let found = gradients::<f32, f32>(&view, cotangent.as_flattened(), &BkOptions::default()).unwrap();
    assert_eq!((&found.c, &found.a_re, found.z), (&expected.c, &expected.a_re, expected.z));
    for (link, sum) in found.b.iter().enumerate() {
        let rows: f64 = (0..5).map(|row| f64::from(expected.b[8 * row + link])).sum();
        assert!((f64::from(*sum) - rows).abs() <= 1e-5 * rows.abs().max(1.0), "{sum} {rows}");
    }
}

#[test]
fn the_approximations_are_those_of_the_original() {
    for mode in [GradMode::DiagonalOnly, GradMode::Blend(0.5), GradMode::Blend(1.0)] {
        let options = BkOptions { gradient: mode, max_magnitude: Some(50.0), ..CLIPPED };
        for family in [Family::Normal, Family::Complex, Family::LargeDiagonal] {
            let inputs = families::generate(family, 3, 50, false, None, 6);
            let check = check(&inputs, &options);
            assert!(check.passed, "{mode:?} {family:?}: {check:?}");
        }
    }
    // d = 2: G = 1/2, G^2 = 1/4; -Re(conj(1 + i) / 4) = -1/4.
    let inputs = Inputs {
        batch: 1,
        n: 1,
        a_re: vec![2.0],
        a_im: None,
        b: Vec::new(),
        c: Vec::new(),
        shared: false,
        z: [0.0; 2],
    };
    let of = |gradient, inputs: &Inputs| {
        gradients_of(inputs, &[[1.0, 1.0]], &BkOptions { gradient, ..BkOptions::default() })
    };
    let diagonal = of(GradMode::DiagonalOnly, &inputs);
    assert_eq!((diagonal.a_re, diagonal.z), (vec![-0.25], [0.0; 2]));
    let quotient = of(GradMode::Blend(1.0), &inputs).a_re[0];
    assert!((quotient + 1.0 / 0.250_001).abs() < 1e-6, "{quotient}");
    // d = 1000: |G^2| = 1e-6 is raised to 1e-3, and 1 / 1.001e-3 is below the limit of 1000.
    let far = Inputs { a_re: vec![1000.0], ..inputs };
    assert!((of(GradMode::Blend(1.0), &far).a_re[0] + 1.0 / 1.001e-3).abs() < 1e-2);
}

#[test]
fn a_cotangent_of_the_wrong_length_is_refused() {
    let inputs = families::generate(Family::Normal, 2, 3, false, None, 1);
    let error = gradients::<f32, f32>(&inputs.view().unwrap(), &[0.0; 5], &BkOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "`cotangent` has 5 elements, expected 12 ([2, 3, 2])");
}
