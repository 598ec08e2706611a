//! The float32 scan against the oracle and the vectors, and what the contract says of special values.

use proptest::prelude::*;

use super::*;
use crate::families::{self, Family};
use crate::inputs::Inputs;
use crate::options::NonFinite;
use crate::reference::{self, Comparison};
use crate::vectors;

/// Error units that a serial float32 scan is allowed; it needs about 7.
const ALLOWED_UNITS: f64 = 16.0;

fn scan(inputs: &Inputs, options: &BkOptions) -> Vec<f32> {
    let mut output = vec![7.0; inputs.sites() * 2];
    resolvent(&inputs.view().unwrap(), options, &mut output).unwrap();
    output
}

fn plain(inputs: &Inputs) -> Vec<f32> {
    scan(inputs, &BkOptions::default())
}

fn compare(inputs: &Inputs, options: &BkOptions) -> Comparison {
    let oracle = reference::resolvent(inputs).unwrap();
    reference::compare(&scan(inputs, options), &oracle, options, ALLOWED_UNITS)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Whether the sites of a row are NaN.
fn nan_sites(output: &[f32]) -> Vec<bool> {
    output.as_chunks::<2>().0.iter().map(|[re, im]| re.is_nan() && im.is_nan()).collect()
}

fn any_family() -> impl Strategy<Value = Family> {
    proptest::sample::select(Family::ALL.to_vec())
}

#[test]
fn every_vector_is_met_and_singular_sites_are_nan() {
    for vector in vectors::load_embedded().unwrap() {
        let check = vector.check(&plain(&vector.inputs), ALLOWED_UNITS);
        assert!(check.passed, "{}: {check:?}", vector.name);
        assert_eq!(check.undefined_but_finite, 0, "{}", vector.name);
    }
}

#[test]
fn every_vector_passes_the_oracles_rule() {
    for vector in vectors::load_embedded().unwrap() {
        let comparison = compare(&vector.inputs, &BkOptions::default());
        assert_eq!(comparison.rejected, None, "{}", vector.name);
    }
}

#[test]
fn every_family_is_within_the_allowed_units_at_every_length() {
    for family in Family::ALL {
        for n in [1, 2, 3, 4, 5, 16, 17, 33, 4096, 65536] {
            let comparison =
                compare(&families::generate(family, 2, n, n == 33, None, 7), &BkOptions::default());
            assert_eq!(comparison.rejected, None, "{family:?} {n}");
            assert_eq!(comparison.unresolved, 0, "{family:?} {n}");
        }
    }
}

#[test]
fn long_hermitian_rows_near_their_spectrum_keep_their_digits() {
    for distance in [1e-3, 1e-6] {
        let inputs = families::generate(Family::Hermitian, 1, 65536, false, Some([0.1, distance]), 3);
        let comparison = compare(&inputs, &BkOptions::default());
        assert_eq!(comparison.rejected, None);
        assert_eq!(comparison.unresolved, 0);
    }
}

#[test]
fn a_small_imaginary_part_keeps_its_digits_in_a_long_row() {
    let inputs = families::generate(Family::Hermitian, 1, 65536, false, Some([0.1, 1e-6]), 3);
    let expected = reference::resolvent(&inputs).unwrap().g;
    let output = plain(&inputs);
    let mut errors: Vec<f64> = expected
        .iter()
        .zip(output.as_chunks::<2>().0)
        .map(|(e, o)| (f64::from(o[1]) / e[1] - 1.0).abs())
        .collect();
    errors.sort_by(f64::total_cmp);
    // Without canonical states the median is 1e-4 here.
    assert!(errors[errors.len() / 2] < 2e-6, "median {}", errors[errors.len() / 2]);
}

#[test]
fn the_working_range_is_2_to_the_minus_18_to_30() {
    let normal = families::generate(Family::Normal, 1, 4096, false, None, 5);
    for exponent in [-18, 30] {
        let scaled = |x: &[f32]| x.iter().map(|x| x * 2.0_f32.powi(exponent)).collect::<Vec<_>>();
        let inputs = Inputs {
            a_re: scaled(&normal.a_re),
            b: scaled(&normal.b),
            c: scaled(&normal.c),
            z: normal.z.map(|z| z * 2.0_f32.powi(exponent)),
            ..normal.clone()
        };
        assert_eq!(compare(&inputs, &BkOptions::default()).rejected, None, "2^{exponent}");
    }
}

#[test]
fn the_hopping_chain_is_exactly_zero() {
    let zeros = Inputs {
        batch: 1,
        n: 40,
        a_re: vec![0.0; 40],
        a_im: None,
        b: vec![1.0; 39],
        c: vec![1.0; 39],
        shared: false,
        z: [0.0; 2],
    };
    assert!(plain(&zeros).iter().all(|&value| value == 0.0));
}

proptest! {
    #[test]
    fn a_block_does_not_depend_on_a_bit_of_the_blocks_beside_it(
        n in 3_usize..80, at in 0.0..1.0_f64, seed: u64, zero_b: bool,
        poison in proptest::sample::select(vec![f32::NAN, f32::INFINITY, 1e30, 0.0]),
    ) {
        // Sites 0..=cut are one block, the rest another.
        let cut = ((n - 1) as f64 * at) as usize;
        let mut inputs = families::generate(Family::Complex, 1, n, false, None, seed);
        if zero_b { inputs.b[cut] = 0.0 } else { inputs.c[cut] = -0.0 }
        let before = plain(&inputs);
        let mut left_changed = inputs.clone();
        left_changed.a_re[cut / 2] = poison;
        let mut right_changed = inputs.clone();
        right_changed.a_re[(cut + n) / 2] = poison;
        let edge = 2 * (cut + 1);
        prop_assert_eq!(bits(&plain(&left_changed)[edge..]), bits(&before[edge..]));
        prop_assert_eq!(bits(&plain(&right_changed)[..edge]), bits(&before[..edge]));
    }

    #[test]
    fn a_nan_or_an_infinity_makes_its_whole_block_nan(
        n in 2_usize..60, at in 0.0..1.0_f64, field in 0_usize..4, seed: u64,
        poison in proptest::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ) {
        let mut inputs = families::generate(Family::Complex, 1, n, false, None, seed);
        let links = &mut [&mut inputs.b, &mut inputs.c];
        let (site, link) = ((n as f64 * at) as usize, ((n - 1) as f64 * at) as usize);
        match field {
            0 => inputs.a_re[site] = poison,
            1 => inputs.a_im.as_mut().unwrap()[site] = poison,
            field => links[field - 2][link] = poison,
        }
        prop_assert!(nan_sites(&plain(&inputs)).into_iter().all(|nan| nan));
        prop_assert_eq!(compare(&inputs, &BkOptions::default()).rejected, None);
        let zeroed = scan(&inputs, &BkOptions { non_finite: NonFinite::Zero, ..BkOptions::default() });
        prop_assert!(zeroed.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn rows_are_independent_and_shared_couplings_are_repeated_rows(
        family in any_family(), batch in 1_usize..5, n in 1_usize..40, seed: u64,
    ) {
        let shared = families::generate(family, batch, n, true, None, seed);
        let together = plain(&shared);
        for row in 0..batch {
            let (re, im) = shared.row_diagonal(row);
            let alone = Inputs {
                batch: 1, a_re: re.to_vec(), a_im: im.map(<[f32]>::to_vec), shared: false, ..shared.clone()
            };
            prop_assert_eq!(&bits(&plain(&alone)), &bits(&together[row * n * 2..(row + 1) * n * 2]));
        }
        let repeated = Inputs { b: shared.b.repeat(batch), c: shared.c.repeat(batch), shared: false, ..shared };
        prop_assert_eq!(bits(&plain(&repeated)), bits(&together));
    }

    #[test]
    fn threads_do_not_change_a_bit(batch in 1_usize..9, n in 1_usize..20, threads in 2_usize..12, seed: u64) {
        let inputs = families::generate(Family::Normal, batch, n, false, None, seed);
        let mut output = vec![0.0_f32; batch * n * 2];
        resolvent_on(threads, &inputs.view().unwrap(), &BkOptions::default(), &mut output).unwrap();
        prop_assert_eq!(bits(&output), bits(&plain(&inputs)));
    }

    #[test]
    fn a_clip_keeps_the_phase_and_leaves_smaller_values_alone(family in any_family(), max in 0.01_f32..3.0, seed: u64) {
        let inputs = families::generate(family, 1, 64, false, None, seed);
        let options = BkOptions { max_magnitude: Some(max), ..BkOptions::default() };
        prop_assert_eq!(compare(&inputs, &options).rejected, None);
        let (free, clipped) = (plain(&inputs), scan(&inputs, &options));
        for (free, clipped) in free.as_chunks::<2>().0.iter().zip(clipped.as_chunks::<2>().0) {
            if free[0].hypot(free[1]) < max * 0.999 {
                prop_assert_eq!(free, clipped);
            }
        }
    }
}

/// `[[2, 2], [2, 2]]` at `z = 0`, singular, and `[[0]]` beyond a cut.
fn singular() -> Inputs {
    Inputs {
        batch: 1,
        n: 3,
        a_re: vec![2.0, 2.0, 0.0],
        a_im: None,
        b: vec![2.0, 0.0],
        c: vec![2.0, 1.0],
        shared: false,
        z: [0.0; 2],
    }
}

#[test]
fn an_exactly_singular_block_is_nan_without_a_clip() {
    assert_eq!(nan_sites(&plain(&singular())), [true; 3]);
    let zeroed = scan(&singular(), &BkOptions { non_finite: NonFinite::Zero, ..BkOptions::default() });
    assert_eq!(zeroed, [0.0; 6]);
}

#[test]
fn an_exactly_singular_block_takes_the_largest_magnitude_and_the_phase_of_its_numerator() {
    let options = BkOptions { max_magnitude: Some(50.0), ..BkOptions::default() };
    assert_eq!(scan(&singular(), &options), [50.0, 0.0, 50.0, 0.0, 50.0, 0.0]);
}

#[test]
fn a_singular_site_without_a_numerator_is_zero_under_a_clip() {
    // Three hopping sites at z = 0 are singular; at the middle one the numerator vanishes too.
    let inputs = Inputs { a_re: vec![0.0; 3], b: vec![1.0; 2], c: vec![1.0; 2], ..singular() };
    let options = BkOptions { max_magnitude: Some(2.0), ..BkOptions::default() };
    let output = scan(&inputs, &options);
    assert_eq!(output[2..4], [0.0, 0.0]);
    assert_eq!((output[0].hypot(output[1]), output[4].hypot(output[5])), (2.0, 2.0));
}

#[test]
fn a_value_beyond_float32_is_clipped_with_its_phase() {
    let inputs = Inputs { n: 1, a_re: vec![1e-45], b: vec![], c: vec![], z: [0.0, 1e-45], ..singular() };
    assert!(plain(&inputs).iter().all(|value| !value.is_finite()));
    let output = scan(&inputs, &BkOptions { max_magnitude: Some(1.0), ..BkOptions::default() });
    let diagonal = 0.5_f32.sqrt();
    assert!((output[0] - diagonal).abs() < 1e-6 && (output[1] - diagonal).abs() < 1e-6, "{output:?}");
}

#[test]
fn float64_is_float64() {
    let inputs = families::generate(Family::Normal, 1, 500, false, None, 2);
    let wide = |x: &[f32]| x.iter().copied().map(f64::from).collect::<Vec<_>>();
    let (a, b, c) = (wide(&inputs.a_re), wide(&inputs.b), wide(&inputs.c));
    let view = Tridiagonal::new(1, 500, &a, None, &b, &c, inputs.z.map(f64::from)).unwrap();
    let mut output = vec![0.0_f64; 1000];
    resolvent(&view, &BkOptions::default(), &mut output).unwrap();
    let oracle = reference::resolvent(&inputs).unwrap();
    for (site, [re, im]) in output.as_chunks::<2>().0.iter().enumerate() {
        let error = (re - oracle.g[site][0]).hypot(im - oracle.g[site][1]);
        assert!(error < 1e-7 * oracle.unit[site], "{site}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused_by_name() {
    let message = |result: Result<Tridiagonal<'_, f32>, ShapeError>| result.unwrap_err().to_string();
    let (two, three, six) = ([0.0; 2], [0.0; 3], [0.0; 6]);
    let new = |batch, a_re, a_im, b, c| Tridiagonal::new(batch, 3, a_re, a_im, b, c, [0.0; 2]);
    assert_eq!(message(new(0, &[], None, &[], &[])), "batch and n are at least 1, got batch = 0, n = 3");
    assert_eq!(message(new(2, &three, None, &two, &two)), "`a_re` has 3 elements, expected 6 ([2, 3])");
    assert_eq!(message(new(2, &six, Some(&two), &two, &two)), "`a_im` has 2 elements, expected 6 ([2, 3])");
    let b = "`b` has 3 elements, expected 4 ([2, 2]) or 2 ([1, 2])";
    assert_eq!(message(new(2, &six, None, &three, &two)), b);
    let view = new(2, &six, None, &two, &[0.0; 4]).unwrap();
    let error = resolvent(&view, &BkOptions::default(), &mut [0.0_f32; 6]).unwrap_err();
    assert_eq!(error.to_string(), "`output` has 6 elements, expected 12 ([2, 3, 2])");
}
