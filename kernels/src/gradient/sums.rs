//! Sums over a cube and over the batch, in a fixed order: the same bits each time.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::complex::Complex;
use crate::gradient::launch::{BackwardCall, CouplingPlan, ELEMENTWISE_UNITS, Targets};
use crate::launch::{Call, PARTS};
use crate::problem::{Operand, elements};

/// Rows that one unit adds up, so that a sum over a large batch is a tree.
const ROWS_AT_ONCE: usize = 64;

/// The sum of a value of each unit, in unit 0. `mail` holds two floats a unit at least; `units` is a power of two.
#[cube]
pub(crate) fn sum_over_cube(value: Complex, mail: &mut SharedMemory<f32>, #[comptime] units: u32) -> Complex {
    sync_cube();
    mail[UNIT_POS as usize] = value.re;
    mail[(units + UNIT_POS) as usize] = value.im;
    sync_cube();
    #[unroll]
    for level in 0..comptime!(units.ilog2()) {
        let half = comptime!(units >> (level + 1));
        if UNIT_POS < half {
            mail[UNIT_POS as usize] = mail[UNIT_POS as usize] + mail[(UNIT_POS + half) as usize];
            let im = units + UNIT_POS;
            mail[im as usize] = mail[im as usize] + mail[(im + half) as usize];
        }
        sync_cube();
    }
    Complex::new(mail[0], mail[comptime!(units as usize)])
}

/// The gradient of `z`, `conj(sum S)`, from the sums of the cubes, `[cubes, 2]`: one cube adds them up.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn sum_kernel(sums: &Array<f32>, z: &mut Array<f32>, count: usize, #[comptime] units: u32) {
    let mut mail = SharedMemory::<f32>::new(comptime!(2 * units as usize));
    let mut sum = Complex::zero();
    let rounds = count.div_ceil(comptime!(units as usize));
    for round in 0..rounds {
        let index = round * comptime!(units as usize) + UNIT_POS as usize;
        if index < count {
            sum.re += sums[2 * index];
            sum.im += sums[2 * index + 1];
        }
    }
    let total = sum_over_cube(sum, &mut mail, units);
    if UNIT_POS == 0 {
        z[0] = total.re;
        z[1] = -total.im;
    }
}

/// What a sum over rows is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Factors {
    /// Nothing: the one output is the sum.
    None,
    /// `kappa` becomes the gradients of `b` and `c`, by the other one.
    Couplings,
}

/// Sums of at most [`ROWS_AT_ONCE`] consecutive rows of `[rows, columns]`, `[ceil(rows / ROWS_AT_ONCE), columns]`; with
/// [`Factors::Couplings`], for which one output row must remain, times `c` in `first` and times `b` in `second`.
#[cube(launch_unchecked, address_type = "dynamic")]
#[allow(clippy::too_many_arguments, reason = "one argument for each buffer")]
pub(crate) fn sum_rows_kernel(
    values: &Array<f32>,
    b: &Array<f32>,
    c: &Array<f32>,
    first: &mut Array<f32>,
    second: &mut Array<f32>,
    rows: usize,
    columns: usize,
    blocks: usize,
    #[comptime] factors: Factors,
) {
    let position = ABSOLUTE_POS;
    if position >= columns * blocks {
        terminate!();
    }
    let column = position % columns;
    let begin = (position / columns) * comptime!(ROWS_AT_ONCE);
    let end = min(begin + comptime!(ROWS_AT_ONCE), rows);
    let mut sum = 0.0f32;
    for row in begin..end {
        sum += values[row * columns + column];
    }
    match factors {
        Factors::None => first[position] = sum,
        Factors::Couplings => {
            let b = b[column];
            let c = c[column];
            first[position] = select(c == 0.0, 0.0f32, c * sum);
            second[position] = select(b == 0.0, 0.0f32, b * sum);
        }
    }
}

