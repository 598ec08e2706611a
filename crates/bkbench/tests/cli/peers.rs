//! The engines in `peers/`, as far as this machine has what they need: Python alone, or NumPy and safetensors too.

use std::path::{Path, PathBuf};
use std::process::Command;

use predicates::str::contains;

use crate::bench::{Bench, worker};

/// The file of an engine.
fn engine(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../peers").join(format!("{name}_engine.py"))
}

/// Whether `python3` is here and runs `program`; if not, says that the test `name` checks nothing.
fn python_runs(name: &str, program: &str) -> bool {
    let found = Command::new("python3").args(["-c", program]).output();
    let runs = found.is_ok_and(|output| output.status.success());
    if !runs {
        eprintln!("{name}: skipped, `python3 -c \"{program}\"` does not work here");
    }
    runs
}

/// Runs a sweep of `benchmark` on the engine `name`, started with `options` of Python.
fn run(name: &str, options: &str, benchmark: &str) -> (Bench, assert_cmd::assert::Assert) {
    let bench = Bench::new(&format!(
        "[[engine]]\ntarget = \"{name}\"\ncommand = \"python3 -B {options} '{}'\"\n\
         [[benchmark]]\nname = \"sizes\"\ntargets = \"{name}\"\nsamples = 3\nmax_seconds = 0.05\n\
         warmup_runs = 1\nwarmup_seconds = 0\ntimeout_seconds = 30\n{benchmark}\n",
        engine(name).display()
    ));
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker", &worker("host", "")]);
    let ended = command.assert();
    (bench, ended)
}

#[test]
fn numpy_is_right_on_every_layout_by_sweep_and_by_tree() {
    if !python_runs("numpy_is_right", "import numpy, safetensors.numpy") {
        return;
    }
    // Three rows of up to 96 sites are swept; longer ones are scanned in a tree.
    let axes = "batch = 3\nn = [1, 2, 40, 301]\nfamilies = [\"normal\", \"complex\"]\n\
                couplings = [\"per-row\", \"shared\"]";
    let (bench, ended) = run("numpy", "", axes);
    ended.code(0);
    let outcomes = bench.outcomes_of("numpy");
    assert_eq!(outcomes.len(), 32);
    assert!(outcomes.iter().all(|(status, _)| status == "measured"), "{outcomes:?}");
    let results = bench.json("out/numpy/sweep.json");
    let measured = &results["results"][31]["outcome"];
    assert_eq!(measured["timings"][0]["clock"], "wall");
    assert_eq!(measured["timings"][1]["clock"], "launch_regression");
    assert_eq!(results["targets"]["numpy"]["engine"], "numpy");
}

#[test]
fn numpy_is_right_where_classical_determinants_overflow() {
    if !python_runs("numpy_is_right_where", "import numpy, safetensors.numpy") {
        return;
    }
    let (_, ended) = run("numpy", "", "batch = [1, 150]\nn = 4096\nz = [0.0, 3.0]");
    ended.code(0).stdout(contains("4 measured"));
}

#[test]
fn a_case_that_clips_is_a_skip() {
    if !python_runs("a_case_that_clips", "import numpy, safetensors.numpy") {
        return;
    }
    let (bench, ended) = run("numpy", "", "batch = 1\nn = 4\nmax_magnitude = 50");
    ended.code(0);
    assert_eq!(bench.outcomes_of("numpy")[1].1, "peers neither clip nor replace values");
}

#[test]
fn an_engine_without_its_libraries_is_a_skip_that_says_which() {
    if !python_runs("an_engine_without_its_libraries", "pass") {
        return;
    }
    for name in ["numpy", "jax", "torch", "triton"] {
        // Without `site`, Python finds its own library alone.
        let (bench, ended) = run(name, "-S", "batch = 1\nn = 4");
        ended.code(0).stdout(contains("No module named 'numpy'; peers/README.md says how to install it"));
        assert_eq!(bench.outcomes_of(name)[1].0, "skipped");
    }
}
