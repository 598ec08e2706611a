//! One measurable point of a sweep: what to run, on which target, in which type, measured how.

mod phase2;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use phase2::{Mode, Phase2Spec, Preset};

/// A fully specified benchmark case. Nothing in it depends on the machine it is planned on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Stable name, unique within its benchmark: `bk-core/cuda/f32/b16-n4096/kernel`.
    pub id: String,
    /// Name of the `[[benchmark]]` table that it comes from.
    pub benchmark: String,
    /// Where it runs: `cuda`, `wgpu`, `ndarray`, `flex`, `host`, ...
    pub target: String,
    /// Type of the stored inputs and outputs; arithmetic is never narrower than f32.
    pub dtype: ElementType,
    /// What is computed.
    pub workload: WorkloadSpec,
    /// How it is measured.
    pub measure: MeasureSpec,
}

/// Storage type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// IEEE binary64.
    F64,
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
}

impl ElementType {
    /// Size of one element in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// The kinds of benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WorkloadSpec {
    /// The diagonal of a tridiagonal resolvent.
    BkCore(BkCoreSpec),
    /// Tokens a second of the Phase 2 language model.
    Phase2Throughput(Phase2Spec),
    /// Peak memory of the Phase 2 language model.
    Phase2Memory(Phase2Spec),
}

impl WorkloadSpec {
    /// Name of the kind as written in configs and ids.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::BkCore(_) => "bk-core",
            Self::Phase2Throughput(_) => "phase2-throughput",
            Self::Phase2Memory(_) => "phase2-memory",
        }
    }

    /// Rows `B`.
    pub fn batch(&self) -> usize {
        match self {
            Self::BkCore(spec) => spec.batch,
            Self::Phase2Throughput(spec) | Self::Phase2Memory(spec) => spec.batch,
        }
    }

    /// Sites a row, or tokens a sequence: `N`.
    pub fn n(&self) -> usize {
        match self {
            Self::BkCore(spec) => spec.n,
            Self::Phase2Throughput(spec) | Self::Phase2Memory(spec) => spec.n,
        }
    }

    /// The model that runs, where one does.
    pub fn phase2(&self) -> Option<&Phase2Spec> {
        match self {
            Self::BkCore(_) => None,
            Self::Phase2Throughput(spec) | Self::Phase2Memory(spec) => Some(spec),
        }
    }
}

/// `G_ii = [(T - zI)^-1]_ii` for a batch of tridiagonal `T`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BkCoreSpec {
    /// Rows `B`, at least 1.
    pub batch: usize,
    /// Sites a row `N`, at least 1.
    pub n: usize,
    /// Which implementation computes it.
    pub implementation: Implementation,
    /// Which algorithm the CubeCL kernel uses; ignored by the other implementations.
    pub strategy: Strategy,
    /// Where the matrix entries come from.
    pub family: Family,
    /// One `b`, `c` for each row or one for the whole batch.
    pub couplings: Couplings,
    /// Spectral parameter (Re z, Im z); the family's own when absent.
    pub z: Option<[f32; 2]>,
    /// Seed of the input generator.
    pub seed: u64,
    /// Clip `|G|` at this value and keep its phase.
    pub max_magnitude: Option<f32>,
    /// What becomes of entries that are not finite.
    pub non_finite: NonFinite,
    /// Which pass is launched.
    #[serde(default, skip_serializing_if = "Pass::is_forward")]
    pub pass: Pass,
}

/// What one launch computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// The diagonal.
    #[default]
    Forward,
    /// The exact gradients by `a`, `b`, `c` and `z`, from a cotangent of the diagonal.
    Backward,
    /// Both, one after the other.
    ForwardBackward,
}

impl Pass {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::ForwardBackward => "forward-backward",
        }
    }

    /// Whether the diagonal is computed.
    pub fn has_forward(self) -> bool {
        self != Self::Backward
    }

    /// Whether gradients are computed.
    pub fn has_backward(self) -> bool {
        self != Self::Forward
    }

    /// Whether it is the default, which files and ids leave out.
    pub fn is_forward(&self) -> bool {
        *self == Self::Forward
    }
}

/// Ways to compute the resolvent diagonal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// The CubeCL kernel.
    Kernel,
    /// The float32 scan written for the CPU backends.
    Native,
    /// Plain tensor operations, no custom kernel.
    Tensor,
    /// Serial float64 on the CPU: the oracle, and what speedups are relative to.
    Host,
    /// Other people's way to do the same, in a program of its own: an external engine.
    Peer,
    /// The original's algorithm on the CPU, in float32 and in float64: determinants of leading and trailing blocks
    /// without rescaling. It leaves the range of its type on long rows.
    ThetaPhi,
}

