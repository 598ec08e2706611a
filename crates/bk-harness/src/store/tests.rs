//! Files that survive, and files that are refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::case::Implementation;
use crate::outcome::{CaseResult, Clock, Outcome};
use crate::record::Run;
use crate::testing::{build, case, config, measured, run, timing};

fn fingerprint() -> Fingerprint {
    let devices = BTreeMap::from([("cuda".to_owned(), "Example GPU".to_owned())]);
    Fingerprint::new(config(), build(), devices)
}

fn result(n: usize) -> CaseResult {
    let case = case("cuda", Implementation::Kernel, n);
    measured(case, vec![timing(Clock::LaunchRegression, 2.1e-5 / 3.0)])
}

fn failed(n: usize) -> CaseResult {
    let outcome = Outcome::Failed { error: "out of memory".to_owned() };
    CaseResult { case: case("cuda", Implementation::Kernel, n), outcome }
}

/// A journal of `results`, closed.
fn write(out: &Path, results: &[CaseResult]) {
    let mut journal = Journal::create(out, "bk_core", &fingerprint()).unwrap();
    for result in results {
        journal.append(result).unwrap();
    }
}

fn resume(out: &Path) -> Result<Vec<CaseResult>, StoreError> {
    Journal::resume(out, "bk_core", &fingerprint()).map(|(_, results)| results)
}

#[test]
fn a_resumed_run_finds_every_case_to_the_last_bit() {
    let out = tempfile::tempdir().unwrap();
    let results = [result(1024), result(2048)];
    write(out.path(), &results);
    assert_eq!(resume(out.path()).unwrap(), results);
}

#[test]
fn a_journal_cut_off_anywhere_gives_the_cases_before_the_cut_and_takes_more() {
    let out = tempfile::tempdir().unwrap();
    let results = [result(1024), result(2048)];
    write(out.path(), &results);
    let path = Journal::path(out.path(), "bk_core");
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1).collect();
    for cut in [ends[0], ends[0] + 1, ends[1] - 1, ends[1], ends[1] + 40, ends[2] - 1, ends[2]] {
        fs::write(&path, &whole[..cut]).unwrap();
        let whole_lines = ends.iter().filter(|end| **end <= cut).count();
        let (mut journal, done) = Journal::resume(out.path(), "bk_core", &fingerprint()).unwrap();
        assert_eq!(done, results[..whole_lines - 1], "cut at {cut}");
        journal.append(&result(4096)).unwrap();
        assert_eq!(resume(out.path()).unwrap().last(), Some(&result(4096)), "cut at {cut}");
    }
}

#[test]
fn a_journal_without_even_its_header_is_nothing_to_resume() {
    let out = tempfile::tempdir().unwrap();
    let error = resume(out.path()).unwrap_err();
    assert!(error.to_string().ends_with("to resume (run without --resume)"), "{error}");
    fs::write(Journal::path(out.path(), "bk_core"), "{\"schema_ver").unwrap();
    assert!(matches!(resume(out.path()), Err(StoreError::NoJournal(_))));
}

#[test]
fn failed_cases_run_again_and_of_a_case_the_last_line_counts() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &[failed(1024), failed(2048), result(1024)]);
    assert_eq!(resume(out.path()).unwrap(), [result(1024)]);
}

#[test]
fn a_journal_of_another_run_is_refused_with_what_differs() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &[result(1024)]);
    let refused = |fingerprint: &Fingerprint| {
        let error = Journal::resume(out.path(), "bk_core", fingerprint).unwrap_err();
        error.to_string().split_once("is of another run: ").unwrap().1.to_owned()
    };
    let mut other = fingerprint();
    other.config.benchmarks[0].measure.samples += 1;
    assert!(refused(&other).starts_with("the config has changed (run without --resume"));
    let mut other = fingerprint();
    other.build.features.pop();
    assert!(refused(&other).contains("built from other sources or with other features"));
    let mut other = fingerprint();
    other.devices.insert("cuda".to_owned(), "Other GPU".to_owned());
    insta::assert_snapshot!(refused(&other), @r#"it ran on {"cuda": "Example GPU"}, this one runs on {"cuda": "Other GPU"} (run without --resume to start anew, or with another --out to keep both)"#);
    // And nothing of it is lost by the refusal.
    assert_eq!(resume(out.path()).unwrap(), [result(1024)]);
}

#[test]
fn a_damaged_line_in_the_middle_is_named() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &[result(1024), result(2048)]);
    let path = Journal::path(out.path(), "bk_core");
    let text = fs::read_to_string(&path).unwrap().replacen("\"outcome\"", "\"outc", 1);
    fs::write(&path, text).unwrap();
    let error = resume(out.path()).unwrap_err();
    assert!(matches!(error, StoreError::DamagedJournal { line: 2, .. }), "{error}");
}

