//! `bkbench export phase2 FILE (--preset | --config | --from | --checkpoint)`: weights of the Phase 2 model
//! as a safetensors file that the PyTorch project and `bkbench verify phase2` read.

use std::path::Path;
use std::time::Duration;

use bk_harness::phase2::{ExportOutcome, ExportSource};
use bk_harness::plan::check_target;
use bk_harness::protocol::Request;

use super::{absolute, pool};
use crate::cli::{Export, ExportArgs, ExportPhase2Args, ExportSourceArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(arguments: &ExportArgs) -> Result<Exit, Error> {
    match &arguments.what {
        Export::Phase2(arguments) => phase2(arguments),
    }
}

fn phase2(arguments: &ExportPhase2Args) -> Result<Exit, Error> {
    check_target(&arguments.target, &[])?;
    let pool = pool(&arguments.programs, &[])?;
    let request =
        Request::ExportPhase2 { source: source(&arguments.source), file: absolute(&arguments.file) };
    let timeout = Duration::from_secs(arguments.timeout);
    let Ok(outcome) = pool.export_phase2(&arguments.target, &request, timeout) else {
        return Err(Error::Interrupted);
    };
    if arguments.json {
        output::json(&outcome)?;
    } else {
        output::text(&text(&arguments.file, &outcome))?;
    }
    Ok(verdict(&outcome))
}

fn source(arguments: &ExportSourceArgs) -> ExportSource {
    match arguments {
        ExportSourceArgs { preset: Some(name), .. } => ExportSource::Preset(name.clone()),
        ExportSourceArgs { config: Some(path), .. } => ExportSource::Config(absolute(path)),
        ExportSourceArgs { from: Some(path), .. } => ExportSource::File(absolute(path)),
        ExportSourceArgs { checkpoint: Some(path), .. } => ExportSource::Checkpoint(absolute(path)),
        // The command line asks for one of them.
        _ => ExportSource::Preset(String::new()),
    }
}

fn verdict(outcome: &ExportOutcome) -> Exit {
    match outcome {
        ExportOutcome::Written { .. } => Exit::Pass,
        ExportOutcome::Skipped { .. } => Exit::Inconclusive,
        ExportOutcome::Refused { .. } => Exit::Usage,
        ExportOutcome::Failed { .. } => Exit::ExecutionFailed,
    }
}

fn text(file: &Path, outcome: &ExportOutcome) -> String {
    match outcome {
        ExportOutcome::Written { tensors, parameters, unknown_tensors } => {
            let mut text = format!("{}: {tensors} tensors, {parameters} parameters", file.display());
            for name in unknown_tensors {
                text += &format!("\nwarning: nothing in the model is named `{name}`; it was left out");
            }
            text
        }
        ExportOutcome::Skipped { reason } => format!("skipped, {reason}"),
        ExportOutcome::Refused { error } => format!("refused, {error}"),
        ExportOutcome::Failed { error } => format!("failed, {error}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{source, verdict};
    use crate::cli::{Cli, Command, Export};
    use crate::exit::Exit;
    use bk_harness::phase2::{ExportOutcome, ExportSource};

    fn parse(arguments: &[&str]) -> Result<ExportSource, clap::Error> {
        let words = ["bkbench", "export", "phase2", "out.safetensors"].iter().chain(arguments);
        let cli = Cli::try_parse_from(words)?;
        let Command::Export(arguments) = cli.command else { panic!("not an export") };
        let Export::Phase2(arguments) = arguments.what;
        Ok(source(&arguments.source))
    }

    #[test]
    fn exactly_one_source_has_to_be_named() {
        assert_eq!(parse(&["--preset", "small"]).unwrap(), ExportSource::Preset("small".to_owned()));
        assert!(matches!(parse(&["--checkpoint", "run"]).unwrap(), ExportSource::Checkpoint(_)));
        assert!(matches!(parse(&["--from", "a.safetensors"]).unwrap(), ExportSource::File(_)));
        assert!(matches!(parse(&["--config", "a.toml"]).unwrap(), ExportSource::Config(_)));
        assert!(parse(&[]).is_err());
        assert!(parse(&["--preset", "small", "--config", "a.toml"]).is_err());
    }

    #[test]
    fn a_source_that_does_not_fit_is_a_mistake_of_the_caller() {
        assert_eq!(verdict(&ExportOutcome::Refused { error: "missing".to_owned() }), Exit::Usage);
        assert_eq!(verdict(&ExportOutcome::Failed { error: "disk full".to_owned() }), Exit::ExecutionFailed);
    }
}
