//! Zeros, cuts, singular blocks, NaN: what must not touch what, bit for bit, and the symmetries of the
//! problem.

use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{self, compare};
use bk_kernels::{BkOptions, Strategy};

use crate::device::{ALLOWED_UNITS, assert_right, bits, run, strategies};

const SITES: usize = 96;
/// Sites before the cut: around the middles and the edges of chunks of 32, tiles of 64, and the ends of the row.
const CUTS: [usize; 14] = [1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 63, 64, 65, 95];

/// How a coupling becomes exactly zero.
#[derive(Clone, Copy, Debug)]
enum Cut {
    B,
    C,
    /// Neither is zero, but their product is not a float32.
    Underflow,
}

/// What is on the other side of the cut.
#[derive(Clone, Copy, Debug)]
enum Poison {
    Nan,
    NanCoupling,
    Infinite,
    Huge,
    Singular,
}

/// One row of the batch.
#[derive(Clone, Copy, Debug)]
struct Case {
    cut: Cut,
    poison: Poison,
    /// Sites before the cut.
    at: usize,
    /// Whether the poison is before the cut.
    before: bool,
}

fn cases() -> Vec<Case> {
    let poisons = [Poison::Nan, Poison::NanCoupling, Poison::Infinite, Poison::Huge, Poison::Singular];
    let mut cases = Vec::new();
    for (cut, poison) in [Cut::B, Cut::C, Cut::Underflow].iter().flat_map(|cut| poisons.map(|p| (*cut, p))) {
        for (at, before) in CUTS.iter().flat_map(|at| [(*at, false), (*at, true)]) {
            cases.push(Case { cut, poison, at, before });
        }
    }
    cases
}

impl Case {
    fn poisoned_sites(&self) -> std::ops::Range<usize> {
        if self.before { 0..self.at } else { self.at..SITES }
    }

    fn apply_cut(&self, row: usize, inputs: &mut Inputs) {
        let link = row * (SITES - 1) + self.at - 1;
        match self.cut {
            Cut::B => inputs.b[link] = 0.0,
            Cut::C => inputs.c[link] = -0.0,
            Cut::Underflow => (inputs.b[link], inputs.c[link]) = (1e-30, -1e-30),
        }
    }

    fn apply_poison(&self, row: usize, inputs: &mut Inputs) {
        let sites = self.poisoned_sites();
        let diagonal = &mut inputs.a_re[row * SITES..][sites.clone()];
        // The links within the poisoned block, and the site next to the cut.
        let links = row * (SITES - 1) + sites.start..row * (SITES - 1) + sites.end - 1;
        let next = if self.before { diagonal.len() - 1 } else { 0 };
        match self.poison {
            Poison::Nan => diagonal[next] = f32::NAN,
            Poison::NanCoupling if links.is_empty() => diagonal[next] = f32::NAN,
            Poison::NanCoupling => inputs.b[if self.before { links.end - 1 } else { links.start }] = f32::NAN,
            Poison::Infinite => diagonal[next] = f32::NEG_INFINITY,
            Poison::Huge => diagonal.fill(3e38),
            Poison::Singular => {
                // d = 0 and k = 1: exactly singular for an odd number of sites. A site cut off makes it odd.
                diagonal.fill(inputs.z[0]);
                inputs.b[links.clone()].fill(1.0);
                inputs.c[links.clone()].fill(1.0);
                if diagonal.len().is_multiple_of(2) {
                    inputs.b[if self.before { links.end - 1 } else { links.start }] = 0.0;
                }
            }
        }
    }
}

/// Ordinary rows with a cut each, and the same rows with the poison.
fn clean_and_poisoned(family: Family, z: [f32; 2]) -> (Vec<Case>, Inputs, Inputs) {
    let cases = cases();
    let mut clean = generate(family, cases.len(), SITES, false, Some(z), 17);
    for (row, case) in cases.iter().enumerate() {
        case.apply_cut(row, &mut clean);
    }
    let mut poisoned = clean.clone();
    for (row, case) in cases.iter().enumerate() {
        case.apply_poison(row, &mut poisoned);
    }
    (cases, clean, poisoned)
}

fn row(output: &[f32], row: usize, n: usize) -> &[f32] {
    &output[2 * row * n..2 * (row + 1) * n]
}

