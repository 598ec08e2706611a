//! A worker that misbehaves costs the case that it was busy with, and no other.

#[cfg(not(feature = "targets"))]
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

use crate::bench::{Bench, THREE_SIZES, worker, workers};

const MEASURED: &str = "measured";

/// Runs three sizes, of which `b2-n8` on `ndarray` does `action`, and returns the reason of its failure.
fn failure(action: &str) -> String {
    let bench = Bench::new(THREE_SIZES);
    bench.run(&format!("--on ndarray/f32/b2-n8={action}")).code(4);
    let outcomes = bench.outcomes();
    let statuses: Vec<&str> = outcomes.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(statuses, [MEASURED, MEASURED, MEASURED, MEASURED, "failed", MEASURED]);
    outcomes[4].1.clone()
}

#[test]
fn an_aborting_worker_costs_one_case_and_its_signal_is_told() {
    assert!(failure("abort").contains("SIGABRT"));
}

#[test]
fn a_worker_that_exits_costs_one_case_and_its_last_words_are_told() {
    let reason = failure("exit");
    assert!(reason.contains("exit status: 3") && reason.contains("device lost"), "{reason}");
}

#[test]
fn a_line_that_is_no_message_costs_one_case_and_is_quoted() {
    assert!(failure("garbage").contains("`Autotune: 3 kernels`"));
}

#[test]
fn a_panic_on_another_thread_costs_one_case_though_a_result_came() {
    let reason = failure("panic");
    assert!(reason.contains("memory page does not exist"), "{reason}");
}

#[test]
fn a_time_that_is_no_number_costs_one_case() {
    let reason = failure("nan-time");
    assert!(reason.contains("not a message of the worker protocol"), "{reason}");
}

#[test]
fn a_failure_that_the_worker_reports_is_passed_on() {
    assert_eq!(failure("fail"), "out of device memory");
}

#[test]
fn a_hanging_worker_is_killed_and_costs_one_case() {
    let soon = "timeout_seconds = 1\nmax_seconds = 0.1\nwarmup_seconds = 0";
    let bench = Bench::new(&THREE_SIZES.replace("timeout_seconds = 20", soon));
    bench.run("--on ndarray/f32/b2-n8=hang").code(4);
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[4].0, "failed");
    assert!(outcomes[4].1.contains("within 1 s") && outcomes[4].1.contains("timeout_seconds"));
    assert_eq!(outcomes[5].0, MEASURED);
}

#[test]
fn a_target_that_is_missing_skips_its_cases_with_the_reason() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out"]);
    command.args(["--worker", &worker("host", "")]);
    command.args(["--worker", &worker("ndarray", "--unavailable 'no Vulkan loader: install libvulkan1'")]);
    command.assert().code(0).stdout(contains("no Vulkan loader"));
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[0].0, MEASURED);
    assert_eq!(outcomes[3], ("skipped".to_owned(), "no Vulkan loader: install libvulkan1".to_owned()));
    assert_eq!(bench.json("out/ndarray/sweep.json")["targets"]["ndarray"]["status"], "unavailable");
}

#[test]
fn a_worker_of_another_version_is_told_apart() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--version 99").code(4).stdout(contains("version 99 of the worker protocol"));
    assert!(bench.statuses().iter().all(|status| status == "failed"));
}

#[test]
fn a_worker_program_that_is_missing_is_named() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out"]).args(workers(""));
    command.args(["--worker", "ndarray=/nonexistent/worker"]);
    command.assert().code(4).stdout(contains("cannot start the worker `/nonexistent/worker`"));
}

#[test]
#[cfg(not(feature = "targets"))]
fn a_target_that_is_not_in_this_build_is_skipped_with_the_way_to_get_it() {
    let bench = Bench::new(THREE_SIZES);
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out"]);
    command.assert().code(3).stdout(contains("default features").and(contains("--worker ndarray=COMMAND")));
    assert!(bench.statuses().iter().all(|status| status == "skipped"));
}
