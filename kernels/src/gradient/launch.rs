//! From checked arguments to the launches of the backward pass.

use cubecl::ir::AddressType;
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::error::BkError;
use crate::gradient::approximate::approximate;
use crate::gradient::blueprint::{GradientBlueprint, Wanted, resolve_backward};
use crate::gradient::chunk::GradientChunk;
use crate::gradient::cube::gradient_kernel;
use crate::gradient::multi_cube::{CARRIED, MAPS, map_kernel, scan_maps_kernel};
use crate::gradient::operands::BkGradientOperands;
use crate::gradient::registers::GradientRegisters;
use crate::gradient::tile::GradientTile;
use crate::gradient::write::GradientsLaunch;
use crate::kept::check_states;
use crate::launch::{Call, PARTS, plan_routine};
use crate::options::BkOptions;
use crate::problem::{BkOperands, BkProblem, Operand};
use crate::routines::multi_cube::EDGES;
use crate::routines::{Routine, Strategy, rows_to_cubes};

/// Units of a cube of the kernels that have one element a unit.
pub(crate) const ELEMENTWISE_UNITS: u32 = 256;

/// Queues the gradients of a real `L` by the diagonal, the couplings and `z`, from `dL/dG`.
///
/// The matrix is that of [`bk_core`](crate::bk_core); `operands.output` is not touched. [`BkOptions::gradient`] says which gradients:
/// the exact ones are those of the forward pass with the same options, by two scans in O(B N), and so are the
/// approximations. With the states that a forward pass on the same matrix has kept in `operands.states` one of the scans is left
/// out. Scratch memory is at most one float a site, for couplings that the batch shares.
///
/// * A clipped value passes on what turns it. A value that was zeroed passes nothing on.
/// * In a block that is exactly singular, or has an entry that is NaN or Inf, gradients are NaN, and so are sums
///   over them (`z`, shared couplings). With `max_magnitude`, sites that are exactly singular pass nothing on. With
///   [`crate::NonFinite::Zero`], gradients that would be NaN or Inf are 0 and add nothing to sums.
/// * A coupling with `b c = 0` cuts the chain, and no block changes a bit of another block's gradients. The gradient
///   of the cut itself sees both blocks: `dL/db = c dL/d(bc)`, which is exactly 0 where `c = 0`.
///
/// Sums over the batch are formed on the device in a fixed order: a second run gives the same bits.
///
/// # Errors
/// [`BkError`] for arguments that do not fit each other, before anything is launched.
pub fn bk_core_backward<R: Runtime>(
    client: &ComputeClient<R>,
    problem: &BkProblem,
    operands: &BkOperands,
    gradients: &BkGradientOperands,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<Routine, BkError> {
    operands.validate_matrix(problem, options)?;
    gradients.validate(problem, operands)?;
    if let Some(alpha) = options.gradient.blend_weight() {
        return approximate(client, problem, operands, gradients, options, strategy, alpha);
    }
    let plan = CouplingPlan::new(problem, operands, gradients);
    let wanted = Wanted {
        a_re: gradients.a_re.is_some(),
        a_im: gradients.a_im.is_some(),
        z: gradients.z.is_some(),
        ..plan.wanted
    };
    let (routine, blueprint) = resolve_backward(strategy, wanted, problem, options, client)?;
    let states = check_states(operands, problem, options, strategy)?;
    let blueprint = GradientBlueprint { resumes: states > 0, ..blueprint };
    let forward = Call { client, problem, operands, options, blueprint: blueprint.base, states };
    let call = BackwardCall { forward, gradients, blueprint };
    if blueprint.base.in_registers {
        call.run::<GradientRegisters>(routine, &plan)?;
    } else {
        call.run::<GradientTile>(routine, &plan)?;
    }
    Ok(routine)
}

/// Checks that the backward pass of a problem can run with a strategy on a device and names its routine.
///
/// # Errors
/// [`BkError::Strategy`] with the limit that stands against it.
pub fn plan_backward<R: Runtime>(
    client: &ComputeClient<R>,
    problem: &BkProblem,
    options: &BkOptions,
    strategy: &Strategy,
) -> Result<Routine, BkError> {
    if options.gradient.blend_weight().is_some() {
        return plan_routine(client, problem, options, strategy);
    }
    let all = Wanted { a_re: true, a_im: problem.complex_diagonal, b: true, c: true, kappa: false, z: true };
    resolve_backward(strategy, all, problem, options, client).map(|(routine, _)| routine)
}

/// How the gradients of the couplings come about.
pub(crate) struct CouplingPlan {
    /// What the kernel writes for them.
    wanted: Wanted,
    pub(crate) summed_b: bool,
    pub(crate) summed_c: bool,
}

impl CouplingPlan {
    fn new(problem: &BkProblem, operands: &BkOperands, gradients: &BkGradientOperands) -> Self {
        let has_links = problem.n > 1;
        let summed = |operand: &Option<Operand>| {
            operand.as_ref().is_some_and(|operand| problem.batch > 1 && operand.row_stride == 0)
        };
        let (b, c) = (gradients.b.is_some() && has_links, gradients.c.is_some() && has_links);
        let (summed_b, summed_c) = (b && summed(&gradients.b), c && summed(&gradients.c));
        // With one `b` and one `c` for the batch, both sums are the sum of `kappa` with a factor.
        let one_each = operands.b.row_stride == 0 && operands.c.row_stride == 0;
        let kappa = (summed_b || summed_c) && one_each && b == summed_b && c == summed_c;
        let wanted = Wanted { b: b && !kappa, c: c && !kappa, kappa, ..Wanted::NOTHING };
        Self { wanted, summed_b, summed_c }
    }
}

/// Where the kernel writes.
pub(crate) struct Targets {
    a_re: Handle,
    a_im: Handle,
    pub(crate) b: Handle,
    pub(crate) c: Handle,
    pub(crate) sums: Handle,
}

pub(crate) struct BackwardCall<'a, R: Runtime> {
    pub(crate) forward: Call<'a, R>,
    pub(crate) gradients: &'a BkGradientOperands,
    pub(crate) blueprint: GradientBlueprint,
}

