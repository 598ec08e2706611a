//! The algorithms, and the choice between them.

pub(crate) mod cube;
pub(crate) mod edges;
pub(crate) mod multi_cube;
pub(crate) mod registers;
pub(crate) mod serial;

use cubecl::ir::DeviceProperties;
use cubecl::ir::features::Plane;

use crate::blueprint::{Blueprint, CHUNKS, Compiler};
use crate::error::BkError;
use crate::options::{BkOptions, NonFinite};
use crate::problem::BkProblem;
use crate::routines::edges::TILES_OF_UNIT;
use crate::routines::serial::SERIAL_UNITS;

/// What a cube is made of where a sweep does not say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Where entries are staged in shared memory.
    pub(crate) staged: Shape,
    /// Where units keep them in registers, since a driver gives little shared memory.
    pub(crate) registers: Shape,
    /// When they do.
    pub(crate) in_registers: InRegisters,
    /// Sites of the longest rows that a unit takes alone where there are few of them, 0 for none.
    pub(crate) alone: usize,
}

/// The shape of a cube.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Sites of a unit.
    pub(crate) chunk: u32,
    /// Units of a cube.
    pub(crate) units: u32,
    /// Units of the largest cube, for rows that would else be divided over several and read twice.
    pub(crate) largest: u32,
}

/// When units keep their entries in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InRegisters {
    /// Where cubes have to share a multiprocessor: a single one is sooner done with shared memory.
    WhereCubesShare,
    /// For any batch.
    Always,
}

/// Shorter chunks pay more for the butterfly, and polish over less than 16 sites: over 8 the worst error on Hermitian
/// input near the real axis comes close to 70 units (see `METHODOLOGY.md`). Longer ones leave too few units to hide latency.
/// More units would share fewer cubes a multiprocessor, and wait for each other at barriers.
pub(crate) const FORWARD: Layout = Layout {
    staged: Shape { chunk: 32, units: 128, largest: 512 },
    // For twice as many units a multiprocessor has too few registers.
    registers: Shape { chunk: 32, units: 128, largest: 256 },
    in_registers: InRegisters::WhereCubesShare,
    alone: 16,
};

/// Where states are kept for a backward pass, which is to follow: half as many sites are a shorter program, and two long ones in turn
/// take longer than each by itself (`docs/perf-log.md`). With registers states are polished over whole chunks.
pub(crate) const FORWARD_KEEPING_STATES: Layout =
    Layout { registers: Shape { chunk: 16, units: 256, largest: 512 }, ..FORWARD };

/// Units of the smallest cube; smaller ones leave lanes of a plane idle.
pub(crate) const SMALLEST_CUBE: u32 = 32;
/// Cubes for each multiprocessor below which rows are spread over smaller cubes.
const CUBES_PER_MULTIPROCESSOR: usize = 4;

/// Rows for each multiprocessor up to which short ones are `serial`: so many are a cube of that routine. It has
/// nothing to stage or to exchange, but its units read far apart.
const SERIAL_ROWS_PER_MULTIPROCESSOR: usize = SERIAL_UNITS as usize;

/// Multiprocessors of a device that does not tell, as through wgpu: those of a middling card.
const UNKNOWN_MULTIPROCESSORS: u32 = 64;

/// One algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routine {
    /// One unit a row.
    Serial,
    /// One cube a row, or several rows a cube.
    Cube,
    /// Several cubes a row: reduce, scan, apply.
    MultiCube,
}

impl Routine {
    /// Name as written in sweeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Cube => "cube",
            Self::MultiCube => "multi-cube",
        }
    }
}

/// Which algorithm runs, and how it is laid out. What is `None` is inferred from sizes and device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Strategy {
    /// The algorithm.
    pub routine: Option<Routine>,
    /// Sites of a unit: 8, 16 or 32. The forward pass polishes over half of them, for which 4 or 8 sites are too few
    /// near the real axis.
    pub chunk: Option<u32>,
    /// Units of a cube, a power of two.
    pub units: Option<u32>,
    /// Units of a plane; `Some(0)` keeps to shared memory.
    pub plane_size: Option<u32>,
}

impl Strategy {
    /// Forces an algorithm and leaves its layout to be inferred.
    pub fn forced(routine: Routine) -> Self {
        Self { routine: Some(routine), ..Self::default() }
    }

