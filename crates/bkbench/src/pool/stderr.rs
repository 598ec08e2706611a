//! What a worker writes to standard error: the reason of its death, and panics of threads that it
//! outlives.

use std::collections::VecDeque;

/// Lines that are kept.
const TAIL_LINES: usize = 8;

/// Characters of a line that are shown.
const LINE_CHARACTERS: usize = 300;

/// The last lines of standard error, and the first panic since the last time somebody asked.
#[derive(Debug, Default)]
pub(super) struct StderrLog {
    tail: VecDeque<String>,
    panic: Option<Panic>,
}

/// A panic as Rust's default hook prints it: where on the first line, what on the second.
#[derive(Debug)]
struct Panic {
    place: String,
    message: Option<String>,
}

impl StderrLog {
    /// Adds a line.
    pub(super) fn push(&mut self, line: String) {
        let line = shorten(line.trim());
        match &mut self.panic {
            Some(panic) if panic.message.is_none() => panic.message = Some(line.clone()),
            None if is_panic(&line) => self.panic = Some(Panic { place: line.clone(), message: None }),
            _ => {}
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The last lines on one line; `None` when there were none.
    pub(super) fn tail(&self) -> Option<String> {
        let lines: Vec<&str> = self.tail.iter().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }

    /// The first panic since the last call.
    pub(super) fn take_panic(&mut self) -> Option<String> {
        let panic = self.panic.take()?;
        Some(match panic.message {
            Some(message) => format!("{} {message}", panic.place),
            None => panic.place,
        })
    }
}

/// Whether a line opens the report of a panic: `thread 'name' panicked at src/main.rs:1:2:`.
fn is_panic(line: &str) -> bool {
    line.starts_with("thread ") && line.contains(" panicked at ")
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARACTERS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_CHARACTERS, StderrLog, TAIL_LINES};

    fn log(lines: &[&str]) -> StderrLog {
        let mut log = StderrLog::default();
        for line in lines {
            log.push((*line).to_owned());
        }
        log
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let lines: Vec<String> = (0..TAIL_LINES + 2).map(|line| line.to_string()).collect();
        let log = log(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(log.tail().unwrap(), lines[2..].join(" | "));
    }

    #[test]
    fn a_long_line_is_shortened() {
        let tail = log(&["ü".repeat(LINE_CHARACTERS + 1).as_str()]).tail().unwrap();
        assert_eq!(tail, format!("{}...", "ü".repeat(LINE_CHARACTERS)));
    }

    #[test]
    fn a_panic_is_found_with_its_message_and_told_once() {
        let mut log =
            log(&["info", "thread 'stream-1' panicked at src/a.rs:3:7:", "no memory left", "note: run"]);
        assert_eq!(log.take_panic().unwrap(), "thread 'stream-1' panicked at src/a.rs:3:7: no memory left");
        assert_eq!(log.take_panic(), None);
    }

    #[test]
    fn a_line_that_only_mentions_a_panic_is_none() {
        assert_eq!(log(&["warning: the driver panicked at boot"]).take_panic(), None);
    }
}
