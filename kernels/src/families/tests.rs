//! That the streams stay what they are, and that families are what they say.

use super::*;

const SITES: usize = 20_000;

fn large(family: Family) -> Inputs {
    generate(family, 1, SITES, false, None, 42)
}

fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

/// Mean and deviation to five of their standard errors.
fn is_normal(values: &[f32], mean: f64, deviation: f64) -> bool {
    let (found_mean, found_deviation) = mean_and_deviation(values);
    let slack = 5.0 * deviation / (values.len() as f64).sqrt();
    (found_mean - mean).abs() < slack && (found_deviation - deviation).abs() < slack
}

#[test]
fn families_are_what_they_say() {
    let normal = large(Family::Normal);
    assert!([&normal.a_re, &normal.b, &normal.c].into_iter().all(|x| is_normal(x, 0.0, 1.0)));
    assert_eq!((normal.z, normal.a_im), ([0.1, 0.1], None));

    let default = large(Family::Default);
    assert!(is_normal(&default.a_re, -2.0, 1.0));
    assert!(default.b.iter().chain(&default.c).all(|&x| x == 1.0));
    assert_eq!(default.z, [0.0, 1.0]);

    let hermitian = large(Family::Hermitian);
    assert!(is_normal(&hermitian.b, 0.0, 1.0) && hermitian.b == hermitian.c);

    let antisymmetric = large(Family::Antisymmetric);
    assert!(antisymmetric.b.iter().zip(&antisymmetric.c).all(|(b, c)| *b == -*c));

    let dominant = large(Family::DiagonallyDominant);
    let positive = dominant.a_re.iter().filter(|&&a| a == 4.0).count();
    assert!(dominant.a_re.iter().all(|a| a.abs() == 4.0) && (9_600..10_400).contains(&positive));

    for family in [Family::LargeDiagonal, Family::LargeEntries] {
        let inputs = large(family);
        let largest = inputs.a_re.iter().fold(0.0_f32, |largest, a| largest.max(a.abs()));
        assert!((9_990.0..=10_000.0).contains(&largest), "{largest}");
        let deviation = if family == Family::LargeEntries { 100.0 } else { 1.0 };
        assert!(is_normal(&inputs.b, 0.0, deviation) && is_normal(&inputs.c, 0.0, deviation));
    }

    let free = large(Family::Free);
    assert!(free.a_re.iter().all(|&a| a == 0.0) && free.b.iter().all(|&b| b == 1.0));
    assert_eq!(free.z, [0.5, 0.1]);

    let complex = large(Family::Complex);
    assert!(complex.a_im.unwrap().iter().all(|&im| im <= 0.0) && is_normal(&complex.a_re, 0.0, 1.0));
}

#[test]
fn mixed_couplings_are_log_uniform_with_random_signs() {
    let mixed = large(Family::Mixed);
    for couplings in [&mixed.b, &mixed.c] {
        let logs: Vec<f32> = couplings.iter().map(|x| x.abs().log10()).collect();
        assert!(logs.iter().all(|log| (-2.0..=2.0).contains(log)));
        let (mean, deviation) = mean_and_deviation(&logs);
        assert!(mean.abs() < 0.05 && (deviation - 4.0 / 12.0_f64.sqrt()).abs() < 0.05);
        let positive = couplings.iter().filter(|&&x| x > 0.0).count();
        assert!((9_600..10_400).contains(&positive));
    }
}

#[test]
fn the_size_of_the_batch_and_shared_couplings_change_no_other_value() {
    for family in Family::ALL {
        let (one, three) = (generate(family, 1, 9, false, None, 5), generate(family, 3, 9, false, None, 5));
        assert_eq!((&one.a_re[..], &one.b[..], &one.c[..]), (&three.a_re[..9], &three.b[..8], &three.c[..8]));
        let shared = generate(family, 3, 9, true, None, 5);
        assert_eq!((shared.a_re, shared.a_im), (three.a_re, three.a_im));
        assert_eq!((shared.b, shared.c), (one.b, one.c));
    }
}

#[test]
fn seeds_and_arrays_are_independent() {
    let (one, two) = (
        generate(Family::Normal, 1, SITES, false, None, 1),
        generate(Family::Normal, 1, SITES, false, None, 2),
    );
    for (x, y) in [(&one.a_re, &two.a_re), (&one.a_re, &one.b), (&one.b, &one.c)] {
        let products: Vec<f32> = x.iter().zip(y).map(|(x, y)| x * y).collect();
        assert!(is_normal(&products, 0.0, 1.0), "a product of independent normals has mean 0, deviation 1");
    }
}

#[test]
fn a_given_z_replaces_the_familys_own() {
    assert_eq!(generate(Family::Free, 1, 2, false, Some([1.0, -2.0]), 0).z, [1.0, -2.0]);
}

#[test]
fn the_stream_is_the_one_that_results_were_published_with() {
    let complex = generate(Family::Complex, 1, 3, false, None, 42);
    assert_eq!(complex.a_re, [-0.329_613_06, 0.736_742_2, 1.378_494]);
    assert_eq!(complex.a_im.unwrap(), [-1.577_876_4, -0.227_780_91, -1.898_907_8]);
    assert_eq!((complex.b, complex.c), (vec![-2.630_969, -0.589_829_3], vec![-0.097_629_055, 1.649_912_5]));
    assert_eq!(generate(Family::Mixed, 1, 3, false, None, 42).b, [0.114_360_81, -0.258_109_48]);
    assert_eq!(generate(Family::LargeEntries, 1, 2, false, None, 42).a_re, [-7_109.332_5, 3_206.401]);
}
