//! What a right config means. Its mistakes are in `mistakes.rs`.

use std::path::Path;

use super::*;
use crate::case::{CacheChoice, ClockChoice};
use crate::condition::Field;
use crate::kpi::{Aggregate, Bound, Metric, Severity};

const SMALL: &str = "[[benchmark]]\nname = \"small\"\nbatch = 2\nn = [8, 16]\n";

fn load(text: &str) -> Config {
    load_with(text, false, &[])
}

fn load_with(text: &str, quick: bool, set: &[(&str, &str)]) -> Config {
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    Config::from_toml(Path::new("dir/sweep.toml"), text, &Overrides { quick, set }).unwrap()
}

#[test]
fn a_minimal_benchmark_gets_the_documented_defaults() {
    let config = load(SMALL);
    assert_eq!(config.name, "sweep");
    let benchmark = &config.benchmarks[0];
    assert_eq!(benchmark.axes.target, ["cuda", "wgpu", "ndarray"]);
    assert_eq!(benchmark.axes.implementation.len(), 3);
    assert_eq!(
        (benchmark.axes.batch.as_slice(), benchmark.axes.n.as_slice()),
        ([2].as_slice(), [8, 16].as_slice())
    );
    assert_eq!(benchmark.axes.z, [None]);
    assert_eq!(benchmark.axes.seed, [42]);
    let expected = MeasureSpec {
        clock: ClockChoice::Auto,
        cache: CacheChoice::Cold,
        warmup_runs: 10,
        warmup_seconds: 0.2,
        samples: 50,
        relative_noise: None,
        max_seconds: 10.0,
        timeout_seconds: 300.0,
    };
    assert_eq!(benchmark.measure, expected);
}

#[test]
fn every_key_arrives_where_it_belongs() {
    let config = load(
        r#"
        name = "everything"
        analysis = "  Why.  "
        [[benchmark]]
        name = "a"
        kind = "bk-core"
        view = "bk_core_scaling"
        targets = "wgpu"
        implementations = ["kernel", "tensor"]
        dtypes = ["f32", "f16"]
        batch = [1, 2]
        n = [4, 8]
        strategies = ["serial", "multi-cube"]
        families = "hermitian"
        couplings = ["per-row", "shared"]
        z = [[0, 1], [0.5, 1e-6]]
        seed = [1, 2]
        zip = [["batch", "n"]]
        include = [{ batch = 3, n = 5, z = [1, 2] }]
        exclude = [{ target = "wgpu", n = ">=8" }]
        max_magnitude = 50
        non_finite = "zero"
        pass = "backward"
        warmup_runs = 0
        warmup_seconds = 0
        samples = 7
        relative_noise = 0.01
        max_seconds = 2.5
        timeout_seconds = 9
        clock = "device_timestamp"
        cache = "hot"
        "#,
    );
    assert_eq!((config.name.as_str(), config.analysis.as_str()), ("everything", "Why."));
    insta::assert_json_snapshot!(config.benchmarks[0]);
}

#[test]
fn a_kpi_keeps_its_condition_bound_and_manner() {
    let config = load(&format!(
        "{SMALL}[[kpi]]\nname = 'fast'\nmetric = 'speedup'\nwhere = {{ implementation = 'kernel', n = '>=16' }}\n\
         at_least = 3\nstretch = 10\naggregate = 'min'\nseverity = 'warn'\nhardware_only = true\n"
    ));
    let kpi = &config.kpis[0];
    assert_eq!((kpi.name.as_str(), kpi.metric), ("fast", Metric::Speedup));
    assert_eq!((kpi.bound, kpi.stretch), (Bound::AtLeast(3.0), Some(Bound::AtLeast(10.0))));
    assert_eq!((kpi.aggregate, kpi.severity), (Aggregate::Min, Severity::Warn));
    assert!(kpi.hardware_only && kpi.condition.names(Field::N));
}

