//! Every way to be right, and every way to be wrong.

use super::*;
use crate::families::{self, Family};
use crate::inputs::Inputs;
use crate::options::GradMode;
use crate::reference::{resolvent, resolvent_values};

const PLAIN: BkOptions =
    BkOptions { max_magnitude: None, non_finite: NonFinite::Propagate, gradient: GradMode::Exact };
const ZEROED: BkOptions = BkOptions { non_finite: NonFinite::Zero, ..PLAIN };
const CLIPPED: BkOptions = BkOptions { max_magnitude: Some(50.0), ..PLAIN };

/// Sites of value `g` and unit `unit`, one row.
fn oracle(sites: &[([f64; 2], f64)]) -> Reference {
    Reference {
        n: sites.len(),
        g: sites.iter().map(|site| site.0).collect(),
        unit: sites.iter().map(|site| site.1).collect(),
        near_pole: vec![false; sites.len()],
    }
}

fn rejection(comparison: Comparison) -> String {
    comparison.rejected.expect("the output is wrong")
}

#[test]
fn statistics_of_known_errors() {
    let reference = oracle(&[([3.0, 4.0], 0.5), ([0.0, 100.0], 1.0), ([0.0, 0.0], 0.25)]);
    let result = compare(&[3.0, 4.5, 0.0, 98.0, 0.0, -0.25], &reference, &PLAIN, 4.0);
    assert_eq!(
        result,
        Comparison {
            mse: (0.25 + 4.0 + 0.0625) / 6.0,
            // 98 and 100 are both clipped to 50.
            mse_clipped: (0.25 + 0.0625) / 6.0,
            max_abs_error: 2.0,
            max_rel_error: 0.1,
            median_rel_error: 0.1,
            max_error_units: 2.0,
            max_magnitude: 100.0,
            non_finite: 0,
            expected_non_finite: 0,
            compared: 3,
            unresolved: 0,
            rejected: None,
        }
    );
}

#[test]
fn an_error_above_the_allowed_units_is_rejected_with_its_site() {
    let mut reference = oracle(&[([1.0, 0.0], 0.01); 6]);
    reference.n = 3;
    let mut output = [1.0, 0.0].repeat(6);
    output[2 * 4] = 1.25;
    assert_eq!(compare(&output, &reference, &PLAIN, 25.1).rejected, None);
    let message = rejection(compare(&output, &reference, &PLAIN, 24.0));
    assert_eq!(
        message,
        "1 of 6 sites are wrong; worst in row 1, site 1: 1.25e0+0e0i, expected 1e0+0e0i, off by 2.500e1 units \
         of which 24 are allowed"
    );
}

#[test]
fn a_zero_that_no_perturbation_moves_has_to_be_exact() {
    let mut reference = oracle(&[([0.0, 0.0], 0.0)]);
    for near_pole in [false, true] {
        reference.near_pole = vec![near_pole];
        assert_eq!(compare(&[0.0, -0.0], &reference, &PLAIN, 16.0).rejected, None);
        rejection(compare(&[f32::MIN_POSITIVE, 0.0], &reference, &PLAIN, 16.0));
    }
}

#[test]
fn results_below_the_normal_range_may_be_flushed() {
    let reference = oracle(&[([1e-40, 0.0], 1e-47)]);
    assert_eq!(compare(&[0.0, 0.0], &reference, &PLAIN, 16.0).rejected, None);
    rejection(compare(&[1e-37, 0.0], &reference, &PLAIN, 16.0));
}

#[test]
fn the_wrong_number_of_values_is_rejected() {
    let message = rejection(compare(&[0.0; 3], &oracle(&[([0.0; 2], 0.0)]), &PLAIN, 16.0));
    assert_eq!(message, "the output has 3 values, expected 2");
}

#[test]
fn a_value_that_is_not_finite_where_the_oracle_is_is_rejected() {
    let reference = oracle(&[([1.0, 0.0], 1e-7)]);
    for value in [f32::NAN, f32::INFINITY] {
        let result = compare(&[1.0, value], &reference, &PLAIN, 16.0);
        assert_eq!((result.non_finite, result.compared), (1, 0));
        rejection(result);
    }
}

#[test]
fn a_poisoned_site_has_to_be_poisoned_or_zeroed_as_asked() {
    let reference = oracle(&[([f64::NAN; 2], f64::NAN)]);
    let nan = [f32::NAN; 2];
    assert_eq!(compare(&nan, &reference, &PLAIN, 16.0).rejected, None);
    assert_eq!(compare(&nan, &reference, &CLIPPED, 16.0).rejected, None);
    assert_eq!(compare(&[0.0; 2], &reference, &ZEROED, 16.0).rejected, None);
    rejection(compare(&nan, &reference, &ZEROED, 16.0));
    rejection(compare(&[0.0; 2], &reference, &PLAIN, 16.0));
    rejection(compare(&[1.0; 2], &reference, &ZEROED, 16.0));
}

