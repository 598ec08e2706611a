//! What ends a command early, and how that is shown.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use bk_harness::config::{ConfigError, Problem};
use bk_harness::plan::PlanError;
use bk_harness::store::StoreError;
use console::Term;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use thiserror::Error;

use crate::exit::Exit;
use crate::reports::ReportError;

/// Why a command could not do what it was asked to.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A config cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The selection cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Two configs would write the same files.
    #[error(
        "{} and {} are both named `{name}` and would overwrite each other's results: rename one, or give it \
         another `name`",
        first.display(),
        second.display()
    )]
    SameName {
        /// Their name.
        name: String,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// `bkbench memory` without a model.
    #[error("none of these configs has a selected case of the kind phase2-memory; configs/kpi.toml has one")]
    NoMemory,
    /// Two configs disagree about a program.
    #[error(
        "{} and {} describe the engine of `{target}` differently: run them one after the other, or make the two \
         [[engine]] tables the same",
        first.display(),
        second.display()
    )]
    OtherEngine {
        /// Target of the engine.
        target: String,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A file that is needed before anything runs.
    #[error(transparent)]
    Prepare(StoreError),
    /// Results that could not be written.
    #[error(transparent)]
    Save(StoreError),
    /// Reports on results that are there.
    #[error(transparent)]
    Report(ReportError),
    /// The user asked to stop before there was anything to keep.
    #[error("interrupted before anything ran")]
    Interrupted,
    /// A worker's side of the protocol broke down.
    #[error("the connection to the parent failed")]
    Serve(#[source] io::Error),
    /// Standard output is gone.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The operating system refuses what every command needs.
    #[error("cannot {action}")]
    System {
        /// What.
        action: &'static str,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// The exit code that the error means.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Plan(_)
            | Self::SameName { .. }
            | Self::OtherEngine { .. }
            | Self::NoMemory
            | Self::Prepare(_)
            | Self::Report(ReportError::Store(_) | ReportError::Tables { .. }) => Exit::Usage,
            Self::Save(_)
            | Self::Report(ReportError::Html(_))
            | Self::Interrupted
            | Self::Serve(_)
            | Self::Output(_)
            | Self::System { .. } => Exit::ExecutionFailed,
        }
    }

    /// Shows the error on standard error, in colour if that is a terminal.
    pub(crate) fn print(&self) {
        let term = Term::stderr();
        // With standard error closed there is nobody left to tell; the exit code still does.
        let _ = term.write_str(&self.render(term.is_term()));
    }

    /// The whole error for a person: every problem of a config with the lines that it is about, or the
    /// chain of causes on one line. `colored` when standard error is a terminal.
    pub(crate) fn render(&self, colored: bool) -> String {
        match self {
            Self::Config(error) => error.problems.iter().map(|problem| snippet(problem, colored)).collect(),
            other => format!("error: {}\n", chain(other)),
        }
    }
}

/// The messages of an error and its causes, without those that a message has already quoted.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = next.source();
    }
    text
}

/// A problem with the part of the text that it is about.
fn snippet(problem: &Problem, colored: bool) -> String {
    let theme = if colored { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1).with_width(110);
    let mut text = String::new();
    match handler.render_report(&mut text, &Snippet::new(problem)) {
        Ok(()) => text,
        Err(fmt::Error) => format!("error: {problem}\n"),
    }
}

/// A problem as miette wants it.
#[derive(Debug)]
struct Snippet<'a> {
    problem: &'a Problem,
    source: Option<NamedSource<String>>,
}

impl<'a> Snippet<'a> {
    fn new(problem: &'a Problem) -> Self {
        let source = problem.location.as_ref();
        let source = source.map(|place| NamedSource::new(&place.source_name, place.source_text.to_string()));
        Self { problem, source }
    }
}

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: ")?;
        if let Some(place) = &self.problem.location {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.problem.message)
    }
}

impl StdError for Snippet<'_> {}

impl Diagnostic for Snippet<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.problem.location.as_ref()?;
        let span = LabeledSpan::new(None, place.span.start, place.span.len());
        Some(Box::new(std::iter::once(span)))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use bk_harness::config::{Config, Overrides};

    use super::Error;
    use crate::exit::Exit;

    fn config_error(text: &str) -> Error {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.toml");
        std::fs::write(&path, text).unwrap();
        Error::from(Config::load(&path, &Overrides::default()).unwrap_err())
    }

    #[test]
    fn a_config_error_shows_its_place_and_its_line() {
        let error = config_error("[[benchmark]]\nname = \"a\"\nbatch = 0\nn = 4\n");
        let text = error.render(false);
        assert!(text.contains("sweep.toml:3:"), "{text}");
        assert!(text.contains("3 | batch = 0"), "{text}");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_without_a_place() {
        let error = Config::load(Path::new("/nonexistent.toml"), &Overrides::default()).unwrap_err();
        let text = Error::from(error).render(false);
        assert!(text.contains("error: ") && text.contains("/nonexistent.toml"), "{text}");
    }

    #[test]
    fn a_chain_of_causes_is_one_line() {
        let cause = io::Error::other("pipe closed");
        let error = Error::Output(cause);
        assert_eq!(error.render(false), "error: cannot write to standard output: pipe closed\n");
        assert_eq!(error.exit(), Exit::ExecutionFailed);
    }
}
