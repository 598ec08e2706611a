//! What the generated code depends on: each distinct [`Blueprint`] is compiled once.

use cubecl::prelude::*;

use crate::kept::KEPT_CHUNK;
use crate::routines::multi_cube::EDGES;

/// Sites between two rescalings of a state: with four, entries from 2^-18 to 2^30 times unity neither
/// overflow nor lose digits, and the cost of rescaling is small.
pub(crate) const GROUP: u32 = 4;

/// Sites after which a sweep has forgotten the direction that a matrix contracts (see `METHODOLOGY.md`).
const POLISH: u32 = 16;

/// Lengths of a chunk: two halves of whole groups, each of which fits into registers.
pub(crate) const CHUNKS: [u32; 3] = [8, 16, 32];

/// Floats that a unit posts: a transfer matrix and its flag.
pub(crate) const MAIL_FLOATS: u32 = 9;

/// Shared memory of a cube of which a multiprocessor of 228 KiB takes four, where it would take five of the forward pass's
/// largest: with couplings of each row four finish sooner, and leave the cache divided as the backward pass does
/// (`docs/perf-log.md`).
pub(crate) const ROOMY_BYTES: usize = 46 << 10;

/// Units that a lane of the scan takes, where planes are left for others: see `scan`.
const SHARE: u32 = 2;

/// The compiler of a kernel, where the layout depends on what it makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Compiler {
    /// CUDA's: joins reads of neighbouring words, and a barrier of a plane orders its shared memory.
    Cuda,
    /// A driver's, from SPIR-V: joins reads, but the barrier of a plane that CubeCL 0.10 writes orders nothing.
    SpirV,
    /// Any other.
    Other,
}

impl Compiler {
    /// The one of a runtime.
    pub(crate) fn of<R: Runtime>(client: &ComputeClient<R>) -> Self {
        match R::name(client) {
            "cuda" => Self::Cuda,
            "wgpu<spirv>" => Self::SpirV,
            _ => Self::Other,
        }
    }
}

/// The compile-time parameters of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Blueprint {
    /// Consecutive sites of one unit, one of [`CHUNKS`].
    pub(crate) chunk: u32,
    /// Units of a cube.
    pub(crate) units: u32,
    /// Units that share a row, a power of two that divides `units`.
    pub(crate) units_per_row: u32,
    /// What compiles the kernel.
    pub(crate) compiler: Compiler,
    /// Units of a plane, 0 to keep to shared memory.
    pub(crate) plane_size: u32,
    /// Whether the diagonal has an imaginary part.
    pub(crate) complex_diagonal: bool,
    /// Whether units keep the entries of their chunks in registers, and the cube no more of them in shared memory than it moves.
    pub(crate) in_registers: bool,
    /// Whether a row is divided over several cubes, whose edge states come from a scan before.
    pub(crate) tiled: bool,
    /// Whether each cube scans the tiles of its row, instead of a launch before.
    pub(crate) scans_tiles: bool,
    /// Whether the states at the edges of chunks are kept in memory for a backward pass.
    pub(crate) keeps_states: bool,
    /// Whether a cube takes [`ROOMY_BYTES`] of shared memory where it needs a little less.
    pub(crate) roomy: bool,
    /// Whether magnitudes are clipped.
    pub(crate) clip: bool,
    /// Whether entries that are not finite become zero.
    pub(crate) zero_non_finite: bool,
}

impl Blueprint {
    /// Sites that a row has in a cube.
    pub(crate) fn tile(&self) -> u32 {
        self.chunk * self.units_per_row
    }

    /// Whether all units of a cube share a row.
    pub(crate) fn has_one_row(&self) -> bool {
        self.units_per_row == self.units
    }

    /// Kept chunks of a unit.
    pub(crate) fn kept_chunks(&self) -> u32 {
        self.chunk / KEPT_CHUNK
    }

