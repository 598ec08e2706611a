//! Complex arithmetic on pairs of floats: CubeCL 0.10 has no complex type.

use cubecl::prelude::*;

/// Bits of the exponent of a float32.
const EXPONENT_MASK: i32 = 0x7f80_0000;

/// The same without the lowest: those of even powers of two.
const EVEN_EXPONENTS: i32 = 0x7f00_0000;

/// A complex number in registers.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
pub(crate) struct Complex {
    pub(crate) re: f32,
    pub(crate) im: f32,
}

#[cube]
impl Complex {
    pub(crate) fn new(re: f32, im: f32) -> Complex {
        Complex { re, im }
    }

    pub(crate) fn zero() -> Complex {
        Complex { re: 0.0f32.runtime(), im: 0.0f32.runtime() }
    }

    pub(crate) fn one() -> Complex {
        Complex { re: 1.0f32.runtime(), im: 0.0f32.runtime() }
    }

    /// Whether both parts are exactly zero.
    pub(crate) fn is_zero(self) -> bool {
        (self.re == 0.0) & (self.im == 0.0)
    }

    /// Sum of the magnitudes of the parts: orders pivots without a square root.
    pub(crate) fn taxicab(self) -> f32 {
        self.re.abs() + self.im.abs()
    }
}

#[cube]
pub(crate) fn subtract(left: Complex, right: Complex) -> Complex {
    Complex::new(left.re - right.re, left.im - right.im)
}

#[cube]
pub(crate) fn scale(factor: f32, value: Complex) -> Complex {
    Complex::new(factor * value.re, factor * value.im)
}

/// Four multiplications. The three-multiplication product mixes the parts and loses a small imaginary one.
#[cube]
pub(crate) fn multiply(left: Complex, right: Complex) -> Complex {
    Complex::new(fma(left.re, right.re, -(left.im * right.im)), fma(left.re, right.im, left.im * right.re))
}

/// `x y - u v`.
#[cube]
pub(crate) fn cross(x: Complex, y: Complex, u: Complex, v: Complex) -> Complex {
    Complex::new(
        fma(x.re, y.re, fma(-x.im, y.im, fma(-u.re, v.re, u.im * v.im))),
        fma(x.re, y.im, fma(x.im, y.re, fma(-u.re, v.im, -(u.im * v.re)))),
    )
}

/// `d x - k y` with real `k`: one step of the three-term recurrence.
#[cube]
pub(crate) fn recur(d: Complex, x: Complex, k: f32, y: Complex) -> Complex {
    Complex::new(
        fma(d.re, x.re, fma(-d.im, x.im, -(k * y.re))),
        fma(d.re, x.im, fma(d.im, x.re, -(k * y.im))),
    )
}

#[cube]
pub(crate) fn choose(condition: bool, yes: Complex, no: Complex) -> Complex {
    Complex::new(select(condition, yes.re, no.re), select(condition, yes.im, no.im))
}

#[cube]
pub(crate) fn conjugate(value: Complex) -> Complex {
    Complex::new(value.re, -value.im)
}

/// `re^2 + im^2`.
#[cube]
pub(crate) fn norm(value: Complex) -> f32 {
    fma(value.re, value.re, value.im * value.im)
}

/// `1 / value`, without overflow or underflow of `|value|^2`. Zero gives NaN.
#[cube]
pub(crate) fn invert(value: Complex) -> Complex {
    let factor = power_of_two_for(exponent_of(value));
    scale(factor, invert_normalised(scale(factor, value)))
}

/// [`invert`] for a value whose larger part is about 1.
#[cube]
pub(crate) fn invert_normalised(value: Complex) -> Complex {
    scale(quick_reciprocal(norm(value)), conjugate(value))
}

/// `1 / x` for `|x|` from 2^-126 to 2^126, to two units in the last place: without the branches by which a
/// correctly rounded division treats the rest. It costs one unit of the 16 that an entry may be off.
#[cube(fast_math = FastMath::AllowReciprocal | FastMath::ReducedPrecision | FastMath::UnsignedZero | FastMath::NotInf)]
pub(crate) fn quick_reciprocal(x: f32) -> f32 {
    1.0 / x
}

/// Larger magnitude of the two parts. Which of a NaN and a number it is does not matter: it only sizes.
#[cube]
pub(crate) fn larger_part(value: Complex) -> f32 {
    max(value.re.abs(), value.im.abs())
}

/// Exponent bits of the larger part, as an integer that orders like the magnitudes.
#[cube]
pub(crate) fn exponent_of(value: Complex) -> i32 {
    exponent_bits(larger_part(value))
}

/// Exponent bits of a float.
#[cube]
pub(crate) fn exponent_bits(value: f32) -> i32 {
    i32::reinterpret(value) & comptime!(EXPONENT_MASK)
}

/// The power of two that brings a magnitude with these exponent bits into `[1, 2)`. Exact, and safe for
/// zero, denormals, Inf and NaN; no mathematical library is involved, so every shader compiler agrees.
#[cube]
pub(crate) fn power_of_two_for(exponent: i32) -> f32 {
    f32::reinterpret(max(0x7f00_0000i32 - exponent, 0x0080_0000i32))
}

/// The even power of two that brings a magnitude into `[1, 4)`: one operation, where the nearest would take three. Zero
/// for 2^127 and beyond, Inf and NaN, which only a matrix out of range has.
#[cube]
pub(crate) fn normalising(magnitude: f32) -> f32 {
    f32::reinterpret((i32::reinterpret(magnitude) ^ comptime!(EVEN_EXPONENTS)) & comptime!(EVEN_EXPONENTS))
}

/// Whether either part is NaN or infinite, by its bits: a shader compiler may assume that neither exists.
#[cube]
pub(crate) fn is_not_finite(value: Complex) -> bool {
    max(exponent_bits(value.re), exponent_bits(value.im)) == comptime!(EXPONENT_MASK)
}

/// [`is_not_finite`] for a real number. Not a complex one with a constant part: CUDA's compiler takes the bits
/// of no constant.
#[cube]
pub(crate) fn is_not_finite_real(value: f32) -> bool {
    exponent_bits(value) == comptime!(EXPONENT_MASK)
}

/// The number whose parts are at `base` and after it.
#[cube]
pub(crate) fn read_complex(array: &Array<f32>, base: usize) -> Complex {
    Complex::new(array[base], array[base + 1])
}

/// Puts a number there.
#[cube]
pub(crate) fn write_complex(array: &mut Array<f32>, base: usize, value: Complex) {
    array[base] = value.re;
    array[base + 1] = value.im;
}
