//! The whole report of a hand-built run.

use super::{Comprehensive, figures, html, markdown, suite_markdown};
use crate::case::Implementation;
use crate::condition::Condition;
use crate::kpi::{Aggregate, Bound, Kpi, Metric, Severity};
use crate::numerics::Numerics;
use crate::outcome::{CaseResult, Clock, Measurement, Outcome, Warning};
use crate::record::{Run, TargetRecord};
use crate::testing::{case, config, measured, measurement, numerics, run, timing};
use crate::warning::Oddity;

fn kpi(name: &str, metric: Metric, bound: Bound) -> Kpi {
    Kpi {
        name: name.to_owned(),
        metric,
        condition: Condition::default(),
        comparison: None,
        bound,
        stretch: None,
        aggregate: Aggregate::Each,
        severity: Severity::Fail,
        hardware_only: true,
    }
}

fn cuda(n: usize, seconds: f64) -> CaseResult {
    let timings = vec![timing(Clock::LaunchRegression, seconds), timing(Clock::Wall, seconds + 1.2e-5)];
    let warnings = vec![Warning::from(Oddity::SlowFirstLaunch { first_seconds: 0.4, median_seconds: 3e-5 })];
    let measurement = Measurement { copy_bytes_per_second: Some(2.5e12), warnings, ..measurement(timings) };
    let case = case("cuda", Implementation::Kernel, n);
    CaseResult { case, outcome: Outcome::Measured(Box::new(measurement)) }
}

fn host(n: usize, seconds: f64) -> CaseResult {
    let timings = vec![timing(Clock::Wall, seconds), timing(Clock::LaunchRegression, seconds)];
    measured(case("host", Implementation::Host, n), timings)
}

/// Two GPU cases of which one is fast enough, a software device, a wrong result, a failure and a skip.
fn everything() -> Run {
    let mut config = config();
    let speedup = kpi("fast enough", Metric::Speedup, Bound::AtLeast(100.0));
    let stretch = Some(Bound::AtLeast(150.0));
    config.kpis = vec![
        Kpi { stretch, ..speedup },
        kpi("right", Metric::MseClipped, Bound::AtMost(1e-6)),
        Kpi {
            severity: Severity::Warn,
            ..kpi("quick to start", Metric::FirstLaunchSeconds, Bound::AtMost(0.1))
        },
    ];
    let mut wrong = numerics();
    (wrong.max_error_units, wrong.non_finite, wrong.mse) = (f64::INFINITY, 3, f64::NAN);
    wrong.rejected = Some("3 entries are NaN".to_owned());
    let with = |case, outcome| CaseResult { case, outcome };
    let why = "3 entries are NaN".to_owned();
    let skipped = Outcome::Skipped { reason: "f16 needs a device with f16 | arithmetic".to_owned() };
    let mut run = run(
        config,
        vec![
            host(1024, 2e-3),
            host(4096, 8e-3),
            cuda(1024, 1.6e-5),
            cuda(4096, 4.2e-5),
            measured(case("wgpu", Implementation::Kernel, 1024), vec![timing(Clock::Wall, 3.1e-3)]),
            with(case("wgpu", Implementation::Kernel, 4096), Outcome::Invalid { why, numerics: Some(wrong) }),
            with(
                case("wgpu", Implementation::Tensor, 4096),
                Outcome::Failed { error: "out of memory\nat sync".to_owned() },
            ),
            with(case("wgpu", Implementation::Tensor, 1024), skipped),
        ],
    );
    let reason = "no CUDA driver: libcuda.so was not found".to_owned();
    run.targets.insert("cuda-fusion".to_owned(), TargetRecord::Unavailable { reason });
    run
}

fn headline(run: &Run) -> String {
    let report = markdown(std::slice::from_ref(run));
    let line = report.lines().find(|line| line.starts_with("**")).unwrap();
    line.split("**").nth(1).unwrap().to_owned()
}

#[test]
fn a_report_answers_what_how_fast_how_right_and_how_to_do_it_again() {
    insta::assert_snapshot!(markdown(&[everything()]));
}

#[test]
fn a_figure_shows_the_times_over_n_of_each_line() {
    let figures = figures(&[everything()]);
    let names: Vec<&str> = figures.iter().map(|figure| figure.file_name.as_str()).collect();
    assert_eq!(names, ["bk_core-scaling.svg"]);
    insta::assert_snapshot!(figures[0].svg);
}

