//! How far an output is from the oracle, and whether it counts as right.

#[cfg(test)]
mod tests;

use super::{Reference, UNIT_ROUNDOFF};
use crate::options::{BkOptions, NonFinite};

/// Magnitude that both sides are clipped at for [`Comparison::mse_clipped`], whatever the options say.
const CLIPPED_AT: f64 = 50.0;

/// Errors of an output against the oracle. Statistics run over sites where both are finite, after the same clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Mean squared error over real and imaginary parts.
    pub mse: f64,
    /// The same after clipping both magnitudes at 50.
    pub mse_clipped: f64,
    /// Largest `|G - oracle|`.
    pub max_abs_error: f64,
    /// Largest `|G - oracle| / |oracle|`, where the oracle is not 0.
    pub max_rel_error: f64,
    /// Median of `|G - oracle| / |oracle|`, where the oracle is not 0.
    pub median_rel_error: f64,
    /// Largest `|G - oracle| / unit`, without the sites counted in `unresolved`.
    pub max_error_units: f64,
    /// Largest `|oracle|`.
    pub max_magnitude: f64,
    /// Sites whose output is NaN or infinite.
    pub non_finite: u64,
    /// Sites where the oracle is NaN or infinite.
    pub expected_non_finite: u64,
    /// Sites that the statistics run over.
    pub compared: u64,
    /// Sites where float32 determines no digit, and the output was accepted though it is further from the oracle than
    /// the rule allows, or only one of the two is finite.
    pub unresolved: u64,
    /// Why the output counts as wrong; absent when it is right.
    pub rejected: Option<String>,
}

/// How the type of an output rounds and where it ends; the arithmetic before it is in float32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputType {
    /// Largest relative error of storing a value, on top of that of the arithmetic: 0 for float32 itself.
    pub roundoff: f64,
    /// Largest finite value.
    pub largest: f64,
    /// Errors up to it say nothing: for float32 its normal range, below which values may be flushed to 0.
    pub smallest: f64,
}

impl OutputType {
    /// float32.
    pub const F32: Self =
        Self { roundoff: 0.0, largest: f32::MAX as f64, smallest: f32::MIN_POSITIVE as f64 };
    /// float16: 11 bits, up to 65,504, its smallest values 2^-24 apart.
    pub const F16: Self = Self { roundoff: 1.0 / 2048.0, largest: 65504.0, smallest: 1.0 / 16_777_216.0 };
    /// bfloat16: 8 bits, the range of float32 less what would round beyond it.
    pub const BF16: Self = Self {
        roundoff: 1.0 / 256.0,
        largest: 3.389_531_389_251_535_5e38,
        smallest: f32::MIN_POSITIVE as f64,
    };
}

/// What the rule says of one site.
enum Verdict {
    /// Within the allowed error, which is this many units.
    Right { units: f64 },
    /// Nothing can be said.
    Unresolved,
    /// Too far, by this many units, or not finite.
    Wrong { units: f64 },
}

/// Compares an output `[B, N, 2]` with the oracle's result for the same input.
///
/// The oracle is clipped as `options` say first. A site is right if its error is at most `allowed_units` of its unit
/// (bounded further where the clip shrinks errors). Beyond that:
///
/// * Where the input is NaN or Inf, the output must be NaN or Inf, or 0 with [`NonFinite::Zero`].
/// * Where `T - zI` is exactly singular, or a pole is near and the allowed error reaches `|G|`, float32 does not tell the
///   two apart: any value is accepted, if it obeys the options.
/// * Values may be flushed to 0 below the normal range of float32, and may overflow above it.
///
/// Clipped values never exceed `max_magnitude`, and with [`NonFinite::Zero`] no value is NaN or Inf.
pub fn compare(output: &[f32], reference: &Reference, options: &BkOptions, allowed_units: f64) -> Comparison {
    compare_stored(output, OutputType::F32, reference, options, allowed_units)
}

