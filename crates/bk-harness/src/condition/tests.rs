//! Which conditions hold for a case, and which are none.

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;
use crate::case::*;

fn case() -> Case {
    Case {
        id: "bk-core/cuda/f32/b16-n4096/kernel".to_owned(),
        benchmark: "large".to_owned(),
        target: "cuda".to_owned(),
        dtype: ElementType::F32,
        workload: WorkloadSpec::BkCore(BkCoreSpec {
            batch: 16,
            n: 4096,
            implementation: Implementation::Kernel,
            strategy: Strategy::Auto,
            family: Family::Hermitian,
            couplings: Couplings::PerRow,
            z: Some([0.1, 1e-6]),
            seed: 42,
            max_magnitude: None,
            non_finite: NonFinite::Propagate,
            pass: Pass::Forward,
        }),
        measure: MeasureSpec {
            clock: ClockChoice::Auto,
            cache: CacheChoice::Cold,
            warmup_runs: 1,
            warmup_seconds: 0.0,
            samples: 1,
            relative_noise: None,
            max_seconds: 1.0,
            timeout_seconds: 10.0,
        },
    }
}

fn condition(toml: &str) -> Condition {
    toml::from_str(toml).unwrap()
}

fn holds(toml: &str) -> bool {
    condition(toml).matches(&case())
}

#[test]
fn every_field_matches_its_value_and_no_other() {
    let fields = [
        ("benchmark", "'large'", "'small'"),
        ("kind", "'bk-core'", "'other'"),
        ("target", "'cuda'", "'wgpu'"),
        ("implementation", "'kernel'", "'tensor'"),
        ("dtype", "'f32'", "'f16'"),
        ("batch", "16", "8"),
        ("n", "4096", "4095"),
        ("strategy", "'auto'", "'cube'"),
        ("family", "'hermitian'", "'normal'"),
        ("couplings", "'per-row'", "'shared'"),
        ("seed", "42", "43"),
        ("z_re", "0.1", "0.2"),
        ("z_im", "1e-6", "2e-6"),
    ];
    let of_models = [
        ("kind", "'phase2-memory'", "'bk-core'"),
        ("preset", "'base'", "'small'"),
        ("mode", "'forward'", "'decode'"),
        ("vocabulary", "256", "257"),
        ("batch", "2", "16"),
        ("n", "2048", "4096"),
        ("seed", "42", "43"),
    ];
    for field in Field::ALL {
        let named = fields.iter().chain(&of_models).any(|(name, ..)| *name == field.name());
        assert!(named, "{} is tested nowhere", field.name());
    }
    check_fields(&case(), &fields);
    check_fields(&model_case(), &of_models);
}

fn check_fields(case: &Case, fields: &[(&str, &str, &str)]) {
    let holds = |text: String| condition(&text).matches(case);
    for (name, right, wrong) in fields {
        assert!(holds(format!("{name} = {right}")), "{name} = {right}");
        assert!(!holds(format!("{name} = {wrong}")), "{name} = {wrong}");
        assert!(holds(format!("{name} = [{wrong}, {right}]")), "{name} in a list");
    }
}

fn model_case() -> Case {
    let spec = Phase2Spec {
        preset: Preset::Base,
        mode: Mode::Forward,
        batch: 2,
        n: 2048,
        vocabulary: Some(256),
        seed: 42,
        asked_dtype: None,
        force: false,
    };
    Case { workload: WorkloadSpec::Phase2Memory(spec), ..case() }
}

#[test]
fn a_field_that_a_kind_does_not_have_matches_nothing_of_it() {
    for text in ["implementation = 'kernel'", "family = '!=normal'", "z_im = '>=0'"] {
        assert!(!condition(text).matches(&model_case()), "{text}");
    }
    assert!(!holds("preset = '!=small'") && !holds("vocabulary = '>=0'"));
}

#[test]
fn numbers_are_compared_by_order_and_by_range() {
    let matching =
        [">=4096", "<=4096", ">4095", "<4097", "==4096", "!=1", "4096..4097", "1..=4096", ">= 4096"];
    for text in matching {
        assert!(holds(&format!("n = '{text}'")), "{text}");
    }
    for text in [">4096", "<4096", "!=4096", "1..4096", "4097..=5000", "==1"] {
        assert!(!holds(&format!("n = '{text}'")), "{text}");
    }
}

#[test]
fn a_name_can_be_ruled_out() {
    assert!(holds("target = '!=wgpu'"));
    assert!(!holds("target = '!=cuda'"));
}

#[test]
fn all_fields_must_hold_and_none_is_all() {
    assert!(holds(""));
    assert!(holds("target = 'cuda'\nn = '>=2048'"));
    assert!(!holds("target = 'cuda'\nn = '<2048'"));
}

#[test]
fn a_case_with_the_z_of_its_family_matches_no_condition_on_z() {
    let mut case = case();
    let WorkloadSpec::BkCore(spec) = &mut case.workload else { panic!() };
    spec.z = None;
    assert!(!condition("z_im = '>=0'").matches(&case));
}

#[test]
fn what_is_no_condition_is_refused() {
    for text in [">=", ">=x", "<nan", "1..x", "9..3", "3..3", "!=", " ", "", "==inf"] {
        assert!(text.parse::<Test>().is_err(), "{text:?}");
    }
    assert!(toml::from_str::<Condition>("n = []").is_err());
    assert!(toml::from_str::<Condition>("n = true").is_err());
    assert!(toml::from_str::<Condition>("n = nan").is_err());
}

proptest! {
    #[test]
    fn a_test_reads_back_as_it_is_written(
        low in -1e6f64..1e6,
        width in 0.5f64..1e6,
        closed: bool,
        comparison in 0usize..6,
    ) {
        let range = Test::Within { low, high: low + width, closed };
        prop_assert_eq!(range.to_string().parse::<Test>().unwrap(), range);
        let compare = Test::Compare(Comparison::SYMBOLS[comparison].1, low);
        prop_assert_eq!(compare.to_string().parse::<Test>().unwrap(), compare);
    }

    #[test]
    fn a_range_is_two_comparisons(n in 0u32..100, low in 0u32..100, width in 1u32..50) {
        let within = |text: String| text.parse::<Test>().unwrap().holds_for(f64::from(n));
        let high = low + width;
        prop_assert_eq!(within(format!("{low}..{high}")), n >= low && n < high);
        prop_assert_eq!(within(format!("{low}..={high}")), n >= low && n <= high);
    }
}

#[test]
fn what_is_asked_of_wgpu_is_asked_of_it_under_its_other_name() {
    let wgsl = Case { target: "wgsl".to_owned(), ..case() };
    assert!(
        condition("target = 'wgpu'").matches(&wgsl) && condition("target = ['cuda', 'wgpu']").matches(&wgsl)
    );
    assert!(condition("target = 'wgsl'").matches(&wgsl) && !condition("target = 'cuda'").matches(&wgsl));
    let wgpu = Case { target: "wgpu".to_owned(), ..case() };
    assert!(!condition("target = 'wgsl'").matches(&wgpu));
}