    /// Units that a lane of the scan takes.
    pub(crate) fn share(&self) -> u32 {
        let spares_planes = self.plane_size > 0 && self.units >= SHARE * self.plane_size;
        if spares_planes && self.units_per_row >= SHARE { SHARE } else { 1 }
    }

    /// The lanes of the scan in the place of the units.
    pub(crate) fn lanes(&self) -> Self {
        let share = self.share();
        Self { units: self.units / share, units_per_row: self.units_per_row / share, ..*self }
    }

    /// Whether the states in the middle of a chunk that a sweep from its edges has given are polished: else a unit with its
    /// entries in registers sweeps to the middle again, from edges that are.
    pub(crate) fn has_polished_middle(&self) -> bool {
        self.half() >= POLISH
    }

    /// Sites of half a chunk, which are in registers at a time.
    pub(crate) fn half(&self) -> u32 {
        self.chunk / 2
    }

    /// The part of a row of lanes that a butterfly goes over, as a row: without planes all of it.
    pub(crate) fn plane_of_lanes(&self) -> Self {
        let lanes = self.lanes();
        match self.plane_size {
            0 => lanes,
            plane_size => Self { units_per_row: plane_size.min(lanes.units_per_row), ..lanes },
        }
    }

    /// As many units as the lanes have such parts.
    pub(crate) fn one_unit_a_plane(&self) -> Self {
        let plane = self.plane_of_lanes();
        Self { units: plane.units / plane.units_per_row, ..plane }
    }

    /// Whether a row has lanes in more than one plane.
    pub(crate) fn crosses_planes(&self) -> bool {
        self.lanes().units_per_row > self.plane_of_lanes().units_per_row
    }

    /// Floats of the matrices that the butterfly keeps: those of the lanes, but where all units are lanes these are in
    /// the mailbox.
    pub(crate) fn blocks(&self) -> u32 {
        if self.share() == 1 { 0 } else { MAIL_FLOATS * self.lanes().units }
    }

    /// Floats of the products of planes: a multiple of four, since what is behind them may be read by four words.
    pub(crate) fn products(&self) -> u32 {
        let planes = if self.crosses_planes() { self.one_unit_a_plane().units } else { 0 };
        (MAIL_FLOATS * planes).max(1).next_multiple_of(4)
    }

    /// Units that stage their chunks together: on CUDA a plane, which need not wait for the others, else all.
    pub(crate) fn crew(&self) -> u32 {
        if self.compiler == Compiler::Cuda && self.plane_size > 0 {
            self.plane_size.min(self.units)
        } else {
            self.units
        }
    }

    /// Distance of the chunks of neighbouring units in shared memory, so that units which read the same element of their
    /// chunks use different banks. Where the compiler joins them, four words are read at once, and the distance is a
    /// multiple of four; for words one by one it is odd.
    pub(crate) fn pitch(&self) -> u32 {
        self.chunk + self.gap()
    }

    /// The same for halves of chunks that are transposed on their way to registers, for words one by one.
    pub(crate) fn half_pitch(&self) -> u32 {
        self.half() + 1
    }

    fn gap(&self) -> u32 {
        if self.compiler == Compiler::Other { 1 } else { 4 }
    }

    /// Floats of one staged array: diagonal, its imaginary part, couplings.
    pub(crate) fn staged(&self) -> u32 {
        self.units * self.pitch()
    }

    /// Sites of the two chunks beyond the edges of a tile; one where there are none.
    pub(crate) fn halo(&self) -> u32 {
        if self.tiled { 2 * self.chunk } else { 1 }
    }

    /// Floats of the states at the edges of a tile; where there are none, four, to which the arrays after it are aligned.
    pub(crate) fn edges(&self) -> u32 {
        if self.tiled { EDGES as u32 } else { 4 }
    }

    /// Floats of the mailbox.
    pub(crate) fn mail(&self) -> u32 {
        self.mail_of_unit() * self.units + if self.roomy { self.spare() } else { 0 }
    }