/// [`compare`] for an output that was stored in another type, and is given in float32.
///
/// A site's units are counted of what its error exceeds the rounding of `stored` by. A value that `stored` ends before is
/// accepted as infinite.
pub fn compare_stored(
    output: &[f32],
    stored: OutputType,
    reference: &Reference,
    options: &BkOptions,
    allowed_units: f64,
) -> Comparison {
    let mut tally = Tally::default();
    if output.len() != reference.g.len() * 2 {
        let (found, expected) = (output.len(), reference.g.len() * 2);
        return tally.finish(Some(format!("the output has {found} values, expected {expected}")));
    }
    let rule = Rule { options, stored, allowed_units };
    let mut wrong = 0_u64;
    let mut worst: Option<(f64, usize)> = None;
    for (site, (&output, &raw)) in output.as_chunks::<2>().0.iter().zip(&reference.g).enumerate() {
        let output = output.map(f64::from);
        let expected = rule.expected(raw);
        tally.add(output, raw, expected);
        match rule.judge(output, raw, expected, reference.unit[site], reference.near_pole[site]) {
            Verdict::Right { units } => tally.units = tally.units.max(units),
            Verdict::Unresolved => tally.unresolved += 1,
            Verdict::Wrong { units } => {
                wrong += 1;
                tally.units = tally.units.max(units);
                if worst.is_none_or(|(worst, _)| units > worst) {
                    worst = Some((units, site));
                }
            }
        }
    }
    let rejected = worst.map(|(units, site)| {
        let [re, im] = [output[2 * site], output[2 * site + 1]];
        let [oracle_re, oracle_im] = rule.expected(reference.g[site]);
        format!(
            "{wrong} of {} sites are wrong; worst in row {}, site {}: {re:e}{im:+e}i, expected \
             {oracle_re:e}{oracle_im:+e}i, off by {units:.3e} units of which {allowed_units} are allowed",
            reference.g.len(),
            site / reference.n,
            site % reference.n,
        )
    });
    tally.finish(rejected)
}

fn magnitude([re, im]: [f64; 2]) -> f64 {
    re.hypot(im)
}

fn distance(x: [f64; 2], y: [f64; 2]) -> f64 {
    (x[0] - y[0]).hypot(x[1] - y[1])
}

fn is_finite(g: [f64; 2]) -> bool {
    g[0].is_finite() && g[1].is_finite()
}

fn clipped(g: [f64; 2], max: f64) -> [f64; 2] {
    let size = magnitude(g);
    if size > max { g.map(|part| part * (max / size)) } else { g }
}

/// The acceptance rule with its settings.
struct Rule<'a> {
    options: &'a BkOptions,
    stored: OutputType,
    allowed_units: f64,
}

