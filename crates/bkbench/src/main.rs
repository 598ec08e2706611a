//! `bkbench`: is the BK-Core scan right on this machine, how fast is it, did it get better or worse.
//!
//! ```text
//! cli ─▶ cmd::* ─▶ sweep    config files to plans
//!                  execute  plans to a record: targets, journal, progress
//!                    └─▶ pool ── pipes ──▶ worker ─▶ engine   in a child process: device and clock
//!                  verdict, summary, exit   what came out
//! ```

mod build;
mod cli;
mod cmd;
mod engine;
mod error;
mod execute;
mod exit;
mod interrupt;
mod output;
mod pool;
mod progress;
mod reports;
mod stdout;
mod summary;
mod sweep;
#[cfg(test)]
mod testing;
mod verdict;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use error::Error;
use exit::Exit;

fn main() -> ExitCode {
    let exit = run(&Cli::parse().command).unwrap_or_else(|error| {
        error.print();
        error.exit()
    });
    exit.into()
}

fn run(command: &Command) -> Result<Exit, Error> {
    match command {
        Command::Run(arguments) => cmd::run::run(arguments),
        Command::Plan(arguments) => cmd::plan::run(arguments),
        Command::Verify(arguments) => cmd::verify::run(arguments),
        Command::Export(arguments) => cmd::export::run(arguments),
        Command::Report(arguments) => cmd::report::run(arguments),
        Command::Devices(arguments) => cmd::devices::run(arguments),
        Command::Schema(arguments) => cmd::schema::run(arguments),
        Command::Completions(arguments) => cmd::completions::run(arguments),
        Command::Worker(arguments) => cmd::worker::run(arguments),
    }
}
