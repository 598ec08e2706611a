//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Error)]
pub struct ConfigError {
    /// The file that was to be loaded.
    pub path: PathBuf,
    /// What is wrong, in the order of the file; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What is wrong and what was expected, without its place.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where; absent when the file as a whole is at fault.
    pub location: Option<Location>,
}

/// A place in a text that the user wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// Path of the file, or the `--set` argument.
    pub source_name: String,
    /// The whole text, for a snippet.
    pub source_text: Arc<str>,
    /// Bytes of `source_text` at fault.
    pub span: Range<usize>,
    /// Line of its first character, from 1.
    pub line: usize,
    /// Column of its first character, in characters from 1.
    pub column: usize,
}

impl Location {
    /// Place of the bytes `span` (clamped to the text) in `source_text`.
    pub fn new(source_name: &str, source_text: &Arc<str>, span: Range<usize>) -> Self {
        let start = floor_char_boundary(source_text, span.start);
        let end = floor_char_boundary(source_text, span.end).max(start);
        let before = &source_text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            source_name: source_name.to_owned(),
            source_text: Arc::clone(source_text),
            span: start..end,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source_name, self.line, self.column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let text: Arc<str> = "a = 1\nä = µ\n".into();
        let location = Location::new("x.toml", &text, 11..13);
        assert_eq!((location.line, location.column), (2, 5));
        assert_eq!(&text[location.span.clone()], "µ");
        assert_eq!(location.to_string(), "x.toml:2:5");
    }

    #[test]
    fn a_span_beyond_the_text_is_clamped_to_its_end() {
        let text: Arc<str> = "ä".into();
        let location = Location::new("x.toml", &text, 1..99);
        assert_eq!(location.span, 0..2);
        assert_eq!((location.line, location.column), (1, 1));
    }
}
