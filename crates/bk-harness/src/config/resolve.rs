//! From the keys of a benchmark to a validated [`Benchmark`], with the defaults filled in.

use crate::case::{Case, Couplings, ElementType, Family, Implementation, Mode, Preset, Strategy};
use crate::config::conditions::condition;
use crate::config::engines::Names;
use crate::config::source::Problems;
use crate::config::spanned::At;
use crate::config::wire::{Keys, Pairs, PointTable};
use crate::config::{Axes, Axis, Benchmark, DEFAULT_SEED, Point, kinds, measure, values};
use crate::plan;

/// More points than a machine can run and a report can show: a slip in the axes.
const MOST_POINTS: usize = 10_000;

/// The benchmark `name` with `keys`; absent if anything is wrong, which is then noted. Whether it has a case
/// at all is looked at only if its file is well formed.
pub(super) fn benchmark(
    name: &At<String>,
    keys: &Keys,
    names: &Names<'_>,
    well_formed: bool,
    problems: &mut Problems,
) -> Option<Benchmark> {
    let before = problems.noted();
    check_name(name, problems);
    let axes = axes(name, keys, names, problems);
    let dtype_f64 = axes.dtype.contains(&ElementType::F64);
    if let (true, Some(list)) = (dtype_f64, &keys.dtypes) {
        problems.add_with_help(
            list.span.clone(),
            "`f64` is the type of the `host` reference alone, which always runs",
            "expected f32, f16 or bf16",
        );
    }
    let kind = keys.kind.as_ref().and_then(|kind| values::choice(kind, "kind", problems)).unwrap_or_default();
    kinds::check_keys(kind, keys, problems);
    let benchmark = Benchmark {
        name: name.get().clone(),
        kind,
        view: keys.view.as_ref().and_then(|view| check_view(view, problems)),
        zip: zips(keys, &axes, problems),
        include: keys.include.iter().flatten().map(|point| include(point, keys, names, problems)).collect(),
        exclude: keys.exclude.iter().flatten().map(|table| condition(table.get(), names, problems)).collect(),
        max_magnitude: keys.max_magnitude.as_ref().and_then(|limit| {
            let in_range = |limit: f64| limit as f32 > 0.0 && (limit as f32).is_finite();
            values::number(
                limit,
                "max_magnitude",
                "a positive number of single precision",
                in_range,
                problems,
            )
            .map(|limit| limit as f32)
        }),
        non_finite: values::optional_choice(
            keys.non_finite.as_ref(),
            "way to treat non-finite values",
            problems,
        ),
        pass: values::optional_choice(keys.pass.as_ref(), "pass", problems),
        vocabulary: keys.vocabulary.as_ref().and_then(|size| values::size(size, "vocabulary", problems)),
        cpu_dtype: keys.cpu_dtype.as_ref().and_then(|dtype| values::choice(dtype, "dtype", problems)),
        force: keys.force.as_ref().is_some_and(|force| *force.get()),
        measure: kinds::clocked(kind, measure::measure(keys, problems)),
        axes,
    };
    if problems.noted() > before {
        return None;
    }
    if well_formed {
        check_cases(name, &benchmark, problems);
    }
    (problems.noted() == before).then_some(benchmark)
}

fn check_name(name: &At<String>, problems: &mut Problems) {
    let usable = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if name.get().is_empty() || !name.get().chars().all(usable) {
        problems.add_with_help(
            name.span(),
            format!("`{}` is no name of a benchmark", name.get()),
            "use letters, digits, - and _ only: the name is part of paths and of --set",
        );
    }
}

fn check_view(view: &At<String>, problems: &mut Problems) -> Option<String> {
    let usable = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if view.get().is_empty() || !view.get().chars().all(usable) {
        problems.add_with_help(
            view.span(),
            format!("`{}` is no name of a view", view.get()),
            "use lower-case letters, digits and _ only; `.json` is added to it",
        );
        return None;
    }
    Some(view.get().clone())
}

