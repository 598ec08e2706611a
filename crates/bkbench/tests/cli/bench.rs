//! A folder with a config, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use tempfile::TempDir;

/// Three sizes of `native` on `ndarray`, and the `host` reference of each: six cases.
pub(crate) const THREE_SIZES: &str = r#"
[[benchmark]]
name = "sizes"
targets = ["ndarray"]
implementations = ["native"]
batch = 2
n = [4, 8, 16]
samples = 10
timeout_seconds = 20
"#;

/// A folder of its own, removed when dropped.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    /// With the config `sweep.toml`.
    pub(crate) fn new(config: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("sweep.toml", config);
        bench
    }

    /// With [`THREE_SIZES`] and `kpis`.
    pub(crate) fn with_kpis(kpis: &str) -> Self {
        Self::new(&format!("{THREE_SIZES}\n{kpis}"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The program in the folder, with no arguments yet.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.folder.path()).timeout(std::time::Duration::from_secs(60));
        command
    }

    /// `bkbench run sweep.toml --out out`, with workers that get `options`.
    pub(crate) fn run_command(&self, options: &str) -> Command {
        let mut command = self.command();
        command.args(["run", "sweep.toml", "--out", "out"]).args(workers(options));
        command
    }

    pub(crate) fn run(&self, options: &str) -> Assert {
        self.run_command(options).assert()
    }

    /// Status and reason of every case in the results of `ndarray`, in order.
    pub(crate) fn outcomes(&self) -> Vec<(String, String)> {
        self.outcomes_of("ndarray")
    }

    /// The same in the results of `target`.
    pub(crate) fn outcomes_of(&self, target: &str) -> Vec<(String, String)> {
        let results = self.json(&format!("out/{target}/sweep.json"));
        let outcome = |result: &Value| {
            let outcome = &result["outcome"];
            let reason = ["reason", "error", "why"].iter().find_map(|key| outcome[key].as_str());
            (outcome["status"].as_str().unwrap().to_owned(), reason.unwrap_or_default().to_owned())
        };
        results["results"].as_array().unwrap().iter().map(outcome).collect()
    }

    /// Statuses alone: first the three of `host`, then the three of `ndarray`.
    pub(crate) fn statuses(&self) -> Vec<String> {
        self.outcomes().into_iter().map(|(status, _)| status).collect()
    }

    /// Names of the cases that workers with `--log log` got.
    pub(crate) fn logged(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bkbench"))
}

/// Options that have a fake worker with `options` serve both targets of [`THREE_SIZES`].
pub(crate) fn workers(options: &str) -> [String; 4] {
    ["--worker".to_owned(), worker("host", options), "--worker".to_owned(), worker("ndarray", options)]
}

/// `TARGET=COMMAND` for a fake worker.
pub(crate) fn worker(target: &str, options: &str) -> String {
    format!("{target}='{}' {options}", example("fake_worker").display())
}

/// The program of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    let examples = program().parent().unwrap().join("examples");
    let program = examples.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "no {}: build it with `cargo build -p bkbench --examples`", program.display());
    program
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
