//! Loading a config: read, lay the overlays over each other, check.

use std::path::Path;

use crate::config::engines::{self, Names};
use crate::config::parse::{SetArgument, parse_file, parse_set};
use crate::config::problem::{ConfigError, Location, Problem};
use crate::config::source::{Problems, Sources};
use crate::config::spanned::At;
use crate::config::wire::{BenchmarkTable, ConfigFile, Keys, Overlay};
use crate::config::{Benchmark, BenchmarkKind, Config, Overrides, kinds, kpis, resolve, runtime, values};
use crate::kpi::Kpi;
use crate::plan;

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// Of a benchmark's keys the later win: built-in defaults, `[defaults]`, the benchmark's own table,
    /// then with [`Overrides::quick`] `[quick]` and `[quick.benchmark.NAME]`, then [`Overrides::set`].
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8 or not TOML, and every independent mistake in it. The
    /// `[quick]` overlay is checked whether or not it is asked for.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::from_toml(path, &Self::read_text(path)?, overrides)
    }

    /// The text of the file at `path`, for [`Config::from_toml`].
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8.
    pub fn read_text(path: &Path) -> Result<String, ConfigError> {
        read(path).map_err(|problem| ConfigError { path: path.to_owned(), problems: vec![problem] })
    }

    /// As [`Config::load`], of a text that is called `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(path: &Path, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut sources = Sources::default();
        let mut problems = Problems::default();
        let file = parse_file(&sources.add(path.display().to_string(), text), &mut problems);
        let sets: Vec<SetArgument> = overrides
            .set
            .iter()
            .map(|(path, value)| parse_set(path, value, &mut sources, &mut problems))
            .collect();
        let config = check(path, file, overrides.quick, sets, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError { path: path.to_owned(), problems: problems.into_problems(&sources) }),
        }
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    let bytes = std::fs::read(path).map_err(|error| Problem {
        message: format!("cannot read {}: {error}", path.display()),
        help: Some("give the path of a TOML file, such as configs/quick.toml".to_owned()),
        location: None,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).as_ref().into();
        Problem {
            message: format!("the file is not UTF-8: byte {valid} starts no character"),
            help: Some("save it as UTF-8".to_owned()),
            // Up to there the text and the file are the same, byte for byte.
            location: Some(Location::new(&path.display().to_string(), &text, valid..valid + 3)),
        }
    })
}

fn check(
    path: &Path,
    file: ConfigFile,
    quick: bool,
    sets: Vec<SetArgument>,
    problems: &mut Problems,
) -> Option<Config> {
    // A key that was refused leaves its table meaning something else: then what the whole amounts to is
    // not looked at.
    let well_formed = problems.is_empty();
    let name = name(path, file.name.as_ref(), problems);
    check_names(&file, &sets, problems);
    let engines = engines::engines(&file.engine, problems);
    let names = Names {
        benchmarks: file.benchmark.iter().map(|table| table.name.get().as_str()).collect(),
        engines: file.engine.iter().map(|table| table.target.get().as_str()).collect(),
    };

    // As written: what the KPIs are checked against, so that an overlay cannot make one look wrong.
    let as_written =
        resolve_all(&file.benchmark, &Layers::new(&file, &[], &[]), &names, well_formed, problems);
    let quick_overlay = [&file.quick];
    let with_quick =
        resolve_all(&file.benchmark, &Layers::new(&file, &quick_overlay, &[]), &names, well_formed, problems);
    let effective = if sets.is_empty() {
        if quick { with_quick } else { as_written.clone() }
    } else {
        let overlays: &[&Overlay] = if quick { &quick_overlay } else { &[] };
        resolve_all(&file.benchmark, &Layers::new(&file, overlays, &sets), &names, well_formed, problems)
    };

    let complete = as_written.iter().all(|(_, benchmark)| benchmark.is_some());
    let cases: Vec<_> =
        as_written.iter().filter_map(|(_, benchmark)| benchmark.as_ref()).flat_map(plan::expand).collect();
    let kpis: Vec<Kpi> = file
        .kpi
        .iter()
        .filter_map(|table| {
            let kpi = kpis::kpi(table, &names, problems)?;
            if well_formed && complete {
                kpis::check_reach(table, &kpi, &cases, problems);
            }
            Some(kpi)
        })
        .collect();
    check_kpi_names(&file, problems);
    let runtime = runtime::runtime(&file.runtime, problems);
    if let Some(name) = &name {
        check_views(name, &file, &sets, problems);
    }

    let benchmarks: Vec<Benchmark> = effective
        .into_iter()
        .filter(|(enabled, _)| *enabled)
        .filter_map(|(_, benchmark)| benchmark)
        .collect();
    if benchmarks.is_empty() && problems.is_empty() {
        let (message, help) = match file.benchmark.is_empty() {
            true => {
                ("the file has no benchmark", "add a [[benchmark]] table; configs/README.md has the keys")
            }
            false => ("every benchmark is switched off", "leave at least one with `enabled = true`"),
        };
        problems.add_with_help(0..0, message, help);
    }
    let analysis = file.analysis.map_or_else(String::new, |analysis| analysis.get().trim().to_owned());
    Some(Config { name: name?, analysis, quick, runtime, engines, benchmarks, kpis })
}

