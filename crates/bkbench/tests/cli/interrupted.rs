//! Runs that end early, and how they go on.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use predicates::str::contains;

use crate::bench::{Bench, THREE_SIZES, program, workers};

/// Starts a run whose cases on `ndarray` take a second, and waits until the first of them is in the journal.
fn run_until_the_fourth_case(bench: &Bench, options: &str) -> Child {
    let mut command = Command::new(program());
    command.current_dir(bench.path("")).args(["run", "sweep.toml", "--out", "out"]);
    let log = bench.path("log");
    command
        .args(workers(&format!("--log '{}' {options}", log.display())))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    // The header and four cases.
    while std::fs::read_to_string(journal(bench)).unwrap_or_default().lines().count() < 5 {
        assert!(Instant::now() < deadline, "no journal of four cases");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn journal(bench: &Bench) -> std::path::PathBuf {
    bench.path("out/sweep.journal.jsonl")
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Processes whose command line contains `marker`, other than those that look for it.
fn processes_with(marker: &str) -> usize {
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let words = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&words).contains(marker).then_some(())
    };
    std::fs::read_dir("/proc").map_or(0, |entries| entries.filter_map(count).count())
}

#[test]
fn ctrl_c_keeps_what_is_measured_and_resume_does_the_rest() {
    let bench = Bench::new(THREE_SIZES);
    let child = run_until_the_fourth_case(&bench, "--on host=slow");
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(crate::bench::stdout(&output).contains("--resume"));
    let results = bench.json("out/ndarray/sweep.json");
    assert_eq!(results["interrupted"], true);
    let statuses = bench.statuses();
    // The references come first in the file and last in the run.
    assert_eq!(statuses[2], "skipped");
    assert_eq!(statuses[3..], ["measured", "measured", "measured"]);
    assert!(bench.path("out/REPORT.md").exists());

    std::fs::remove_file(bench.path("log")).unwrap();
    bench.run_command("--log log").arg("--resume").assert().code(0).stdout(contains("6 measured"));
    let left = bench.logged();
    assert!(left.len() <= 3 && left.iter().all(|name| name.contains("host")), "{left:?}");
    assert!(!journal(&bench).exists(), "nothing is left to resume");
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_takes_the_worker_along() {
    let bench = Bench::new(THREE_SIZES);
    let marker = bench.path("log").display().to_string();
    let mut child = run_until_the_fourth_case(&bench, "--on n8/native=hang");
    // Stopped, the program cannot react to the first signal before the second one is there.
    signal(&child, "-STOP");
    signal(&child, "-INT");
    signal(&child, "-TERM");
    signal(&child, "-CONT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let deadline = Instant::now() + Duration::from_secs(10);
    while processes_with(&marker) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(processes_with(&marker), 0, "the worker is still there");
}

#[test]
fn a_killed_run_is_resumed_from_its_journal() {
    let bench = Bench::new(THREE_SIZES);
    let mut child = run_until_the_fourth_case(&bench, "--on ndarray=slow");
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert!(!bench.path("out/ndarray/sweep.json").exists(), "it had no time to write its results");
    // As a crash in the middle of a write leaves it.
    let torn = format!("{}{{\"case\":{{\"id\"", std::fs::read_to_string(journal(&bench)).unwrap());
    std::fs::write(journal(&bench), torn).unwrap();

    std::fs::remove_file(bench.path("log")).unwrap();
    bench.run_command("--log log").arg("--resume").assert().code(0).stdout(contains("6 measured"));
    let left = bench.logged();
    assert!((1..=2).contains(&left.len()), "{left:?}");
}

#[test]
fn failed_cases_run_again_on_resume_and_measured_ones_do_not() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--on ndarray/f32/b2-n8=abort").code(4);
    bench.run_command("--log log").arg("--resume").assert().code(0).stdout(contains("6 measured"));
    assert_eq!(bench.logged(), ["sizes/bk-core/ndarray/f32/b2-n8/native"]);
}

#[test]
fn a_changed_config_is_not_resumed() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--on ndarray/f32/b2-n8=abort").code(4);
    bench.write("sweep.toml", &THREE_SIZES.replace("samples = 10", "samples = 11"));
    bench
        .run_command("--log log")
        .arg("--resume")
        .assert()
        .code(2)
        .stderr(contains("the config has changed"));
    assert_eq!(bench.logged(), Vec::<String>::new());
}

#[test]
fn without_a_journal_there_is_nothing_to_resume() {
    let bench = Bench::new(THREE_SIZES);
    bench.run_command("").arg("--resume").assert().code(2).stderr(contains("run without --resume"));
}
