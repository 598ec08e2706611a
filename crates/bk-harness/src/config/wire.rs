//! The format of a config file as written: every key optional, every name still a string.
//!
//! The documentation of these fields becomes the JSON Schema that editors show.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::case::{
    CacheChoice, ClockChoice, Couplings, ElementType, Family, Implementation, Mode, NonFinite, Pass, Preset,
    Strategy,
};
use crate::condition::{Field, MatcherValue};
use crate::config::choice::Choice;
use crate::config::spanned::{At, List};
use crate::config::{AutotuneLevel, Axis, BenchmarkKind};
use crate::kpi::{Aggregate, GrowthAxis, Metric, Severity};

/// A benchmark sweep for `bkbench`.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ConfigFile {
    /// Name of the results file, without `.json`. By default the name of this file.
    pub(super) name: Option<At<String>>,
    /// What the sweep is about and how to read its results; goes into the report.
    pub(super) analysis: Option<At<String>>,
    /// How workers set up the runtime of a GPU target.
    #[schemars(default)]
    pub(super) runtime: RuntimeTable,
    /// Values for every benchmark that does not give its own.
    #[schemars(default)]
    pub(super) defaults: Keys,
    /// External programs that serve targets of their own.
    #[schemars(default)]
    pub(super) engine: Vec<EngineTable>,
    /// The sweeps.
    pub(super) benchmark: Vec<BenchmarkTable>,
    /// What must hold of the results.
    #[schemars(default)]
    pub(super) kpi: Vec<KpiTable>,
    /// What `--quick` changes.
    #[schemars(default)]
    pub(super) quick: Overlay,
}

/// What a benchmark is made of. An axis takes one value or a list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    /// What is computed: `bk-core` (the default), `phase2-throughput` or `phase2-memory`.
    pub(super) kind: Option<At<Choice<BenchmarkKind>>>,
    /// Whether the benchmark runs; true by default.
    pub(super) enabled: Option<At<bool>>,
    /// File, without `.json`, that also gets the results of this benchmark.
    pub(super) view: Option<At<String>>,
    /// Axis: where to run. By default cuda, wgpu and ndarray.
    pub(super) targets: Option<List<String>>,
    /// Axis: what computes it. By default kernel, native and tensor; `host` always runs.
    pub(super) implementations: Option<List<Choice<Implementation>>>,
    /// Axis: storage types. By default f32.
    pub(super) dtypes: Option<List<Choice<ElementType>>>,
    /// Axis: rows `B`. No default.
    pub(super) batch: Option<List<i64>>,
    /// Axis: sites a row `N`. No default.
    pub(super) n: Option<List<i64>>,
    /// Axis: algorithms of the kernel. By default auto.
    pub(super) strategies: Option<List<Choice<Strategy>>>,
    /// Axis: input families. By default normal.
    pub(super) families: Option<List<Choice<Family>>>,
    /// Axis: layouts of the off-diagonals. By default per-row.
    pub(super) couplings: Option<List<Choice<Couplings>>>,
    /// Axis: spectral parameters as `[re, im]` or a list of such pairs. By default the family's own.
    pub(super) z: Option<At<Pairs>>,
    /// Axis: seeds of the input generator. By default 42.
    pub(super) seed: Option<List<i64>>,
    /// Axis, of the model: its sizes. By default base.
    pub(super) presets: Option<List<Choice<Preset>>>,
    /// Axis, of the model: what a launch does. By default forward.
    pub(super) modes: Option<List<Choice<Mode>>>,
    /// Size of the model's vocabulary. By default the preset's.
    pub(super) vocabulary: Option<At<i64>>,
    /// Type of the model's tensors on CPU targets, instead of each of `dtypes`. By default none.
    pub(super) cpu_dtype: Option<At<Choice<ElementType>>>,
    /// Run models that cannot fit by prediction. By default false.
    pub(super) force: Option<At<bool>>,
    /// Axes that advance together instead of forming a product.
    pub(super) zip: Option<Vec<At<ZipGroup>>>,
    /// Points beside the product.
    pub(super) include: Option<Vec<At<PointTable>>>,
    /// Conditions on cases that are left out.
    pub(super) exclude: Option<Vec<At<ConditionTable>>>,
    /// Clip `|G|` at this value and keep its phase. By default no clip.
    pub(super) max_magnitude: Option<At<f64>>,
    /// What becomes of NaN and Inf in the output. By default propagate.
    pub(super) non_finite: Option<At<Choice<NonFinite>>>,
    /// What one launch computes: forward, backward or forward-backward. By default forward.
    pub(super) pass: Option<At<Choice<Pass>>>,
    /// Launches before the first sample, at least. By default 10.
    pub(super) warmup_runs: Option<At<i64>>,
    /// Seconds of warm-up, at least. By default 0.2.
    pub(super) warmup_seconds: Option<At<f64>>,
    /// Samples to take. By default 50.
    pub(super) samples: Option<At<i64>>,
    /// Stop before `samples` once the relative half-width of the median's 95 % interval is below this.
    pub(super) relative_noise: Option<At<f64>>,
    /// Seconds of sampling at most, once 5 samples are there. By default 10.
    pub(super) max_seconds: Option<At<f64>>,
    /// Seconds after which a case that hangs is ended. By default 300.
    pub(super) timeout_seconds: Option<At<f64>>,
    /// The clock that gives a case its time. By default auto.
    pub(super) clock: Option<At<Choice<ClockChoice>>>,
    /// Whether inputs may still be in the cache. By default cold.
    pub(super) cache: Option<At<Choice<CacheChoice>>>,
}

