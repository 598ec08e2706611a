//! From the `[[engine]]` tables to validated [`Engine`]s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::HOST_TARGET;
use crate::config::source::Problems;
use crate::config::wire::EngineTable;
use crate::config::{KNOWN_TARGETS, values};
use crate::device::WGSL_TARGET;

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::case::Implementation;
    use crate::config::{Config, Overrides};

    const BENCHMARK: &str = "[[benchmark]]\nname = 'a'\nbatch = 1\nn = 8\ntargets = 'jax'\n";

    fn load(engines: &str) -> Result<Config, String> {
        let text = format!("{engines}{BENCHMARK}");
        Config::from_toml(Path::new("s.toml"), &text, &Overrides::default())
            .map_err(|error| error.to_string())
    }

    fn engine(lines: &str) -> String {
        format!("[[engine]]\n{lines}\n")
    }

    #[test]
    fn an_engine_has_a_target_a_command_and_a_bound() {
        let text = engine("target = 'jax'\ncommand = \"python3 'my engine.py'\"\nallowed_units = 20");
        let config = load(&text).unwrap();
        let command = ["python3", "my engine.py"].map(str::to_owned).to_vec();
        assert_eq!(config.engines, [Engine { target: "jax".to_owned(), command, allowed_error_units: 20.0 }]);
        assert!(config.benchmarks[0].axes.implementation.contains(&Implementation::Peer));
        let default = load(&engine("target = 'jax'\ncommand = 'x'")).unwrap();
        assert_eq!(default.engines[0].allowed_error_units, DEFAULT_ENGINE_UNITS);
    }

    #[test]
    fn what_is_wrong_with_an_engine_is_told_with_its_place() {
        let good = engine("target = 'jax'\ncommand = 'x'");
        for (text, expected) in [
            (engine("target = 'cuda'\ncommand = 'x'"), "s.toml:2:10: `cuda` is a target of bkbench itself"),
            (engine("target = 'My Jax'\ncommand = 'x'"), "s.toml:2:10: `My Jax` is no name of a target"),
            (
                engine("target = 'jax'\ncommand = ' '"),
                "s.toml:3:11: the command of the engine `jax` is empty",
            ),
            (
                engine("target = 'jax'\ncommand = '\"x'"),
                "s.toml:3:11: the command of the engine `jax` cannot be split",
            ),
            (engine("target = 'jax'"), "missing key `command`"),
            (engine("target = 'jax'\ncommand = 'x'\nallowed_units = 0"), "s.toml:4:17: `allowed_units` is 0"),
            (format!("{good}{good}"), "s.toml:5:10: there are two engines for the target `jax`"),
            (engine("target = 'torch'\ncommand = 'x'"), "unknown target `jax`"),
        ] {
            let error = load(&text).unwrap_err();
            assert!(error.contains(expected), "{expected}\nis not in\n{error}");
        }
    }

    #[test]
    fn conditions_may_name_the_target_of_an_engine() {
        let kpi = "[[kpi]]\nname = 'fast'\nmetric = 'seconds'\nwhere = { target = 'jax' }\nat_most = 1\n";
        assert!(load(&format!("{}{kpi}", engine("target = 'jax'\ncommand = 'x'"))).is_ok());
        let wrong = kpi.replace("'jax'", "'jex'");
        let error = load(&format!("{}{wrong}", engine("target = 'jax'\ncommand = 'x'"))).unwrap_err();
        assert!(error.contains("there is no target `jex`"), "{error}");
    }
}