#[test]
fn what_is_beyond_a_cut_changes_no_bit() {
    // Only a real shift makes a block of a real matrix exactly singular; the other shows both parts.
    for (family, z) in
        [(Family::Normal, [0.25, 0.0]), (Family::Normal, [0.1, 0.1]), (Family::Complex, [0.1, 0.1])]
    {
        let (cases, clean, poisoned) = clean_and_poisoned(family, z);
        let oracle = reference::resolvent(&clean).unwrap();
        for strategy in strategies(SITES) {
            let expected = run(&clean, &BkOptions::default(), &strategy);
            let output = run(&poisoned, &BkOptions::default(), &strategy);
            for (index, case) in cases.iter().enumerate() {
                let sites = if case.before { case.at..SITES } else { 0..case.at };
                let parts = 2 * sites.start..2 * sites.end;
                let expected = &row(&expected, index, SITES)[parts.clone()];
                let output = &row(&output, index, SITES)[parts];
                assert!(expected.iter().all(|part| part.is_finite()), "{case:?} {strategy:?}");
                assert_eq!(bits(output), bits(expected), "{family:?} z = {z:?} {case:?} {strategy:?}");
            }
            let rejected = compare(&expected, &oracle, &BkOptions::default(), ALLOWED_UNITS).rejected;
            assert_eq!(rejected, None, "{family:?} z = {z:?} {strategy:?}");
        }
    }
}

#[test]
fn an_exactly_singular_block_is_nan_and_only_that() {
    let (cases, _, poisoned) = clean_and_poisoned(Family::Normal, [0.25, 0.0]);
    for strategy in strategies(SITES) {
        let output = run(&poisoned, &BkOptions::default(), &strategy);
        for (index, case) in cases.iter().enumerate() {
            let Case { poison: Poison::Singular, .. } = case else { continue };
            let values = row(&output, index, SITES);
            let singular = case.poisoned_sites();
            for (site, value) in values.as_chunks::<2>().0.iter().enumerate() {
                let expected = singular.contains(&site);
                // The site that was cut off to make the rest odd is singular too.
                assert_eq!(value[0].is_nan(), expected, "{case:?} {strategy:?} site {site}: {value:?}");
            }
        }
    }
}

#[test]
fn a_row_of_nan_changes_no_bit_of_the_others() {
    for n in [3, 33, 257] {
        let clean = generate(Family::Normal, 9, n, false, None, 19);
        let mut poisoned = clean.clone();
        poisoned.a_re[4 * n..5 * n].fill(f32::NAN);
        for strategy in strategies(n) {
            let expected = run(&clean, &BkOptions::default(), &strategy);
            let output = run(&poisoned, &BkOptions::default(), &strategy);
            for index in (0..9).filter(|index| *index != 4) {
                let (output, expected) = (row(&output, index, n), row(&expected, index, n));
                assert_eq!(bits(output), bits(expected), "row {index} of {n} sites, {strategy:?}");
            }
            assert!(row(&output, 4, n).iter().all(|part| part.is_nan()), "{n} sites, {strategy:?}");
        }
    }
}

#[test]
fn rows_in_another_order_give_the_same_bits_in_that_order() {
    let (batch, n) = (7, 33);
    let inputs = generate(Family::Normal, batch, n, false, None, 23);
    let source = |index: usize| (3 * index + 2) % batch;
    let permute = |values: &[f32]| -> Vec<f32> {
        let width = values.len() / batch;
        (0..batch).flat_map(|index| &values[source(index) * width..][..width]).copied().collect()
    };
    let permuted = Inputs {
        a_re: permute(&inputs.a_re),
        b: permute(&inputs.b),
        c: permute(&inputs.c),
        ..inputs.clone()
    };
    for strategy in strategies(n) {
        let expected = permute(&run(&inputs, &BkOptions::default(), &strategy));
        let output = run(&permuted, &BkOptions::default(), &strategy);
        assert_eq!(bits(&output), bits(&expected), "{strategy:?}");
    }
}

