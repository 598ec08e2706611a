//! The mistakes that a `[[kpi]]` can contain, with what its user is told.

use crate::config::mistakes::{kpi, told};

#[test]
fn a_kpi_on_a_metric_that_its_cases_do_not_have_is_refused() {
    assert_eq!(
        told(&kpi("metric = 'speedup'\nwhere = { implementation = 'host' }\nat_least = 3")),
        [
            "s.toml:7:10: no case that the KPI `k` is about has the metric `speedup` (the `host` reference has times only: it is what errors and speedups are relative to)"
        ]
    );
    let no_tensor = kpi("metric = 'speedup_vs_tensor'\nat_least = 3")
        .replace("n = [8, 16]\n", "n = 8\nimplementations = 'kernel'\n");
    assert_eq!(
        told(&no_tensor),
        [
            "s.toml:8:10: no case that the KPI `k` is about has the metric `speedup_vs_tensor` (it needs `tensor` among the implementations of the same benchmark and target)"
        ]
    );
    assert_eq!(
        told(&kpi("metric = 'mes'\nat_most = 1")),
        ["s.toml:7:10: unknown metric `mes` (did you mean `mse`?)"]
    );
}

#[test]
fn a_kpi_that_could_never_be_judged_is_refused() {
    assert_eq!(
        told(&kpi("metric = 'mse'\nat_most = 1\nwhere = { n = '>=17' }")),
        [
            "s.toml:9:9: the KPI `k` is about no case of this file, so it could never be judged (compare its `where` with what `bkbench plan` lists)"
        ]
    );
}

#[test]
fn a_kpi_needs_one_bound_and_a_stretch_beyond_it() {
    assert_eq!(
        told(&kpi("metric = 'mse'")),
        ["s.toml:6:8: the KPI `k` has no bound (add `at_least` or `at_most`)"]
    );
    assert_eq!(
        told(&kpi("metric = 'mse'\nat_most = 1\nat_least = 1")),
        ["s.toml:8:11: the KPI `k` has two bounds; expected `at_least` or `at_most` (make it two KPIs)"]
    );
    assert_eq!(
        told(&kpi("metric = 'mse'\nat_most = 1\nstretch = 2")),
        ["s.toml:9:11: `stretch` is 2, which the bound implies; expected less than 1"]
    );
}

#[test]
fn a_condition_that_no_value_can_meet_is_refused() {
    let one =
        |condition: &str| told(&kpi(&format!("metric = 'mse'\nat_most = 1\nwhere = {condition}"))).join("\n");
    assert_eq!(
        one("{ n = '>=many' }"),
        "s.toml:9:15: `>=many` is no condition; expected a name, a number, a comparison like \">=2048\" or a range like \"256..=4096\""
    );
    assert_eq!(
        one("{ n = 'large' }"),
        "s.toml:9:15: `n` is a number; expected a number, not `large` (write a number, a comparison like \">=2048\" or a range like \"256..=4096\")"
    );
    assert_eq!(
        one("{ target = ['cuda', 'wgup'] }"),
        "s.toml:9:20: there is no target `wgup` (did you mean `wgpu`?)"
    );
    assert_eq!(
        one("{ benchmark = 'smal' }"),
        "s.toml:9:23: there is no benchmark `smal` (did you mean `small`?)"
    );
    assert_eq!(
        one("{ target = 3 }"),
        "s.toml:9:20: `target` is a name; expected a name, not `==3` (write the name itself)"
    );
    assert!(
        one("{ n = true }").contains("expected a name, a number, a comparison"),
        "{}",
        one("{ n = true }")
    );
}

#[test]
fn a_comparison_without_a_counterpart_or_with_two_is_refused() {
    let one = |lines: &str| told(&kpi(&format!("metric = 'seconds'\nat_least = 1\n{lines}"))).join("\n");
    assert_eq!(
        one("relative_to = { dtype = 'f16' }"),
        "s.toml:9:15: no case that the KPI `k` is about has another one to be compared with (a comparison needs a second case of the same benchmark that differs in the named fields alone)"
    );
    assert!(one("grows_with = 'batch'").contains("has another one to be compared with"));
    assert!(one("grows_with = 'width'").contains("unknown axis `width`"));
    assert!(one("grows_with = 'n'\nrelative_to = { n = 8 }").contains("has two comparisons"));
}

#[test]
fn a_metric_of_the_model_is_none_of_the_scan() {
    let told = told(&kpi("metric = 'peak_bytes'\nat_most = 1"));
    assert!(told[0].contains("phase2-throughput has tokens and operations"), "{told:?}");
}
