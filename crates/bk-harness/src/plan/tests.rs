//! Expansion of axes, names of cases, and what a selection leaves.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::{Strategy as Generator, *};

use super::*;
use crate::case::{Implementation, Strategy, WorkloadSpec};
use crate::config::Overrides;

fn config(text: &str) -> Config {
    Config::from_toml(Path::new("sweep.toml"), text, &Overrides::default()).unwrap()
}

fn benchmark(lines: &str) -> Config {
    config(&format!("[[benchmark]]\nname = 'a'\n{lines}\n"))
}

fn ids(config: &Config) -> Vec<String> {
    ids_of(&Plan::new(config, &Selection::default()).unwrap())
}

fn ids_of(plan: &Plan) -> Vec<String> {
    plan.cases.iter().map(|planned| planned.case.id.clone()).collect()
}

fn select(config: &Config, targets: Option<&[&str]>, filter: Option<&str>) -> Result<Plan, PlanError> {
    let targets = targets.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Plan::new(config, &Selection { targets, filter: filter.map(str::to_owned) })
}

#[test]
fn the_product_has_each_implementation_where_it_exists_and_the_reference_once_a_size() {
    let config = benchmark("batch = 2\nn = [8, 16]\ntargets = ['cuda', 'ndarray', 'flex']");
    assert_eq!(
        ids(&config),
        [
            "bk-core/host/f64/b2-n8/host",
            "bk-core/host/f64/b2-n16/host",
            "bk-core/cuda/f32/b2-n8/kernel",
            "bk-core/cuda/f32/b2-n8/tensor",
            "bk-core/cuda/f32/b2-n16/kernel",
            "bk-core/cuda/f32/b2-n16/tensor",
            "bk-core/ndarray/f32/b2-n8/native",
            "bk-core/ndarray/f32/b2-n8/tensor",
            "bk-core/ndarray/f32/b2-n16/native",
            "bk-core/ndarray/f32/b2-n16/tensor",
            "bk-core/flex/f32/b2-n8/native",
            "bk-core/flex/f32/b2-n8/tensor",
            "bk-core/flex/f32/b2-n16/native",
            "bk-core/flex/f32/b2-n16/tensor",
        ]
    );
}

#[test]
fn a_reference_that_nobody_asked_for_takes_few_samples() {
    let sizes = "batch = 1\nn = 8\nsamples = 100\nmax_seconds = 20\nwarmup_runs = 50\ntargets = 'ndarray'";
    let measure_of = |implementations: &str| {
        let config = benchmark(&format!("{sizes}\nimplementations = {implementations}"));
        Plan::new(&config, &Selection::default()).unwrap().cases[0].case.measure.clone()
    };
    let (beside, asked_for) = (measure_of("'native'"), measure_of("['native', 'host']"));
    assert!(beside.samples < 20 && beside.max_seconds < 1.0 && beside.warmup_runs < 5, "{beside:?}");
    assert_eq!((asked_for.samples, asked_for.max_seconds, asked_for.warmup_runs), (100, 20.0, 50));
}

#[test]
fn an_id_names_what_differs_from_the_default_in_a_fixed_order() {
    let config = benchmark(
        "batch = 16\nn = 4096\ntargets = 'cuda'\nimplementations = 'kernel'\nstrategies = 'multi-cube'\n\
         families = 'hermitian'\ncouplings = 'shared'\nz = [0.1, -1e-6]\nseed = 7\nmax_magnitude = 50\nnon_finite = 'zero'\ndtypes = 'bf16'",
    );
    assert_eq!(
        ids(&config)[1],
        "bk-core/cuda/bf16/b16-n4096/kernel-multi-cube/hermitian/shared/z0.1-1e-6i/seed7/clip50/zero-non-finite"
    );
}

#[test]
fn a_pass_other_than_the_forward_one_is_at_the_end_of_the_id() {
    let of = |pass: &str| benchmark(&format!("batch = 1\nn = 8\ntargets = 'wgpu'\npass = '{pass}'"));
    assert_eq!(ids(&of("backward"))[1], "bk-core/wgpu/f32/b1-n8/kernel/backward");
    assert_eq!(ids(&of("forward-backward"))[0], "bk-core/host/f64/b1-n8/host/forward-backward");
    assert_eq!(ids(&of("forward")), ids(&benchmark("batch = 1\nn = 8\ntargets = 'wgpu'")));
}