#[test]
fn a_benchmark_wins_over_defaults_quick_over_both_and_set_over_all() {
    let text = "[defaults]\nsamples = 1\nwarmup_runs = 1\nseed = 1\nn = 64\nmax_seconds = 1\n\
                [[benchmark]]\nname = 'a'\nbatch = 1\nsamples = 2\nwarmup_runs = 2\nseed = 2\n\
                [[benchmark]]\nname = 'b'\nbatch = 1\n\
                [quick]\nsamples = 3\nwarmup_runs = 3\n[quick.benchmark.a]\nsamples = 4\n";
    let seen = |config: &Config| -> Vec<_> {
        let facts = |benchmark: &Benchmark| {
            (benchmark.measure.samples, benchmark.measure.warmup_runs, benchmark.axes.seed[0])
        };
        config.benchmarks.iter().map(facts).collect()
    };
    assert_eq!(seen(&load(text)), [(2, 2, 2), (1, 1, 1)]);
    assert_eq!(seen(&load_with(text, true, &[])), [(4, 3, 2), (3, 3, 1)]);
    let set = [("samples", "9"), ("benchmark.b.samples", "8"), ("defaults.seed", "7")];
    assert_eq!(seen(&load_with(text, true, &set)), [(9, 3, 2), (8, 3, 7)]);
    assert_eq!(seen(&load_with(text, false, &set)), [(9, 2, 2), (8, 1, 7)]);
}

#[test]
fn set_takes_names_without_quotes_and_lists() {
    let config = load_with(SMALL, false, &[("targets", "wgpu"), ("n", "[32, 64]"), ("n", "[128]")]);
    assert_eq!(config.benchmarks[0].axes.target, ["wgpu"]);
    assert_eq!(config.benchmarks[0].axes.n, [128]);
}

#[test]
fn quick_may_switch_a_benchmark_off_and_its_kpi_stays() {
    let text = format!(
        "{SMALL}[[benchmark]]\nname = 'large'\nbatch = 1\nn = 4096\n\
         [[kpi]]\nname = 'e'\nmetric = 'mse'\nwhere = {{ benchmark = 'large' }}\nat_most = 1\n\
         [quick.benchmark.large]\nenabled = false\n"
    );
    let config = load_with(&text, true, &[]);
    assert_eq!(config.benchmarks.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["small"]);
    assert_eq!(config.kpis.len(), 1);
}

#[test]
fn a_kpi_may_name_the_target_of_a_wgsl_build() {
    let text = format!("{SMALL}[[kpi]]\nname='k'\nmetric='mse'\nwhere={{ target = 'wgsl' }}\nat_most=1\n");
    assert!(load(&text).kpis[0].condition.names(Field::Target));
}

#[test]
fn a_config_survives_the_json_of_the_results() {
    let text = format!(
        "{SMALL}zip = [['batch', 'n']]\nexclude = [{{ n = ['8..=9', 12, '<3'], target = '!=cuda' }}]\n\
         z = [0.1, 1e-6]\n[[kpi]]\nname = 'k'\nmetric = 'mse'\nat_most = 1e-6\n"
    )
    .replace("batch = 2", "batch = [1, 2]");
    let config = load(&text);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
}

#[test]
fn the_schema_has_every_key_without_null_and_says_what_it_is() {
    let schema = config_schema();
    let keys = schema["$defs"]["Keys"]["properties"].as_object().unwrap();
    assert!(keys.values().all(|key| key["description"].is_string()), "an undocumented key");
    assert_eq!(keys["samples"]["type"], "integer");
    let benchmark = schema["$defs"]["Benchmark"]["properties"].as_object().unwrap();
    assert_eq!(benchmark.len(), keys.len() + 1);
    assert!(!schema.to_string().contains("null"), "TOML has no null");
}

#[test]
fn every_shipped_config_loads_plans_and_says_what_it_is_for() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        for quick in [false, true] {
            let config = match Config::load(&path, &Overrides { quick, set: Vec::new() }) {
                Ok(config) => config,
                Err(error) => panic!("{error}"),
            };
            assert!(config.analysis.len() > 50, "{} has no analysis", path.display());
            let plan = crate::plan::Plan::new(&config, &crate::plan::Selection::default()).unwrap();
            assert!(plan.cases.len() > 3, "{}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} configs found");
}

