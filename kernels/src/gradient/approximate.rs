//! The original's approximations of the gradient by the diagonal, from the values of the forward pass.

use cubecl::ir::AddressType;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::complex::{Complex, invert, multiply, scale};
use crate::error::BkError;
use crate::gradient::affine::add;
use crate::gradient::launch::ELEMENTWISE_UNITS;
use crate::gradient::operands::{BkGradientOperands, CotangentLayout};
use crate::launch::{PARTS, address_of, bk_core, grid};
use crate::options::{APPROXIMATION_LIMIT, BkOptions, SMALLEST_SQUARE, SQUARE_OFFSET};
use crate::problem::{BkOperands, BkProblem};
use crate::routines::{Routine, Strategy};

/// Which parts of the gradient are written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Approximation {
    pub(crate) a_re: bool,
    pub(crate) a_im: bool,
    /// Whether the quotient has a part in it.
    pub(crate) blends: bool,
}

/// [`crate::GradMode::Blend`] at every site; `values` and `cotangent` are `[B, N, 2]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn approximate_kernel<V: Size>(
    values: &Array<Vector<f32, V>>,
    cotangent: &Array<Vector<f32, V>>,
    layout: CotangentLayout,
    a_re: &mut Array<f32>,
    a_im: &mut Array<f32>,
    alpha: f32,
    sites: usize,
    n: usize,
    #[comptime] approximation: Approximation,
) {
    let site = ABSOLUTE_POS;
    if site >= sites {
        terminate!();
    }
    let value = values[site];
    let g = Complex::new(value[0], value[1]);
    let pair = cotangent[(site / n) * layout.row_stride + (site % n) * layout.site_stride];
    let h = Complex::new(pair[0], -pair[1]);
    let square = multiply(g, g);
    let mut s = multiply(h, square);
    if comptime!(approximation.blends) {
        let size = f32::sqrt(fma(square.re, square.re, square.im * square.im));
        let smallest = comptime!(SMALLEST_SQUARE).runtime();
        // The phase of an exact 0 is 0.
        let factor = select(size < smallest, smallest / size, 1.0f32);
        let is_zero = size == 0.0;
        let re = select(is_zero, smallest, factor * square.re);
        let im = select(is_zero, 0.0f32, factor * square.im);
        let quotient = multiply(h, invert(Complex::new(re + comptime!(SQUARE_OFFSET), im)));
        s = add(scale(1.0 - alpha, s), scale(alpha, quotient));
    }
    if comptime!(approximation.a_re) {
        a_re[site] = limited(-s.re);
    }
    if comptime!(approximation.a_im) {
        a_im[site] = limited(s.im);
    }
}

/// Between the limits; NaN stays, which `min` and `max` would not promise.
#[cube]
fn limited(value: f32) -> f32 {
    let limit = comptime!(APPROXIMATION_LIMIT).runtime();
    let above = select(value > limit, limit, value);
    select(value < -limit, -limit, above)
}

/// Zero in every element: the gradients that an approximation does not have.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn zero_kernel(values: &mut Array<f32>, count: usize) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    values[ABSOLUTE_POS] = 0.0;
}

/// [`crate::GradMode::DiagonalOnly`] and [`crate::GradMode::Blend`]: the forward pass again, then site by site.
pub(crate) fn approximate<R: Runtime>(
    client: &ComputeClient<R>,
    problem: &BkProblem,
    operands: &BkOperands,
    gradients: &BkGradientOperands,
    options: &BkOptions,
    strategy: &Strategy,
    alpha: f32,
) -> Result<Routine, BkError> {
    let BkProblem { batch, n, .. } = *problem;
    let sites = batch * n;
    let values = client.empty(8 * sites);
    let forward = BkOperands { output: values.clone(), states: None, ..operands.clone() };
    let routine = bk_core(client, problem, &forward, options, strategy)?;
    let approximation = Approximation {
        a_re: gradients.a_re.is_some(),
        a_im: gradients.a_im.is_some(),
        blends: alpha != 0.0,
    };
    let nowhere = client.empty(4);
    let target = |gradient: &Option<Handle>| match gradient {
        Some(handle) => (handle.clone(), sites),
        None => (nowhere.clone(), 1),
    };
    let ((a_re, a_re_length), (a_im, a_im_length)) = (target(&gradients.a_re), target(&gradients.a_im));
    let units = ELEMENTWISE_UNITS.min(client.properties().hardware.max_units_per_cube);
    let call = Elementwise { client, units };
    let extent = gradients.cotangent.extent(problem);
    // SAFETY: the kernel leaves out sites beyond the last; the buffers were checked for their lengths.
    unsafe {
        approximate_kernel::launch_unchecked::<R>(
            client,
            call.grid(sites),
            CubeDim::new_1d(units),
            call.address(PARTS * extent.max(sites)),
            PARTS,
            ArrayArg::from_raw_parts(values, PARTS * sites),
            ArrayArg::from_raw_parts(gradients.cotangent.handle.clone(), PARTS * extent),
            gradients.cotangent.layout(),
            ArrayArg::from_raw_parts(a_re, a_re_length),
            ArrayArg::from_raw_parts(a_im, a_im_length),
            alpha,
            sites,
            n,
            approximation,
        );
    }
    for gradient in [&gradients.b, &gradients.c].into_iter().flatten() {
        let is_summed = batch > 1 && gradient.row_stride == 0;
        call.zero(&gradient.handle, if is_summed { n - 1 } else { batch * (n - 1) });
    }
    if let Some(z) = &gradients.z {
        call.zero(z, PARTS);
    }
    Ok(routine)
}

/// Launches with one element a unit.
struct Elementwise<'a, R: Runtime> {
    client: &'a ComputeClient<R>,
    units: u32,
}

impl<R: Runtime> Elementwise<'_, R> {
    fn grid(&self, elements: usize) -> CubeCount {
        grid(self.client, elements.div_ceil(self.units as usize))
    }

    fn address(&self, elements: usize) -> AddressType {
        address_of(elements)
    }

    fn zero(&self, values: &Handle, count: usize) {
        if count == 0 {
            return;
        }
        // SAFETY: the kernel leaves out elements beyond the last; the buffer was checked to hold them.
        unsafe {
            zero_kernel::launch_unchecked::<R>(
                self.client,
                self.grid(count),
                CubeDim::new_1d(self.units),
                self.address(count),
                ArrayArg::from_raw_parts(values.clone(), count),
                count,
            );
        }
    }
}