    /// Whether nothing is forced.
    fn is_free(&self) -> bool {
        *self == Self::default()
    }
}

/// The algorithm and its blueprint for a problem on a device.
pub(crate) fn resolve_strategy(
    strategy: &Strategy,
    layout: Layout,
    problem: &BkProblem,
    options: &BkOptions,
    compiler: Compiler,
    device: &DeviceProperties,
) -> Result<(Routine, Blueprint), BkError> {
    let lay_out = |in_registers| {
        let shape = if in_registers { layout.registers } else { layout.staged };
        let blueprint = Blueprint {
            chunk: strategy.chunk.unwrap_or(shape.chunk),
            units: strategy.units.unwrap_or(shape.units.min(device.hardware.max_units_per_cube)),
            units_per_row: 1,
            compiler,
            plane_size: strategy.plane_size.unwrap_or_else(|| uniform_plane_size(device)),
            complex_diagonal: problem.complex_diagonal,
            in_registers,
            tiled: false,
            scans_tiles: false,
            keeps_states: false,
            roomy: false,
            clip: options.max_magnitude.is_some(),
            zero_non_finite: options.non_finite == NonFinite::Zero,
        };
        place_rows(blueprint, strategy, shape.largest, layout.alone, problem, device)
    };
    let (routine, blueprint) = lay_out(compiler == Compiler::SpirV)?;
    // A layout that is forced stays as it is for any batch.
    let may_stage =
        strategy.is_free() && layout.in_registers == InRegisters::WhereCubesShare && blueprint.in_registers;
    if may_stage
        && cubes(routine, problem, &blueprint) <= multiprocessors(device)
        && let Ok((same, staged)) = lay_out(false)
        && same == routine
    {
        return Ok((routine, staged));
    }
    Ok((routine, blueprint))
}

/// The algorithm for a problem on a device, and its blueprint, of which `blueprint` has all but what depends on the rows.
fn place_rows(
    mut blueprint: Blueprint,
    strategy: &Strategy,
    largest: u32,
    alone: usize,
    problem: &BkProblem,
    device: &DeviceProperties,
) -> Result<(Routine, Blueprint), BkError> {
    let limit = device.hardware.max_shared_memory_size;
    check_layout(&blueprint, strategy.routine, device)?;
    if strategy.units.is_none() {
        // The largest mailbox: a row over all units.
        while blueprint.units > 2
            && (Blueprint { units_per_row: blueprint.units, ..blueprint }).shared_bytes() > limit
        {
            blueprint.units /= 2;
        }
    }
    let largest = match strategy.units {
        Some(units) => units,
        None => largest_units(&blueprint, largest.min(device.hardware.max_units_per_cube), limit),
    };
    let longest = blueprint.chunk as usize * largest as usize;
    let inferred = match problem.n {
        n if strategy.is_free() && n <= alone && are_few(problem.batch, device) => Routine::Serial,
        n if n <= longest => Routine::Cube,
        _ => Routine::MultiCube,
    };
    let routine = strategy.routine.unwrap_or(inferred);
    match routine {
        Routine::Serial => {}
        Routine::Cube => {
            let needed = problem.n.div_ceil(blueprint.chunk as usize).min(largest as usize);
            blueprint.units = blueprint.units.max(needed.next_power_of_two() as u32);
            shape_cube(&mut blueprint, strategy, problem, device, longest)?;
        }
        Routine::MultiCube => {
            blueprint.units_per_row = blueprint.units;
            blueprint.tiled = true;
        }
    }
    if routine != Routine::Serial && blueprint.shared_bytes() > limit {
        let needed = blueprint.shared_bytes();
        let reason = format!("needs {needed} bytes of shared memory where the device has {limit}");
        return Err(BkError::Strategy { routine: routine.name(), reason });
    }
    Ok((routine, blueprint))
}

/// Cubes of a batch.
fn cubes(routine: Routine, problem: &BkProblem, blueprint: &Blueprint) -> usize {
    match routine {
        Routine::Serial => problem.batch.div_ceil(SERIAL_UNITS as usize),
        Routine::Cube => rows_to_cubes(problem.batch, blueprint),
        Routine::MultiCube => problem.batch.saturating_mul(problem.n.div_ceil(blueprint.tile() as usize)),
    }
}

