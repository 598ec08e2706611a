//! What can be typed. Parsing only: what it means is up to the files in `cmd`.

use std::path::PathBuf;

use bk_harness::case::{ElementType, Strategy};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

mod phase2;

use crate::build;
use crate::pool::ExternalWorker;
pub(crate) use phase2::{Export, ExportArgs, ExportPhase2Args, ExportSourceArgs, VerifyPhase2Args};

/// Where results go unless `--out` says otherwise.
const DEFAULT_OUT: &str = "results/benchmarks";

const EXIT_CODES: &str = "\
Exit codes:
  0  done, every KPI passed
  1  a KPI failed
  2  the command line or a config is wrong; nothing was run
  3  inconclusive: too little could be measured for a verdict
  4  a case failed to execute, or the run was interrupted
  5  a result is numerically wrong
With several causes the first of 2, 4, 5, 1, 3 counts.";

/// Benchmarks of the BK-Core scan: is it right, how fast is it, did it get better or worse.
#[derive(Debug, Parser)]
#[command(name = "bkbench", version = build::VERSION, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the sweeps of configs, judge their KPIs and write results and reports.
    Run(RunArgs),
    /// Show what would run: cases, predicted time and memory.
    Plan(PlanArgs),
    /// Check implementations against known answers.
    Verify(VerifyArgs),
    /// Write weights to a file.
    Export(ExportArgs),
    /// Write the reports of existing results again, from their JSON alone.
    Report(ReportArgs),
    /// Show which targets this machine has, and why others are missing.
    Devices(DevicesArgs),
    /// Print a JSON Schema.
    Schema(SchemaArgs),
    /// Print the completion script of a shell.
    Completions(CompletionsArgs),
    /// Serve cases over standard input and output.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Which configs, and which part of them.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Files that describe sweeps, in TOML.
    #[arg(required = true, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) configs: Vec<PathBuf>,

    /// Run only the cases of this target; repeat for more.
    #[arg(long = "target", value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Run only cases whose `BENCHMARK/ID` this regular expression matches.
    #[arg(long, value_name = "REGEX")]
    pub(crate) filter: Option<String>,

    /// Apply the config's `[quick]` overlay: fewer sizes and samples.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Change a value of the config, such as `defaults.samples=5`; repeat for more, the last one counts.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

/// Programs that serve targets.
#[derive(Debug, Args)]
pub(crate) struct WorkerPrograms {
    /// Run a target's cases through an external program that speaks the worker protocol; it is started
    /// with `--target TARGET --dtype TYPE` behind COMMAND. Repeat for more targets.
    #[arg(long = "worker", value_name = "TARGET=COMMAND", value_hint = ValueHint::CommandString)]
    pub(crate) workers: Vec<ExternalWorker>,
}

/// `bkbench run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What runs.
    #[command(flatten)]
    pub(crate) sweep: SweepArgs,

    /// Who runs it.
    #[command(flatten)]
    pub(crate) programs: WorkerPrograms,

    /// Folder of the results.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT, value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,

    /// Go on with the last run of the same config into the same folder: only cases that did not end.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Show what would run, as `bkbench plan` does, and run nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print results as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// What would run.
    #[command(flatten)]
    pub(crate) sweep: SweepArgs,

    /// Print the plan as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What to check.
    #[command(subcommand)]
    pub(crate) what: Verify,
}

/// What can be checked.
#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// The resolvent diagonal against test vectors with float64 answers.
    BkCore(VerifyBkCoreArgs),
    /// The Phase 2 model against weights, inputs and expected results of the original.
    Phase2(VerifyPhase2Args),
}

/// `bkbench verify bk-core`
#[derive(Debug, Args)]
pub(crate) struct VerifyBkCoreArgs {
    /// Folder of test vectors; those built into the program when absent.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) vectors: Option<PathBuf>,

    /// Check only this target; repeat for more. All that are built in when absent.
    #[arg(long = "target", value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Force an algorithm of the kernel.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) strategy: StrategyName,

    /// Seconds that one target may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,

    /// Who checks.
    #[command(flatten)]
    pub(crate) programs: WorkerPrograms,

    /// Print the table as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folders of results, as `run --out` wrote them.
    #[arg(value_name = "DIR", default_value = DEFAULT_OUT, value_hint = ValueHint::DirPath)]
    pub(crate) dirs: Vec<PathBuf>,

    /// Print the results' tables as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench devices`
#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Who looks.
    #[command(flatten)]
    pub(crate) programs: WorkerPrograms,

    /// Print the table as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bkbench schema`
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of which files.
    #[arg(value_enum, default_value_t)]
    pub(crate) of: SchemaOf,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Configs that a user writes.
    #[default]
    Config,
    /// Results that `run` writes.
    Results,
    /// Messages between bkbench and a worker.
    Protocol,
}

/// `bkbench completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For this shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// `bkbench worker`
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Target to open.
    #[arg(long)]
    pub(crate) target: String,

    /// Storage type of all its cases: some backends fix it once a process.
    #[arg(long, value_parser = element_type, default_value = "f32")]
    pub(crate) dtype: ElementType,
}

/// Algorithms of the kernel as they are typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyName {
    /// Chosen from the sizes and the device.
    #[default]
    Auto,
    /// One unit a row.
    Serial,
    /// One cube a row, or several rows a cube.
    Cube,
    /// Several cubes a row.
    MultiCube,
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Auto => Self::Auto,
            StrategyName::Serial => Self::Serial,
            StrategyName::Cube => Self::Cube,
            StrategyName::MultiCube => Self::MultiCube,
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| "expected KEY=VALUE, as in defaults.samples=5".to_owned())?;
    if key.trim().is_empty() {
        return Err("the key before `=` is empty".to_owned());
    }
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn element_type(text: &str) -> Result<ElementType, String> {
    let types = [ElementType::F64, ElementType::F32, ElementType::F16, ElementType::Bf16];
    types
        .into_iter()
        .find(|dtype| dtype.name() == text)
        .ok_or_else(|| "expected f64, f32, f16 or bf16".to_owned())
}

#[cfg(test)]
mod tests {
    use bk_harness::case::{ElementType, Strategy};
    use clap::{CommandFactory, Parser, ValueEnum};

    use super::{Cli, Command, StrategyName};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_strategy_is_typed_as_it_is_written_in_a_config() {
        for name in StrategyName::value_variants() {
            let typed = name.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), Strategy::from(*name).name());
        }
    }

    #[test]
    fn an_assignment_is_split_at_its_first_equals_sign() {
        let cli = Cli::parse_from(["bkbench", "plan", "a.toml", "--set", "benchmark.x.z = [0.1=1]"]);
        let Command::Plan(arguments) = cli.command else { panic!("not a plan") };
        assert_eq!(arguments.sweep.set, [("benchmark.x.z".to_owned(), "[0.1=1]".to_owned())]);
    }

    #[test]
    fn every_element_type_reaches_the_worker() {
        for dtype in [ElementType::F64, ElementType::F32, ElementType::F16, ElementType::Bf16] {
            let cli = Cli::parse_from(["bkbench", "worker", "--target", "x", "--dtype", dtype.name()]);
            let Command::Worker(arguments) = cli.command else { panic!("not a worker") };
            assert_eq!(arguments.dtype, dtype);
        }
    }
}
