//! What cannot be used ends with code 2 and a message that says where, what and what instead; nothing runs.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

use crate::bench::{Bench, THREE_SIZES, worker};

/// Runs `config` and expects a refusal that contains all of `parts`.
fn refused(config: &str, parts: &[&str]) {
    let bench = Bench::new(config);
    let mut assert = bench.run("--log log").code(2);
    for part in parts {
        assert = assert.stderr(contains(*part));
    }
    assert_eq!(bench.logged(), Vec::<String>::new(), "a case ran");
    assert!(!bench.path("out").exists(), "something was written");
}

#[test]
fn an_unknown_key_is_shown_in_its_line_with_a_suggestion() {
    refused(&THREE_SIZES.replace("batch =", "bacth ="), &["sweep.toml:6:1", "bacth = 2", "`batch`"]);
}

#[test]
fn a_wrong_type_is_shown_in_its_line() {
    refused(&THREE_SIZES.replace("batch = 2", "batch = \"two\""), &["sweep.toml:6:9", "batch = \"two\""]);
}

#[test]
fn a_zero_and_a_negative_size_are_refused() {
    refused(&THREE_SIZES.replace("batch = 2", "batch = 0"), &["sweep.toml:6:9"]);
    refused(&THREE_SIZES.replace("[4, 8, 16]", "[4, -8]"), &["sweep.toml:7:9"]);
}

#[test]
fn an_empty_axis_is_refused() {
    refused(&THREE_SIZES.replace("[4, 8, 16]", "[]"), &["sweep.toml:7:5", "n = []"]);
}

#[test]
fn two_benchmarks_of_one_name_are_refused() {
    refused(&format!("{THREE_SIZES}{THREE_SIZES}"), &["sweep.toml", "sizes"]);
}

#[test]
fn an_unknown_target_and_an_unknown_implementation_get_a_suggestion() {
    refused(&THREE_SIZES.replace("ndarray", "ndaray"), &["ndaray", "`ndarray`"]);
    refused(&THREE_SIZES.replace("native", "nativ"), &["nativ", "`native`"]);
}

#[test]
fn a_kpi_on_a_metric_that_its_cases_do_not_have_is_refused() {
    let kpi = "[[kpi]]\nname = \"k\"\nmetric = \"speedup_vs_tensor\"\nat_least = 1.0\n";
    refused(&format!("{THREE_SIZES}{kpi}"), &["sweep.toml:", "speedup_vs_tensor"]);
}

#[test]
fn every_mistake_is_shown_at_once() {
    let config = THREE_SIZES.replace("batch = 2", "batch = 0").replace("[4, 8, 16]", "[]");
    refused(&config, &["sweep.toml:6:", "sweep.toml:7:"]);
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    refused("[[benchmark]\n", &["sweep.toml:1:"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let bench = Bench::new(THREE_SIZES);
    bench.command().args(["run", "missing.toml"]).assert().code(2).stderr(contains("missing.toml"));
}

#[test]
fn a_setting_that_does_not_fit_is_shown_as_it_was_typed() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.run_command("");
    command
        .args(["--set", "samples=few"])
        .assert()
        .code(2)
        .stderr(contains("--set:1:9").and(contains("samples=\"few\"")));
}

#[test]
fn an_unknown_target_on_the_command_line_gets_a_suggestion() {
    let bench = Bench::new(THREE_SIZES);
    let suggestion = || contains("wgup").and(contains("`wgpu`"));
    bench.run_command("").args(["--target", "wgup"]).assert().code(2).stderr(suggestion());
    bench.command().args(["verify", "bk-core", "--target", "wgup"]).assert().code(2).stderr(suggestion());
    bench.command().args(["devices", "--worker", "wgup=true"]).assert().code(2).stderr(suggestion());
}

#[test]
fn a_filter_that_is_no_regular_expression_is_refused() {
    let bench = Bench::new(THREE_SIZES);
    bench.run_command("").args(["--filter", "n(4"]).assert().code(2).stderr(contains("n(4"));
}

#[test]
fn a_filter_that_leaves_nothing_says_what_there_is() {
    let bench = Bench::new(THREE_SIZES);
    let told = contains("n512").and(contains("sizes/bk-core/ndarray/f32"));
    bench.run_command("").args(["--filter", "n512"]).assert().code(2).stderr(told);
}

#[test]
fn two_configs_of_one_name_are_refused() {
    let bench = Bench::new(THREE_SIZES);
    std::fs::create_dir(bench.path("other")).unwrap();
    bench.write("other/sweep.toml", THREE_SIZES);
    let both = contains("sweep.toml and other/sweep.toml are both named `sweep`");
    bench.command().args(["run", "sweep.toml", "other/sweep.toml"]).assert().code(2).stderr(both);
}

#[test]
fn a_worker_that_is_not_target_and_command_is_refused() {
    let bench = Bench::new(THREE_SIZES);
    bench.command().args(["devices", "--worker", "cuda"]).assert().code(2).stderr(contains("TARGET=COMMAND"));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_found_before_anything_runs() {
    let bench = Bench::new(THREE_SIZES);
    bench.write("out", "a file is in the way");
    bench.run("--log log").code(2).stderr(contains("out").and(contains("--out")));
    assert_eq!(bench.logged(), Vec::<String>::new());
}

#[test]
fn a_target_whose_folder_cannot_be_written_to_is_found_before_anything_runs() {
    let bench = Bench::new(THREE_SIZES);
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/ndarray", "a file is in the way");
    bench.run("--log log").code(2).stderr(contains("out/ndarray"));
    assert_eq!(bench.logged(), Vec::<String>::new());
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    Bench::new(THREE_SIZES).command().arg("benchmark").assert().code(2).stderr(contains("benchmark"));
}

#[test]
fn with_several_configs_a_selection_may_leave_nothing_of_some() {
    let bench = Bench::new(THREE_SIZES);
    bench.write("other.toml", &THREE_SIZES.replace("[4, 8, 16]", "[32]"));
    let mut command = bench.run_command("");
    command.args(["other.toml", "--filter", "n32", "--worker", &worker("host", "")]).assert().code(0);
    assert!(bench.path("out/ndarray/other.json").exists() && !bench.path("out/ndarray/sweep.json").exists());
}
