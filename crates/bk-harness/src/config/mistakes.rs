//! Every mistake that a config can contain, with what its user is told.

use std::path::Path;

use super::*;

const SMALL: &str = "[[benchmark]]\nname = \"small\"\nbatch = 2\nn = [8, 16]\n";

fn error(text: &str, set: &[(&str, &str)]) -> ConfigError {
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    Config::from_toml(Path::new("s.toml"), text, &Overrides { quick: false, set }).unwrap_err()
}

/// What the user is told, one mistake a line.
pub(super) fn told(text: &str) -> Vec<String> {
    error(text, &[]).problems.iter().map(ToString::to_string).collect()
}

fn told_about_set(path: &str, value: &str) -> Vec<String> {
    error(SMALL, &[(path, value)]).problems.iter().map(ToString::to_string).collect()
}

/// `SMALL` with more lines in its benchmark: the first of them is line 5.
fn small_with(lines: &str) -> String {
    format!("{SMALL}{lines}\n")
}

/// `SMALL` with a KPI `k`: the first of `lines` is line 7.
pub(super) fn kpi(lines: &str) -> String {
    format!("{SMALL}[[kpi]]\nname = 'k'\n{lines}\n")
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_key_that_was_meant() {
    let found = error(&small_with("sampels = 3"), &[]);
    assert_eq!(found.to_string(), "s.toml:5:1: unknown key `sampels` (did you mean `samples`?)");
    let location = found.problems[0].location.as_ref().unwrap();
    assert_eq!(&location.source_text[location.span.clone()], "sampels");
}

#[test]
fn unknown_keys_are_found_in_every_table() {
    let text = "[default]\n[[benchmark]]\nname = 'a'\nbatch = 1\nn = 1\ninclude = [{ q = 3 }]\n\
                exclude = [{ Target = 'cuda' }]\n[[kpi]]\nname = 'k'\nmetrik = 'mse'\nmetric = 'mse'\nat_most = 1\n\
                where = { dtypes = 'f32' }\n[quick]\nsample = 3\n[quick.benchmark.a]\nkinds = 3\n";
    assert_eq!(
        told(text),
        [
            "s.toml:1:2: unknown key `default` (did you mean `defaults`?)",
            "s.toml:6:14: unknown key `q` (expected one of batch, couplings, dtype, family, implementation, mode, n, preset, seed, strategy, target, z)",
            "s.toml:7:14: unknown key `Target` (did you mean `target`?)",
            "s.toml:10:1: unknown key `metrik` (did you mean `metric`?)",
            "s.toml:13:11: unknown key `dtypes` (did you mean `dtype`?)",
            "s.toml:15:1: unknown key `sample` (did you mean `samples`?)",
            "s.toml:17:1: unknown key `kinds` (did you mean `kind`?)",
        ]
    );
}

#[test]
fn a_wrong_type_is_told_with_the_one_expected() {
    let one = |line: &str| told(&small_with(line)).join("\n");
    assert_eq!(one("samples = 'x'"), "s.toml:5:11: invalid type: string \"x\", expected an integer");
    assert_eq!(one("max_seconds = true"), "s.toml:5:15: invalid type: boolean `true`, expected a number");
    assert_eq!(one("enabled = 1"), "s.toml:5:11: invalid type: integer `1`, expected a boolean");
    assert_eq!(
        one("seed = 1.5"),
        "s.toml:5:8: invalid type: floating point `1.5`, expected an integer or a list of integers"
    );
    assert_eq!(one("seed = [1, 'x']"), "s.toml:5:12: invalid type: string \"x\", expected an integer");
    assert_eq!(
        one("targets = 3"),
        "s.toml:5:11: invalid type: integer `3`, expected a name or a list of names"
    );
    assert_eq!(
        one("z = [1, 2, 3]"),
        "s.toml:5:5: expected a pair [re, im] of numbers or a list of such pairs"
    );
    assert_eq!(
        one("seed = 99999999999999999999"),
        "s.toml:5:8: invalid type: integer `99999999999999999999`, expected an integer or a list of integers"
    );
    assert_eq!(told("benchmark = [3]\n"), ["s.toml:1:14: expected a table of `benchmark`, not an integer"]);
    assert_eq!(
        told("[benchmark]\nname = 'a'\n"),
        [
            "s.toml:1:1: `benchmark` is a single value; expected a list of tables (write [[benchmark]] in double brackets above each of them)"
        ]
    );
}

#[test]
fn a_zero_batch_is_refused_with_its_line() {
    let text =
        "[[benchmark]]\nname = 'a'\nbatch = 0\nn = [8, -3]\nsamples = 0\nwarmup_runs = -1\nseed = -1\n";
    assert_eq!(
        told(text),
        [
            "s.toml:3:9: `batch` is 0; expected an integer of at least 1",
            "s.toml:4:9: `n` is -3; expected an integer of at least 1",
            "s.toml:5:11: `samples` is 0; expected an integer from 1 to 4294967295",
            "s.toml:6:15: `warmup_runs` is -1; expected an integer from 0 to 4294967295",
            "s.toml:7:8: `seed` is -1; expected an integer from 0 to 9007199254740991",
        ]
    );
}

#[test]
fn an_empty_axis_is_refused() {
    let text = "[[benchmark]]\nname = 'a'\nbatch = []\nn = 4\nz = []\ntargets = []\nfamilies = []\n";
    let expected = [(3, 9, "batch"), (5, 5, "z"), (6, 11, "targets"), (7, 12, "families")].map(|(line, column, key)| {
        format!("s.toml:{line}:{column}: the axis `{key}` is empty; expected at least one value (leave the key out for its default)")
    });
    assert_eq!(told(text), expected);
}

#[test]
fn a_missing_size_or_name_is_asked_for() {
    assert_eq!(
        told("[[benchmark]]\nname = 'a'\nn = 3\n"),
        ["s.toml:2:8: benchmark `a` has no `batch` (add `batch` to it or to [defaults]: one size or a list)"]
    );
    assert_eq!(
        told("[[benchmark]]\nn = 3\nbatch = 1\n")[0],
        "s.toml:1:1: this benchmark has no name (add a line such as: name = \"small\")"
    );
    assert_eq!(told(&kpi("at_most = 1")), ["s.toml:5:1: missing key `metric`"]);
    assert_eq!(
        told(""),
        ["s.toml:1:1: the file has no benchmark (add a [[benchmark]] table; configs/README.md has the keys)"]
    );
}

#[test]
fn two_benchmarks_or_kpis_of_one_name_are_refused_at_the_second() {
    let two = format!("{SMALL}{SMALL}");
    assert_eq!(
        told(&two),
        ["s.toml:6:8: there are two benchmarks called `small` (give each a name of its own)"]
    );
    let kpi = "[[kpi]]\nname = 'k'\nmetric = 'mse'\nat_most = 1\n";
    assert_eq!(
        told(&format!("{SMALL}{kpi}{kpi}")),
        ["s.toml:10:8: there are two KPIs called `k` (give each a name of its own)"]
    );
}

#[test]
fn unknown_names_are_refused_with_a_suggestion_or_the_list() {
    let lines = "targets = ['wgup', 'host', 'abacus']\nimplementations = 'kernal'\nstrategies = 'multicube'\n\
                 families = 'hermitean'\ndtypes = ['f64', 'float32']\ncouplings = 'share'\nclock = 'wal'\ncache = 'warm'\n\
                 non_finite = 'zeros'\nkind = 'bk'\nzip = [['batches', 'n']]";
    assert_eq!(
        told(&small_with(lines)),
        [
            "s.toml:5:12: unknown target `wgup` (did you mean `wgpu`?)",
            "s.toml:5:20: unknown target `host` (the serial reference on the host runs by itself; leave it out)",
            "s.toml:5:28: unknown target `abacus` (expected one of cuda, wgpu, ndarray, flex, cuda-fusion, wgpu-fusion)",
            "s.toml:6:19: unknown implementation `kernal` (did you mean `kernel`?)",
            "s.toml:7:14: unknown strategy `multicube` (did you mean `multi-cube`?)",
            "s.toml:8:12: unknown family `hermitean` (did you mean `hermitian`?)",
            "s.toml:9:10: `f64` is the type of the `host` reference alone, which always runs (expected f32, f16 or bf16)",
            "s.toml:9:18: unknown dtype `float32` (expected one of f64, f32, f16, bf16)",
            "s.toml:10:13: unknown layout of couplings `share` (did you mean `shared`?)",
            "s.toml:11:9: unknown clock `wal` (did you mean `wall`?)",
            "s.toml:12:9: unknown cache state `warm` (expected one of cold, hot)",
            "s.toml:13:14: unknown way to treat non-finite values `zeros` (did you mean `zero`?)",
            "s.toml:14:8: unknown kind `bk` (did you mean `bk-core`?)",
            "s.toml:15:9: unknown axis `batches` (did you mean `batch`?)",
        ]
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let lines =
        "max_seconds = nan\nwarmup_seconds = inf\nmax_magnitude = 1e60\nz = [0.1, inf]\nrelative_noise = 1.5";
    assert_eq!(
        told(&small_with(lines)),
        [
            "s.toml:5:15: `max_seconds` is NaN; expected a positive number of seconds",
            "s.toml:6:18: `warmup_seconds` is inf; expected a number of seconds from 0",
            "s.toml:7:17: `max_magnitude` is 1e60; expected a positive number of single precision",
            "s.toml:8:5: `z` is [0.1, inf]; expected finite numbers of single precision",
            "s.toml:9:18: `relative_noise` is 1.5; expected a number above 0 and below 1, such as 0.01",
        ]
    );
    assert_eq!(
        told(&kpi("metric = 'mse'\nat_most = nan")),
        ["s.toml:8:11: `at_most` is NaN; expected a finite number"]
    );
}

#[test]
fn a_time_limit_below_the_sampling_time_is_refused() {
    assert_eq!(
        told(&small_with("max_seconds = 400")),
        [
            "s.toml:5:15: `timeout_seconds` is 300, but warm-up and sampling may take 400.2 (raise `timeout_seconds` or lower `max_seconds`)"
        ]
    );
}

#[test]
fn axes_that_cannot_advance_together_are_refused() {
    let lines = "zip = [['batch', 'n'], ['n']]\ninclude = [{ n = 3 }]";
    assert_eq!(
        told(&small_with(lines)),
        [
            "s.toml:5:8: zipped axes advance together, but `batch` has 1 and `n` has 2 (give them as many values each)",
            "s.toml:5:24: 1 axes are zipped; expected two or more",
            "s.toml:5:24: the axis `n` is zipped twice",
            "s.toml:6:12: this point gives some of the zipped axes batch, n only; expected all or none",
        ]
    );
}

#[test]
fn a_benchmark_without_a_case_is_refused() {
    let told = told(&small_with("targets = 'cuda'\nimplementations = 'native'"));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("s.toml:2:8: benchmark `small` has no case: nothing is left of native on cuda"),
        "{told:?}"
    );
}

#[test]
fn a_slip_that_makes_a_million_points_is_refused() {
    let many: Vec<String> = (1..=200).map(|n| n.to_string()).collect();
    let told = told(
        &small_with(&format!("seed = [{}]\ninclude = [{{ n = 7 }}]", many.join(", ")))
            .replace("[8, 16]", &format!("[{}]", many.join(", "))),
    );
    assert_eq!(
        told,
        [
            "s.toml:2:8: benchmark `small` stands for 361800 points; at most 10000 are run (shorten an axis, or zip axes that need no product)"
        ]
    );
}

#[test]
fn every_mistake_of_syntax_is_placed() {
    let told = told("n = [1,\n[[benchmark\n");
    assert!(told[0].starts_with("s.toml:2:3: this is not TOML: "), "{told:?}");
    let duplicate = small_with("n = 3");
    assert_eq!(self::told(&duplicate), ["s.toml:5:1: this is not TOML: duplicate key"]);
}

#[test]
fn independent_mistakes_are_told_together_and_once() {
    let text = "[defaults]\nsamples = 0\n[[benchmark]]\nname = 'a b'\nbatch = 1\nn = 'x'\n\
                [[benchmark]]\nname = 'c'\nbatch = 1\nn = 0\n[[kpi]]\nname = 'k'\nmetric = 'mse'\n";
    assert_eq!(
        told(text),
        [
            "s.toml:2:11: `samples` is 0; expected an integer from 1 to 4294967295",
            "s.toml:6:5: invalid type: string \"x\", expected an integer or a list of integers",
            "s.toml:10:5: `n` is 0; expected an integer of at least 1",
            "s.toml:12:8: the KPI `k` has no bound (add `at_least` or `at_most`)",
        ]
    );
    assert!(
        self::told(&small_with("").replace("small", "a b"))[0]
            .starts_with("s.toml:2:8: `a b` is no name of a benchmark")
    );
}

#[test]
fn the_quick_overlay_is_checked_without_being_asked_for() {
    let text = format!("{SMALL}[quick]\nsamples = 0\n[quick.benchmark.smal]\nn = 4\n");
    assert_eq!(
        told(&text),
        [
            "s.toml:6:11: `samples` is 0; expected an integer from 1 to 4294967295",
            "s.toml:7:18: there is no benchmark `smal` (did you mean `small`?)",
        ]
    );
    let off = format!("{SMALL}enabled = false\n");
    assert_eq!(
        told(&off),
        ["s.toml:1:1: every benchmark is switched off (leave at least one with `enabled = true`)"]
    );
}

#[test]
fn a_bad_set_argument_is_told_with_its_own_text() {
    assert_eq!(
        told_about_set("samples", "x"),
        ["--set:1:9: invalid type: string \"x\", expected an integer"]
    );
    assert_eq!(
        told_about_set("sampels", "3"),
        ["--set:1:1: unknown key `sampels` (did you mean `samples`?)"]
    );
    assert_eq!(
        told_about_set("defaults.sampels", "3"),
        ["--set:1:10: unknown key `sampels` (did you mean `samples`?)"]
    );
    assert_eq!(
        told_about_set("targets", "wgup"),
        ["--set:1:9: unknown target `wgup` (did you mean `wgpu`?)"]
    );
    assert_eq!(
        told_about_set("benchmark.smal.samples", "3"),
        ["--set:1:11: there is no benchmark `smal` (did you mean `small`?)"]
    );
    for path in ["benchmark.small", "kpi.k", "", "a..b", "defaults", "benchmark.small.n.x"] {
        let told = told_about_set(path, "3");
        assert!(
            told[0].contains(&format!("`{path}` is no path of a value that can be set")),
            "{path}: {told:?}"
        );
    }
    let location = error(SMALL, &[("samples", "x")]).problems[0].location.clone().unwrap();
    assert_eq!(&*location.source_text, "samples=\"x\"");
}

#[test]
fn an_unreadable_file_is_told_with_its_path() {
    let error = Config::load(Path::new("no/such.toml"), &Overrides::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot read no/such.toml: "), "{text}");
    assert_eq!(error.problems[0].location, None);
}

#[test]
fn a_file_that_is_not_utf8_is_told_with_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latin1.toml");
    std::fs::write(&path, b"# \xC3\xA4\nname = \"\xE4\"\n").unwrap();
    let error = Config::load(&path, &Overrides::default()).unwrap_err();
    let location = error.problems[0].location.as_ref().unwrap();
    assert_eq!((location.line, location.column), (2, 9));
    assert!(
        error.to_string().contains("the file is not UTF-8: byte 13 starts no character (save it as UTF-8)")
    );
}

#[test]
fn a_file_name_that_is_no_results_name_needs_a_name() {
    let load = |text: &str| Config::from_toml(Path::new("my sweep.toml"), text, &Overrides::default());
    assert!(load(SMALL).unwrap_err().to_string().contains("`my sweep` is no name for a results file"));
    assert_eq!(load(&format!("name = 'ok'\n{SMALL}")).unwrap().name, "ok");
    assert!(load(&format!("name = '../x'\n{SMALL}")).is_err());
}

#[test]
fn a_view_that_would_replace_the_results_is_refused() {
    let told = told(&small_with("view = 's'"));
    assert_eq!(
        told,
        [
            "s.toml:5:8: the view `s` has the name of the results file of this config (give the view another name)"
        ]
    );
    assert_eq!(told_about_set("defaults.view", "s").len(), 1);
}

#[test]
fn a_view_is_a_file_name_without_its_ending() {
    assert_eq!(
        told(&small_with("view = 'a/b.json'")),
        [
            "s.toml:5:8: `a/b.json` is no name of a view (use lower-case letters, digits and _ only; `.json` is added to it)"
        ]
    );
}

#[test]
fn a_key_that_means_nothing_to_the_kind_is_refused_where_the_benchmark_names_it() {
    assert_eq!(
        told(&small_with("presets = 'base'")),
        [
            "s.toml:5:11: `presets` is a key of the kinds phase2-throughput and phase2-memory (leave it out, move it from [defaults] to the benchmarks that it is for, or give this benchmark another `kind`)"
        ]
    );
    let model = small_with("kind = 'phase2-memory'\nfamilies = 'normal'\ncpu_dtype = 'f8'\nvocabulary = 0");
    let told = told(&model);
    assert!(told[0].starts_with("s.toml:6:12: `families` is a key of the kind bk-core"), "{told:?}");
    assert_eq!(told[1], "s.toml:7:13: unknown dtype `f8` (expected one of f64, f32, f16, bf16)");
    assert_eq!(told[2], "s.toml:8:14: `vocabulary` is 0; expected an integer of at least 1");
}

#[test]
fn an_unknown_setting_of_the_runtime_is_refused() {
    let with = |lines: &str| told(&format!("[runtime]\n{lines}\n{SMALL}"));
    assert_eq!(
        with("autotune = 'most'"),
        ["s.toml:2:12: unknown autotune level `most` (expected one of minimal, balanced, extensive, full)"]
    );
    assert_eq!(
        with("kernel_cach = true"),
        ["s.toml:2:1: unknown key `kernel_cach` (did you mean `kernel_cache`?)"]
    );
}
