//! From the `[[engine]]` tables to validated [`Engine`]s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::HOST_TARGET;
use crate::config::conditions::WGSL_TARGET;
use crate::config::source::Problems;
use crate::config::wire::EngineTable;
use crate::config::{KNOWN_TARGETS, values};

/// Error units that an engine is held to where its table gives no bound: those of a scan that polishes nothing.
pub const DEFAULT_ENGINE_UNITS: f64 = 128.0;

/// A program that serves a target of its own: it computes the implementation `peer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// The target, a name that no target of `bkbench` itself has.
    pub target: String,
    /// Program and arguments; never empty. It runs in the folder that `bkbench` runs in.
    pub command: Vec<String>,
    /// Error units above which its output is wrong.
    pub allowed_error_units: f64,
}

/// What names in a config may refer to.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) benchmarks: Vec<&'a str>,
    /// Targets of `[[engine]]` tables.
    pub(super) engines: Vec<&'a str>,
}

impl Names<'_> {
    /// Targets that a benchmark may run on.
    pub(super) fn targets(&self) -> Vec<&str> {
        KNOWN_TARGETS.into_iter().chain(self.engines.iter().copied()).collect()
    }
}

/// The engines that `tables` describe; what is wrong is noted and left out.
pub(super) fn engines(tables: &[EngineTable], problems: &mut Problems) -> Vec<Engine> {
    let mut engines: Vec<Engine> = Vec::new();
    for table in tables {
        let name = table.target.get();
        if let Err((message, help)) = check_target(name, &engines) {
            problems.add_with_help(table.target.span(), message, help);
        }
        let command = command(table, problems);
        let allowed_error_units = match &table.allowed_units {
            None => Some(DEFAULT_ENGINE_UNITS),
            Some(units) => {
                let positive = |units: f64| units > 0.0;
                values::number(units, "allowed_units", "a positive number", positive, problems)
            }
        };
        if let (Some(command), Some(allowed_error_units)) = (command, allowed_error_units) {
            engines.push(Engine { target: name.clone(), command, allowed_error_units });
        }
    }
    engines
}

fn check_target(name: &str, earlier: &[Engine]) -> Result<(), (String, String)> {
    let usable =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
    if name.is_empty() || !name.chars().all(usable) {
        return Err((
            format!("`{name}` is no name of a target"),
            "use lower-case letters, digits, - and _ only: it is part of paths and of case names".into(),
        ));
    }
    if KNOWN_TARGETS.contains(&name) || [HOST_TARGET, WGSL_TARGET].contains(&name) {
        return Err((
            format!("`{name}` is a target of bkbench itself"),
            "give the engine a name of its own, such as that of its library".into(),
        ));
    }
    if earlier.iter().any(|engine| engine.target == name) {
        return Err((format!("there are two engines for the target `{name}`"), "keep one of them".into()));
    }
    Ok(())
}

fn command(table: &EngineTable, problems: &mut Problems) -> Option<Vec<String>> {
    let message = match shell_words::split(table.command.get()) {
        Ok(words) if !words.is_empty() => return Some(words),
        Ok(_) => format!("the command of the engine `{}` is empty", table.target.get()),
        Err(error) => format!("the command of the engine `{}` cannot be split: {error}", table.target.get()),
    };
    let help = "write it as in a shell, such as: command = \"python3 peers/jax_engine.py\"";
    problems.add_with_help(table.command.span(), message, help);
    None
}