#[test]
fn the_strategies_multiply_the_kernel_alone() {
    let config = benchmark("batch = 1\nn = 8\ntargets = 'wgpu'\nstrategies = ['auto', 'serial', 'cube']");
    assert_eq!(
        ids(&config),
        [
            "bk-core/host/f64/b1-n8/host",
            "bk-core/wgpu/f32/b1-n8/kernel",
            "bk-core/wgpu/f32/b1-n8/kernel-serial",
            "bk-core/wgpu/f32/b1-n8/kernel-cube",
            "bk-core/wgpu/f32/b1-n8/tensor",
        ]
    );
}

fn kernel_sizes(config: &Config) -> Vec<(usize, usize)> {
    let cases = Plan::new(config, &Selection::default()).unwrap().cases;
    let spec = |planned: &PlannedCase| {
        let WorkloadSpec::BkCore(spec) = &planned.case.workload else { panic!() };
        (spec.implementation == Implementation::Kernel).then_some((spec.batch, spec.n))
    };
    cases.iter().filter_map(spec).collect()
}

#[test]
fn zipped_axes_advance_together_and_includes_stand_beside_them() {
    let axes = "batch = [1, 2]\nn = [8, 16]\ntargets = 'cuda'\n";
    assert_eq!(kernel_sizes(&benchmark(axes)), [(1, 8), (1, 16), (2, 8), (2, 16)]);
    let zip = format!("{axes}zip = [['batch', 'n']]\n");
    assert_eq!(kernel_sizes(&benchmark(&zip)), [(1, 8), (2, 16)]);
    let include = format!(
        "{zip}include = [{{ batch = 4, n = 32 }}, {{ batch = 1, n = 8 }}, {{ strategy = 'serial' }}]\n"
    );
    assert_eq!(kernel_sizes(&benchmark(&include)), [(1, 8), (2, 16), (4, 32), (1, 8), (2, 16)]);
}

#[test]
fn an_exclude_takes_cases_away_and_the_reference_of_an_input_with_its_last_case() {
    let axes =
        "batch = 1\nn = [8, 16, 32]\ntargets = ['cuda', 'ndarray']\nimplementations = ['kernel', 'native']\n";
    let config = benchmark(&format!("{axes}exclude = [{{ target = 'ndarray', n = '>8' }}, {{ n = 32 }}]"));
    assert_eq!(
        ids(&config),
        [
            "bk-core/host/f64/b1-n8/host",
            "bk-core/host/f64/b1-n16/host",
            "bk-core/cuda/f32/b1-n8/kernel",
            "bk-core/cuda/f32/b1-n16/kernel",
            "bk-core/ndarray/f32/b1-n8/native",
        ]
    );
    let without = benchmark(&format!("{axes}exclude = [{{ implementation = 'host', n = '>=16' }}]"));
    assert_eq!(ids(&without).iter().filter(|id| id.ends_with("/host")).count(), 1);
}

#[test]
fn a_benchmark_of_the_reference_alone_is_possible() {
    assert_eq!(
        ids(&benchmark("batch = 1\nn = 8\nimplementations = 'host'")),
        ["bk-core/host/f64/b1-n8/host"]
    );
}

#[test]
fn a_target_filter_keeps_the_baselines_and_says_so() {
    let config = benchmark("batch = 1\nn = [8, 16]\ntargets = ['cuda', 'wgpu', 'ndarray']");
    let plan = select(&config, Some(&["cuda"]), None).unwrap();
    let roles: BTreeSet<_> = plan
        .cases
        .iter()
        .map(|planned| {
            (
                planned.case.target.as_str(),
                planned.case.id.rsplit('/').next().unwrap(),
                planned.role == Role::Baseline,
            )
        })
        .collect();
    assert_eq!(
        roles.into_iter().collect::<Vec<_>>(),
        [
            ("cuda", "kernel", false),
            ("cuda", "tensor", false),
            ("host", "host", true),
            ("ndarray", "native", true)
        ]
    );
    assert_eq!(plan.targets().into_iter().collect::<Vec<_>>(), ["cuda", "host", "ndarray"]);
}