/// One `[[benchmark]]`: a name and its keys.
#[derive(Debug, Clone)]
pub(super) struct BenchmarkTable {
    pub(super) name: At<String>,
    pub(super) keys: Keys,
}

/// Keys that win over a benchmark's own: for every benchmark, and for some by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    pub(super) every: Keys,
    pub(super) benchmark: BTreeMap<At<String>, Keys>,
}

/// Axes that advance together.
pub(super) type ZipGroup = Vec<At<Choice<Axis>>>;

/// A point beside the product; an axis that it does not name takes all its values.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PointTable {
    /// Where to run.
    pub(super) target: Option<At<String>>,
    /// What computes it.
    pub(super) implementation: Option<At<Choice<Implementation>>>,
    /// Storage type.
    pub(super) dtype: Option<At<Choice<ElementType>>>,
    /// Rows `B`.
    pub(super) batch: Option<At<i64>>,
    /// Sites a row `N`.
    pub(super) n: Option<At<i64>>,
    /// Algorithm of the kernel.
    pub(super) strategy: Option<At<Choice<Strategy>>>,
    /// Input family.
    pub(super) family: Option<At<Choice<Family>>>,
    /// Layout of the off-diagonals.
    pub(super) couplings: Option<At<Choice<Couplings>>>,
    /// Spectral parameter `[re, im]`.
    pub(super) z: Option<At<[f64; 2]>>,
    /// Seed of the inputs.
    pub(super) seed: Option<At<i64>>,
    /// Sizes of the model.
    pub(super) preset: Option<At<Choice<Preset>>>,
    /// What a launch of the model does.
    pub(super) mode: Option<At<Choice<Mode>>>,
}

/// `[runtime]`: how workers set up the runtime of a GPU target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuntimeTable {
    /// How many candidates autotune tries for an operation. By default the runtime's own choice.
    pub(super) autotune: Option<At<Choice<AutotuneLevel>>>,
    /// Whether compiled kernels are kept between runs of the same program. By default true.
    pub(super) kernel_cache: Option<At<bool>>,
}

/// One `[[kpi]]`: a bound on a metric of some cases.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KpiTable {
    /// Unique name.
    pub(super) name: At<String>,
    /// What is bounded.
    pub(super) metric: At<Choice<Metric>>,
    /// Which cases are meant; all when absent.
    #[serde(rename = "where")]
    pub(super) condition: Option<At<ConditionTable>>,
    /// The metric must not be below this.
    pub(super) at_least: Option<At<f64>>,
    /// The metric must not be above this.
    pub(super) at_most: Option<At<f64>>,
    /// A harder bound on the same side, whose miss is only a warning.
    pub(super) stretch: Option<At<f64>>,
    /// Judge the ratio to the case that differs in these fields alone.
    pub(super) relative_to: Option<At<ConditionTable>>,
    /// Judge how the metric changes from case to case along this axis.
    pub(super) grows_with: Option<At<Choice<GrowthAxis>>>,
    /// Whether each case is judged (`each`, the default) or one figure of them all.
    pub(super) aggregate: Option<At<Choice<Aggregate>>>,
    /// What a miss means for the run. By default fail.
    pub(super) severity: Option<At<Choice<Severity>>>,
    /// Judge cases on hardware GPUs only. By default false.
    pub(super) hardware_only: Option<bool>,
}