#[test]
fn a_new_run_keeps_an_unfinished_journal_aside_and_a_finished_run_leaves_none() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &[result(1024)]);
    let journal = Journal::create(out.path(), "bk_core", &fingerprint()).unwrap();
    let previous = fs::read_to_string(out.path().join("bk_core.journal.previous.jsonl")).unwrap();
    assert_eq!(previous.lines().count(), 2);
    journal.finish().unwrap();
    assert!(!Journal::path(out.path(), "bk_core").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &[]);
    let path = Journal::path(out.path(), "bk_core");
    let (mut journal, _) = Journal::resume(out.path(), "bk_core", &fingerprint()).unwrap();
    journal.redirect(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let error = journal.append(&result(1024)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
    assert!(error.contains("free some space or choose another --out"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("results");
    fs::write(&file, "in the way").unwrap();
    for error in [
        save_text(&file.join("cuda/report.md"), "text").unwrap_err(),
        Journal::create(&file, "bk_core", &fingerprint()).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.starts_with("cannot create directory ") && error.contains("results"), "{error}");
        assert!(error.contains("choose another --out, or move it"), "{error}");
    }
}

#[test]
fn a_file_is_replaced_whole_and_leaves_nothing_else_behind() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("deep/er/report.md");
    save_text(&path, "old and long").unwrap();
    save_text(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn results_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("report.md");
    save_text(&path, "text").unwrap();
    let beside = out.path().join("beside.md");
    fs::write(&beside, "text").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&beside));
}

#[test]
fn a_run_with_errors_that_are_no_numbers_survives_its_file() {
    let out = tempfile::tempdir().unwrap();
    let mut wrong = crate::testing::numerics();
    (wrong.mse, wrong.max_abs_error) = (f64::NAN, f64::INFINITY);
    wrong.rejected = Some("3 values are NaN".to_owned());
    let outcome = Outcome::Invalid { why: "3 values are NaN".to_owned(), numerics: Some(wrong) };
    let invalid = CaseResult { case: case("cuda", Implementation::Kernel, 4096), outcome };
    let run = run(config(), vec![result(1024), invalid]);
    let path = out.path().join("bk_core.json");
    save_json(&path, &run).unwrap();
    let read = load_run(&path).unwrap();
    assert_eq!(read.results[0], run.results[0]);
    let Outcome::Invalid { numerics: Some(numerics), .. } = &read.results[1].outcome else { panic!() };
    assert!(numerics.mse.is_nan() && numerics.max_abs_error.is_nan());
    assert_eq!(numerics.mse_clipped, 2.5e-11);
}

#[test]
fn another_schema_is_refused_before_its_content_is_read() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("old.json");
    fs::write(&path, r#"{"schema_version": 99}"#).unwrap();
    let error = load_run(&path).unwrap_err();
    assert!(matches!(error, StoreError::OtherSchema { found: 99, expected: 1, .. }), "{error}");
    fs::write(&path, "no json").unwrap();
    assert!(matches!(load_run(&path), Err(StoreError::NotResults { .. })));
}

#[test]
fn the_files_of_all_targets_are_one_run_again() {
    let out = tempfile::tempdir().unwrap();
    let host = measured(case("host", Implementation::Host, 1024), vec![timing(Clock::Wall, 1e-2)]);
    let wgpu = measured(case("wgpu", Implementation::Kernel, 1024), vec![timing(Clock::Wall, 1e-3)]);
    let whole = run(config(), vec![host, result(1024), wgpu]);
    crate::views::write(out.path(), &whole).unwrap();
    // Beside another run, and a file that is none.
    let other = Run { started: "2026-02-01T00:00:00Z".parse().unwrap(), ..run(config(), vec![result(64)]) };
    save_json(&out.path().join("cuda/other.json"), &other).unwrap();
    save_text(&out.path().join("cuda/notes.json"), "{}").unwrap();
    let runs = load_runs(&[out.path().to_owned()]).unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0].results.len(), 3);
    assert_eq!(runs[0].targets, whole.targets);
    assert_eq!(runs[1].results, other.results);
}

#[test]
fn a_directory_without_results_is_an_error() {
    let out = tempfile::tempdir().unwrap();
    let error = load_runs(&[out.path().to_owned()]).unwrap_err();
    assert!(error.to_string().starts_with("there are no results in "), "{error}");
    let missing = out.path().join("missing.json");
    assert!(matches!(load_runs(&[missing]), Err(StoreError::Io { .. })));
}