#[test]
fn a_filter_is_on_the_benchmark_and_the_id_and_keeps_the_reference_of_what_it_leaves() {
    let config = benchmark("batch = 1\nn = [8, 16]\ntargets = ['cuda', 'ndarray']");
    let plan = select(&config, None, Some("^a/.*n16/kernel$")).unwrap();
    assert_eq!(ids_of(&plan), ["bk-core/host/f64/b1-n16/host", "bk-core/cuda/f32/b1-n16/kernel"]);
}

#[test]
fn a_selection_that_cannot_be_planned_is_an_error_with_the_way_out() {
    let config = benchmark("batch = 1\nn = 8\ntargets = 'cuda'");
    let told = |targets: Option<&[&str]>, filter| select(&config, targets, filter).unwrap_err().to_string();
    assert_eq!(
        told(Some(&["wgup"]), None),
        "there is no target `wgup`; did you mean `wgpu`?; targets are cuda, wgpu, ndarray, flex, cuda-fusion, wgpu-fusion"
    );
    assert_eq!(told(None, Some("(")), "--filter `(` is not a regular expression: unclosed group");
    assert_eq!(
        told(Some(&["wgpu"]), Some("n9")),
        "no case of `sweep` is selected by --target wgpu with --filter `n9`; the config has 3 cases on host, cuda, \
         such as `a/bk-core/cuda/f32/b1-n8/tensor`"
    );
}

#[test]
fn each_worker_gets_one_contiguous_piece() {
    let config = config(
        "[[benchmark]]\nname = 'a'\nbatch = 1\nn = 8\ntargets = ['ndarray', 'cuda']\ndtypes = ['f16', 'f32']\n\
         [[benchmark]]\nname = 'b'\nbatch = 1\nn = 8\ntargets = ['flex', 'cuda']\n",
    );
    let plan = Plan::new(&config, &Selection::default()).unwrap();
    let mut pieces: Vec<_> =
        plan.cases.iter().map(|planned| (&planned.case.target, planned.case.dtype)).collect();
    pieces.dedup();
    let distinct = pieces.iter().enumerate().all(|(index, piece)| !pieces[..index].contains(piece));
    assert!(distinct, "{pieces:?}");
    assert_eq!(pieces[0].0, HOST_TARGET);
}

#[test]
fn memory_is_that_of_the_input_sets() {
    let bytes = |lines: &str| {
        let plan = Plan::new(&benchmark(lines), &Selection::default()).unwrap();
        plan.cases.last().unwrap().predicted_memory_bytes
    };
    // a 8, b and c 7 each, out 16 floats a row: 2 rows of 38 floats, one set on a CPU.
    let cpu = "batch = 2\nn = 8\ntargets = 'ndarray'\nimplementations = 'native'\n";
    assert_eq!(bytes(cpu), 2 * 38 * 4);
    assert_eq!(bytes(&format!("{cpu}couplings = 'shared'")), (2 * 24 + 14) * 4);
    assert_eq!(bytes(&format!("{cpu}families = 'complex'")), 2 * 46 * 4);
    // A small set is repeated 256 times, a large one twice.
    let gpu = "batch = 2\ntargets = 'cuda'\nimplementations = 'kernel'\n";
    assert_eq!(bytes(&format!("{gpu}n = 8")), 256 * 2 * 38 * 4);
    assert_eq!(bytes(&format!("{gpu}n = 8\ncache = 'hot'")), 2 * 38 * 4);
    // Half precision is cast to float32 for the launch.
    assert_eq!(bytes(&format!("{gpu}n = 8\ndtypes = 'f16'\ncache = 'hot'")), 2 * 38 * (2 + 4));
    assert_eq!(bytes(&format!("{gpu}n = 10000000")), 2 * 2 * (5 * 10_000_000 - 2) * 4);
}

