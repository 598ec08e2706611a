//! Exit codes, and which one wins: 2 > 4 > 5 > 1 > 3 > 0.

use predicates::str::contains;

use crate::bench::{Bench, THREE_SIZES};

/// At 1 ms a case everywhere, speedups are 1.
fn speedup_kpi(bound: &str) -> String {
    format!("[[kpi]]\nname = \"fast\"\nmetric = \"speedup\"\n{bound}\n")
}

#[test]
fn a_run_without_trouble_passes() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0"));
    bench.run("--seconds host=5e-3").code(0).stdout(contains("KPI fast: pass"));
}

#[test]
fn a_run_without_kpis_passes() {
    Bench::new(THREE_SIZES).run("").code(0).stdout(contains("6 measured"));
}

#[test]
fn a_missed_kpi_is_code_1() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0"));
    bench.run("--seconds host=2e-3").code(1).stdout(contains("KPI fast: FAIL"));
}

#[test]
fn a_missed_kpi_that_only_warns_passes() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0\nseverity = \"warn\""));
    bench.run("").code(0).stdout(contains("FAIL (warning only)"));
}

#[test]
fn an_interval_around_the_bound_is_code_3() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 1.0"));
    bench.run("--spread 0.5").code(3).stdout(contains("KPI fast: inconclusive"));
}

#[test]
fn kpis_of_which_none_could_be_judged_are_code_3() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 1.0\nhardware_only = true"));
    bench.run("").code(3).stdout(contains("KPI fast: not evaluated"));
}

#[test]
fn a_hardware_kpi_is_judged_on_a_gpu() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0\nhardware_only = true"));
    bench.run("--gpu").code(1);
}

#[test]
fn a_run_of_skips_alone_is_code_3() {
    Bench::new(THREE_SIZES).run("--on sizes=skip").code(3).stdout(contains("6 skipped"));
}

#[test]
fn a_wrong_result_is_code_5() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--on ndarray/f32/b2-n8=wrong").code(5).stdout(contains("error of 1e3 units"));
    assert_eq!(bench.statuses()[4], "invalid");
}

#[test]
fn errors_that_are_not_numbers_are_code_5_and_reach_the_file() {
    let bench = Bench::new(THREE_SIZES);
    bench.run("--on ndarray/f32/b2-n8=nan").code(5);
    let numerics = &bench.json("out/ndarray/sweep.json")["results"][4]["outcome"]["numerics"];
    assert!(numerics["mse"].is_null(), "{numerics}");
    assert_eq!(numerics["non_finite"], 32);
}

#[test]
fn a_wrong_result_is_graver_than_a_missed_kpi() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0"));
    bench.run("--on ndarray/f32/b2-n8=wrong").code(5);
}

#[test]
fn a_failure_is_graver_than_a_wrong_result_and_a_missed_kpi() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0"));
    bench.run("--on b2-n8/native=wrong --on b2-n4/native=fail").code(4);
}

#[test]
fn a_missed_kpi_is_graver_than_an_undecided_one() {
    let undecided = "[[kpi]]\nname = \"even\"\nmetric = \"speedup\"\nat_least = 1.0\n";
    let bench = Bench::with_kpis(&format!("{}{undecided}", speedup_kpi("at_least = 30.0")));
    let told = bench.run("--spread 0.5").code(1);
    told.stdout(contains("KPI even: inconclusive"));
}

#[test]
fn of_two_configs_the_graver_code_counts() {
    let bench = Bench::with_kpis(&speedup_kpi("at_least = 3.0"));
    bench.write("other.toml", &THREE_SIZES.replace("\"sizes\"", "\"bad\""));
    bench.run_command("--on bad/bk-core/ndarray=wrong").arg("other.toml").assert().code(5);
}
