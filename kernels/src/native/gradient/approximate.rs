//! The original's approximations of the gradient: the diagonal of the Jacobian, and its blend with a quotient.

use num_complex::Complex;

use super::Gradients;
use crate::native::real::{Entry, Real};
use crate::native::{ShapeError, Tridiagonal, resolvent};
use crate::options::{APPROXIMATION_LIMIT, BkOptions, SMALLEST_SQUARE, SQUARE_OFFSET};

/// [`crate::GradMode::Blend`]; the gradients of `b`, `c` and `z` are 0.
pub(super) fn gradients<S: Entry<T>, T: Real>(
    matrices: &Tridiagonal<'_, S>,
    cotangent: &[S],
    options: &BkOptions,
    alpha: f32,
) -> Result<Gradients<T>, ShapeError> {
    let mut values = vec![T::zero(); 2 * matrices.sites()];
    resolvent(matrices, options, &mut values)?;
    let mut gradients = matrices.zero_gradients::<T>();
    let alpha = <T as From<f32>>::from(alpha);
    let sites = values.as_chunks::<2>().0.iter().zip(cotangent.as_chunks::<2>().0);
    for (site, (&[re, im], &[g_re, g_im])) in sites.enumerate() {
        let h = Complex::new(g_re.value(), -g_im.value());
        let s = limited(approximation(h, Complex::new(re, im), alpha));
        gradients.a_re[site] = -s.re;
        if let Some(a_im) = &mut gradients.a_im {
            a_im[site] = s.im;
        }
    }
    Ok(gradients)
}

/// What stands for `S = -da` at one site.
fn approximation<T: Real>(h: Complex<T>, g: Complex<T>, alpha: T) -> Complex<T> {
    let square = g * g;
    let diagonal = h * square;
    if alpha.is_zero() {
        return diagonal;
    }
    let smallest = <T as From<f32>>::from(SMALLEST_SQUARE);
    let size = square.norm();
    let raised = if size >= smallest {
        square
    } else if size.is_zero() {
        Complex::new(smallest, T::zero())
    } else {
        square * (smallest / size)
    };
    let quotient = h / (raised + <T as From<f32>>::from(SQUARE_OFFSET));
    diagonal * (T::one() - alpha) + quotient * alpha
}

/// Each part between the limits; NaN stays.
fn limited<T: Real>(s: Complex<T>) -> Complex<T> {
    let limit = <T as From<f32>>::from(APPROXIMATION_LIMIT);
    let part = |x: T| {
        if x > limit {
            limit
        } else if x < -limit {
            -limit
        } else {
            x
        }
    };
    Complex::new(part(s.re), part(s.im))
}
