//! External engines: bkbench gives them their inputs, proves their output and makes the statistics.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;

use crate::bench::{Bench, example, worker};

/// Three sizes of an engine `fake` with `options`, and the `host` reference of each.
fn sweep(options: &str) -> String {
    let program = example("fake_engine");
    format!(
        "[[engine]]\ntarget = \"fake\"\ncommand = \"'{}' {options}\"\n\
         [[benchmark]]\nname = \"sizes\"\ntargets = \"fake\"\nbatch = 2\nn = [1, 8, 16]\nsamples = 10\n\
         max_seconds = 0.1\nwarmup_seconds = 0\ntimeout_seconds = 20\n",
        program.display()
    )
}

fn run(bench: &Bench) -> assert_cmd::assert::Assert {
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker", &worker("host", "")]).assert()
}

/// Status and reason of the engine's cases.
fn outcomes(bench: &Bench) -> Vec<(String, String)> {
    let all = bench.outcomes_of("fake");
    all[3..].to_vec()
}

/// Runs three sizes, of which `b2-n8` does `action`; the others have to be measured. Returns how it ended.
fn ended(action: &str, code: i32) -> (String, String) {
    let bench = Bench::new(&sweep(&format!("--on b2-n8={action}")));
    run(&bench).code(code);
    let mut outcomes = outcomes(&bench);
    assert_eq!((outcomes[0].0.as_str(), outcomes[2].0.as_str()), ("measured", "measured"), "{outcomes:?}");
    outcomes.remove(1)
}

fn invalid(action: &str) -> String {
    let (status, why) = ended(action, 5);
    assert_eq!(status, "invalid", "{why}");
    why
}

fn failed(action: &str) -> String {
    let (status, error) = ended(action, 4);
    assert_eq!(status, "failed", "{error}");
    error
}

#[test]
fn an_engine_that_is_right_is_proven_and_measured_with_our_statistics() {
    let bench = Bench::new(&sweep("--seconds 2e-3"));
    run(&bench).code(0).stdout(contains("6 measured"));
    let results = bench.json("out/fake/sweep.json");
    let case = &results["results"][4];
    assert_eq!(case["case"]["id"], "bk-core/fake/f32/b2-n8/peer");
    let outcome = &case["outcome"];
    let numerics = &outcome["numerics"];
    assert_eq!(
        (numerics["compared"].as_u64(), numerics["allowed_error_units"].as_f64()),
        (Some(16), Some(128.0))
    );
    assert!(
        numerics["max_error_units"].as_f64().is_some_and(|units| units > 0.0 && units < 2.0),
        "{numerics}"
    );
    assert_eq!(outcome["timings"][0]["statistics"]["median"], 2e-3 * 1.001);
    assert_eq!(outcome["work"]["bytes_read"].as_u64(), Some(16 * 4 + 14 * 8 + 8));
    assert_eq!(results["targets"]["fake"]["engine"], "fake_engine");
}

#[test]
fn the_bound_of_an_engine_is_its_own() {
    let text = sweep("").replace("[[benchmark]]", "allowed_units = 1e-9\n[[benchmark]]");
    let bench = Bench::new(&text);
    run(&bench).code(5).stdout(contains("of which 0.000000001 are allowed"));
}

#[test]
fn a_wrong_output_is_invalid_and_is_not_timed() {
    assert!(invalid("wrong").starts_with("1 of 16 sites are wrong"));
    assert!(invalid("nan").contains("NaN"));
}

#[test]
fn an_output_of_another_shape_is_invalid() {
    assert!(invalid("misshapen").contains("[16, 2]; expected one tensor `g`, F32 [2, 8, 2]"));
}

#[test]
fn an_output_that_is_wrong_after_the_timed_launches_is_invalid() {
    assert!(invalid("wrong-later").starts_with("right before the timed launches, wrong after them"));
}

#[test]
fn an_output_that_is_missing_fails_the_case() {
    assert!(failed("no-output").contains("wrote no output"));
    assert!(failed("no-output-later").contains("wrote no output"));
    assert!(failed("no-tensor").contains("no safetensors file"));
}

#[test]
fn an_engine_that_dies_or_hangs_costs_one_case() {
    let error = failed("die");
    assert!(error.contains("exit status: 3") && error.contains("device lost"), "{error}");
    assert!(failed("die-later").contains("while it was to time bk-core/fake"));
    let bench =
        Bench::new(&sweep("--on b2-n8=hang-later").replace("timeout_seconds = 20", "timeout_seconds = 1"));
    run(&bench).code(4);
    assert!(outcomes(&bench)[1].1.contains("raise `timeout_seconds`"));
    assert_eq!(outcomes(&bench)[2].0, "measured");
}