    /// Floats of a unit in it: what it posts, or what it transposes before that.
    fn mail_of_unit(&self) -> u32 {
        if self.in_registers { MAIL_FLOATS.max(self.half_pitch()) } else { MAIL_FLOATS }
    }

    /// Floats of the scan of tiles beside that of chunks: its couplings, and what a scan keeps.
    fn second_scan(&self) -> u32 {
        self.units + self.blocks() + self.products()
    }

    /// Floats that a cube lacks of [`ROOMY_BYTES`], none where it takes more or far less.
    fn spare(&self) -> u32 {
        let needed = (Self { roomy: false, ..*self }).shared_bytes();
        let lacking = ROOMY_BYTES.checked_sub(needed).filter(|bytes| *bytes <= ROOMY_BYTES / 10);
        lacking.map_or(0, |bytes| 4 * (bytes / 16) as u32)
    }

    /// Bytes of shared memory that a cube takes.
    pub(crate) fn shared_bytes(&self) -> usize {
        // In 64 bits and saturating, since a forced layout may ask for anything.
        let units = u64::from(self.units);
        let arrays = match (self.in_registers, self.complex_diagonal) {
            (true, _) => 0,
            (false, true) => 3,
            (false, false) => 2,
        };
        let staged = units.saturating_mul(arrays * u64::from(self.pitch()));
        let spare = if self.roomy { u64::from(self.spare()) } else { 0 };
        let rest = u64::from(self.mail_of_unit() + 1) * units
            + spare
            + 4 * u64::from(self.halo())
            + u64::from(self.edges())
            + u64::from(if self.scans_tiles { self.second_scan() } else { 0 })
            + u64::from(self.blocks() + self.products());
        usize::try_from(staged.saturating_add(rest).saturating_mul(4)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILE: Blueprint = Blueprint {
        chunk: 32,
        units: 128,
        units_per_row: 128,
        compiler: Compiler::SpirV,
        plane_size: 32,
        complex_diagonal: false,
        in_registers: false,
        tiled: true,
        scans_tiles: false,
        keeps_states: false,
        roomy: false,
        clip: false,
        zero_non_finite: false,
    };

    /// What Vulkan gives a cube on many devices. A driver refused a kernel whose second scan was not counted.
    #[test]
    fn a_cube_that_scans_its_tiles_counts_both_scans_and_fits_48_kib() {
        let scanning = Blueprint { scans_tiles: true, roomy: true, ..TILE };
        let one_scan = Blueprint { scans_tiles: false, roomy: false, ..scanning }.shared_bytes();
        // 128 couplings, nine floats of 64 lanes, those of two planes.
        assert_eq!(scanning.shared_bytes() - one_scan, 4 * (128 + 9 * 64 + 20));
        assert!(scanning.shared_bytes() <= 48 << 10, "{}", scanning.shared_bytes());
    }

    #[test]
    fn a_row_of_8192_sites_in_registers_fits_48_kib() {
        let row = Blueprint {
            chunk: 16,
            units: 512,
            units_per_row: 512,
            in_registers: true,
            complex_diagonal: true,
            tiled: false,
            ..TILE
        };
        assert!(row.shared_bytes() <= 48 << 10, "{}", row.shared_bytes());
        assert!(Blueprint { in_registers: false, ..row }.shared_bytes() > 48 << 10);
    }

    /// A driver was seen to give the cubes of a multiprocessor 54 KiB together, and each takes 1 KiB more than it asks for.
    #[test]
    fn four_cubes_of_4096_sites_in_registers_fit_where_one_fits_whose_sites_are_in_shared_memory() {
        let together = |blueprint: Blueprint| (54 << 10) / (blueprint.shared_bytes() + (1 << 10));
        let row = Blueprint { tiled: false, ..TILE };
        assert_eq!(together(row), 1);
        assert_eq!(together(Blueprint { in_registers: true, ..row }), 4);
        assert_eq!(together(Blueprint { in_registers: true, complex_diagonal: true, ..row }), 4);
    }
}