#[test]
fn the_suite_has_the_sizes_and_thresholds_of_the_original() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/bk_core.toml");
    let config = Config::load(&path, &Overrides::default()).unwrap();
    let facts: Vec<_> = config
        .benchmarks
        .iter()
        .map(|one| (one.name.as_str(), one.axes.batch[0], one.axes.n.clone(), one.measure.samples))
        .collect();
    assert_eq!(
        facts,
        [
            ("small", 16, vec![512], 50),
            ("medium", 16, vec![2048], 50),
            ("large", 16, vec![4096], 100),
            ("scaling", 8, vec![256, 512, 1024, 2048, 4096], 30),
        ]
    );
    assert!(config.benchmarks.iter().all(|one| one.measure.warmup_runs == 10 && one.axes.seed == [42]));
    let bounds: Vec<_> = config.kpis.iter().map(|kpi| (kpi.metric, kpi.bound, kpi.severity)).collect();
    assert!(bounds.contains(&(Metric::Speedup, Bound::AtLeast(3.0), Severity::Fail)));
    assert!(bounds.contains(&(Metric::MseClipped, Bound::AtMost(1e-6), Severity::Fail)));
}

#[test]
fn the_documentation_of_the_format_names_everything_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let schema = config_schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let properties = definitions.values().chain([&schema]).filter_map(|one| one["properties"].as_object());
    let mut names: Vec<String> = properties.flatten().map(|(name, _)| name.clone()).collect();
    names.extend(KNOWN_TARGETS.map(str::to_owned));
    for definition in definitions.values() {
        let variants = definition["oneOf"].as_array().into_iter().flatten();
        names.extend(variants.filter_map(|one| one["const"].as_str()).map(str::to_owned));
        let listed = definition["enum"].as_array().into_iter().flatten();
        names.extend(listed.filter_map(|one| one.as_str()).map(str::to_owned));
    }
    assert!(names.len() > 80, "{}", names.len());
    // `f64` is the type of the reference and no value of a config; axes are documented by their keys.
    let missing: Vec<_> =
        names.iter().filter(|name| *name != "f64" && !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in configs/README.md: {missing:?}");
}

const MODEL: &str = "[[benchmark]]\nname = 'm'\nkind = 'phase2-memory'\nbatch = 1\nn = [8, 16]\n";

#[test]
fn what_is_said_for_all_benchmarks_reaches_those_that_it_means_something_to() {
    let text = format!(
        "[defaults]\nfamilies = 'hermitian'\npresets = 'small'\n{SMALL}{MODEL}[quick]\nvocabulary = 256\n"
    );
    let config = load_with(&text, true, &[("force", "true")]);
    let [scan, model] = config.benchmarks.as_slice() else { panic!("{config:?}") };
    assert_eq!((scan.axes.family[0], scan.vocabulary, scan.force), (Family::Hermitian, None, false));
    assert_eq!((model.axes.preset[0], model.vocabulary, model.force), (Preset::Small, Some(256), true));
}

#[test]
fn the_runtime_of_workers_is_that_of_the_config() {
    let config = load(&format!("[runtime]\nautotune = 'minimal'\nkernel_cache = false\n{SMALL}"));
    let expected = RuntimeOptions { autotune: Some(AutotuneLevel::Minimal), kernel_cache: false };
    assert_eq!(config.runtime, expected);
    assert_eq!(load(SMALL).runtime, RuntimeOptions::default());
}

#[test]
fn a_kpi_keeps_what_it_compares_with() {
    use crate::kpi::{Comparison, GrowthAxis};

    let config = load(&format!(
        "{MODEL}dtypes = ['f32', 'f16']\n[[kpi]]\nname = 'ratio'\nmetric = 'peak_bytes'\n\
         relative_to = {{ dtype = 'f16' }}\nat_least = 1.5\n\
         [[kpi]]\nname = 'growth'\nmetric = 'peak_bytes'\ngrows_with = 'n'\nat_least = 1\n"
    ));
    let Some(Comparison::RelativeTo(condition)) = &config.kpis[0].comparison else { panic!("{config:?}") };
    assert!(condition.names(Field::Dtype));
    assert_eq!(config.kpis[1].comparison, Some(Comparison::GrowsWith(GrowthAxis::N)));
}

