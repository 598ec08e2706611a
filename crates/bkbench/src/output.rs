//! Standard output of a command: text, tables and JSON.

use std::io::{self, ErrorKind, Write};

use comfy_table::{ContentArrangement, LineStyle, Row, Table, TableStyle};
use console::Term;
use serde::Serialize;

use crate::error::Error;

/// Writes `text` and ends its line. A reader that has seen enough, as `head` does, is no error.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(output, "{text}{end}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Writes `value` as indented JSON.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(value).map_err(|error| Error::Output(error.into()))?;
    text(&json)
}

/// No borders, and one line below the header: rows stay short in a terminal and greppable in a file.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table with this header. It wraps at the width of the terminal, and nowhere in a file.
pub(crate) fn table<T: Into<Row>>(header: T) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    if let Some((_, width)) = Term::stdout().size_checked() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}