impl<R: Runtime> BackwardCall<'_, R> {
    /// The gradients that are sums over the batch.
    pub(crate) fn sum_over_batch(&self, plan: &CouplingPlan, targets: &Targets, cubes: usize) {
        let Call { client, operands, problem, .. } = self.forward;
        if let Some(z) = &self.gradients.z {
            let units = ELEMENTWISE_UNITS.min(client.properties().hardware.max_units_per_cube);
            // SAFETY: one cube reads the sums that the kernel before has written, and writes two floats.
            unsafe {
                sum_kernel::launch_unchecked::<R>(
                    client,
                    CubeCount::new_1d(1),
                    CubeDim::new_1d(units),
                    self.forward.address(2 * cubes),
                    ArrayArg::from_raw_parts(targets.sums.clone(), 2 * cubes),
                    ArrayArg::from_raw_parts(z.clone(), PARTS),
                    cubes,
                    units,
                );
            }
        }
        let handle = |gradient: &Option<Operand>| gradient.as_ref().map(|gradient| gradient.handle.clone());
        let (b, c) = (handle(&self.gradients.b), handle(&self.gradients.c));
        if self.blueprint.wanted.kappa {
            let nowhere = || client.empty(4 * (problem.n - 1));
            let targets_of = (b.unwrap_or_else(nowhere), c.unwrap_or_else(nowhere));
            self.sum_rows(targets.b.clone(), targets_of, Factors::Couplings);
            return;
        }
        let nowhere = || operands.z.clone();
        if let (true, Some(b)) = (plan.summed_b, b) {
            self.sum_rows(targets.b.clone(), (b, nowhere()), Factors::None);
        }
        if let (true, Some(c)) = (plan.summed_c, c) {
            self.sum_rows(targets.c.clone(), (c, nowhere()), Factors::None);
        }
    }

    /// Sums `[B, N-1]` over the batch.
    fn sum_rows(&self, values: Handle, targets: (Handle, Handle), factors: Factors) {
        let columns = self.forward.problem.n - 1;
        let mut values = values;
        let mut rows = self.forward.problem.batch;
        while rows > ROWS_AT_ONCE {
            let blocks = rows.div_ceil(ROWS_AT_ONCE);
            let partial = self.forward.client.empty(4 * blocks * columns);
            self.launch_sum(values, (partial.clone(), blocks * columns), None, rows, Factors::None);
            (values, rows) = (partial, blocks);
        }
        let (first, second) = targets;
        self.launch_sum(values, (first, columns), Some((second, columns)), rows, factors);
    }

    fn launch_sum(
        &self,
        values: Handle,
        first: (Handle, usize),
        second: Option<(Handle, usize)>,
        rows: usize,
        factors: Factors,
    ) {
        let Call { client, operands, problem, .. } = self.forward;
        let columns = problem.n - 1;
        let blocks = rows.div_ceil(ROWS_AT_ONCE);
        let units = ELEMENTWISE_UNITS.min(client.properties().hardware.max_units_per_cube);
        let cubes = (columns * blocks).div_ceil(units as usize);
        let (second, second_length) = match (factors, second) {
            (Factors::Couplings, Some((second, length))) => (second, length),
            _ => (client.empty(4), 1),
        };
        let coupling = |operand: &Operand| {
            // SAFETY: the length is that which the buffer was checked for.
            unsafe {
                ArrayArg::from_raw_parts(operand.handle.clone(), elements(operand, problem.batch, columns))
            }
        };
        // SAFETY: the kernel leaves out columns beyond the last, and the buffers hold whole rows.
        unsafe {
            sum_rows_kernel::launch_unchecked::<R>(
                client,
                self.forward.grid(cubes),
                CubeDim::new_1d(units),
                self.forward.address(rows * columns),
                ArrayArg::from_raw_parts(values, rows * columns),
                coupling(&operands.b),
                coupling(&operands.c),
                ArrayArg::from_raw_parts(first.0, first.1),
                ArrayArg::from_raw_parts(second, second_length),
                rows,
                columns,
                blocks,
                factors,
            );
        }
    }
}
