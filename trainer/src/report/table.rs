//! A table: names to the left, figures to the right.

use std::fmt;

use super::escape;

/// A table whose first column names the rows.
#[derive(Clone, Debug)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Rows that stand out.
    marked: Vec<usize>,
}

impl Table {
    /// An empty table.
    pub fn new<T: Into<String>>(caption: &str, columns: impl IntoIterator<Item = T>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Table { caption: caption.into(), columns, rows: Vec::new(), marked: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.columns.len(), "cells of {}", self.caption);
        self.rows.push(cells);
        self
    }

    /// Makes the row that was added last stand out.
    pub fn mark(&mut self) -> &mut Self {
        self.marked.extend(self.rows.len().checked_sub(1));
        self
    }

    /// Whether every cell of a column is a figure, or says that there is none.
    fn is_numeric(&self, column: usize) -> bool {
        let starts_as_one =
            |text: &str| text.trim_start_matches(['+', '-', '\u{2212}']).starts_with(|c: char| c.is_ascii_digit());
        self.rows.iter().all(|row| matches!(row[column].as_str(), "" | "-" | "\u{2013}") || starts_as_one(&row[column]))
    }
}

impl fmt::Display for Table {
    /// As HTML. Where the page is narrower than the table, the table alone scrolls.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = |column: usize| if column > 0 && self.is_numeric(column) { " class=\"number\"" } else { "" };
        writeln!(f, "<div class=\"table\" tabindex=\"0\"><table>\n<caption>{}</caption>", escape(&self.caption))?;
        write!(f, "<thead><tr>")?;
        for (index, name) in self.columns.iter().enumerate() {
            write!(f, "<th scope=\"col\"{}>{}</th>", class(index), escape(name))?;
        }
        writeln!(f, "</tr></thead>\n<tbody>")?;
        for (at, row) in self.rows.iter().enumerate() {
            write!(f, "<tr{}>", if self.marked.contains(&at) { " class=\"marked\"" } else { "" })?;
            for (index, cell) in row.iter().enumerate() {
                match index {
                    0 => write!(f, "<th scope=\"row\">{}</th>", escape(cell))?,
                    _ => write!(f, "<td{}>{}</td>", class(index), escape(cell))?,
                }
            }
            writeln!(f, "</tr>")?;
        }
        writeln!(f, "</tbody>\n</table></div>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_to_the_right_and_names_to_the_left() {
        let mut table = Table::new("a & b", ["method", "rank", "why"]);
        table.row(["ae", "12", "no gap"]).row(["irmae", "-", "7 is clear"]).mark();
        let html = table.to_string();
        assert!(html.contains("<caption>a &amp; b</caption>"));
        assert!(html.contains(
            "<tr class=\"marked\"><th scope=\"row\">irmae</th><td class=\"number\">-</td><td>7 is clear</td></tr>"
        ));
    }

    #[test]
    #[should_panic(expected = "cells of t")]
    fn a_row_has_a_cell_for_each_column() {
        Table::new("t", ["a", "b"]).row(["1"]);
    }
}
