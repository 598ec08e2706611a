//! `bkbench completions bash > ~/.local/share/bash-completion/completions/bkbench`

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(arguments: &CompletionsArgs) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "bkbench", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Pass)
}