/// The name of the results file: that of the config file, unless it gives another.
fn name(path: &Path, given: Option<&At<String>>, problems: &mut Problems) -> Option<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = given.map_or(stem, |name| name.get());
    let usable = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(usable) && !name.starts_with('.') {
        return Some(name.to_owned());
    }
    problems.add_with_help(
        given.map_or(0..0, At::span),
        format!("`{name}` is no name for a results file"),
        "use letters, digits, -, _ and . only, in a line such as: name = \"my-sweep\"",
    );
    None
}

fn check_names(file: &ConfigFile, sets: &[SetArgument], problems: &mut Problems) {
    let mut seen: Vec<&str> = Vec::new();
    for table in &file.benchmark {
        let name = table.name.get().as_str();
        if seen.contains(&name) {
            problems.add_with_help(
                table.name.span(),
                format!("there are two benchmarks called `{name}`"),
                "give each a name of its own",
            );
        }
        seen.push(name);
    }
    let overlays = std::iter::once(&file.quick).chain(sets.iter().map(|set| &set.overlay));
    for name in overlays.flat_map(|overlay| overlay.benchmark.keys()) {
        if !seen.contains(&name.get().as_str()) {
            let help = values::suggestion(name.get(), seen.iter().copied());
            problems.add_with_help(name.span(), format!("there is no benchmark `{}`", name.get()), help);
        }
    }
}

fn check_kpi_names(file: &ConfigFile, problems: &mut Problems) {
    for (index, table) in file.kpi.iter().enumerate() {
        if file.kpi[..index].iter().any(|earlier| earlier.name == table.name) {
            problems.add_with_help(
                table.name.span(),
                format!("there are two KPIs called `{}`", table.name.get()),
                "give each a name of its own",
            );
        }
    }
}

/// A view of the name of the results would take their place.
fn check_views(name: &str, file: &ConfigFile, sets: &[SetArgument], problems: &mut Problems) {
    let overlays = std::iter::once(&file.quick).chain(sets.iter().map(|set| &set.overlay));
    let above = overlays.flat_map(|overlay| overlay.benchmark.values().chain([&overlay.every]));
    let below = sets.iter().map(|set| &set.defaults).chain([&file.defaults]);
    let own = file.benchmark.iter().map(|table| &table.keys);
    for view in own.chain(below).chain(above).filter_map(|keys| keys.view.as_ref()) {
        if view.get() == name {
            problems.add_with_help(
                view.span(),
                format!("the view `{name}` has the name of the results file of this config"),
                "give the view another name",
            );
        }
    }
}

/// What lies below and above a benchmark's own keys, the later above the earlier.
struct Layers<'a> {
    below: Keys,
    above: Vec<&'a Overlay>,
}

impl<'a> Layers<'a> {
    fn new(file: &'a ConfigFile, overlays: &[&'a Overlay], sets: &'a [SetArgument]) -> Self {
        let below =
            sets.iter().fold(file.defaults.clone(), |keys, set| keys.overlaid_by(set.defaults.clone()));
        let above = overlays.iter().copied().chain(sets.iter().map(|set| &set.overlay)).collect();
        Self { below, above }
    }

    /// The keys of `table` with all layers. What is said for every benchmark but means nothing to the kind
    /// of this one is said for the others.
    fn keys_of(&self, table: &BenchmarkTable) -> Keys {
        let kind = self.kind_of(table);
        let shared = |keys: &Keys| kinds::without_foreign(kind, keys.clone());
        let own = shared(&self.below).overlaid_by(table.keys.clone());
        self.above.iter().fold(own, |keys, overlay| {
            let keys = keys.overlaid_by(shared(&overlay.every));
            match overlay.benchmark.iter().find(|(name, _)| name.get() == table.name.get()) {
                Some((_, named)) => keys.overlaid_by(named.clone()),
                None => keys,
            }
        })
    }

    /// The kind that the layers give `table`; that of an unknown name is noted elsewhere.
    fn kind_of(&self, table: &BenchmarkTable) -> BenchmarkKind {
        let named = |overlay: &&'a Overlay| {
            let named = overlay.benchmark.iter().find(|(name, _)| name.get() == table.name.get());
            named.and_then(|(_, keys)| keys.kind.as_ref()).or(overlay.every.kind.as_ref())
        };
        let above = self.above.iter().rev().find_map(named);
        let kind = above.or(table.keys.kind.as_ref()).or(self.below.kind.as_ref());
        kind.and_then(|kind| kind.get().resolve()).unwrap_or_default()
    }
}

/// Every benchmark under `layers`, and whether it runs.
fn resolve_all(
    tables: &[BenchmarkTable],
    layers: &Layers<'_>,
    names: &Names<'_>,
    well_formed: bool,
    problems: &mut Problems,
) -> Vec<(bool, Option<Benchmark>)> {
    let resolve = |table: &BenchmarkTable| {
        let keys = layers.keys_of(table);
        let enabled = keys.enabled.as_ref().is_none_or(|enabled| *enabled.get());
        (enabled, resolve::benchmark(&table.name, &keys, names, well_formed, problems))
    };
    tables.iter().map(resolve).collect()
}
