//! Which program serves as the worker of a target.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use bk_harness::case::ElementType;
use bk_harness::config::{DEFAULT_ENGINE_UNITS, Engine};

use super::settings::WorkerSettings;

/// What a worker is started for.
#[derive(Debug, Clone)]
pub(super) struct WorkerCommand {
    /// Target that it opens.
    pub(super) target: String,
    /// Type of its cases.
    pub(super) dtype: ElementType,
    /// How it sets up its runtime, where it is built in.
    pub(super) settings: WorkerSettings,
}

/// Starts workers: this very program for the targets that are built in, the program of an `[[engine]]`, or
/// the program that the user named for a target.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    built_in: PathBuf,
    external: BTreeMap<String, External>,
}

/// A program that is not this one.
#[derive(Debug, Clone)]
struct External {
    command: Vec<String>,
    /// Whether it may be missing, as the engine of a config that is run on many machines.
    may_be_missing: bool,
    /// Error units that its output is held to, as an engine.
    allowed_units: f64,
}

impl Launcher {
    /// A launcher with the engines of configs and the workers of the command line, which stand above them;
    /// the last one named for a target counts.
    ///
    /// # Errors
    /// When the path of this program is unknown to the operating system.
    pub(crate) fn new(workers: &[ExternalWorker], engines: &[Engine]) -> io::Result<Self> {
        let mut external = BTreeMap::new();
        for Engine { target, command, allowed_error_units } in engines {
            let (command, allowed_units) = (command.clone(), *allowed_error_units);
            external.insert(target.clone(), External { command, may_be_missing: true, allowed_units });
        }
        for ExternalWorker { target, command } in workers {
            let bound = external.get(target).map(|engine| engine.allowed_units);
            let allowed_units = bound.unwrap_or(DEFAULT_ENGINE_UNITS);
            let command = command.clone();
            external.insert(target.clone(), External { command, may_be_missing: false, allowed_units });
        }
        Ok(Self { built_in: std::env::current_exe()?, external })
    }

    /// Whether the program of `target` may be missing.
    pub(super) fn may_be_missing(&self, target: &str) -> bool {
        self.external.get(target).is_some_and(|external| external.may_be_missing)
    }

    /// Error units that the engine of `target` is held to.
    pub(super) fn allowed_units(&self, target: &str) -> f64 {
        self.external.get(target).map_or(DEFAULT_ENGINE_UNITS, |external| external.allowed_units)
    }

    /// The targets that have an external worker, sorted.
    pub(crate) fn external_targets(&self) -> impl Iterator<Item = &str> {
        self.external.keys().map(String::as_str)
    }

    /// The command that starts a worker. An external one is told the same target and type as the one that
    /// is built in, and nothing of the settings of its runtime.
    pub(super) fn command(&self, worker: &WorkerCommand) -> Command {
        let named = ["--target", &worker.target, "--dtype", worker.dtype.name()];
        match self.external.get(&worker.target).map(|external| external.command.as_slice()) {
            Some([program, arguments @ ..]) => {
                let mut command = Command::new(program);
                command.args(arguments).args(named);
                command
            }
            _ => {
                let mut command = Command::new(&self.built_in);
                command.arg("worker").args(named);
                worker.settings.apply(&mut command);
                command
            }
        }
    }
}

/// `TARGET=COMMAND`: a program that speaks the worker protocol runs the cases of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExternalWorker {
    /// Target whose cases it runs.
    pub(crate) target: String,
    /// Program and arguments; never empty.
    pub(crate) command: Vec<String>,
}

impl FromStr for ExternalWorker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, command) = text
            .split_once('=')
            .ok_or_else(|| "expected TARGET=COMMAND, as in jax=\"python peers/jax_worker.py\"".to_owned())?;
        if target.trim().is_empty() {
            return Err("the target before `=` is empty".to_owned());
        }
        let command =
            shell_words::split(command).map_err(|error| format!("cannot split the command: {error}"))?;
        if command.is_empty() {
            return Err(format!("the command after `{target}=` is empty"));
        }
        Ok(Self { target: target.trim().to_owned(), command })
    }
}

#[cfg(test)]
mod tests {
    use bk_harness::case::ElementType;

    use super::{ExternalWorker, Launcher, WorkerCommand};
    use crate::pool::WorkerSettings;

    fn words(command: &std::process::Command) -> Vec<String> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        let worker: ExternalWorker = "jax=python 'my worker.py' --fast".parse().unwrap();
        assert_eq!(worker.target, "jax");
        assert_eq!(worker.command, ["python", "my worker.py", "--fast"]);
    }

    #[test]
    fn an_equals_sign_in_the_command_belongs_to_the_command() {
        let worker: ExternalWorker = "jax=run --mode=fast".parse().unwrap();
        assert_eq!(worker.command, ["run", "--mode=fast"]);
    }

    #[test]
    fn what_is_not_a_target_and_a_command_is_refused_with_the_reason() {
        for (text, reason) in [
            ("jax", "expected TARGET=COMMAND"),
            ("=python", "target before `=` is empty"),
            ("jax= ", "command after `jax=` is empty"),
            ("jax='python", "cannot split"),
        ] {
            let error = text.parse::<ExternalWorker>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_external_worker_is_told_its_target_and_type_and_others_are_built_in() {
        let launcher = Launcher::new(&["jax=python worker.py".parse().unwrap()], &[]).unwrap();
        let command = |target: &str, dtype| {
            let (target, settings) = (target.to_owned(), WorkerSettings::default().single_stream());
            launcher.command(&WorkerCommand { target, dtype, settings })
        };
        let external = words(&command("jax", ElementType::Bf16));
        assert_eq!(external, ["python", "worker.py", "--target", "jax", "--dtype", "bf16"]);
        let built_in = words(&command("ndarray", ElementType::F32));
        assert_eq!(built_in[1..6], ["worker", "--target", "ndarray", "--dtype", "f32"]);
        assert_eq!(built_in[6], "--single-stream");
    }
}
