//! What a run leaves behind.

use predicates::str::contains;
use serde_json::Value;

use crate::bench::{Bench, THREE_SIZES, stderr, stdout};

#[test]
fn results_hold_every_case_with_its_samples_and_where_it_ran() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--seconds host=5e-3").code(0);
    let results = bench.json("out/ndarray/sweep.json");
    assert_eq!(results["name"], "sweep");
    assert_eq!(results["interrupted"], false);
    assert_eq!(results["targets"]["ndarray"]["device"]["name"], "Made-up device");
    assert_eq!(results["targets"]["ndarray"]["engine"], "fake_worker");
    let samples = &results["results"][3]["outcome"]["timings"][0]["samples"];
    assert_eq!(samples.as_array().unwrap().len(), 10);
    assert!(results["environment"]["build"]["rustc"].as_str().unwrap().starts_with("rustc "));
    assert!(results["config"]["source"].as_str().unwrap().contains("name = \"sizes\""));
}

#[test]
fn a_finished_run_leaves_results_and_a_report_and_nothing_else() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("").code(0);
    let mut names: Vec<String> = std::fs::read_dir(bench.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["REPORT.md", "ndarray", "report.html", "sweep-sizes.svg"]);
}

#[test]
fn the_report_is_the_same_when_it_is_written_from_the_json_alone() {
    let bench = Bench::with_kpis("[[kpi]]\nname = \"fast\"\nmetric = \"speedup\"\nat_least = 0.5\n");
    bench.run("--spread 0.1 --on ndarray/f32/b2-n8=wrong").code(5);
    let written = bench.read("out/REPORT.md");
    assert!(written.contains("b2-n16") && written.contains("error of 1e3 units"), "{written}");
    std::fs::remove_file(bench.path("out/REPORT.md")).unwrap();
    std::fs::remove_file(bench.path("out/sweep-sizes.svg")).unwrap();
    bench.command().args(["report", "out"]).assert().code(0).stdout(contains("REPORT.md"));
    assert_eq!(bench.read("out/REPORT.md"), written);
    assert!(bench.path("out/sweep-sizes.svg").exists());
}

#[test]
fn a_second_run_replaces_the_first() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("").code(0);
    bench.run("--on ndarray/f32/b2-n8=skip").code(0);
    assert_eq!(bench.statuses()[4], "skipped");
    assert_eq!(bench.read("out/REPORT.md").matches("## sweep").count(), 1);
}

#[test]
fn settings_and_the_quick_overlay_reach_the_results() {
    let bench = Bench::new(&format!("{THREE_SIZES}\n[quick]\nsamples = 7\n"));
    bench.run_command("").arg("--quick").assert().code(0);
    let samples = |bench: &Bench| {
        let results = bench.json("out/ndarray/sweep.json");
        results["results"][3]["outcome"]["timings"][0]["samples"].as_array().unwrap().len()
    };
    assert_eq!(samples(&bench), 7);
    bench.run_command("").args(["--set", "samples=9"]).assert().code(0);
    assert_eq!(samples(&bench), 9);
}

#[test]
fn a_filter_leaves_what_it_matches_and_the_reference_of_it() {
    let bench = Bench::new(THREE_SIZES);
    bench.run_command("--log log").args(["--filter", "n8/native"]).assert().code(0);
    assert_eq!(
        bench.logged(),
        ["sizes/bk-core/ndarray/f32/b2-n8/native", "sizes/bk-core/host/f64/b2-n8/host"]
    );
}

#[test]
fn json_output_is_json_alone_and_names_the_files() {
    let bench = Bench::with_kpis("[[kpi]]\nname = \"fast\"\nmetric = \"speedup\"\nat_least = 3.0\n");
    let output = bench.run_command("").arg("--json").output().unwrap();
    let runs: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(runs[0]["exit_code"], 1);
    assert_eq!(runs[0]["tally"]["measured"], 6);
    assert_eq!(runs[0]["kpis"][0]["verdict"], "fail");
    assert!((runs[0]["cases"][3]["metrics"]["speedup"]["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    for file in runs[0]["files"].as_array().unwrap() {
        assert!(bench.path(file.as_str().unwrap()).exists(), "{file}");
    }
}

#[test]
fn progress_is_plain_lines_when_nobody_watches() {
    let bench = Bench::new(THREE_SIZES);
    let output = bench.run_command("").output().unwrap();
    let lines = stderr(&output);
    assert!(lines.contains("[1/6] sizes/bk-core/ndarray/f32/b2-n4/native: 1.00 ms"), "{lines}");
    assert!(lines.contains("[6/6]") && !lines.contains('\u{1b}'), "{lines}");
}

/// Limits the size of the files that the program may write, in blocks of 512 bytes. Without the trap, the
/// system would kill the program where a full disk gives an error.
#[cfg(unix)]
fn run_with_file_size_limit(bench: &Bench, blocks: u32) -> std::process::Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut command = std::process::Command::new("sh");
    command.current_dir(bench.path("")).args(["-c", &script, "sh"]).arg(crate::bench::program());
    command.args(["run", "sweep.toml", "--out", "out"]).args(crate::bench::workers(""));
    command.output().unwrap()
}

#[test]
#[cfg(unix)]
fn results_that_the_disk_refuses_are_shown_and_kept_in_the_journal() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("").code(0);
    let before = bench.read("out/ndarray/sweep.json");
    // The journal of six cases has about 9 KiB, the results have twice that.
    let output = run_with_file_size_limit(&bench, 28);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("free some space"), "{}", stderr(&output));
    assert!(stdout(&output).contains("6 measured"), "{}", stdout(&output));
    assert_eq!(bench.read("out/ndarray/sweep.json"), before);
    let left = std::fs::read_dir(bench.path("out/ndarray")).unwrap().count();
    assert_eq!(left, 1, "a half-written file stayed");

    std::fs::remove_file(bench.path("out/ndarray/sweep.json")).unwrap();
    bench.run_command("--log log").arg("--resume").assert().code(0).stdout(contains("6 measured"));
    assert_eq!(bench.logged(), Vec::<String>::new(), "a case was measured again");
    assert_eq!(bench.statuses(), ["measured"; 6]);
}

#[test]
#[cfg(unix)]
fn a_journal_that_the_disk_refuses_does_not_end_the_run() {
    let bench = Bench::new(THREE_SIZES);
    let output = run_with_file_size_limit(&bench, 12);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("going on without a journal"), "{}", stderr(&output));
    assert!(stdout(&output).contains("6 measured"), "{}", stdout(&output));
}

#[test]
#[cfg(unix)]
fn a_disk_that_is_full_from_the_start_is_found_before_anything_runs() {
    let bench = Bench::new(THREE_SIZES);
    let output = run_with_file_size_limit(&bench, 0);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("free some space"), "{}", stderr(&output));
}

#[test]
fn a_file_of_another_schema_in_the_folder_does_not_cost_the_results() {
    let bench = Bench::new(THREE_SIZES);
    std::fs::create_dir_all(bench.path("out/ndarray")).unwrap();
    let old = r#"{"schema_version": 99, "config": {}, "results": [], "kpis": []}"#;
    bench.write("out/ndarray/old.json", old);
    bench.run("").code(4).stderr(contains("old.json has schema_version 99"));
    assert!(bench.statuses().iter().all(|status| status == "measured"));
}
