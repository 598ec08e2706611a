//! The commands beside `run`.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;

use crate::bench::{Bench, THREE_SIZES, stdout, worker};

fn json(command: &mut assert_cmd::Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn plan_shows_cases_time_and_memory_and_runs_nothing() {
    let bench = Bench::new(THREE_SIZES);
    let cases = contains("sizes/bk-core/ndarray/f32/b2-n16/native").and(contains("6 cases"));
    bench.command().args(["plan", "sweep.toml"]).assert().code(0).stdout(cases);
    let plans = json(bench.command().args(["plan", "sweep.toml", "--filter", "n8/native"]));
    assert_eq!(plans[0]["config"], "sweep");
    assert_eq!(plans[0]["cases"].as_array().unwrap().len(), 2);
    assert!(plans[0]["cases"][0]["predicted_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(plans[0]["cases"][0]["role"], "baseline");
}

#[test]
fn a_dry_run_is_a_plan() {
    let bench = Bench::new(THREE_SIZES);
    let plan = bench.command().args(["plan", "sweep.toml"]).output().unwrap();
    let dry = bench.run_command("--log log").arg("--dry-run").output().unwrap();
    assert_eq!(stdout(&dry), stdout(&plan));
    assert!(!bench.path("log").exists() && !bench.path("out").exists());
}

#[test]
fn devices_tells_what_is_there_and_why_something_is_not() {
    let bench = Bench::new(THREE_SIZES);
    let devices = |bench: &Bench| {
        let mut command = bench.command();
        command.args(["devices", "--worker", &worker("cuda", "--gpu")]);
        command.args(["--worker", &worker("flex", "--unavailable 'not on this machine'")]);
        command
    };
    devices(&bench)
        .assert()
        .code(0)
        .stdout(contains("Made-up device").and(contains("8.00 GiB")).and(contains("not on this machine")));
    let rows = json(&mut devices(&bench));
    let row = |target: &str| rows.as_array().unwrap().iter().find(|row| row["target"] == target).unwrap();
    assert_eq!(row("cuda")["status"], "available");
    assert_eq!(row("cuda")["device"]["class"], "gpu");
    assert_eq!(row("flex")["reason"], "not on this machine");
}

#[test]
fn devices_with_a_worker_that_does_not_work_is_code_4() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.command();
    command.args(["devices", "--worker", "cuda=/nonexistent/worker"]);
    command.assert().code(4).stdout(contains("cannot start the worker"));
}

fn verify(bench: &Bench, options: &str) -> assert_cmd::Command {
    let mut command = bench.command();
    command.args(["verify", "bk-core", "--target", "cuda", "--worker", &worker("cuda", options)]);
    command
}

#[test]
fn verify_passes_when_every_vector_is_right() {
    let bench = Bench::new(THREE_SIZES);
    verify(&bench, "").assert().code(0).stdout(contains("2 of 2 vectors right"));
}

#[test]
fn verify_with_a_wrong_vector_is_code_5_and_shows_it() {
    let bench = Bench::new(THREE_SIZES);
    let shown = contains("1 of 2 vectors right").and(contains("WRONG"));
    verify(&bench, "--on vectors=wrong").assert().code(5).stdout(shown);
    let rows = json(&mut verify(&bench, "--on vectors=wrong"));
    assert_eq!(rows[0]["rows"][1]["passed"], false);
}

#[test]
fn verify_of_which_nothing_applies_is_code_3() {
    let bench = Bench::new(THREE_SIZES);
    verify(&bench, "--on vectors=skip").assert().code(3).stdout(contains("does not apply here"));
    verify(&bench, "--unavailable gone").assert().code(3).stdout(contains("skipped, gone"));
}

#[test]
fn verify_that_fails_is_code_4() {
    let bench = Bench::new(THREE_SIZES);
    verify(&bench, "--on vectors=fail").assert().code(4).stdout(contains("out of device memory"));
}

fn verify_phase2(bench: &Bench, options: &str) -> assert_cmd::Command {
    let mut command = bench.command();
    command.args(["verify", "phase2", "--target", "cuda", "--worker", &worker("cuda", options)]);
    command
}

#[test]
fn verify_phase2_shows_the_largest_error_of_every_tensor() {
    let bench = Bench::new(THREE_SIZES);
    let shown = contains("2 of 2 tensors right").and(contains("logits2")).and(contains("1.00e-5"));
    verify_phase2(&bench, "").assert().code(0).stdout(shown);
    verify_phase2(&bench, "--on phase2=wrong").assert().code(5).stdout(contains("WRONG"));
    verify_phase2(&bench, "--on phase2=skip").assert().code(3).stdout(contains("does not apply here"));
    verify_phase2(&bench, "--on phase2=fail").assert().code(4).stdout(contains("out of device memory"));
    let rows = json(&mut verify_phase2(&bench, "--on phase2=wrong"));
    assert_eq!(rows[0]["files"][0]["rows"][1]["passed"], false);
}

#[test]
fn export_phase2_says_what_was_written_or_why_nothing_was() {
    let bench = Bench::new(THREE_SIZES);
    let export = |options: &str| {
        let mut command = bench.command();
        command.args(["export", "phase2", "out.safetensors", "--preset", "small", "--target", "cuda"]);
        command.args(["--worker", &worker("cuda", options)]);
        command
    };
    export("").assert().code(0).stdout(contains("out.safetensors: 3 tensors, 12 parameters"));
    export("--on phase2=wrong").assert().code(2).stdout(contains("`ln_f.bias` is missing"));
    export("--on phase2=fail").assert().code(4).stdout(contains("disk full"));
    export("--on phase2=skip").assert().code(3).stdout(contains("does not apply here"));
}

#[test]
fn report_of_a_folder_without_results_is_refused() {
    let bench = Bench::new(THREE_SIZES);
    bench.command().args(["report", "."]).assert().code(2).stderr(contains("no results"));
    bench.command().args(["report", "nowhere"]).assert().code(2).stderr(contains("nowhere"));
}

#[test]
fn report_as_json_is_what_run_printed() {
    let bench = Bench::new(THREE_SIZES);
    let run = json(&mut bench.run_command("--spread 0.1"));
    let report = json(bench.command().args(["report", "out"]));
    assert_eq!(report[0]["cases"], run[0]["cases"]);
    assert_eq!(report[0]["exit_code"], run[0]["exit_code"]);
}

#[test]
fn every_schema_is_one() {
    let bench = Bench::new(THREE_SIZES);
    for (of, key) in [("config", "benchmark"), ("results", "interrupted"), ("protocol", "verify_vectors")] {
        let output = bench.command().args(["schema", of]).output().unwrap();
        let schema: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{of}");
        assert!(schema.to_string().contains(&format!("\"{key}\"")), "{of} lacks {key}");
    }
}

#[test]
fn completions_know_the_commands() {
    let bench = Bench::new(THREE_SIZES);
    for shell in ["bash", "fish", "zsh", "powershell", "elvish"] {
        bench.command().args(["completions", shell]).assert().code(0).stdout(contains("verify"));
    }
}

#[test]
fn help_documents_the_exit_codes_and_hides_the_worker() {
    let bench = Bench::new(THREE_SIZES);
    let help = contains("numerically wrong").and(contains("serve cases").not());
    bench.command().arg("--help").assert().code(0).stdout(help);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bench = Bench::new(THREE_SIZES);
    let program = crate::bench::program().display();
    let script = format!("set -o pipefail; '{program}' schema results | head -c 1 > /dev/null");
    let status =
        std::process::Command::new("bash").current_dir(bench.path("")).args(["-c", &script]).status();
    assert!(status.unwrap().success());
}

#[test]
fn the_worker_that_is_built_in_speaks_the_protocol_and_nothing_else() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.command();
    let output = command.args(["worker", "--target", "no-such-target"]).output().unwrap();
    let event: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(event["event"], "unavailable");
}