impl Rule<'_> {
    /// What the options make of the oracle's value.
    fn expected(&self, raw: [f64; 2]) -> [f64; 2] {
        let value = match self.options.max_magnitude {
            Some(max) => clipped(raw, f64::from(max)),
            None => raw,
        };
        if self.options.non_finite == NonFinite::Zero && !is_finite(value) { [0.0; 2] } else { value }
    }

    fn judge(
        &self,
        output: [f64; 2],
        raw: [f64; 2],
        expected: [f64; 2],
        unit: f64,
        near_pole: bool,
    ) -> Verdict {
        const NEVER: Verdict = Verdict::Wrong { units: f64::INFINITY };
        if !is_finite(output) {
            let expected_here = unit.is_nan() || self.is_unresolved(raw, unit, near_pole);
            return match self.options.non_finite {
                NonFinite::Propagate if unit.is_nan() => Verdict::Right { units: 0.0 },
                // A clip turns an infinite magnitude into a finite one.
                NonFinite::Propagate if expected_here && self.options.max_magnitude.is_none() => {
                    Verdict::Unresolved
                }
                _ => NEVER,
            };
        }
        // The clip itself rounds: a few units of float32 more than `max_magnitude` are all right.
        if let Some(max) = self.options.max_magnitude
            && magnitude(output)
                > f64::from(max) * (1.0 + self.allowed_units * UNIT_ROUNDOFF + self.stored.roundoff)
        {
            return NEVER;
        }
        if unit.is_nan() {
            let zeroed = self.options.non_finite == NonFinite::Zero && output == [0.0; 2];
            return if zeroed { Verdict::Right { units: 0.0 } } else { NEVER };
        }
        let error = self.beyond_rounding(output, expected);
        let unit_here = self.unit_after_clip(raw, unit);
        let units = if error == 0.0 { 0.0 } else { error / unit_here };
        // A result may be flushed to 0 below the normal range; an exact 0 stays one.
        let underflow = if raw == [0.0; 2] { 0.0 } else { self.stored.smallest };
        if error <= self.allowed_units * unit_here {
            Verdict::Right { units }
        } else if error <= underflow {
            Verdict::Right { units: 0.0 }
        } else if self.is_unresolved(raw, unit, near_pole) {
            Verdict::Unresolved
        } else {
            Verdict::Wrong { units }
        }
    }

    /// What the error exceeds the rounding of the output's type by; not finite where the expected value is not.
    fn beyond_rounding(&self, output: [f64; 2], expected: [f64; 2]) -> f64 {
        let error = distance(output, expected);
        let size = magnitude(expected).max(magnitude(output));
        let rounding = if size.is_finite() { self.stored.roundoff * size } else { 0.0 };
        if error <= rounding { 0.0 } else { error - rounding }
    }

    /// Whether inputs that round to the same float32 values have a pole here, or a value beyond the type of the output.
    fn is_unresolved(&self, raw: [f64; 2], unit: f64, near_pole: bool) -> bool {
        let size = magnitude(raw);
        let reached = unit > 0.0 && self.allowed_units * unit >= size;
        unit == f64::INFINITY || size > self.stored.largest || (near_pole && reached)
    }

    /// The unit of a clipped value. For `|x| = r > m` and `|x - y| <= e <= r / 2`, the clipped values are at most
    /// `2 (m / r) e` apart: on the sphere because the angle between them is at most `asin(e / r)`, and with `|y| < m`
    /// because `|clip(x) - y|^2 <= e^2 - (r - m)^2`. For larger `e`, projections on a ball at least do not stretch.
    fn unit_after_clip(&self, raw: [f64; 2], unit: f64) -> f64 {
        let size = magnitude(raw);
        match self.options.max_magnitude.map(f64::from) {
            Some(max) if size > max && self.allowed_units * unit <= size / 2.0 => {
                unit * (2.0 * max / size).min(1.0)
            }
            _ => unit,
        }
    }
}

/// Running statistics.
#[derive(Default)]
struct Tally {
    squares: f64,
    squares_clipped: f64,
    max_abs_error: f64,
    relative_errors: Vec<f64>,
    units: f64,
    max_magnitude: f64,
    non_finite: u64,
    expected_non_finite: u64,
    compared: u64,
    unresolved: u64,
}

impl Tally {
    fn add(&mut self, output: [f64; 2], raw: [f64; 2], expected: [f64; 2]) {
        self.non_finite += u64::from(!is_finite(output));
        self.expected_non_finite += u64::from(!is_finite(raw));
        if !is_finite(output) || !is_finite(expected) {
            return;
        }
        let (error, size) = (distance(output, expected), magnitude(expected));
        self.compared += 1;
        self.squares += error * error;
        self.squares_clipped += distance(clipped(output, CLIPPED_AT), clipped(expected, CLIPPED_AT)).powi(2);
        self.max_abs_error = self.max_abs_error.max(error);
        self.max_magnitude = self.max_magnitude.max(size);
        if size > 0.0 {
            self.relative_errors.push(error / size);
        }
    }

    fn finish(mut self, rejected: Option<String>) -> Comparison {
        let components = (2 * self.compared).max(1) as f64;
        Comparison {
            mse: self.squares / components,
            mse_clipped: self.squares_clipped / components,
            max_abs_error: self.max_abs_error,
            max_rel_error: self.relative_errors.iter().copied().fold(0.0, f64::max),
            median_rel_error: median(&mut self.relative_errors),
            max_error_units: self.units,
            max_magnitude: self.max_magnitude,
            non_finite: self.non_finite,
            expected_non_finite: self.expected_non_finite,
            compared: self.compared,
            unresolved: self.unresolved,
            rejected,
        }
    }
}

/// Upper median; 0 for none.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f64::total_cmp).1 }
}
