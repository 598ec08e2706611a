//! From TOML to the wire types, noting every mistake of form on the way.
//!
//! The tables of a file are read one by one, so that a mistake in one does not hide those of another.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::config::schema::config_schema;
use crate::config::source::{Problems, Sources};
use crate::config::values::suggestion;
use crate::config::wire::{BenchmarkTable, ConfigFile, EngineTable, Keys, KpiTable, Overlay};

/// What one `--set` argument says.
#[derive(Debug, Default)]
pub(super) struct SetArgument {
    pub(super) defaults: Keys,
    pub(super) overlay: Overlay,
}

/// Reads a config file. What cannot be read is noted and left out.
pub(super) fn parse_file(text: &str, problems: &mut Problems) -> ConfigFile {
    let Some(mut root) = parse_toml(text, problems) else { return ConfigFile::default() };
    let schema = config_schema();
    remove_unknown_keys(&mut root, &schema, &schema, problems);
    ConfigFile {
        name: take(&mut root, "name").and_then(|value| decode(value, problems)),
        analysis: take(&mut root, "analysis").and_then(|value| decode(value, problems)),
        runtime: take(&mut root, "runtime").and_then(|value| decode(value, problems)).unwrap_or_default(),
        defaults: take(&mut root, "defaults").and_then(|value| decode(value, problems)).unwrap_or_default(),
        engine: tables(take(&mut root, "engine"), "engine", problems)
            .into_iter()
            .filter_map(|(span, table)| decode::<EngineTable>(table_value(span, table), problems))
            .collect(),
        benchmark: tables(take(&mut root, "benchmark"), "benchmark", problems)
            .into_iter()
            .filter_map(|table| benchmark(table, problems))
            .collect(),
        kpi: tables(take(&mut root, "kpi"), "kpi", problems)
            .into_iter()
            .filter_map(|(span, table)| decode::<KpiTable>(table_value(span, table), problems))
            .collect(),
        quick: take(&mut root, "quick").map(|value| overlay(value, problems)).unwrap_or_default(),
    }
}

/// Reads `PATH=VALUE`. The argument is itself TOML with a dotted key; a value that is no TOML, such as a
/// name without quotes, is a string.
pub(super) fn parse_set(
    path: &str,
    value: &str,
    sources: &mut Sources,
    problems: &mut Problems,
) -> SetArgument {
    let typed = format!("{path}={value}");
    let quoted = format!("{path}={}", toml::Value::String(value.to_owned()));
    let text = if DeTable::parse(&typed).is_ok() { &typed } else { &quoted };
    let padded = sources.add("--set".to_owned(), text);
    let start = padded.len() - text.len();
    if !is_set_path(path) {
        problems.add_with_help(
            start..start + path.len(),
            format!("`{path}` is no path of a value that can be set"),
            "write KEY (for every benchmark), defaults.KEY or benchmark.NAME.KEY, such as benchmark.small.samples",
        );
        return SetArgument::default();
    }
    let Some(mut root) = parse_toml(&padded, problems) else { return SetArgument::default() };

    let schema = config_schema();
    let defaults = take(&mut root, "defaults");
    remove_unknown_keys(&mut root, &schema["$defs"]["Overlay"], &schema, problems);
    let span = start..padded.len();
    SetArgument {
        defaults: defaults.map(|value| keys(value, &schema, problems)).unwrap_or_default(),
        overlay: overlay(table_value(span, root), problems),
    }
}

fn is_set_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').map(str::trim).collect();
    let named = parts.iter().all(|part| !part.is_empty());
    named
        && match parts[..] {
            ["defaults", _] | ["benchmark", _, _] => true,
            [key] => !matches!(key, "defaults" | "benchmark"),
            _ => false,
        }
}

/// The table of a TOML text, unless its syntax is wrong; every such mistake is noted.
fn parse_toml<'i>(text: &'i str, problems: &mut Problems) -> Option<DeTable<'i>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        problems.add(span, format!("this is not TOML: {}", error.message()));
    }
    errors.is_empty().then(|| root.into_inner())
}

fn take<'i>(table: &mut DeTable<'i>, key: &str) -> Option<Spanned<DeValue<'i>>> {
    table.remove(key)
}