fn axes(name: &At<String>, keys: &Keys, names: &Names<'_>, problems: &mut Problems) -> Axes {
    let sizes = |list: &Option<_>, key: &str, problems: &mut Problems| match list {
        Some(list) => values::sizes(list, key, problems),
        None => {
            problems.add_with_help(
                name.span(),
                format!("benchmark `{}` has no `{key}`", name.get()),
                format!("add `{key}` to it or to [defaults]: one size or a list"),
            );
            Vec::new()
        }
    };
    Axes {
        target: match &keys.targets {
            Some(list) => values::targets(list, names, problems),
            None => ["cuda", "wgpu", "ndarray"].map(str::to_owned).to_vec(),
        },
        implementation: match &keys.implementations {
            Some(list) => values::choices(list, "implementations", "implementation", problems),
            None => default_implementations(names),
        },
        dtype: match &keys.dtypes {
            Some(list) => values::choices(list, "dtypes", "dtype", problems),
            None => vec![ElementType::F32],
        },
        batch: sizes(&keys.batch, "batch", problems),
        n: sizes(&keys.n, "n", problems),
        strategy: match &keys.strategies {
            Some(list) => values::choices(list, "strategies", "strategy", problems),
            None => vec![Strategy::default()],
        },
        family: match &keys.families {
            Some(list) => values::choices(list, "families", "family", problems),
            None => vec![Family::default()],
        },
        couplings: match &keys.couplings {
            Some(list) => values::choices(list, "couplings", "layout of couplings", problems),
            None => vec![Couplings::default()],
        },
        z: spectral_parameters(keys, problems),
        seed: match &keys.seed {
            Some(list) => values::seeds(list, problems),
            None => vec![DEFAULT_SEED],
        },
        preset: match &keys.presets {
            Some(list) => values::choices(list, "presets", "preset", problems),
            None => vec![Preset::default()],
        },
        mode: match &keys.modes {
            Some(list) => values::choices(list, "modes", "mode", problems),
            None => vec![Mode::default()],
        },
    }
}

/// What computes a case where the file does not say: all that is compared for its speed.
fn default_implementations(names: &Names<'_>) -> Vec<Implementation> {
    let mut implementations = vec![Implementation::Kernel, Implementation::Native, Implementation::Tensor];
    if !names.engines.is_empty() {
        implementations.push(Implementation::Peer);
    }
    implementations
}

fn spectral_parameters(keys: &Keys, problems: &mut Problems) -> Vec<Option<[f32; 2]>> {
    let Some(z) = &keys.z else { return vec![None] };
    let pairs = match z.get() {
        Pairs::One(pair) => std::slice::from_ref(pair),
        Pairs::Many(pairs) => pairs.as_slice(),
    };
    if pairs.is_empty() {
        problems.add_with_help(
            z.span(),
            "the axis `z` is empty; expected at least one value",
            "leave the key out for its default",
        );
    }
    pairs.iter().filter_map(|pair| values::spectral_parameter(*pair, z.span(), problems)).map(Some).collect()
}

fn zips(keys: &Keys, axes: &Axes, problems: &mut Problems) -> Vec<Vec<Axis>> {
    let mut seen: Vec<Axis> = Vec::new();
    let mut zips = Vec::new();
    for group in keys.zip.iter().flatten() {
        let named: Vec<Axis> =
            group.get().iter().filter_map(|name| values::choice(name, "axis", problems)).collect();
        if named.len() != group.get().len() {
            continue;
        }
        if named.len() < 2 {
            problems.add(group.span(), format!("{} axes are zipped; expected two or more", named.len()));
        }
        for axis in &named {
            if seen.contains(axis) {
                problems.add(group.span(), format!("the axis `{}` is zipped twice", axis.name()));
            }
            seen.push(*axis);
        }
        // An axis without a valid value has been noted already.
        let lengths: Vec<usize> = named.iter().map(|axis| axes.len(*axis)).collect();
        if !lengths.contains(&0) && lengths.windows(2).any(|pair| pair[0] != pair[1]) {
            let each: Vec<String> =
                named.iter().map(|axis| format!("`{}` has {}", axis.name(), axes.len(*axis))).collect();
            problems.add_with_help(
                group.span(),
                format!("zipped axes advance together, but {}", each.join(" and ")),
                "give them as many values each",
            );
        }
        zips.push(named);
    }
    zips
}

