//! The texts that a config comes from, and what is found wrong in them.

use std::ops::Range;
use std::sync::Arc;

use crate::config::problem::{Location, Problem};

/// The config file and the `--set` arguments behind one another: a position in the whole is a position
/// in one of them, so a value needs to remember only one range, whichever text it is from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    texts: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    name: String,
    text: Arc<str>,
    start: usize,
}

impl Sources {
    /// Adds a text and returns it with as many spaces before it as there are bytes in the texts before,
    /// so that a parser's positions are positions in the whole.
    pub(super) fn add(&mut self, name: String, text: &str) -> String {
        // One byte apart, so that the end of one text is not the start of the next.
        let start = self.texts.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.texts.push(Source { name, text: text.into(), start });
        " ".repeat(start) + text
    }

    fn locate(&self, span: Range<usize>) -> Option<Location> {
        let source = self.texts.iter().rev().find(|source| source.start <= span.start)?;
        let local = span.start - source.start..span.end.saturating_sub(source.start);
        Some(Location::new(&source.name, &source.text, local))
    }
}

/// What is wrong, in any order and perhaps found more than once.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Found>,
    noted: usize,
}

#[derive(Debug, PartialEq)]
struct Found {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Problems {
    /// Notes a mistake at `span`.
    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.push(Found { span, message: message.into(), help: None });
    }

    /// Notes a mistake at `span` and what to do about it.
    pub(super) fn add_with_help(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Found { span, message: message.into(), help: Some(help.into()) });
    }

    fn push(&mut self, found: Found) {
        self.noted += 1;
        // A value of `[defaults]` is checked with every benchmark that takes it.
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How often something was noted, repetitions included: unchanged means that all was well since.
    pub(super) fn noted(&self) -> usize {
        self.noted
    }

    /// What was found, in the order of the texts.
    pub(super) fn into_problems(mut self, sources: &Sources) -> Vec<Problem> {
        self.found.sort_by_key(|found| (found.span.start, found.span.end));
        let located = |found: Found| Problem {
            location: sources.locate(found.span),
            message: found.message,
            help: found.help,
        };
        self.found.into_iter().map(located).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_in_the_text_that_it_is_from() {
        let mut sources = Sources::default();
        assert_eq!(sources.add("a.toml".into(), "n = 1\n"), "n = 1\n");
        let second = sources.add("--set".into(), "n=2");
        let mut problems = Problems::default();
        let start = second.find('n').unwrap();
        problems.add(start..start + 1, "second");
        problems.add(4..5, "first");
        problems.add(4..5, "first");
        let problems = problems.into_problems(&sources);
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["a.toml:1:5: first", "--set:1:1: second"]);
    }
}
