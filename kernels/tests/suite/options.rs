//! Clipping and what is not finite, by each routine.

use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::{BkOptions, NonFinite, Routine, Strategy};

use crate::device::{assert_right, bits, narrow, run, tiled};

/// Rounding of a scaled value, relative to it: square root, quotient, product.
const ROUNDING: f64 = 4.0 / (1 << 24) as f64;

fn each_routine() -> [Strategy; 3] {
    [Strategy::forced(Routine::Serial), narrow(), tiled(2)]
}

fn clip(bound: f32) -> BkOptions {
    BkOptions { max_magnitude: Some(bound), ..BkOptions::default() }
}

/// Close to the real axis, so that magnitudes go from far below 0.5 to far above 50.
fn resonant() -> Inputs {
    generate(Family::Hermitian, 4, 257, false, Some([0.1, 1e-4]), 67)
}

fn complex(parts: &[f32; 2]) -> [f64; 2] {
    parts.map(f64::from)
}

fn magnitude([re, im]: [f64; 2]) -> f64 {
    re.hypot(im)
}

#[test]
fn clipped_values_keep_their_phase_and_the_others_their_bits() {
    let inputs = resonant();
    for strategy in each_routine() {
        let raw = run(&inputs, &BkOptions::default(), &strategy);
        for bound in [0.5, 50.0] {
            let output = run(&inputs, &clip(bound), &strategy);
            let (mut clipped, mut kept) = (0, 0);
            for (output, raw) in output.as_chunks::<2>().0.iter().zip(raw.as_chunks::<2>().0) {
                let (value, before) = (complex(output), complex(raw));
                let bound = f64::from(bound);
                assert!(magnitude(value) <= bound * (1.0 + ROUNDING), "{value:?}, bound {bound}");
                if magnitude(before) > bound * (1.0 + ROUNDING) {
                    clipped += 1;
                    let expected = before.map(|part| part * (bound / magnitude(before)));
                    let error = (value[0] - expected[0]).hypot(value[1] - expected[1]);
                    assert!(error <= 4.0 * ROUNDING * bound, "{value:?} of {before:?}, {strategy:?}");
                } else if magnitude(before) < bound * (1.0 - ROUNDING) {
                    kept += 1;
                    assert_eq!(bits(output), bits(raw), "bound {bound}, {strategy:?}");
                }
            }
            assert!(clipped > 0 && kept > 0, "{clipped} clipped and {kept} kept at {bound}");
        }
    }
}

#[test]
fn clipped_values_are_those_of_the_oracle() {
    for bound in [0.5, 50.0] {
        for family in [Family::Normal, Family::Complex] {
            let inputs = generate(family, 2, 257, false, None, 71);
            assert_right(&format!("{family:?} at {bound}"), &inputs, &clip(bound), &each_routine());
        }
        assert_right(&format!("resonant at {bound}"), &resonant(), &clip(bound), &each_routine());
    }
}

/// Three rows: an isolated zero; a block of three that is exactly singular; a NaN. All at site 20 of a row
/// with nothing else wrong.
fn broken() -> Inputs {
    let mut inputs = generate(Family::Normal, 3, 40, false, Some([0.25, 0.0]), 73);
    let link = |row: usize, site: usize| row * 39 + site;
    for (row, sites) in [(0, 20..21), (1, 19..22)] {
        inputs.a_re[row * 40..][sites.clone()].fill(0.25);
        inputs.b[link(row, sites.start - 1)] = 0.0;
        inputs.c[link(row, sites.end - 1)] = 0.0;
        for site in sites.start..sites.end - 1 {
            (inputs.b[link(row, site)], inputs.c[link(row, site)]) = (1.0, 1.0);
        }
    }
    inputs.a_re[2 * 40 + 20] = f32::NAN;
    (inputs.b[link(2, 15)], inputs.b[link(2, 22)]) = (0.0, 0.0);
    inputs
}

/// Row and site of a value of [`broken`].
fn at(output: &[f32], row: usize, site: usize) -> [f32; 2] {
    output.as_chunks::<2>().0[row * 40 + site]
}

#[test]
fn a_singular_site_is_clipped_to_the_bound_or_to_zero() {
    for strategy in each_routine() {
        for bound in [0.5, 50.0] {
            let output = run(&broken(), &clip(bound), &strategy);
            for (row, site) in [(0, 20), (1, 19), (1, 21)] {
                let size = magnitude(complex(&at(&output, row, site)));
                let error = (size / f64::from(bound) - 1.0).abs();
                assert!(error <= ROUNDING, "row {row}, site {site}: |G| = {size}, {strategy:?}");
            }
            // num is the product of two determinants of one site, which are zero.
            assert_eq!(at(&output, 1, 20), [0.0; 2], "{strategy:?}");
            assert!(at(&output, 2, 20)[0].is_nan(), "a clip does not hide a NaN, {strategy:?}");
        }
    }
}

#[test]
fn zeroing_leaves_nothing_that_is_not_finite_and_the_rest_as_it_was() {
    let zero = BkOptions { non_finite: NonFinite::Zero, ..BkOptions::default() };
    for strategy in each_routine() {
        let raw = run(&broken(), &BkOptions::default(), &strategy);
        let output = run(&broken(), &zero, &strategy);
        for (output, raw) in output.as_chunks::<2>().0.iter().zip(raw.as_chunks::<2>().0) {
            let expected = if raw.iter().all(|part| part.is_finite()) { *raw } else { [0.0; 2] };
            assert_eq!(bits(output), bits(&expected), "{raw:?}, {strategy:?}");
        }
        let zeroed = raw.as_chunks::<2>().0.iter().filter(|raw| raw[0].is_nan()).count();
        // One, three, and the sites 16..=22 of the block with the NaN.
        assert_eq!(zeroed, 1 + 3 + 7, "{strategy:?}");
    }
    assert_right("broken", &broken(), &zero, &each_routine());
}

#[test]
fn with_both_options_a_singular_site_is_clipped_and_a_nan_is_zero() {
    for strategy in each_routine() {
        let both = BkOptions { non_finite: NonFinite::Zero, ..clip(50.0) };
        let output = run(&broken(), &both, &strategy);
        assert!(output.iter().all(|part| part.is_finite()), "{strategy:?}");
        let size = magnitude(complex(&at(&output, 0, 20)));
        assert!((size / 50.0 - 1.0).abs() <= ROUNDING, "{strategy:?}: {size}");
        assert_eq!(at(&output, 2, 20), [0.0; 2], "{strategy:?}");
        assert_right("broken", &broken(), &both, &[strategy]);
    }
}

#[test]
fn a_value_beyond_float32_is_clipped_with_its_phase() {
    // 1 / d = 1 / (3e-39 - 4e-39 i) is (0.6 + 0.8 i) times 2e38 times 10, where denormals are kept, and the
    // site is exactly singular where they are flushed.
    let inputs = Inputs {
        batch: 1,
        n: 1,
        a_re: vec![3e-39],
        a_im: None,
        b: Vec::new(),
        c: Vec::new(),
        shared: false,
        z: [0.0, 4e-39],
    };
    for strategy in each_routine() {
        let output = run(&inputs, &clip(50.0), &strategy);
        let value = complex(&[output[0], output[1]]);
        let error = (value[0] - 30.0).hypot(value[1] - 40.0);
        let flushed = (value[0] - 50.0).hypot(value[1]);
        assert!(error < 1e-3 || flushed < 1e-3, "{value:?}, {strategy:?}");
    }
}