impl<R: Runtime> BackwardCall<'_, R> {
    fn run<C: GradientChunk>(&self, routine: Routine, plan: &CouplingPlan) -> Result<(), BkError> {
        let BkProblem { batch, n, .. } = *self.forward.problem;
        let client = self.forward.client;
        let (cubes, tiles) = match routine {
            Routine::MultiCube => {
                let tiles = n.div_ceil(self.blueprint.base.tile() as usize);
                (batch.checked_mul(tiles).ok_or(BkError::TooLarge { batch, n })?, tiles)
            }
            _ => (rows_to_cubes(batch, &self.blueprint.base), 1),
        };
        // Stands for what is not wanted: an empty buffer cannot be bound.
        let nowhere = client.empty(4);
        let rows = || client.empty(4 * batch * (n - 1));
        let couplings = |summed: bool, gradient: &Option<Operand>| match gradient {
            Some(gradient) if n > 1 && !summed => gradient.handle.clone(),
            Some(_) if n > 1 => rows(),
            _ => nowhere.clone(),
        };
        let wanted = self.blueprint.wanted;
        let targets = Targets {
            a_re: self.gradients.a_re.clone().unwrap_or(nowhere.clone()),
            a_im: self.gradients.a_im.clone().unwrap_or(nowhere.clone()),
            b: if wanted.kappa { rows() } else { couplings(plan.summed_b, &self.gradients.b) },
            c: if wanted.kappa { nowhere.clone() } else { couplings(plan.summed_c, &self.gradients.c) },
            sums: if wanted.z { client.empty(8 * cubes) } else { nowhere.clone() },
        };
        // A row within a cube has no edges, and with kept states none is needed: any array stands for them.
        let z = || (self.forward.operands.z.clone(), PARTS);
        let is_tiled = routine == Routine::MultiCube;
        let edges = if is_tiled && !self.blueprint.resumes {
            (self.forward.states_at_edges(cubes, tiles), cubes * EDGES)
        } else {
            z()
        };
        let carried = if is_tiled { self.sums_at_edges::<C>(&edges, cubes, tiles) } else { z() };
        self.launch::<C>(&targets, edges, carried, cubes, tiles);
        self.sum_over_batch(plan, &targets, cubes);
        Ok(())
    }

    /// What is carried over the edges of the tiles, `[B, tiles, CARRIED]`.
    fn sums_at_edges<C: GradientChunk>(
        &self,
        (edges, edges_length): &(Handle, usize),
        cubes: usize,
        tiles: usize,
    ) -> (Handle, usize) {
        let Call { client, problem, .. } = self.forward;
        let maps = client.empty(4 * cubes * MAPS);
        let carried = client.empty(4 * cubes * CARRIED);
        let dim = CubeDim::new_1d(self.blueprint.base.units);
        let map = GradientBlueprint { wanted: Wanted::NOTHING, ..self.blueprint };
        let mut scan = map;
        (scan.base.clip, scan.base.zero_non_finite, scan.base.complex_diagonal) = (false, false, false);
        // SAFETY: the kernels leave out cubes beyond the tiles of the batch and clamp every site; the buffers were
        // checked against the problem, and the scratch is sized here by the same counts.
        unsafe {
            map_kernel::launch_unchecked::<C, R>(
                client,
                self.forward.grid(cubes),
                dim,
                self.address(*edges_length),
                PARTS,
                self.forward.inputs(),
                self.cotangent(),
                self.gradients.cotangent.layout(),
                ArrayArg::from_raw_parts(edges.clone(), *edges_length),
                self.forward.states(),
                ArrayArg::from_raw_parts(maps.clone(), cubes * MAPS),
                self.forward.finish(),
                cubes,
                tiles,
                map,
            );
            scan_maps_kernel::launch_unchecked::<R>(
                client,
                self.forward.grid(problem.batch),
                dim,
                self.forward.address(cubes * MAPS),
                ArrayArg::from_raw_parts(maps, cubes * MAPS),
                ArrayArg::from_raw_parts(carried.clone(), cubes * CARRIED),
                problem.batch,
                tiles,
                scan,
            );
        }
        (carried, cubes * CARRIED)
    }

    fn launch<C: GradientChunk>(
        &self,
        targets: &Targets,
        (edges, edges_length): (Handle, usize),
        (carried, carried_length): (Handle, usize),
        cubes: usize,
        tiles: usize,
    ) {
        let BkProblem { batch, n, .. } = *self.forward.problem;
        let wanted = self.blueprint.wanted;
        let length = |wanted: bool, length: usize| if wanted { length } else { 1 };
        let (sites, links) = (batch * n, batch * (n - 1));
        // SAFETY: the kernel leaves out cubes beyond `cubes` and clamps every row and site; the buffers were checked
        // against the problem or made for it, and those that are not wanted are not touched.
        unsafe {
            gradient_kernel::launch_unchecked::<C, R>(
                self.forward.client,
                self.forward.grid(cubes),
                CubeDim::new_1d(self.blueprint.base.units),
                self.address(edges_length),
                PARTS,
                self.forward.inputs(),
                self.cotangent(),
                self.gradients.cotangent.layout(),
                ArrayArg::from_raw_parts(edges, edges_length),
                self.forward.states(),
                ArrayArg::from_raw_parts(carried, carried_length),
                GradientsLaunch::new(
                    ArrayArg::from_raw_parts(targets.a_re.clone(), length(wanted.a_re, sites)),
                    ArrayArg::from_raw_parts(targets.a_im.clone(), length(wanted.a_im, sites)),
                    ArrayArg::from_raw_parts(targets.b.clone(), length(wanted.b || wanted.kappa, links)),
                    ArrayArg::from_raw_parts(targets.c.clone(), length(wanted.c, links)),
                ),
                ArrayArg::from_raw_parts(targets.sums.clone(), length(wanted.z, 2 * cubes)),
                self.forward.finish(),
                cubes,
                tiles,
                self.blueprint,
            );
        }
    }

    fn address(&self, scratch: usize) -> AddressType {
        let cotangent = PARTS * self.gradients.cotangent.extent(self.forward.problem);
        self.forward.address(scratch.max(cotangent))
    }

    fn cotangent(&self) -> ArrayArg<R> {
        let cotangent = &self.gradients.cotangent;
        let length = PARTS * cotangent.extent(self.forward.problem);
        // SAFETY: the cotangent was checked to reach as far.
        unsafe { ArrayArg::from_raw_parts(cotangent.handle.clone(), length) }
    }
}
