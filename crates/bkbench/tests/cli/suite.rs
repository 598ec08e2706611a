//! The suite of the model, with a worker that makes its figures up.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;

use crate::bench::{Bench, worker};

/// Memory and throughput of the model, and a KPI on each.
const MODELS: &str = r#"
[runtime]
autotune = "minimal"
[defaults]
targets = ["cuda"]
dtypes = "f16"
samples = 3
timeout_seconds = 20
[[benchmark]]
name = "memory"
kind = "phase2-memory"
view = "phase2_memory_kpi"
batch = 1
n = [512, 1024, 4096]
[[benchmark]]
name = "throughput"
kind = "phase2-throughput"
view = "phase2_throughput_kpi"
batch = [1, 2]
n = 512
[[kpi]]
name = "memory"
metric = "peak_bytes"
where = { n = 4096 }
at_most = 8e9
[[kpi]]
name = "growth"
metric = "peak_bytes"
grows_with = "n"
at_least = 1.0
[quick]
vocabulary = 256
"#;

fn run(bench: &Bench, options: &str) -> assert_cmd::assert::Assert {
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker", &worker("cuda", options)]);
    command.assert()
}

#[test]
fn the_suite_has_its_views_its_reports_and_a_page() {
    let bench = Bench::new(MODELS);
    run(&bench, "--gpu").code(0).stdout(contains("KPI memory: pass").and(contains("peak in use")));
    let view = bench.json("out/cuda/phase2_memory_kpi.json");
    assert_eq!(view["rows"].as_array().unwrap().len(), 3);
    assert!(view["rows"][0]["metrics"]["peak_bytes"]["value"].as_f64().unwrap() > 1e8);
    let throughput = bench.json("out/cuda/phase2_throughput_kpi.json");
    assert!(throughput["rows"][0]["metrics"]["tokens_per_second"]["value"].as_f64().unwrap() > 0.0);
    let all = bench.json("out/phase2_benchmark_comprehensive_report.json");
    assert_eq!(all["runs"][0]["benchmarks"]["memory"].as_array().unwrap().len(), 3);
    let report = bench.read("out/PHASE2_BENCHMARK_REPORT.md");
    assert!(report.contains("sweep-memory.svg") && report.contains("| case | peak in use |"), "{report}");
    assert!(bench.path("out/sweep-memory.svg").exists() && bench.path("out/report.html").exists());
}

#[test]
fn the_reports_are_made_again_from_the_json_alone() {
    let bench = Bench::new(MODELS);
    run(&bench, "--gpu").code(0);
    let names = ["report.html", "PHASE2_BENCHMARK_REPORT.md", "phase2_benchmark_comprehensive_report.json"];
    let before = names.map(|name| bench.read(&format!("out/{name}")));
    for name in names {
        std::fs::remove_file(bench.path("out").join(name)).unwrap();
    }
    bench.command().args(["report", "out"]).assert().code(0).stdout(contains("report.html"));
    assert_eq!(names.map(|name| bench.read(&format!("out/{name}"))), before);
}

#[test]
fn a_case_that_cannot_fit_is_skipped_with_the_numbers_unless_forced() {
    // The made-up device has 8 GiB.
    let large = MODELS.replace("n = [512, 1024, 4096]", "n = [4096, 400000]");
    let bench = Bench::new(&large);
    run(&bench, "--gpu --log log").stdout(contains("cannot fit: by prediction it needs"));
    assert!(!bench.logged().iter().any(|name| name.contains("n400000")), "it ran");
    let forced = Bench::new(&large);
    let mut command = forced.command();
    command.args(["run", "sweep.toml", "--out", "out", "--set", "force=true"]);
    command.args(["--worker", &worker("cuda", "--gpu --log log")]).assert().code(0);
    assert!(forced.logged().iter().any(|name| name.contains("n400000")), "it did not run");
}

#[test]
fn each_case_about_memory_is_rehearsed_and_one_about_throughput_is_not() {
    let bench = Bench::new(MODELS);
    run(&bench, "--gpu --log log").code(0);
    let times = |part: &str| bench.logged().iter().filter(|name| name.contains(part)).count();
    assert_eq!((times("phase2-memory"), times("phase2-throughput")), (6, 2));
}

#[test]
fn memory_tells_what_fits_and_finds_the_largest_n() {
    let bench = Bench::new(MODELS);
    let memory = |options: &[&str]| {
        let mut command = bench.command();
        command.args(["memory", "sweep.toml", "--worker", &worker("cuda", "--gpu")]).args(options);
        command
    };
    memory(&[]).assert().code(0).stdout(contains("fits by prediction").and(contains("412 MB")));
    let output = memory(&["--find-max", "--json", "--limit", "300000"]).output().unwrap();
    let tables: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &tables["largest"][0];
    let largest = found["largest"].as_u64().unwrap();
    // 8.59 GB less the weights, at 2 * 50257 bytes of logits a token and what goes with them.
    assert!((60_000..84_000).contains(&largest), "{found}");
    assert!(found["why"].as_str().unwrap().contains("cannot fit"), "{found}");
    assert_eq!(tables["largest"].as_array().unwrap().len(), 1, "N is what is looked for");
}

#[test]
fn memory_of_a_config_without_a_model_is_a_usage_error() {
    let bench = Bench::new(crate::bench::THREE_SIZES);
    let mut command = bench.command();
    command.args(["memory", "sweep.toml"]).assert().code(2).stderr(contains("phase2-memory"));
}

#[test]
fn the_kpi_table_of_a_text_is_written_from_the_results_that_it_names() {
    let bench = Bench::new(MODELS);
    run(&bench, "--gpu").code(0);
    bench.write("NOTES.md", "Ours:\n<!-- kpis:begin out -->\nstale\n<!-- kpis:end -->\n");
    let tables = || {
        let mut command = bench.command();
        command.args(["report", "--tables-of", "NOTES.md"]);
        command
    };
    tables().assert().code(0);
    let text = bench.read("NOTES.md");
    assert!(text.contains("| memory | 6") && text.contains("| pass |") && !text.contains("stale"), "{text}");
    bench.write("NOTES.md", "<!-- kpis:begin nowhere -->\n<!-- kpis:end -->\n");
    tables().assert().code(2).stderr(contains("line 1").and(contains("nowhere")));
}

#[test]
#[cfg(unix)]
fn the_tables_of_the_readme_are_those_of_its_results() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bench = Bench::new(MODELS);
    bench.write("README.md", &std::fs::read_to_string(root.join("README.md")).unwrap());
    std::os::unix::fs::symlink(root.join("results").canonicalize().unwrap(), bench.path("results")).unwrap();
    let before = bench.read("README.md");
    let mut command = bench.command();
    command.args(["report", "--tables-of", "README.md"]).assert().code(0);
    assert_eq!(bench.read("README.md"), before, "run `bkbench report --tables-of README.md`");
}