#[test]
fn a_reversed_chain_has_the_reversed_diagonal() {
    for n in [17, 257, 1000] {
        let inputs = generate(Family::Normal, 1, n, false, None, 29);
        let reversed = |values: &[f32]| -> Vec<f32> { values.iter().rev().copied().collect() };
        let mirrored = Inputs {
            a_re: reversed(&inputs.a_re),
            b: reversed(&inputs.c),
            c: reversed(&inputs.b),
            ..inputs.clone()
        };
        let oracle = reference::resolvent(&inputs).unwrap();
        for strategy in strategies(n) {
            let output = run(&mirrored, &BkOptions::default(), &strategy);
            let output: Vec<f32> = output.as_chunks::<2>().0.iter().rev().flatten().copied().collect();
            let rejected = compare(&output, &oracle, &BkOptions::default(), ALLOWED_UNITS).rejected;
            assert_eq!(rejected, None, "{n} sites, {strategy:?}");
        }
    }
}

#[test]
fn a_matrix_times_a_power_of_two_has_the_resolvent_over_it() {
    let inputs = generate(Family::Normal, 2, 257, false, None, 31);
    let oracle = reference::resolvent(&inputs).unwrap();
    for exponent in [-10, -3, 7, 20] {
        let factor = 2.0_f32.powi(exponent);
        let scaled = |values: &[f32]| -> Vec<f32> { values.iter().map(|value| value * factor).collect() };
        let scaled = Inputs {
            a_re: scaled(&inputs.a_re),
            b: scaled(&inputs.b),
            c: scaled(&inputs.c),
            z: inputs.z.map(|part| part * factor),
            ..inputs.clone()
        };
        for strategy in strategies(257) {
            let mut output = run(&scaled, &BkOptions::default(), &strategy);
            output.iter_mut().for_each(|part| *part *= factor);
            let rejected = compare(&output, &oracle, &BkOptions::default(), ALLOWED_UNITS).rejected;
            assert_eq!(rejected, None, "2^{exponent}, {strategy:?}");
        }
    }
}

/// A hopping chain at its centre: every pivot is zero or infinite.
fn hopping(n: usize) -> Inputs {
    let links = vec![1.0; n - 1];
    Inputs {
        batch: 1,
        n,
        a_re: vec![0.0; n],
        a_im: None,
        b: links.clone(),
        c: links,
        shared: false,
        z: [0.0; 2],
    }
}

#[test]
fn an_even_hopping_chain_at_zero_energy_is_exactly_zero() {
    for n in [2, 16, 32, 34, 256, 1000] {
        for strategy in strategies(n) {
            let output = run(&hopping(n), &BkOptions::default(), &strategy);
            assert!(output.iter().all(|part| *part == 0.0), "{n} sites, {strategy:?}");
        }
    }
}

#[test]
fn an_odd_hopping_chain_at_zero_energy_is_singular_everywhere() {
    for n in [3, 33, 257] {
        for strategy in strategies(n) {
            let output = run(&hopping(n), &BkOptions::default(), &strategy);
            assert!(output.iter().all(|part| part.is_nan()), "{n} sites, {strategy:?}");
        }
    }
}

#[test]
fn nan_in_the_spectral_parameter_is_nan_everywhere() {
    for n in [1, 33] {
        for z in [[f32::NAN, 0.1], [0.1, f32::NAN]] {
            let inputs = generate(Family::Normal, 3, n, false, Some(z), 37);
            for strategy in strategies(n) {
                let output = run(&inputs, &BkOptions::default(), &strategy);
                assert!(output.iter().all(|part| part.is_nan()), "{n} sites, z = {z:?}, {strategy:?}");
            }
        }
    }
}

#[test]
fn a_decoupled_chain_is_the_inverse_of_each_site() {
    let mut inputs = generate(Family::Normal, 3, 65, false, None, 41);
    inputs.b.fill(0.0);
    assert_right("all decoupled", &inputs, &BkOptions::default(), &strategies(65));
    for strategy in [Strategy::default(), crate::device::tiled(2)] {
        let output = run(&inputs, &BkOptions::default(), &strategy);
        for (value, a) in output.as_chunks::<2>().0.iter().zip(&inputs.a_re) {
            let (re, im) = (f64::from(a - inputs.z[0]), -f64::from(inputs.z[1]));
            let norm = re * re + im * im;
            let error = (f64::from(value[0]) - re / norm).hypot(f64::from(value[1]) + im / norm);
            assert!(error * norm.sqrt() < 1e-6, "{value:?} of {re} {im:+}i");
        }
    }
}