#[test]
fn time_grows_with_the_work_and_stays_within_the_budget() {
    let seconds = |n: usize, samples: u32| {
        let lines = format!(
            "batch = 1\nn = {n}\nsamples = {samples}\nmax_seconds = 2\ntargets = 'ndarray'\nimplementations = 'native'"
        );
        Plan::new(&benchmark(&lines), &Selection::default()).unwrap().cases.last().unwrap().predicted_seconds
    };
    assert!(seconds(1 << 20, 10) > seconds(1 << 10, 10));
    assert!(seconds(1 << 10, 1_000_000) < 3.0);
}

fn subset(names: &'static [&'static str]) -> impl Generator<Value = String> {
    prop::sample::subsequence(names, 1..=names.len()).prop_map(|names| format!("{names:?}"))
}

fn numbers(range: std::ops::Range<u32>) -> impl Generator<Value = String> {
    prop::collection::vec(range, 1..3).prop_map(|numbers| format!("{numbers:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn ids_are_unique_within_a_benchmark_and_the_same_in_every_run(
        batch in numbers(1..5),
        n in numbers(1..5),
        seed in numbers(40..45),
        strategies in subset(&["auto", "serial", "cube", "multi-cube"]),
        families in subset(&["normal", "hermitian", "complex"]),
        couplings in subset(&["per-row", "shared"]),
        dtypes in subset(&["f32", "f16"]),
        targets in subset(&["cuda", "ndarray", "flex"]),
        z in prop::collection::vec((-2i8..3, 1e-7f32..1.0), 1..3),
    ) {
        let z: Vec<[f32; 2]> = z.into_iter().map(|(re, im)| [f32::from(re) / 10.0, im]).collect();
        let text = format!(
            "[[benchmark]]\nname = 'a'\nbatch = {batch}\nn = {n}\nseed = {seed}\nstrategies = {strategies}\n\
             families = {families}\ncouplings = {couplings}\ndtypes = {dtypes}\ntargets = {targets}\nz = {z:?}\n"
        );
        let config = config(&text);
        let cases = expand(&config.benchmarks[0]);
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        prop_assert_eq!(ids.len(), cases.len());
        let what = |case: &Case| serde_json::to_string(&(&case.target, case.dtype, &case.workload)).unwrap();
        let distinct: BTreeSet<String> = cases.iter().map(what).collect();
        prop_assert_eq!(distinct.len(), cases.len());
        for case in &cases {
            let WorkloadSpec::BkCore(spec) = &case.workload else { panic!() };
            prop_assert!(exists_on(spec.implementation, &case.target));
            prop_assert!(spec.strategy == Strategy::Auto || spec.implementation == Implementation::Kernel);
        }
        prop_assert_eq!(expand(&config.benchmarks[0]), cases);
    }
}

fn models(kind: &str, lines: &str) -> Config {
    benchmark(&format!("kind = 'phase2-{kind}'\n{lines}"))
}

#[test]
fn a_benchmark_of_the_model_is_the_product_of_its_axes_without_a_reference() {
    let config = models(
        "throughput",
        "batch = [1, 2]\nn = 512\ntargets = ['cuda', 'wgpu']\npresets = ['small', 'base']\n\
         modes = ['forward', 'decode']\ndtypes = 'f16'\nvocabulary = 256\nexclude = [{ preset = 'base', mode = 'decode' }]",
    );
    let ids = ids(&config);
    assert_eq!(ids.len(), 2 * 2 * 3);
    assert_eq!(ids[0], "phase2-throughput/cuda/f16/b1-n512/small-forward/v256");
    assert!(ids.contains(&"phase2-throughput/wgpu/f16/b2-n512/small-decode/v256".to_owned()), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("host") || id.contains("base-decode")), "{ids:?}");
}