#[test]
fn a_results_file_from_before_the_models_can_be_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../results/reference/2026-11-24-h100/bk_core-cuda/cuda/bk_core.json");
    let run = crate::store::load_run(&path).unwrap();
    assert!(run.config.effective.benchmarks.iter().all(|one| one.axes.preset == [Preset::Base]));
}

/// Name, preset, batch, n, types and samples of every benchmark of the model in `full.toml`.
type Facts = (&'static str, Preset, Vec<usize>, Vec<usize>, Vec<ElementType>, u32);

#[test]
fn the_full_suite_has_the_cases_of_the_original() {
    use ElementType::{Bf16, F16, F32};
    use Preset::{Base, Small};

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/full.toml");
    let config = Config::load(&path, &Overrides::default()).unwrap();
    let expected: Vec<Facts> = vec![
        ("memory-small", Small, vec![4], vec![1024], vec![F16], 3),
        ("memory-base", Base, vec![2], vec![2048], vec![F16], 3),
        ("memory-kpi", Base, vec![1], vec![4096], vec![F16], 5),
        (
            "memory-scaling",
            Base,
            vec![1, 1, 1, 1, 2, 4, 8],
            vec![512, 1024, 2048, 4096, 512, 512, 512],
            vec![F16],
            3,
        ),
        ("memory-dtypes", Base, vec![1], vec![2048], vec![F32, F16, Bf16], 3),
        ("throughput-small", Small, vec![4], vec![512], vec![F16], 20),
        ("throughput-kpi", Base, vec![4], vec![512], vec![F16], 20),
        ("throughput-backward", Base, vec![4], vec![512], vec![F32], 10),
        ("throughput-scaling", Base, vec![1, 2, 4, 8], vec![512], vec![F16], 10),
        ("throughput-decoding", Base, vec![4], vec![512], vec![F16], 20),
    ];
    let models: Vec<&Benchmark> =
        config.benchmarks.iter().filter(|one| one.kind != BenchmarkKind::BkCore).collect();
    assert_eq!(models.len(), expected.len());
    for (found, (name, preset, batch, n, dtype, samples)) in models.into_iter().zip(expected) {
        assert_eq!(found.name, name);
        assert_eq!(
            (found.axes.preset.as_slice(), &found.axes.batch),
            ([preset].as_slice(), &batch),
            "{name}"
        );
        assert_eq!((&found.axes.n, &found.axes.dtype), (&n, &dtype), "{name}");
        assert_eq!((found.measure.samples, found.cpu_dtype), (samples, Some(F32)), "{name}");
        assert!(found.vocabulary.is_none() && found.view.is_some(), "{name}");
    }
    let scans = config.benchmarks.iter().filter(|one| one.kind == BenchmarkKind::BkCore);
    assert_eq!(scans.count(), 4);
}

#[test]
fn the_kpis_have_the_bounds_of_the_original_in_both_configs() {
    for (file, least) in [("kpi.toml", 5), ("full.toml", 13)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(file);
        let config = Config::load(&path, &Overrides::default()).unwrap();
        assert_eq!(config.kpis.len(), least, "{file}");
        let has = |metric, bound, stretch, severity| {
            config.kpis.iter().any(|kpi| {
                (kpi.metric, kpi.bound, kpi.stretch, kpi.severity) == (metric, bound, stretch, severity)
            })
        };
        let (fail, warn) = (Severity::Fail, Severity::Warn);
        assert!(has(Metric::Speedup, Bound::AtLeast(3.0), None, fail), "{file}");
        assert!(has(Metric::MseClipped, Bound::AtMost(1e-6), None, fail), "{file}");
        assert!(has(Metric::PeakBytes, Bound::AtMost(8e9), Some(Bound::AtMost(1e9)), fail), "{file}");
        assert!(has(Metric::TokensPerSecond, Bound::AtLeast(100.0), None, warn), "{file}");
        assert!(has(Metric::TokensPerSecond, Bound::AtLeast(300_000.0), None, warn), "{file}");
        let quick = Config::load(&path, &Overrides { quick: true, set: Vec::new() }).unwrap();
        let models = quick.benchmarks.iter().filter(|one| one.kind != BenchmarkKind::BkCore);
        assert!(models.into_iter().all(|one| one.vocabulary == Some(256)), "{file}");
    }
}