#[test]
fn an_engine_may_skip_or_fail_a_case_and_not_more() {
    assert_eq!(ended("skip", 0), ("skipped".to_owned(), "does not apply here".to_owned()));
    assert_eq!(failed("fail"), "out of device memory");
    assert_eq!(failed("fail-later"), "out of device memory");
    assert!(failed("claim").contains("it is for me to say"), "proof is not the engine's to give");
}

#[test]
fn times_that_cannot_be_are_refused() {
    assert!(failed("no-times").contains("no time at all"));
    assert!(failed("negative-time").contains("a time of -0.001 s by the clock wall"));
    assert!(failed("same-clock").contains("two times by the clock wall"));
    assert!(failed("cold-cpu").contains("expected one of [Uncontrolled]"));
}

#[test]
fn an_engine_without_the_clock_that_is_asked_for_fails() {
    let bench = Bench::new(&sweep("").replace("samples = 10", "samples = 10\nclock = \"device_timestamp\""));
    run(&bench)
        .code(4)
        .stdout(contains("the engine gave wall as the case's time; expected device_timestamp"));
}

#[test]
fn an_engine_that_is_not_installed_is_a_skip_with_the_reason() {
    let bench = Bench::new(&sweep("--unavailable 'no module named jax'"));
    run(&bench).code(0).stdout(contains("no module named jax"));
    assert!(outcomes(&bench).iter().all(|(status, _)| status == "skipped"));
    let missing = sweep("").replace(&example("fake_engine").display().to_string(), "/nonexistent/python");
    let bench = Bench::new(&missing);
    run(&bench).code(0).stdout(contains("cannot start the worker `/nonexistent/python`"));
    assert!(outcomes(&bench).iter().all(|(status, _)| status == "skipped"));
}

#[test]
fn an_engine_of_another_version_is_told_apart() {
    let bench = Bench::new(&sweep("--version 1"));
    run(&bench).code(4).stdout(contains("version 1 of the worker protocol"));
}

#[test]
fn a_peer_must_not_prove_itself_and_an_engine_must_not_play_our_implementations() {
    let bench = Bench::new(&sweep("--worker"));
    run(&bench).code(4).stdout(contains("a `peer` is proven by bkbench"));
    let bench = Bench::new(crate::bench::THREE_SIZES);
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker", &worker("host", "")]);
    command.args(["--worker", &format!("ndarray='{}'", example("fake_engine").display())]);
    command.assert().code(4).stdout(contains("give it a target of its own"));
}

#[test]
fn the_command_line_stands_above_the_program_of_the_config() {
    let bench = Bench::new(&sweep("--unavailable gone"));
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker", &worker("host", "")]);
    command.args(["--worker", &format!("fake='{}'", example("fake_engine").display())]);
    command.assert().code(0).stdout(contains("6 measured"));
}

#[test]
fn a_target_of_an_engine_can_be_selected() {
    let bench = Bench::new(&sweep(""));
    bench.write("other.toml", &sweep("").replace("fake", "mock").replace("mock_engine", "fake_engine"));
    let plan = |target: &str| {
        let mut command = bench.command();
        command.args(["plan", "sweep.toml", "other.toml", "--target", target]).assert()
    };
    plan("mock").code(0).stdout(contains("mock/f32/b2-n8/peer").and(contains("fake/f32").not()));
    plan("moc").code(2).stderr(contains("did you mean `mock`?"));
}

#[test]
fn two_configs_must_agree_about_an_engine() {
    let bench = Bench::new(&sweep(""));
    bench.write("other.toml", &sweep("--seconds 2"));
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "other.toml", "--out", "out", "--worker", &worker("host", "")]);
    command.assert().code(2).stderr(contains("describe the engine of `fake` differently"));
}

#[test]
fn the_protocol_s_schema_has_the_messages_of_an_engine() {
    let bench = Bench::new(&sweep(""));
    let output = bench.command().args(["schema", "protocol"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    for word in ["prepare", "prepared", "measure", "sampled", "engine", "input_sets"] {
        assert!(schema.to_string().contains(&format!("\"{word}\"")), "no {word}");
    }
}