/// Units of the largest cube that the shared memory of a device holds.
fn largest_units(blueprint: &Blueprint, most: u32, limit: usize) -> u32 {
    let fits = |units| Blueprint { units, units_per_row: units, ..*blueprint }.shared_bytes() <= limit;
    let mut units = blueprint.units;
    while 2 * units <= most && fits(2 * units) {
        units *= 2;
    }
    units
}

fn multiprocessors(device: &DeviceProperties) -> usize {
    device.hardware.num_streaming_multiprocessors.unwrap_or(UNKNOWN_MULTIPROCESSORS) as usize
}

fn are_few(rows: usize, device: &DeviceProperties) -> bool {
    rows <= SERIAL_ROWS_PER_MULTIPROCESSOR * multiprocessors(device)
}

fn shape_cube(
    blueprint: &mut Blueprint,
    strategy: &Strategy,
    problem: &BkProblem,
    device: &DeviceProperties,
    longest: usize,
) -> Result<(), BkError> {
    if problem.n > longest {
        let reason = format!(
            "rows have {} sites and a cube of this device holds {longest}; `multi-cube` takes any length",
            problem.n
        );
        return Err(BkError::Strategy { routine: "cube", reason });
    }
    blueprint.units_per_row = problem.n.div_ceil(blueprint.chunk as usize).next_power_of_two() as u32;
    if strategy.units.is_none() {
        let most = blueprint.units;
        blueprint.units = blueprint.units_per_row.max(SMALLEST_CUBE).min(most);
        // A driver that lets few units of a large cube onto a multiprocessor has more of small ones.
        while blueprint.compiler != Compiler::SpirV
            && blueprint.units < most
            && rows_to_cubes(problem.batch, blueprint) > CUBES_PER_MULTIPROCESSOR * multiprocessors(device)
        {
            blueprint.units *= 2;
        }
    }
    Ok(())
}

/// Whether the cubes of a row over several each scan its tiles: where their matrices are few enough for the units of a cube,
/// and the cubes few enough to run side by side, since each more of them scans the same again. Not where a backward pass is to
/// follow: both together took longer (`docs/perf-log.md`).
pub(crate) fn scans_tiles(
    blueprint: &Blueprint,
    cubes: usize,
    tiles: usize,
    device: &DeviceProperties,
) -> bool {
    !blueprint.keeps_states
        && tiles <= TILES_OF_UNIT * blueprint.units as usize
        && cubes <= CUBES_PER_MULTIPROCESSOR * multiprocessors(device)
        && blueprint.shared_bytes() <= device.hardware.max_shared_memory_size
}

/// Cubes that hold a batch when each row takes part of one.
pub(crate) fn rows_to_cubes(batch: usize, blueprint: &Blueprint) -> usize {
    batch.div_ceil((blueprint.units / blueprint.units_per_row) as usize)
}

fn check_layout(
    blueprint: &Blueprint,
    routine: Option<Routine>,
    device: &DeviceProperties,
) -> Result<(), BkError> {
    let routine = routine.map_or("auto", Routine::name);
    let Blueprint { chunk, units, plane_size, .. } = *blueprint;
    let wrong = |reason: String| Err(BkError::Strategy { routine, reason });
    if !CHUNKS.contains(&chunk) {
        return wrong(format!("a chunk of {chunk} sites is not one of {CHUNKS:?}"));
    }
    if units < 2 || !units.is_power_of_two() {
        return wrong(format!("{units} units a cube are not a power of two above 1"));
    }
    let most = device.hardware.max_units_per_cube.min(device.hardware.max_cube_dim.0);
    if units > most {
        return wrong(format!("{units} units a cube where the device has at most {most}"));
    }
    if plane_size != 0 && !plane_size.is_power_of_two() {
        return wrong(format!("a plane of {plane_size} units is not a power of two"));
    }
    let widest = device.hardware.plane_size_max;
    if plane_size > widest {
        return wrong(format!("a plane of {plane_size} units where the device has {widest}"));
    }
    Ok(())
}

/// Units of a plane where shuffles exist and every plane has the same size, else 0.
fn uniform_plane_size(device: &DeviceProperties) -> u32 {
    let hardware = &device.hardware;
    let uniform = hardware.plane_size_min == hardware.plane_size_max;
    if device.features.plane.contains(Plane::Ops) && uniform { hardware.plane_size_max } else { 0 }
}
