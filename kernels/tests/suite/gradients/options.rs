//! The derivative of clip and zeroing, and the original's approximations.

use bk_kernels::families::{Family, cotangent, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::{BkOptions, GradMode, NonFinite};

use super::device::{assert_right, backward, tiled};

fn clip(bound: f32) -> BkOptions {
    BkOptions { max_magnitude: Some(bound), ..BkOptions::default() }
}

fn zero() -> BkOptions {
    BkOptions { non_finite: NonFinite::Zero, ..BkOptions::default() }
}

#[test]
fn clipped_values_pass_on_what_turns_them() {
    for bound in [0.5, 50.0] {
        for im in [1e-1, 1e-3] {
            let inputs = generate(Family::Hermitian, 3, 100, false, Some([0.1, im]), 71);
            assert_right(&format!("{bound} {im}"), &inputs, &clip(bound), &[tiled(2)], 0.2);
        }
    }
}

/// A NaN, an isolated singular site and an infinite coupling, each in a row of its own with cuts around it.
fn broken() -> Inputs {
    let mut inputs = generate(Family::Normal, 3, 40, false, Some([0.25, 0.0]), 73);
    for row in 0..3 {
        (inputs.b[row * 39 + 19], inputs.c[row * 39 + 20]) = (0.0, 0.0);
    }
    inputs.a_re[20] = f32::NAN;
    inputs.a_re[40 + 20] = 0.25;
    inputs.b[2 * 39 + 5] = f32::INFINITY;
    inputs
}

#[test]
fn zeroed_values_pass_nothing_on_and_no_gradient_is_left_that_is_not_finite() {
    let inputs = broken();
    let found = backward(&inputs, &cotangent(3, 40, 5), &zero(), &tiled(2));
    let all = found.a_re.iter().chain(&found.b).chain(&found.c).chain(&found.z);
    assert!(all.clone().all(|x| x.is_finite()));
    assert_eq!((found.a_re[20], found.a_re[60]), (0.0, 0.0));
    assert!(found.a_re[80..100].iter().all(|&x| x == 0.0), "the block of the infinite coupling");
    assert!(found.z.iter().all(|&x| x != 0.0), "the other blocks add to the sum");
    assert_right("broken", &inputs, &zero(), &[tiled(2)], 0.2);
}

#[test]
fn a_clip_bounds_a_singular_site_and_does_not_hide_a_nan() {
    let found = backward(&broken(), &cotangent(3, 40, 5), &clip(50.0), &tiled(2));
    assert!(found.a_re[20].is_nan() && found.a_re[85].is_nan());
    assert_eq!(found.a_re[60], 0.0);
}

#[test]
fn the_approximations_are_those_of_the_original() {
    for mode in [GradMode::DiagonalOnly, GradMode::Blend(0.5)] {
        let options = BkOptions { gradient: mode, ..clip(50.0) };
        let inputs = generate(Family::LargeDiagonal, 2, 60, false, None, 7);
        assert_right(&format!("{mode:?}"), &inputs, &options, &[tiled(2)], 0.0);
        let inputs = generate(Family::Normal, 2, 60, true, None, 7);
        assert_right(&format!("{mode:?}"), &inputs, &options, &[tiled(2)], 0.0);
    }
}