/// One `[[engine]]`: a program that speaks the worker protocol and computes the implementation `peer`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineTable {
    /// Name of the target that it serves; no target of `bkbench` itself.
    pub(super) target: At<String>,
    /// Program and arguments, split as in a shell; it runs in the folder that `bkbench` runs in.
    pub(super) command: At<String>,
    /// Error units above which its output is wrong. By default 128.
    pub(super) allowed_units: Option<At<f64>>,
}

/// Conditions on the fields of a case, all of which must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct ConditionTable {
    pub(super) fields: BTreeMap<At<String>, At<MatcherValue>>,
}

/// `[re, im]` or a list of such pairs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a pair [re, im] of numbers or a list of such pairs")]
pub(super) enum Pairs {
    /// One value.
    One([f64; 2]),
    /// An axis.
    Many(Vec<[f64; 2]>),
}

impl Keys {
    /// These keys with those that `top` has in their place.
    pub(super) fn overlaid_by(self, top: Self) -> Self {
        Self {
            kind: top.kind.or(self.kind),
            enabled: top.enabled.or(self.enabled),
            view: top.view.or(self.view),
            targets: top.targets.or(self.targets),
            implementations: top.implementations.or(self.implementations),
            dtypes: top.dtypes.or(self.dtypes),
            batch: top.batch.or(self.batch),
            n: top.n.or(self.n),
            strategies: top.strategies.or(self.strategies),
            families: top.families.or(self.families),
            couplings: top.couplings.or(self.couplings),
            z: top.z.or(self.z),
            seed: top.seed.or(self.seed),
            presets: top.presets.or(self.presets),
            modes: top.modes.or(self.modes),
            vocabulary: top.vocabulary.or(self.vocabulary),
            cpu_dtype: top.cpu_dtype.or(self.cpu_dtype),
            force: top.force.or(self.force),
            zip: top.zip.or(self.zip),
            include: top.include.or(self.include),
            exclude: top.exclude.or(self.exclude),
            max_magnitude: top.max_magnitude.or(self.max_magnitude),
            non_finite: top.non_finite.or(self.non_finite),
            pass: top.pass.or(self.pass),
            warmup_runs: top.warmup_runs.or(self.warmup_runs),
            warmup_seconds: top.warmup_seconds.or(self.warmup_seconds),
            samples: top.samples.or(self.samples),
            relative_noise: top.relative_noise.or(self.relative_noise),
            max_seconds: top.max_seconds.or(self.max_seconds),
            timeout_seconds: top.timeout_seconds.or(self.timeout_seconds),
            clock: top.clock.or(self.clock),
            cache: top.cache.or(self.cache),
        }
    }
}

/// The schema of [`Keys`] with one more property. Flattening would say the same, but loses the places of
/// values when it deserialises.
fn keys_with<T: JsonSchema>(generator: &mut SchemaGenerator, name: &str, required: bool) -> Schema {
    let mut schema = Keys::json_schema(generator);
    let more = generator.subschema_for::<T>();
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert(name.to_owned(), more.to_value());
    }
    if required {
        schema.insert("required".to_owned(), serde_json::json!([name]));
    }
    schema
}

impl JsonSchema for BenchmarkTable {
    fn schema_name() -> Cow<'static, str> {
        "Benchmark".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        keys_with::<String>(generator, "name", true)
    }
}

impl JsonSchema for Overlay {
    fn schema_name() -> Cow<'static, str> {
        "Overlay".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        keys_with::<BTreeMap<String, Keys>>(generator, "benchmark", false)
    }
}

impl JsonSchema for ConditionTable {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<MatcherValue>();
        let properties: serde_json::Map<_, _> =
            Field::ALL.iter().map(|field| (field.name().to_owned(), value.clone().to_value())).collect();
        schemars::json_schema!({
            "description": "Conditions on the fields of a case, all of which must hold.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false
        })
    }
}
