//! What the generated code of the backward pass depends on, and its layout on a device.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, Compiler};
use crate::error::BkError;
use crate::options::BkOptions;
use crate::problem::BkProblem;
use crate::routines::{InRegisters, Layout, Routine, Shape, Strategy, resolve_strategy};

/// A chunk as long as the forward pass's would leave too few registers.
const BACKWARD: Layout = Layout {
    staged: Shape { chunk: 16, units: 256, largest: 512 },
    registers: Shape { chunk: 16, units: 256, largest: 512 },
    in_registers: InRegisters::Always,
    alone: 0,
};

/// The compile-time parameters of a kernel of the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GradientBlueprint {
    /// Layout, and what the forward pass does to its values.
    pub(crate) base: Blueprint,
    /// Which gradients are written.
    pub(crate) wanted: Wanted,
    /// Whether a forward pass has kept the states at the edges of chunks.
    pub(crate) resumes: bool,
}

/// Gradients that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) a_re: bool,
    pub(crate) a_im: bool,
    pub(crate) b: bool,
    pub(crate) c: bool,
    /// `Re kappa` of each row, in the place of the gradient of `b`: what both sums over the batch are made of.
    pub(crate) kappa: bool,
    /// Sums of `S`, one a cube.
    pub(crate) z: bool,
}

impl Wanted {
    /// Nothing: a kernel that only reads.
    pub(crate) const NOTHING: Self =
        Self { a_re: false, a_im: false, b: false, c: false, kappa: false, z: false };

    /// Whether `kappa` is computed at all.
    pub(crate) fn couplings(&self) -> bool {
        self.b || self.c || self.kappa
    }
}

impl GradientBlueprint {
    /// Whether the forward pass does anything to `G` after computing it.
    pub(crate) fn finishes(&self) -> bool {
        self.base.clip || self.base.zero_non_finite
    }

    /// Bytes of shared memory that a cube takes.
    pub(crate) fn shared_bytes(&self) -> usize {
        let Blueprint { units, in_registers, .. } = self.base;
        // In shared memory the cotangent is two arrays more than the matrix.
        let arrays = if in_registers { 0 } else { 2 };
        let cotangent = u64::from(units).saturating_mul(arrays * 4 * u64::from(self.base.pitch()));
        self.base.shared_bytes().saturating_add(usize::try_from(cotangent).unwrap_or(usize::MAX))
    }
}

/// The algorithm and its blueprint for a problem on a device: the forward pass's choice, with fewer units where the
/// cotangent does not fit beside the matrix.
pub(crate) fn resolve_backward<R: Runtime>(
    strategy: &Strategy,
    wanted: Wanted,
    problem: &BkProblem,
    options: &BkOptions,
    client: &ComputeClient<R>,
) -> Result<(Routine, GradientBlueprint), BkError> {
    if strategy.routine == Some(Routine::Serial) {
        let reason = "the backward pass has no such routine; use `cube` or `multi-cube`".to_owned();
        return Err(BkError::Strategy { routine: "serial", reason });
    }
    let device = client.properties();
    let compiler = Compiler::of(client);
    let limit = device.hardware.max_shared_memory_size;
    // What a cube holds is inferred for the forward pass; here it takes smaller ones, and then a row that fitted into
    // one may take several.
    let mut units = strategy.units;
    loop {
        let (routine, base) =
            resolve_strategy(&Strategy { units, ..*strategy }, BACKWARD, problem, options, compiler, device)?;
        let blueprint = GradientBlueprint { base, wanted, resumes: false };
        if blueprint.shared_bytes() <= limit {
            return Ok((routine, blueprint));
        }
        if strategy.units.is_some() || base.units <= 2 {
            let needed = blueprint.shared_bytes();
            let reason = format!(
                "the backward pass needs {needed} bytes of shared memory where the device has {limit}"
            );
            return Err(BkError::Strategy { routine: routine.name(), reason });
        }
        units = Some(base.units / 2);
    }
}