#[test]
fn an_exactly_singular_site_may_have_any_value_that_the_options_allow() {
    let reference = oracle(&[([f64::NAN; 2], f64::INFINITY)]);
    for output in [[f32::NAN; 2], [1e30, 0.0]] {
        let result = compare(&output, &reference, &PLAIN, 16.0);
        assert_eq!((result.rejected, result.unresolved), (None, 1));
    }
    assert_eq!(compare(&[50.0, 0.0], &reference, &CLIPPED, 16.0).rejected, None);
    rejection(compare(&[60.0, 0.0], &reference, &CLIPPED, 16.0));
    rejection(compare(&[f32::NAN; 2], &reference, &CLIPPED, 16.0));
    rejection(compare(&[f32::NAN; 2], &reference, &ZEROED, 16.0));
}

#[test]
fn a_pole_below_the_resolution_of_float32_is_accepted_and_a_zero_of_the_same_unit_is_not() {
    let mut reference = oracle(&[([1e9, 0.0], 1e9)]);
    reference.near_pole = vec![true];
    let far_off = [-1e12, 1e11];
    assert_eq!(compare(&far_off, &reference, &PLAIN, 16.0).rejected, None);
    assert_eq!(compare(&[f32::INFINITY; 2], &reference, &PLAIN, 16.0).unresolved, 1);
    reference.near_pole = vec![false];
    rejection(compare(&far_off, &reference, &PLAIN, 16.0));
    // A pole that is resolved excuses nothing.
    reference.near_pole = vec![true];
    reference.unit = vec![1e6];
    rejection(compare(&far_off, &reference, &PLAIN, 16.0));
}

#[test]
fn a_clip_hides_no_wrong_phase() {
    // 1e5 clipped to 50: what the unit allows at 1e5 is 1000 times less at 50.
    let reference = oracle(&[([1e5, 0.0], 10.0)]);
    assert_eq!(compare(&[50.0, 0.0], &reference, &CLIPPED, 16.0).rejected, None);
    assert_eq!(compare(&[50.0, 0.05], &reference, &CLIPPED, 16.0).rejected, None);
    rejection(compare(&[49.9, 1.0], &reference, &CLIPPED, 16.0));
    rejection(compare(&[1e5, 0.0], &reference, &CLIPPED, 16.0));
}

#[test]
fn perturbed_inputs_stay_within_the_unit_of_the_clipped_value() {
    // The bound that `unit_after_clip` derives, on inputs whose couplings carry errors of 4 roundoffs.
    let mut checked = 0;
    for seed in 0..20 {
        let inputs = families::generate(Family::Hermitian, 1, 300, false, Some([0.1, 1e-4]), seed);
        let reference = resolvent(&inputs).unwrap();
        let nudge = |(i, b): (usize, &f32)| if i % 2 == 0 { b * (1.0 + 2.0 * f32::EPSILON) } else { *b };
        let nudged = Inputs { b: inputs.b.iter().enumerate().map(nudge).collect(), ..inputs };
        let options = BkOptions { max_magnitude: Some(2.0), ..PLAIN };
        let output: Vec<f32> =
            resolvent_values(&nudged, &options).unwrap().as_flattened().iter().map(|x| *x as f32).collect();
        let result = compare(&output, &reference, &options, 8.0);
        assert_eq!(result.rejected, None);
        assert!(result.max_error_units > 1e-2, "the nudge is seen");
        checked += reference.g.iter().filter(|&&g| magnitude(g) > 2.0).count();
    }
    assert!(checked > 100, "{checked} clipped sites");
}

#[test]
fn a_stored_output_may_be_off_by_its_own_rounding_and_its_range() {
    let half = |output: [f32; 2], reference: &Reference| {
        compare_stored(&output, OutputType::F16, reference, &PLAIN, 16.0)
    };
    let one = oracle(&[([1.0, 0.0], 1e-9)]);
    let off = 1.0 + 1.0 / 2048.0;
    assert_eq!(half([off, 0.0], &one).rejected, None);
    rejection(compare(&[off, 0.0], &one, &PLAIN, 16.0));
    rejection(half([1.0 + 3.0 / 2048.0, 0.0], &one));
    let beyond = oracle(&[([70_000.0, 0.0], 1e-4)]);
    assert_eq!(half([f32::INFINITY, 0.0], &beyond).unresolved, 1);
    rejection(half([f32::INFINITY, 0.0], &one));
    let small = oracle(&[([3e-5, 0.0], 1e-12)]);
    assert_eq!(half([3.001e-5, 0.0], &small).rejected, None);
}