fn table_value(span: Range<usize>, table: DeTable<'_>) -> Spanned<DeValue<'_>> {
    Spanned::new(span, DeValue::Table(table))
}

/// The entries of `[[key]]`.
fn tables<'i>(
    value: Option<Spanned<DeValue<'i>>>,
    key: &str,
    problems: &mut Problems,
) -> Vec<(Range<usize>, DeTable<'i>)> {
    let Some(value) = value else { return Vec::new() };
    let span = value.span();
    let DeValue::Array(entries) = value.into_inner() else {
        problems.add_with_help(
            span,
            format!("`{key}` is a single value; expected a list of tables"),
            format!("write [[{key}]] in double brackets above each of them"),
        );
        return Vec::new();
    };
    let mut tables = Vec::new();
    for entry in entries {
        let span = entry.span();
        match entry.into_inner() {
            DeValue::Table(table) => tables.push((span, table)),
            other => {
                problems.add(span, format!("expected a table of `{key}`, not {}", article(other.type_str())));
            }
        }
    }
    tables
}

fn benchmark(
    (span, mut table): (Range<usize>, DeTable<'_>),
    problems: &mut Problems,
) -> Option<BenchmarkTable> {
    let name = match take(&mut table, "name") {
        Some(name) => decode(name, problems),
        None => {
            problems.add_with_help(
                span.clone(),
                "this benchmark has no name",
                "add a line such as: name = \"small\"",
            );
            None
        }
    };
    let keys = decode(table_value(span, table), problems);
    Some(BenchmarkTable { name: name?, keys: keys? })
}

fn overlay(value: Spanned<DeValue<'_>>, problems: &mut Problems) -> Overlay {
    let span = value.span();
    let DeValue::Table(mut every) = value.into_inner() else {
        problems.add(span, "expected a table of benchmark keys");
        return Overlay::default();
    };
    let benchmark =
        take(&mut every, "benchmark").and_then(|value| decode(value, problems)).unwrap_or_default();
    let every = decode(table_value(span, every), problems).unwrap_or_default();
    Overlay { every, benchmark }
}

fn keys(value: Spanned<DeValue<'_>>, schema: &Value, problems: &mut Problems) -> Keys {
    let span = value.span();
    if let DeValue::Table(mut table) = value.into_inner() {
        remove_unknown_keys(&mut table, &schema["$defs"]["Keys"], schema, problems);
        return decode(table_value(span, table), problems).unwrap_or_default();
    }
    Keys::default()
}

/// The value as a `T`, or a note of what is wrong with it.
fn decode<'i, T: Deserialize<'i>>(value: Spanned<DeValue<'i>>, problems: &mut Problems) -> Option<T> {
    let span = value.span();
    match T::deserialize(ValueDeserializer::from(value)) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.add(error.span().unwrap_or(span), in_words(error.message()));
            None
        }
    }
}

/// Serde names Rust types; a config has TOML ones.
fn in_words(message: &str) -> String {
    let (found, expected) = message.rsplit_once("expected ").unwrap_or((message, ""));
    let expected = match expected {
        "i64" => "an integer",
        "f64" => "a number",
        "struct Keys" | "a map" => "a table",
        "an array of length 2" => "a pair [re, im]",
        other => other,
    };
    let found =
        found.replace("missing field", "missing key").replace("` as i128", "`").replace("` as u128", "`");
    if expected.is_empty() { found } else { format!("{found}expected {expected}") }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Notes and removes every key that `schema` does not have, here and in the tables below.
fn remove_unknown_keys(table: &mut DeTable<'_>, schema: &Value, root: &Value, problems: &mut Problems) {
    let schema = resolve(schema, root);
    let known = schema["properties"].as_object();
    let others = &schema["additionalProperties"];
    let mut unknown = Vec::new();
    for (key, value) in table.iter_mut() {
        let name: &str = key.get_ref();
        match known.and_then(|known| known.get(name)) {
            Some(schema) => descend(value.get_mut(), schema, root, problems),
            None if others.is_object() => descend(value.get_mut(), others, root, problems),
            None => {
                let names = known.into_iter().flatten().map(|(name, _)| name.as_str());
                let help = suggestion(name, names);
                problems.add_with_help(key.span(), format!("unknown key `{name}`"), help);
                unknown.push(name.to_owned());
            }
        }
    }
    for name in unknown {
        table.remove(name.as_str());
    }
}

fn descend(value: &mut DeValue<'_>, schema: &Value, root: &Value, problems: &mut Problems) {
    let schema = resolve(schema, root);
    match value {
        DeValue::Table(table) if schema["type"] == "object" => {
            remove_unknown_keys(table, schema, root, problems);
        }
        DeValue::Array(entries) => {
            for entry in entries.iter_mut() {
                descend(entry.get_mut(), &schema["items"], root, problems);
            }
        }
        _ => {}
    }
}

fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}
