//! Tables, as Markdown and as HTML.

use super::html;

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
        self.rows.push(cells);
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
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(shown.iter().map(|&index| self.columns[index].title.clone()).collect());
        let alignment = |&index: &usize| if self.columns[index].number { "--:" } else { "---" }.to_owned();
        text += &line(shown.iter().map(alignment).collect());
        for row in &self.rows {
            text += &line(shown.iter().map(|&index| escaped(&row[index])).collect());
        }
        text
    }

    /// The table as an HTML element.
    pub(super) fn html(&self) -> String {
        let shown = self.shown();
        let class = |index: usize| if self.columns[index].number { " class=\"number\"" } else { "" };
        let mut text = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
        for &index in &shown {
            let title = html::escaped(&self.columns[index].title);
            text += &format!("<th scope=\"col\"{}>{title}</th>", class(index));
        }
        text += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            text += "<tr>";
            for &index in &shown {
                text += &format!("<td{}>{}</td>", class(index), html::inline(&row[index]));
            }
            text += "</tr>\n";
        }
        text + "</tbody></table></div>\n"
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
    fn in_html_markup_is_shown_too_and_code_and_emphasis_are_kept() {
        let mut table = Table::new().text("case").number("time").text("note");
        table.row(vec!["`a<b>`".into(), "**1 s**".into(), String::new()]);
        let html = table.html();
        assert!(html.contains("<td><code>a&lt;b&gt;</code></td>"), "{html}");
        assert!(html.contains("<td class=\"number\"><strong>1 s</strong></td>"), "{html}");
        assert!(!html.contains("note"), "{html}");
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
