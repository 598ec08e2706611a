//! What a worker may say, told from what it may not.

use std::collections::BTreeMap;

use bk_harness::device::DeviceInfo;
use bk_harness::protocol::{Event, PROTOCOL_VERSION, Role};
use serde_json::Value;
use thiserror::Error;

/// Characters of an unexpected line that are shown.
const SHOWN_CHARACTERS: usize = 200;

/// What a worker says of itself when its target is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Greeting {
    /// Who proves its results.
    pub(crate) role: Role,
    /// Program that speaks.
    pub(crate) engine: String,
    /// Where it runs.
    pub(crate) device: DeviceInfo,
    /// Versions of what computes.
    pub(crate) versions: BTreeMap<String, String>,
}

/// How a worker broke its contract. The texts end up in the results as the reason of a failed case.
#[derive(Debug, Error)]
pub(super) enum WorkerError {
    /// The program could not be started.
    #[error("cannot start the worker `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    /// It speaks another version.
    #[error(
        "the worker speaks version {theirs} of the worker protocol and this bkbench version \
             {PROTOCOL_VERSION}: use programs of the same release"
    )]
    Version { theirs: Value },
    /// It cannot serve the implementation that is asked for.
    #[error(
        "{}", match role {
            Role::Engine => "the program is an external engine, which computes the implementation `peer`: give it \
                             a target of its own in an [[engine]] table",
            Role::Worker => "the program proves its own results, and a `peer` is proven by bkbench: it has to say \
                             hello with the role `engine`",
        }
    )]
    Role { role: Role },
    /// A line that is no message.
    #[error(
        "the worker printed what is not a message of the worker protocol ({reason}): `{line}`; only \
             messages may go to its standard output"
    )]
    Garbage { line: String, reason: String },
    /// A message at the wrong time.
    #[error("the worker sent `{line}` where {expected} was due")]
    OutOfTurn { line: String, expected: String },
    /// The process ended.
    #[error("the worker died while it was to {doing}: {cause}")]
    Died { doing: String, cause: String },
    /// Nothing came in time.
    #[error("the worker was killed: nothing came within {seconds} s while it was to {doing}{remedy}")]
    TimedOut { doing: String, seconds: f64, remedy: &'static str },
    /// A thread that the worker outlived broke down, so what it computed cannot be trusted.
    #[error("a thread of the worker panicked, so its result does not count: {panic}")]
    Panicked { panic: String },
}

/// The message on `line`.
pub(super) fn decode(line: &str) -> Result<Event, WorkerError> {
    serde_json::from_str(line)
        .map_err(|error| WorkerError::Garbage { line: shorten(line), reason: error.to_string() })
}

/// The opening message on `line`, in a version that this program understands.
pub(super) fn decode_opening(line: &str) -> Result<Event, WorkerError> {
    // The version first: a message of another version need not parse.
    let theirs = serde_json::from_str::<Value>(line).ok().and_then(|value| value.get("protocol").cloned());
    match theirs {
        Some(theirs) if theirs != PROTOCOL_VERSION => Err(WorkerError::Version { theirs }),
        _ => decode(line),
    }
}

/// An event that came at the wrong time.
pub(super) fn out_of_turn(line: &str, expected: impl Into<String>) -> WorkerError {
    WorkerError::OutOfTurn { line: shorten(line), expected: expected.into() }
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bk_harness::protocol::{Event, PROTOCOL_VERSION};

    use super::{decode, decode_opening};

    #[test]
    fn an_opening_of_this_version_is_understood() {
        let line = format!(r#"{{"event":"unavailable","protocol":{PROTOCOL_VERSION},"reason":"no driver"}}"#);
        let expected = Event::Unavailable { protocol: PROTOCOL_VERSION, reason: "no driver".to_owned() };
        assert_eq!(decode_opening(&line).unwrap(), expected);
    }

    #[test]
    fn another_version_is_named_even_when_its_messages_look_different() {
        let error = decode_opening(r#"{"event":"greeting","protocol":99}"#).unwrap_err().to_string();
        assert!(
            error.contains("version 99") && error.contains(&format!("bkbench version {PROTOCOL_VERSION}"))
        );
    }

    #[test]
    fn garbage_is_quoted_and_cut() {
        let error = decode(&format!("Compiling {}", "x".repeat(1000))).unwrap_err().to_string();
        assert!(
            error.contains("`Compiling xxx") && error.contains("xxx...`") && error.len() < 500,
            "{error}"
        );
    }
}
