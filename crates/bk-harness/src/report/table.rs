//! Markdown tables.

/// A table whose columns without any content are left out.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

struct Column {
    title: String,
    number: bool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new() }
    }

    /// Adds a column of text, aligned to the left.
    pub(super) fn text(self, title: &str) -> Self {
        self.column(title, false)
    }

    /// Adds a column of numbers, aligned to the right.
    pub(super) fn number(self, title: &str) -> Self {
        self.column(title, true)
    }

    fn column(mut self, title: &str, number: bool) -> Self {
        self.columns.push(Column { title: title.to_owned(), number });
        self
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells.iter().map(|cell| escaped(cell)).collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Titles of the columns that have content.
    pub(super) fn titles(&self) -> Vec<&str> {
        self.shown().into_iter().map(|index| self.columns[index].title.as_str()).collect()
    }

    pub(super) fn markdown(&self) -> String {
        let shown = self.shown();
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(shown.iter().map(|&index| self.columns[index].title.as_str()).collect());
        text += &line(
            shown.iter().map(|&index| if self.columns[index].number { "--:" } else { "---" }).collect(),
        );
        for row in &self.rows {
            text += &line(shown.iter().map(|&index| row[index].as_str()).collect());
        }
        text
    }

    fn shown(&self) -> Vec<usize> {
        let filled = |index: &usize| self.rows.iter().any(|row| !row[*index].is_empty());
        (0..self.columns.len()).filter(filled).collect()
    }
}

/// A cell is one line, and a bar would end it. A `<` outside code would begin a tag and vanish.
fn escaped(cell: &str) -> String {
    let line = cell.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let parts: Vec<String> = line
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() })
        .collect();
    parts.join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_and_not_obeyed() {
        assert_eq!(escaped("wgpu<spirv> `<id>`"), "wgpu\\<spirv> `<id>`");
    }

    #[test]
    fn empty_columns_are_left_out_and_bars_and_line_ends_do_not_break_a_row() {
        let mut table = Table::new().text("case").number("time").text("note");
        table.row(vec!["a|b".into(), "1 s".into(), String::new()]);
        table.row(vec!["two\nlines".into(), "2 s".into(), String::new()]);
        assert_eq!(table.titles(), ["case", "time"]);
        insta::assert_snapshot!(table.markdown(), @r"
        | case | time |
        | --- | --: |
        | a\|b | 1 s |
        | two lines | 2 s |
        ");
    }
}
