//! A sweep as its user wrote it, checked and with every default filled in.
//!
//! [`Config::load`] reads TOML into the wire types of `wire`, lays the overlays (`[defaults]`, `[quick]`,
//! `--set`) over each other and checks the result; nothing behind this module sees raw TOML. The format
//! is documented for users in `configs/README.md`.

mod axes;
mod choice;
mod conditions;
mod engines;
mod kinds;
#[cfg(test)]
mod kpi_mistakes;
mod kpis;
mod load;
mod measure;
#[cfg(test)]
mod mistakes;
mod parse;
mod problem;
mod resolve;
mod runtime;
mod schema;
mod source;
mod spanned;
#[cfg(test)]
mod tests;
mod values;
mod wire;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{
    Couplings, ElementType, Family, Implementation, MeasureSpec, Mode, NonFinite, Pass, Preset, Strategy,
};
use crate::condition::Condition;
use crate::kpi::Kpi;

pub(crate) use choice::did_you_mean;
pub use engines::{DEFAULT_ENGINE_UNITS, Engine};
pub use problem::{ConfigError, Location, Problem};
pub use runtime::{AutotuneLevel, RuntimeOptions};
pub use schema::config_schema;

/// Targets that a config may name.
pub const KNOWN_TARGETS: [&str; 6] = ["cuda", "wgpu", "ndarray", "flex", "cuda-fusion", "wgpu-fusion"];

/// Seed of the inputs where a config names none.
pub const DEFAULT_SEED: u64 = 42;

/// A validated sweep with every default filled in; it goes whole into the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the results file: the file's own without its ending, unless the config gives another.
    pub name: String,
    /// What the sweep is about and how to read its results: prose for the report.
    pub analysis: String,
    /// Whether the `[quick]` overlay is applied.
    pub quick: bool,
    /// How workers set up the runtime of a GPU target.
    #[serde(default)]
    pub runtime: RuntimeOptions,
    /// External programs that serve targets of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// The benchmarks that run, in the order of the file.
    pub benchmarks: Vec<Benchmark>,
    /// What must hold of the results.
    pub kpis: Vec<Kpi>,
}

/// One `[[benchmark]]`: the product of its axes, each case measured in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Unique within the config.
    pub name: String,
    /// What is computed.
    pub kind: BenchmarkKind,
    /// File (without `.json`) that also gets this benchmark's results, in the layout of that file.
    pub view: Option<String>,
    /// The axes.
    pub axes: Axes,
    /// Axes that advance together instead of forming a product.
    pub zip: Vec<Vec<Axis>>,
    /// Points beside the product.
    pub include: Vec<Point>,
    /// Cases that are left out.
    pub exclude: Vec<Condition>,
    /// Clip `|G|` at this value.
    pub max_magnitude: Option<f32>,
    /// What becomes of entries that are not finite.
    pub non_finite: NonFinite,
    /// Size of the model's vocabulary, instead of the preset's.
    #[serde(default)]
    pub vocabulary: Option<usize>,
    /// Type of the model's tensors on CPU targets, instead of each of `dtypes`.
    #[serde(default)]
    pub cpu_dtype: Option<ElementType>,
    /// Run models that cannot fit by prediction.
    #[serde(default)]
    pub force: bool,
    /// What one launch computes.
    #[serde(default, skip_serializing_if = "Pass::is_forward")]
    pub pass: Pass,
    /// How each case is measured.
    pub measure: MeasureSpec,
}

/// The kinds of benchmark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BenchmarkKind {
    /// The diagonal of a tridiagonal resolvent.
    #[default]
    BkCore,
    /// Tokens a second of the Phase 2 language model.
    Phase2Throughput,
    /// Peak memory of the Phase 2 language model.
    Phase2Memory,
}

/// The values of each axis; none is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// Where to run; a target that the machine lacks becomes a skip.
    pub target: Vec<String>,
    /// What computes it.
    pub implementation: Vec<Implementation>,
    /// Storage types.
    pub dtype: Vec<ElementType>,
    /// Rows `B`.
    pub batch: Vec<usize>,
    /// Sites a row `N`.
    pub n: Vec<usize>,
    /// Algorithms of the kernel.
    pub strategy: Vec<Strategy>,
    /// Input families.
    pub family: Vec<Family>,
    /// Layouts of the off-diagonals.
    pub couplings: Vec<Couplings>,
    /// Spectral parameters (Re z, Im z); an absent one is the family's own.
    pub z: Vec<Option<[f32; 2]>>,
    /// Seeds of the inputs.
    pub seed: Vec<u64>,
    /// Sizes of the model.
    #[serde(default = "one_preset")]
    pub preset: Vec<Preset>,
    /// What a launch of the model does.
    #[serde(default = "one_mode")]
    pub mode: Vec<Mode>,
}

/// Results from before the models name neither.
fn one_preset() -> Vec<Preset> {
    vec![Preset::default()]
}

fn one_mode() -> Vec<Mode> {
    vec![Mode::default()]
}

/// The axes by name, as `zip` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Where to run.
    #[serde(rename = "targets")]
    Target,
    /// What computes it.
    #[serde(rename = "implementations")]
    Implementation,
    /// Storage type.
    #[serde(rename = "dtypes")]
    Dtype,
    /// Rows `B`.
    Batch,
    /// Sites a row `N`.
    N,
    /// Algorithm of the kernel.
    #[serde(rename = "strategies")]
    Strategy,
    /// Input family.
    #[serde(rename = "families")]
    Family,
    /// Layout of the off-diagonals.
    Couplings,
    /// Spectral parameter.
    Z,
    /// Seed of the inputs.
    Seed,
    /// Sizes of the model.
    #[serde(rename = "presets")]
    Preset,
    /// What a launch of the model does.
    #[serde(rename = "modes")]
    Mode,
}

/// A point beside the product: the axes that it names, and every value of those that it does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Where to run.
    pub target: Option<String>,
    /// What computes it.
    pub implementation: Option<Implementation>,
    /// Storage type.
    pub dtype: Option<ElementType>,
    /// Rows `B`.
    pub batch: Option<usize>,
    /// Sites a row `N`.
    pub n: Option<usize>,
    /// Algorithm of the kernel.
    pub strategy: Option<Strategy>,
    /// Input family.
    pub family: Option<Family>,
    /// Layout of the off-diagonals.
    pub couplings: Option<Couplings>,
    /// Spectral parameter (Re z, Im z).
    pub z: Option<[f32; 2]>,
    /// Seed of the inputs.
    pub seed: Option<u64>,
    /// Sizes of the model.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// What a launch of the model does.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// What the command line changes of a config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Apply the `[quick]` overlay.
    pub quick: bool,
    /// `--set PATH=VALUE`, later ones win: `samples`, `defaults.samples` or `benchmark.NAME.samples`.
    pub set: Vec<(String, String)>,
}