impl Implementation {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Native => "native",
            Self::Tensor => "tensor",
            Self::Host => "host",
            Self::Peer => "peer",
            Self::ThetaPhi => "theta-phi",
        }
    }

    /// Whether a wrong result is a fault. `theta-phi` is in a sweep to show where it breaks: its errors are
    /// reported, and do not make a run fail.
    pub fn must_be_right(self) -> bool {
        self != Self::ThetaPhi
    }
}

/// Algorithms of the CubeCL kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Chosen from the sizes and the device.
    #[default]
    Auto,
    /// One unit a row.
    Serial,
    /// One cube a row, or several rows a cube.
    Cube,
    /// Reduce, scan, apply: several cubes a row.
    MultiCube,
}

impl Strategy {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Serial => "serial",
            Self::Cube => "cube",
            Self::MultiCube => "multi-cube",
        }
    }
}

/// Input families (numerics documented in `METHODOLOGY.md`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// `a, b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    #[default]
    Normal,
    /// `a = -2 + N(0, 1)`, `b = c = 1`, `z = i`.
    Default,
    /// `a ~ N(0, 1)`, `b = c ~ N(0, 1)`, `z = 0.1 + 0.1i`; `z` chooses the distance to the spectrum.
    Hermitian,
    /// `c = -b`, `a, b ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    Antisymmetric,
    /// `|b|, |c|` log-uniform in `[1e-2, 1e2]`, random signs, `z = 0.1 + 0.1i`.
    Mixed,
    /// `a = +-4`, `b, c ~ N(0, 1)`: diagonally dominant, `z = 0.1 + 0.1i`.
    DiagonallyDominant,
    /// `|a| <= 1e4` uniform, `b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    LargeDiagonal,
    /// `|a| <= 1e4` uniform, `b, c ~ N(0, 100^2)`, `z = 0.1 + 0.1i`.
    LargeEntries,
    /// `a = 0`, `b = c = 1`, `z = 0.5 + 0.1i`: extended states.
    Free,
    /// `a = N(0, 1) - i |N(0, 1)|`, `b, c ~ N(0, 1)`, `z = 0.1 + 0.1i`.
    Complex,
}

impl Family {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Default => "default",
            Self::Hermitian => "hermitian",
            Self::Antisymmetric => "antisymmetric",
            Self::Mixed => "mixed",
            Self::DiagonallyDominant => "diagonally-dominant",
            Self::LargeDiagonal => "large-diagonal",
            Self::LargeEntries => "large-entries",
            Self::Free => "free",
            Self::Complex => "complex",
        }
    }
}

/// Layout of the off-diagonals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Couplings {
    /// `[B, N-1]`.
    #[default]
    PerRow,
    /// `[1, N-1]`, shared by the batch.
    Shared,
}

impl Couplings {
    /// Name as written in configs and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerRow => "per-row",
            Self::Shared => "shared",
        }
    }
}

/// What becomes of NaN and Inf in the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NonFinite {
    /// They stay.
    #[default]
    Propagate,
    /// They become 0.
    Zero,
}

/// How a case is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureSpec {
    /// Which clock gives the case its time.
    pub clock: ClockChoice,
    /// Whether inputs may still be in the cache from the launch before.
    pub cache: CacheChoice,
    /// Launches before the first sample, at least.
    pub warmup_runs: u32,
    /// Seconds of warm-up, at least.
    pub warmup_seconds: f64,
    /// Samples to take.
    pub samples: u32,
    /// Stop before `samples` once the relative half-width of the median's 95 % interval is below this.
    pub relative_noise: Option<f64>,
    /// Seconds of sampling at most, once 5 samples are there.
    pub max_seconds: f64,
    /// Seconds after which the parent kills the worker.
    pub timeout_seconds: f64,
}

/// The clock asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockChoice {
    /// `launch_regression` on hardware GPUs, `wall` elsewhere.
    #[default]
    Auto,
    /// Host time of one launch with the synchronisation after it.
    Wall,
    /// Time stamps of the device, where it has them.
    DeviceTimestamp,
    /// Slope of the time of `k` launches over `k`.
    LaunchRegression,
}

/// The cache state asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheChoice {
    /// Inputs rotate over sets larger than the cache.
    #[default]
    Cold,
    /// The same input each time.
    Hot,
}