#[test]
fn runs_and_benchmarks_of_similar_names_do_not_overwrite_each_other_s_figures() {
    let mut other = everything();
    for result in &mut other.results {
        result.case.benchmark = "small, f16".to_owned();
    }
    let runs = [everything(), everything(), other];
    let names: Vec<String> = figures(&runs).into_iter().map(|figure| figure.file_name).collect();
    assert_eq!(names, ["bk_core-scaling.svg", "bk_core-2-scaling.svg", "bk_core-3-small--f16-1.svg"]);
    let report = markdown(&runs);
    assert!(names.iter().all(|name| report.contains(&format!("]({name})"))));
}

#[test]
fn a_report_depends_on_the_file_alone() {
    let json = serde_json::to_string(&everything()).unwrap();
    let read: Run = serde_json::from_str(&json).unwrap();
    assert_eq!(markdown(&[read]), markdown(&[everything()]));
}

#[test]
fn the_headline_says_the_worst() {
    let mut run = everything();
    assert_eq!(headline(&run), "1 case did not run to its end.");
    run.results.retain(|result| !matches!(result.outcome, Outcome::Failed { .. }));
    assert_eq!(headline(&run), "1 case cannot be trusted: a result or a time that cannot be true.");
    run.results.retain(|result| !matches!(result.outcome, Outcome::Invalid { .. }));
    let judge = |run: &mut Run, bound| {
        run.config.effective.kpis[0].bound = Bound::AtLeast(bound);
        run.kpis = crate::kpi::evaluate(&run.config.effective.kpis, &run.results, &run.devices());
    };
    judge(&mut run, 1000.0);
    assert_eq!(headline(&run), "1 KPI not met.");
    judge(&mut run, 125.0);
    assert_eq!(headline(&run), "Undecided: 1 KPI within the noise of the measurement.");
    judge(&mut run, 100.0);
    assert_eq!(headline(&run), "All well.");
    run.interrupted = true;
    assert_eq!(headline(&run), "Interrupted: what follows is a part of the sweep.");
}

#[test]
fn an_algorithm_that_may_be_wrong_is_reported_and_spoils_nothing() {
    let mut numerics = numerics();
    (numerics.max_error_units, numerics.non_finite) = (f64::INFINITY, 3);
    numerics.rejected = Some("3 entries are NaN".to_owned());
    let wrong = Outcome::Invalid { why: "3 entries are NaN".to_owned(), numerics: Some(numerics) };
    let case = case("host", Implementation::ThetaPhi, 1024);
    let run = run(config(), vec![cuda(1024, 1.6e-5), CaseResult { case, outcome: wrong }]);
    assert_eq!(headline(&run), "All well.");
    let report = markdown(&[run]);
    assert!(report.contains("1 wrong as may be") && report.contains("wrong, reported"), "{report}");
    assert!(!report.contains("Failed and invalid"), "{report}");
}

#[test]
fn an_output_without_a_finite_entry_has_no_errors_rather_than_none() {
    let rejected = Some("32 entries are NaN".to_owned());
    let nothing =
        Numerics { mse: 0.0, mse_clipped: 0.0, non_finite: 32, compared: 0, rejected, ..numerics() };
    let outcome = Outcome::Invalid { why: "32 entries are NaN".to_owned(), numerics: Some(nothing) };
    let case = case("cuda", Implementation::Kernel, 1024);
    let report = markdown(&[run(config(), vec![CaseResult { case, outcome }])]);
    // A column that nobody fills is left out.
    assert!(report.contains("| **wrong** | 3.20 | 16.0 |") && !report.contains("| MSE |"), "{report}");
}

#[test]
fn references_alone_are_no_result() {
    assert_eq!(headline(&run(config(), vec![host(1024, 2e-3)])), "Nothing was measured.");
}

#[test]
fn kpis_that_could_not_be_judged_are_not_met() {
    let mut software = everything();
    software.results.retain(|result| result.case.id == "bk-core/wgpu/f32/b16-n1024/kernel");
    software.kpis =
        crate::kpi::evaluate(&software.config.effective.kpis, &software.results, &software.devices());
    assert_eq!(headline(&software), "Undecided: no KPI could be judged here.");
}

#[test]
fn no_results_are_said_to_be_none() {
    assert_eq!(markdown(&[]), "# Benchmark report\n\nThere are no results.\n");
}

