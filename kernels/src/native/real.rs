//! The two floating-point types that the serial scan runs in, and how stored entries become its operands.

use num_traits::{Float, NumAssign};

/// A type that the scan computes in: `f32` or `f64`.
pub trait Real: Float + NumAssign + From<f32> + Send + Sync {
    /// The power of two that brings the largest of the components into `[1, 2)`.
    ///
    /// Taken from the exponent bits: exact, and a finite positive factor for 0, denormals, Inf and NaN too (those four
    /// do not reach `[1, 2)`).
    fn unit_scale(components: [Self; 4]) -> Self;
    /// The same number in float64, which sums over a batch are formed in.
    fn widen(self) -> f64;
    /// The nearest number.
    fn narrow(wide: f64) -> Self;
}

impl Real for f32 {
    #[inline]
    fn unit_scale(components: [Self; 4]) -> Self {
        const EXPONENT: u32 = 0x7f80_0000;
        const SMALLEST_NORMAL: u32 = 0x0080_0000;
        // The exponent fields of s and 1/s add up to that of 2^127 (254), since both are biased by 127.
        const SUM_OF_RECIPROCALS: u32 = 0x7f00_0000;
        let largest = components.iter().fold(0, |largest, x| largest.max(x.to_bits() & EXPONENT));
        Self::from_bits(SUM_OF_RECIPROCALS.saturating_sub(largest).max(SMALLEST_NORMAL))
    }

    #[inline]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn narrow(wide: f64) -> Self {
        wide as f32
    }
}

impl Real for f64 {
    #[inline]
    fn unit_scale(components: [Self; 4]) -> Self {
        const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
        const SMALLEST_NORMAL: u64 = 0x0010_0000_0000_0000;
        const SUM_OF_RECIPROCALS: u64 = 0x7fe0_0000_0000_0000;
        let largest = components.iter().fold(0, |largest, x| largest.max(x.to_bits() & EXPONENT));
        Self::from_bits(SUM_OF_RECIPROCALS.saturating_sub(largest).max(SMALLEST_NORMAL))
    }

    #[inline]
    fn widen(self) -> f64 {
        self
    }

    #[inline]
    fn narrow(wide: f64) -> Self {
        wide
    }
}

/// A stored entry that can be an operand of a scan in `T`.
///
/// The scan sees the entries only through these two operations, so that a float64 scan of float32 entries cuts the
/// chain, and finds NaN and Inf, at the same places as a float32 scan of them.
pub trait Entry<T>: Copy + Send + Sync {
    /// `b * c`. Exactly 0 if the product is 0 in the storage type, not finite if it is not finite there.
    fn product(b: Self, c: Self) -> T;
    /// `a - z`. Not finite if it is not finite in the storage type.
    fn difference(a: Self, z: Self) -> T;
    /// 0 in the storage type.
    fn zero() -> Self;
    /// The entry itself, exactly.
    fn value(self) -> T;
}

impl<T: Real> Entry<T> for T {
    #[inline]
    fn product(b: T, c: T) -> T {
        b * c
    }

    #[inline]
    fn difference(a: T, z: T) -> T {
        a - z
    }

    #[inline]
    fn zero() -> T {
        num_traits::Zero::zero()
    }

    #[inline]
    fn value(self) -> T {
        self
    }
}

/// Float32 entries in float64 arithmetic: products and differences are exact, except that one which leaves the range of
/// float32 counts as what float32 makes of it.
impl Entry<f64> for f32 {
    #[inline]
    fn product(b: f32, c: f32) -> f64 {
        let rounded = b * c;
        if rounded == 0.0 || !rounded.is_finite() { f64::from(rounded) } else { f64::from(b) * f64::from(c) }
    }

    #[inline]
    fn difference(a: f32, z: f32) -> f64 {
        let rounded = a - z;
        if rounded.is_finite() { f64::from(a) - f64::from(z) } else { f64::from(rounded) }
    }

    #[inline]
    fn zero() -> f32 {
        0.0
    }

    #[inline]
    fn value(self) -> f64 {
        f64::from(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_scale_is_a_power_of_two_that_brings_the_largest_component_into_1_to_2() {
        for x in [1.0_f32, -1.999, 3.0e-38, 1.7e38, 0.1] {
            let scale = f32::unit_scale([0.0, x / 8.0, x, 0.0]);
            assert_eq!(scale.to_bits() & 0x007f_ffff, 0, "{x}");
            // Its reciprocal would be denormal for the largest binade, which therefore ends in [2, 4).
            let range = if x > 8.5e37 { 1.0..4.0 } else { 1.0..2.0 };
            assert!(range.contains(&(x * scale).abs()), "{x} * {scale}");
            let wide = f64::unit_scale([f64::from(x); 4]);
            assert!((1.0..2.0).contains(&(f64::from(x) * wide).abs()), "{x} * {wide}");
        }
    }

    #[test]
    fn the_unit_scale_is_finite_and_positive_for_every_component() {
        for x in [0.0_f32, 1e-45, f32::INFINITY, f32::NAN] {
            let (narrow, wide) = (f32::unit_scale([x; 4]), f64::unit_scale([f64::from(x); 4]));
            assert!(narrow.is_normal() && narrow > 0.0 && wide.is_normal() && wide > 0.0, "{x}");
        }
    }

    #[test]
    fn widened_entries_are_exact_but_leave_float32_where_float32_does() {
        let product = |b: f32, c: f32| <f32 as Entry<f64>>::product(b, c);
        assert_eq!(product(1.0 + f32::EPSILON, 1.0 + f32::EPSILON), (1.0 + f64::from(f32::EPSILON)).powi(2));
        assert_eq!(product(1e-30, 1e-30), 0.0);
        assert_eq!(product(1e30, -1e30), f64::NEG_INFINITY);
        let difference = |a: f32, z: f32| <f32 as Entry<f64>>::difference(a, z);
        assert_eq!(difference(1.0, 1e-10), 1.0 - f64::from(1e-10_f32));
        assert_eq!(difference(f32::MAX, f32::MIN), f64::INFINITY);
    }
}
