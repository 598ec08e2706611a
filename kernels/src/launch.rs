//! From checked arguments to launches.

use cubecl::ir::AddressType;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::blueprint::{Blueprint, Compiler, GROUP, ROOMY_BYTES};
use crate::error::BkError;
use crate::kept::check_states;
use crate::operands::OperandsLaunch;
use crate::options::BkOptions;
use crate::problem::{BkOperands, BkProblem, elements};
use crate::resolvent::FinishLaunch;
use crate::routines::cube::cube_kernel;
use crate::routines::multi_cube::{EDGES, SUMMARY, reduce_kernel, scan_kernel};
use crate::routines::registers::register_kernel;
use crate::routines::serial::{SERIAL_UNITS, STATE, serial_kernel};
use crate::routines::{
    FORWARD, FORWARD_KEEPING_STATES, Routine, SMALLEST_CUBE, Strategy, resolve_strategy, rows_to_cubes,
    scans_tiles,
};

/// Units of the largest cube that scans tiles: each level more of its butterfly costs about as much as
/// another tile a unit.
const MOST_SCAN_UNITS: u32 = 256;

/// `[Re, Im]` is one vector of the output.
pub(crate) const PARTS: usize = 2;

/// Queues the computation of `G_ii = [(T - zI)^-1]_ii` for a batch of tridiagonal `T`.
///
/// The diagonal of `T` is `a_re + i a_im`, its super- and sub-diagonal are `b` and `c`. The output gets
/// `[B, N, 2]` float32, `(Re, Im)`. Memory and time are O(B N); no intermediate overflows at any `N`.
/// Returns the routine that was launched. A failure on the device shows at the client's next `sync`. With
/// [`BkOperands::states`] the states that [`bk_core_backward`](crate::bk_core_backward) can go on from are kept there.
///
/// # Errors
/// [`BkError`] for arguments that do not fit each other, before anything is launched.
pub fn bk_core<R: Runtime>(
    client: &ComputeClient<R>,
    problem: &BkProblem,
    operands: &BkOperands,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<Routine, BkError> {
    operands.validate(problem, options)?;
    let device = client.properties();
    let compiler = Compiler::of(client);
    let states = check_states(operands, problem, options, strategy)?;
    let laid_out = |layout| resolve_strategy(strategy, layout, problem, options, compiler, device);
    let (routine, mut blueprint) = laid_out(FORWARD)?;
    if states > 0
        && blueprint.in_registers
        && let Ok((same, keeping)) = laid_out(FORWARD_KEEPING_STATES)
        && same == routine
    {
        blueprint = keeping;
    }
    let has_own_couplings = operands.b.row_stride != 0 || operands.c.row_stride != 0;
    let roomy = has_own_couplings && device.hardware.max_shared_memory_size >= ROOMY_BYTES;
    let blueprint = Blueprint { keeps_states: states > 0, roomy, ..blueprint };
    let call = Call { client, problem, operands, options, blueprint, states };
    match routine {
        Routine::Serial => call.serial(),
        Routine::Cube => call.cube(),
        Routine::MultiCube => call.multi_cube()?,
    }
    Ok(routine)
}

/// Checks that a problem can run with a strategy on a device and names the routine that would run.
///
/// # Errors
/// [`BkError::Strategy`] with the limit that stands against it.
pub fn plan_routine<R: Runtime>(
    client: &ComputeClient<R>,
    problem: &BkProblem,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<Routine, BkError> {
    let (compiler, device) = (Compiler::of(client), client.properties());
    resolve_strategy(strategy, FORWARD, problem, options, compiler, device).map(|(routine, _)| routine)
}

/// One call with the layout that was chosen for it.
pub(crate) struct Call<'a, R: Runtime> {
    pub(crate) client: &'a ComputeClient<R>,
    pub(crate) problem: &'a BkProblem,
    pub(crate) operands: &'a BkOperands,
    pub(crate) options: &'a BkOptions,
    pub(crate) blueprint: Blueprint,
    /// Words of the states that are kept between the passes.
    pub(crate) states: usize,
}

impl<R: Runtime> Call<'_, R> {
    fn serial(&self) {
        let BkProblem { batch, n, .. } = *self.problem;
        let length = n.div_ceil(GROUP as usize) * STATE * batch;
        let starts = self.client.empty(4 * length);
        let cubes = batch.div_ceil(SERIAL_UNITS as usize);
        // SAFETY: the kernel leaves out units beyond the batch and clamps every site; the buffers were
        // checked against the problem, and the scratch has one state for each group and row.
        unsafe {
            serial_kernel::launch_unchecked::<R>(
                self.client,
                self.grid(cubes),
                CubeDim::new_1d(SERIAL_UNITS),
                self.address(length),
                PARTS,
                self.inputs(),
                ArrayArg::from_raw_parts(starts, length),
                self.output(),
                self.finish(),
                self.blueprint,
            );
        }
    }

    fn cube(&self) {
        let cubes = rows_to_cubes(self.problem.batch, &self.blueprint);
        // A row within a cube has no edges: any array stands for them.
        self.launch_cube(self.operands.z.clone(), PARTS, cubes, 1);
    }

    fn multi_cube(&self) -> Result<(), BkError> {
        let BkProblem { batch, n, .. } = *self.problem;
        let tile = self.blueprint.tile() as usize;
        let tiles = n.div_ceil(tile);
        let cubes = batch.checked_mul(tiles).ok_or(BkError::TooLarge { batch, n })?;
        let blueprint = Blueprint { scans_tiles: true, ..self.blueprint };
        if scans_tiles(&blueprint, cubes, tiles, self.client.properties()) {
            let summaries = self.summaries(cubes, tiles);
            Call { blueprint, ..*self }.launch_cube(summaries, cubes * SUMMARY, cubes, tiles);
        } else {
            let edges = self.states_at_edges(cubes, tiles);
            self.launch_cube(edges, cubes * EDGES, cubes, tiles);
        }
        Ok(())
    }

    /// The transfer matrices of all tiles, `[SUMMARY, B, tiles]`.
    fn summaries(&self, cubes: usize, tiles: usize) -> Handle {
        let summaries = self.client.empty(4 * cubes * SUMMARY);
        // SAFETY: the kernel leaves out cubes beyond the tiles of the batch and clamps every site; the buffers were
        // checked against the problem, and the scratch is sized here by the same count.
        unsafe {
            reduce_kernel::launch_unchecked::<R>(
                self.client,
                self.grid(cubes),
                CubeDim::new_1d(self.blueprint.units),
                self.address(cubes * SUMMARY),
                self.inputs(),
                ArrayArg::from_raw_parts(summaries.clone(), cubes * SUMMARY),
                cubes,
                tiles,
                self.reduce_blueprint(),
            );
        }
        summaries
    }

    /// Without what the reduction does not depend on: it is compiled once for all such calls.
    fn reduce_blueprint(&self) -> Blueprint {
        Blueprint { keeps_states: false, roomy: false, clip: false, zero_non_finite: false, ..self.blueprint }
    }

    /// The states at the edges of all tiles, `[B, tiles, EDGES]`: reduce and scan.
    pub(crate) fn states_at_edges(&self, cubes: usize, tiles: usize) -> Handle {
        let batch = self.problem.batch;
        let tile = self.blueprint.tile() as usize;
        let summaries = self.summaries(cubes, tiles);
        let edges = self.client.empty(4 * cubes * EDGES);
        let units = scan_units(tiles, self.client.properties().hardware.max_units_per_cube);
        let scan = Blueprint {
            complex_diagonal: false,
            in_registers: false,
            units,
            units_per_row: units,
            ..self.reduce_blueprint()
        };
        // SAFETY: the kernel leaves out cubes beyond the batch; the buffers were checked against the problem, and the
        // scratch is sized by the same counts.
        unsafe {
            scan_kernel::launch_unchecked::<R>(
                self.client,
                self.grid(batch),
                CubeDim::new_1d(units),
                self.address(cubes * SUMMARY),
                self.inputs(),
                ArrayArg::from_raw_parts(summaries, cubes * SUMMARY),
                ArrayArg::from_raw_parts(edges.clone(), cubes * EDGES),
                tiles,
                tile,
                scan,
            );
        }
        edges
    }

    fn launch_cube(&self, edges: Handle, edges_length: usize, cubes: usize, tiles: usize) {
        let launch = if self.blueprint.in_registers {
            register_kernel::launch_unchecked::<R>
        } else {
            cube_kernel::launch_unchecked::<R>
        };
        // SAFETY: the kernel leaves out cubes beyond `cubes` and clamps every row and site; the buffers
        // were checked against the problem, and `edges` is read only by a tiled blueprint.
        unsafe {
            launch(
                self.client,
                self.grid(cubes),
                CubeDim::new_1d(self.blueprint.units),
                self.address(edges_length),
                PARTS,
                self.inputs(),
                ArrayArg::from_raw_parts(edges, edges_length),
                self.output(),
                self.states(),
                self.finish(),
                cubes,
                tiles,
                self.blueprint,
            );
        }
    }

    pub(crate) fn inputs(&self) -> OperandsLaunch<R> {
        let BkProblem { batch, n, .. } = *self.problem;
        let BkOperands { a_re, a_im, b, c, z, .. } = self.operands;
        let a_im = a_im.as_ref().unwrap_or(a_re);
        // A matrix of one site has no couplings, and an empty buffer cannot be bound.
        let (b, c, columns) = if n == 1 { (a_re, a_re, 1) } else { (b, c, n - 1) };
        // SAFETY: the lengths are those that the buffers were checked for.
        unsafe {
            OperandsLaunch::new(
                ArrayArg::from_raw_parts(a_re.handle.clone(), elements(a_re, batch, n)),
                ArrayArg::from_raw_parts(a_im.handle.clone(), elements(a_im, batch, n)),
                ArrayArg::from_raw_parts(b.handle.clone(), elements(b, batch, columns)),
                ArrayArg::from_raw_parts(c.handle.clone(), elements(c, batch, columns)),
                ArrayArg::from_raw_parts(z.clone(), 2),
                batch,
                n,
                a_re.row_stride,
                a_im.row_stride,
                b.row_stride,
                c.row_stride,
            )
        }
    }

    fn output(&self) -> ArrayArg<R> {
        let length = PARTS * self.problem.batch * self.problem.n;
        // SAFETY: the output was checked to hold `[B, N, 2]`.
        unsafe { ArrayArg::from_raw_parts(self.operands.output.clone(), length) }
    }

    /// The states that are kept between the passes; any array where none are.
    pub(crate) fn states(&self) -> ArrayArg<R> {
        let (handle, length) = match &self.operands.states {
            Some(states) => (states, self.states),
            None => (&self.operands.z, PARTS),
        };
        // SAFETY: the buffer was checked to hold them, and is not touched without them.
        unsafe { ArrayArg::from_raw_parts(handle.clone(), length) }
    }

    pub(crate) fn finish(&self) -> FinishLaunch<R> {
        FinishLaunch::new(self.options.max_magnitude.unwrap_or(f32::INFINITY), f32::NAN)
    }

    /// 32-bit indices unless an array is longer than they reach.
    pub(crate) fn address(&self, scratch: usize) -> AddressType {
        let BkProblem { batch, n, .. } = *self.problem;
        let BkOperands { a_re, a_im, b, c, .. } = self.operands;
        let strides = [Some(a_re), a_im.as_ref(), Some(b), Some(c)];
        let longest_stride =
            strides.into_iter().flatten().map(|operand| operand.row_stride).max().unwrap_or(0);
        let longest = (PARTS * batch * n).max((batch - 1) * longest_stride).max(self.states).max(scratch);
        address_of(longest)
    }

    pub(crate) fn grid(&self, cubes: usize) -> CubeCount {
        grid(self.client, cubes)
    }
}

/// Units that scan the tiles of a row: one a tile while they are few, since a unit's share is read tile after tile.
fn scan_units(tiles: usize, most: u32) -> u32 {
    let wanted = u32::try_from(tiles.next_power_of_two()).unwrap_or(u32::MAX);
    wanted.clamp(SMALLEST_CUBE, MOST_SCAN_UNITS).min(1 << most.ilog2())
}

/// 32-bit indices unless an array of this length is longer than they reach.
pub(crate) fn address_of(longest: usize) -> AddressType {
    if longest > i32::MAX as usize { AddressType::U64 } else { AddressType::U32 }
}

/// A grid of at least `cubes` cubes, in two dimensions where one does not take them.
pub(crate) fn grid<R: Runtime>(client: &ComputeClient<R>, cubes: usize) -> CubeCount {
    let (most, _, _) = client.properties().hardware.max_cube_count;
    let most = most as usize;
    if cubes <= most {
        CubeCount::new_1d(cubes as u32)
    } else {
        CubeCount::new_2d(most as u32, cubes.div_ceil(most) as u32)
    }
}
