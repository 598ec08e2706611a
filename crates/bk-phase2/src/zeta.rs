//! The imaginary parts of the non-trivial zeros of the Riemann zeta function, and tables made of them.
//!
//! `data/zeta_zeros.txt` has the first 4096 to twelve decimals (`data/README.md` says where they are from).
//! The original has ten at up to six digits and random numbers after them.

use std::f64::consts::TAU;
use std::sync::LazyLock;

/// How many zeros are known here.
pub const KNOWN_ZEROS: usize = 4096;

static ZEROS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    include_str!("../data/zeta_zeros.txt").lines().filter_map(|line| line.trim().parse().ok()).collect()
});

/// `14.134725..., 21.022039..., ...`: the first [`KNOWN_ZEROS`], correct to 1e-9.
pub fn zeros() -> &'static [f64] {
    &ZEROS
}

/// `sin(pos * zero_i / 2 pi)` in column `2 i` and the cosine in `2 i + 1`, times `scale`: `[rows, width]`.
///
/// # Panics
/// With a width of more than two columns a known zero, which a valid configuration does not have.
pub fn table(rows: usize, width: usize, scale: f64) -> Vec<f32> {
    let frequencies: Vec<f64> = zeros()[..width.div_ceil(2)].iter().map(|zero| zero / TAU).collect();
    let mut values = Vec::with_capacity(rows * width);
    for position in 0..rows {
        for column in 0..width {
            let angle = position as f64 * frequencies[column / 2];
            let value = if column % 2 == 0 { angle.sin() } else { angle.cos() };
            values.push((scale * value) as f32);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{E, PI};

    use super::{KNOWN_ZEROS, zeros};

    #[test]
    fn the_first_zeros_are_the_known_ones() {
        let known = [
            14.134_725_141_734_694,
            21.022_039_638_771_555,
            25.010_857_580_145_69,
            30.424_876_125_859_513,
            32.935_061_587_739_19,
        ];
        for (found, expected) in zeros().iter().zip(known) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        // The 100th and the 1000th, as tabulated by Odlyzko.
        assert!((zeros()[99] - 236.524_229_665_816_2).abs() < 1e-9);
        assert!((zeros()[999] - 1_419.422_480_945_996).abs() < 1e-9);
    }

    /// Riemann and von Mangoldt: `N(T) = T/2pi log(T/2pi e) + 7/8 + S(T)`, `|S| < 2` at these heights.
    #[test]
    fn none_is_missing_and_none_is_too_many() {
        assert_eq!(zeros().len(), KNOWN_ZEROS);
        let mut drift = 0.0f64;
        for (index, pair) in zeros().windows(2).enumerate() {
            assert!(pair[0] < pair[1]);
            let height = 0.5 * (pair[0] + pair[1]);
            let expected = height / (2.0 * PI) * (height / (2.0 * PI * E)).ln() + 0.875;
            let deviation = (index + 1) as f64 - expected;
            assert!(deviation.abs() < 2.0, "zero {index}: {deviation}");
            drift += deviation;
        }
        // S(T) has mean zero: one zero left out anywhere in the first half would show as a shift.
        assert!((drift / (KNOWN_ZEROS as f64)).abs() < 0.05, "{drift}");
    }
}