#[test]
fn another_type_stands_in_on_cpu_targets_only_where_the_config_says_so_and_is_run_once() {
    let axes = "batch = 1\nn = 8\ndtypes = ['f32', 'f16', 'bf16']\ntargets = ['cuda', 'ndarray']\n";
    let dtypes = |config: &Config, target: &str| -> Vec<_> {
        let cases = Plan::new(config, &Selection::default()).unwrap().cases;
        cases.into_iter().filter(|one| one.case.target == target).map(|one| one.case.dtype.name()).collect()
    };
    let with = models("memory", &format!("{axes}cpu_dtype = 'f32'"));
    assert_eq!(dtypes(&with, "cuda"), ["f32", "f16", "bf16"]);
    assert_eq!(dtypes(&with, "ndarray"), ["f32"]);
    assert_eq!(dtypes(&models("memory", axes), "ndarray"), ["f32", "f16", "bf16"]);

    let half = models("memory", "batch = 1\nn = 8\ndtypes = 'f16'\ntargets = 'ndarray'\ncpu_dtype = 'f32'");
    let case = &Plan::new(&half, &Selection::default()).unwrap().cases[0].case;
    assert_eq!(case.workload.phase2().unwrap().asked_dtype, Some(crate::case::ElementType::F16));
}

#[test]
fn the_clock_of_a_model_is_the_wall_unless_another_is_asked_for() {
    use crate::case::ClockChoice;

    let clock = |lines: &str| {
        let config = models("throughput", &format!("batch = 1\nn = 8\ntargets = 'cuda'\n{lines}"));
        Plan::new(&config, &Selection::default()).unwrap().cases[0].case.measure.clock
    };
    assert_eq!(clock(""), ClockChoice::Wall);
    assert_eq!(clock("clock = 'launch_regression'"), ClockChoice::LaunchRegression);
}

#[test]
fn a_plan_predicts_the_memory_of_a_model_by_arithmetic() {
    let config = models("memory", "batch = 1\nn = 4096\ndtypes = 'f16'\ntargets = 'cuda'");
    let planned = &Plan::new(&config, &Selection::default()).unwrap().cases[0];
    let logits = 4096 * 50_257 * 2;
    assert!(planned.predicted_memory_bytes > logits && planned.predicted_memory_bytes < 2 * logits);
    assert!(planned.predicted_seconds > 0.0);
}

const ENGINE: &str =
    "[[engine]]\ntarget = 'jax'\ncommand = 'python3 jax.py'\n[[benchmark]]\nname = 'a'\nbatch = 1\nn = 8\n";

#[test]
fn peers_exist_on_the_targets_of_engines_and_run_behind_our_own() {
    let config = config(&format!("{ENGINE}targets = ['jax', 'cuda', 'ndarray']"));
    assert_eq!(
        ids(&config),
        [
            "bk-core/host/f64/b1-n8/host",
            "bk-core/cuda/f32/b1-n8/kernel",
            "bk-core/cuda/f32/b1-n8/tensor",
            "bk-core/ndarray/f32/b1-n8/native",
            "bk-core/ndarray/f32/b1-n8/tensor",
            "bk-core/jax/f32/b1-n8/peer",
        ]
    );
    let selected = select(&config, Some(&["jax"]), None).unwrap();
    assert_eq!(ids_of(&selected).last().unwrap(), "bk-core/jax/f32/b1-n8/peer");
    let unknown = select(&config, Some(&["jaax"]), None).unwrap_err().to_string();
    assert!(unknown.contains("did you mean `jax`?"), "{unknown}");
}

#[test]
fn the_original_s_algorithm_runs_on_the_host_once_an_input_in_each_type() {
    let config = benchmark(
        "batch = 1\nn = [8, 16]\ntargets = ['cuda', 'ndarray']\nimplementations = ['kernel', 'theta-phi']\n\
         exclude = [{ implementation = 'theta-phi', dtype = 'f32', n = 16 }]",
    );
    assert_eq!(
        ids(&config),
        [
            "bk-core/host/f64/b1-n8/host",
            "bk-core/host/f64/b1-n16/host",
            "bk-core/host/f64/b1-n8/theta-phi",
            "bk-core/host/f64/b1-n16/theta-phi",
            "bk-core/host/f32/b1-n8/theta-phi",
            "bk-core/cuda/f32/b1-n8/kernel",
            "bk-core/cuda/f32/b1-n16/kernel",
        ]
    );
    let alone = benchmark("batch = 1\nn = 8\nimplementations = 'theta-phi'");
    assert_eq!(ids(&alone).len(), 3);
}