fn include(table: &At<PointTable>, keys: &Keys, names: &Names<'_>, problems: &mut Problems) -> Point {
    let wire = table.get();
    let point = Point {
        target: wire.target.as_ref().and_then(|name| values::target(name, names, problems)),
        implementation: wire
            .implementation
            .as_ref()
            .and_then(|name| values::choice(name, "implementation", problems)),
        dtype: wire.dtype.as_ref().and_then(|name| values::choice(name, "dtype", problems)),
        batch: wire.batch.as_ref().and_then(|value| values::size(value, "batch", problems)),
        n: wire.n.as_ref().and_then(|value| values::size(value, "n", problems)),
        strategy: wire.strategy.as_ref().and_then(|name| values::choice(name, "strategy", problems)),
        family: wire.family.as_ref().and_then(|name| values::choice(name, "family", problems)),
        couplings: wire
            .couplings
            .as_ref()
            .and_then(|name| values::choice(name, "layout of couplings", problems)),
        z: wire.z.as_ref().and_then(|pair| values::spectral_parameter(*pair.get(), pair.span(), problems)),
        seed: wire.seed.as_ref().and_then(|value| values::seed(value, problems)),
        preset: wire.preset.as_ref().and_then(|name| values::choice(name, "preset", problems)),
        mode: wire.mode.as_ref().and_then(|name| values::choice(name, "mode", problems)),
    };
    if point.dtype == Some(ElementType::F64) {
        problems
            .add(table.span(), "`f64` is the type of the `host` reference alone; expected f32, f16 or bf16");
    }
    for group in keys.zip.iter().flatten() {
        let axes: Vec<Axis> = group.get().iter().filter_map(|axis| axis.get().resolve()).collect();
        let named = axes.iter().filter(|axis| point.names(**axis)).count();
        if named != 0 && named != axes.len() {
            let axes: Vec<&str> = axes.into_iter().map(Axis::name).collect();
            problems.add(
                table.span(),
                format!(
                    "this point gives some of the zipped axes {} only; expected all or none",
                    axes.join(", ")
                ),
            );
        }
    }
    point
}

fn check_cases(name: &At<String>, benchmark: &Benchmark, problems: &mut Problems) {
    let points = plan::point_count(benchmark);
    if points > MOST_POINTS {
        problems.add_with_help(
            name.span(),
            format!("benchmark `{}` stands for {points} points; at most {MOST_POINTS} are run", name.get()),
            "shorten an axis, or zip axes that need no product",
        );
        return;
    }
    let reference_only = benchmark.axes.implementation.iter().all(|one| *one == Implementation::Host);
    let cases = plan::expand(benchmark);
    let is_reference = |case: &Case| crate::baseline::is_host(case);
    let real = cases.iter().filter(|case| reference_only || !is_reference(case));
    if real.count() == 0 {
        let implementations: Vec<&str> = benchmark.axes.implementation.iter().map(|one| one.name()).collect();
        problems.add_with_help(
            name.span(),
            format!(
                "benchmark `{}` has no case: nothing is left of {} on {}",
                name.get(),
                implementations.join(", "),
                benchmark.axes.target.join(", ")
            ),
            "kernel exists on cuda and wgpu, native on ndarray and flex, tensor on all four, peer on the targets \
             of [[engine]] tables, theta-phi everywhere; an `exclude` may take away the rest",
        );
    }
}