/// A run of the model with `memory` cases of growing N, of which the last failed.
fn models() -> Run {
    use crate::case::{Case, ElementType, Mode, Phase2Spec, Preset, WorkloadSpec};
    use crate::memory::{AllocatorMemory, MemoryMeasurement};
    use crate::models::AnalyticBytes;

    let memory = |n: usize| {
        let (preset, mode, asked_dtype) = (Preset::Base, Mode::Forward, Some(ElementType::F16));
        let spec =
            Phase2Spec { preset, mode, batch: 1, n, vocabulary: None, seed: 42, asked_dtype, force: false };
        let analytic = AnalyticBytes::of(&spec, ElementType::F32);
        let allocator = AllocatorMemory {
            baseline: 0,
            loaded: analytic.weights,
            first_pass_peak: analytic.total(),
            peaks: vec![analytic.total()],
            reserved: 2 * analytic.total(),
            readings: 500,
        };
        let memory = MemoryMeasurement { analytic, allocator: Some(allocator), driver: None, resident: None };
        let id = format!("phase2-memory/wgpu/f32/b1-n{n}/base-forward");
        let workload = WorkloadSpec::Phase2Memory(spec);
        let case = Case { id, workload, ..case("wgpu", Implementation::Tensor, n) };
        let measurement = Measurement { memory: Some(memory), ..measurement(Vec::new()) };
        CaseResult { case, outcome: Outcome::Measured(Box::new(measurement)) }
    };
    let failed =
        CaseResult { outcome: Outcome::Failed { error: "device <lost>".to_owned() }, ..memory(4096) };
    let mut config = config();
    config.quick = true;
    config.kpis = vec![Kpi { hardware_only: false, ..kpi("small", Metric::PeakBytes, Bound::AtMost(8e9)) }];
    run(config, vec![memory(512), memory(1024), failed])
}

#[test]
fn the_model_has_tables_of_its_own_that_say_which_type_stands_for_which() {
    let report = suite_markdown(&[models()]);
    assert!(report.starts_with("# Phase 2 benchmark report\n\n## bk_core (quick)"), "{report}");
    let row = report.lines().find(|line| line.contains("b1-n512/")).unwrap();
    assert!(row.contains("software in f32 instead of f16") && row.contains("MB"), "{row}");
    let table = report.lines().find(|line| line.starts_with("| case | peak in use | predicted |"));
    assert!(table.is_some_and(|line| line.contains("slope a token") && !line.contains("driver")), "{report}");
    let figure = &figures(&[models()])[0];
    assert!(figure.svg.contains("peak memory over tokens") && figure.title.starts_with("scaling"));
}

#[test]
fn the_page_says_at_the_top_whether_all_is_well_and_has_every_case() {
    let page = html(&[everything(), models()]).unwrap();
    let (head, body) = page.split_once("<main>").unwrap();
    assert!(head.contains("verdict bad") && head.contains("1 case did not run to its end."), "{head}");
    assert!(head.contains("<span class=\"quick\">quick</span>"), "{head}");
    for needed in [
        "<h3>KPIs</h3>",
        "<strong>fail</strong> (a warning)",
        "<h3>Skipped, and why</h3>",
        "git checkout",
        "<svg ",
    ] {
        assert!(body.contains(needed), "no {needed}");
    }
    let cases = body.matches("<details><summary><code>").count();
    assert_eq!(cases, everything().results.len() + models().results.len());
    assert!(body.contains("device &lt;lost&gt;"), "text of an error is markup");
}

#[test]
fn the_page_needs_nothing_else_and_depends_on_the_file_alone() {
    let page = html(&[everything()]).unwrap();
    for outside in ["http://", "https://", "<script", "@import", "url("] {
        let found = page.matches(outside).count();
        let allowed = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
        assert_eq!(found, if outside == "http://" { allowed } else { 0 }, "{outside}");
    }
    let json = serde_json::to_string(&everything()).unwrap();
    let read: Run = serde_json::from_str(&json).unwrap();
    assert_eq!(html(&[read]).unwrap(), page);
    assert!(html(&[]).unwrap().contains("There are no results."));
}

#[test]
fn the_page_of_a_good_run_is_good() {
    let mut run = models();
    run.results.truncate(2);
    run.kpis = crate::kpi::evaluate(&run.config.effective.kpis, &run.results, &run.devices());
    let page = html(&[run]).unwrap();
    assert!(page.contains("<title>Benchmark report: All well</title>") && page.contains("verdict good"));
}

#[test]
fn the_comprehensive_file_has_every_case_by_its_benchmark_and_is_no_results_file() {
    let all = Comprehensive::of(&[models()]);
    assert_eq!(all.runs[0].benchmarks["scaling"].len(), models().results.len());
    assert!(all.runs[0].quick && all.runs[0].kpi_results.len() == 1);
    let json = serde_json::to_value(&all).unwrap();
    assert!(json.get("results").is_none() && json.get("config").is_none());
    assert_eq!(serde_json::from_value::<Comprehensive>(json).unwrap(), all);
}
