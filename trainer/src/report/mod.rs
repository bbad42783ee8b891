//! A report as one HTML page: prose, tables, plots (inline SVG) and pictures (data URIs), with its figures as JSON in it.
//!
//! The page needs no other file, no script and no network, and reads on a telephone as on a desk.
//!
//! ```
//! use trainer::report::{Axis, Line, LinePlot, Page, Table};
//!
//! let mut page = Page::new("Rate and distortion", "Fashion-MNIST, 10,000 test images, seed 0, 4 epochs, cpu.");
//! page.section("Quality per byte").paragraph("All bytes of a packet count.");
//! let mut plot = LinePlot::new("PSNR by packet size", Axis::log("bytes"), Axis::linear("PSNR, dB"));
//! plot.lines.push(Line::new("ours", [(4.0, 17.0), (8.0, 19.3)]));
//! page.plots(&[plot]);
//! let mut table = Table::new("PSNR in dB", ["method", "4 bytes", "8 bytes"]);
//! table.row(["ours", "17.0", "19.3"]);
//! page.table(&table).data(&serde_json::json!({ "curves": [] }));
//! assert!(page.html().starts_with("<!DOCTYPE html>"));
//! ```

mod line_plot;
mod pictures;
mod table;

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::path::Path;

use serde::Serialize;

use crate::files::{self, FileError};
use crate::sheet;

pub use line_plot::{Axis, Line, LinePlot};
pub use table::Table;

/// How large a page may be: what a repository keeps and a telephone loads.
pub const MAX_BYTES: usize = 1 << 20;

/// Names as part of a sentence, each once.
pub fn each_once<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" and ")
}

const STYLE: &str = include_str!("style.css");

/// A page that grows from top to bottom.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
    data: String,
}

impl Page {
    /// A page that has a title and a first paragraph: what was done, with which data, seeds, epochs and device.
    pub fn new(title: &str, lead: &str) -> Self {
        let body = format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(title), escape(lead));
        Page { title: title.into(), body, data: String::new() }
    }

    /// Starts a section.
    pub fn section(&mut self, heading: &str) -> &mut Self {
        self.push(format_args!("<h2>{}</h2>\n", escape(heading)))
    }

    /// Starts a part of a section.
    pub fn subsection(&mut self, heading: &str) -> &mut Self {
        self.push(format_args!("<h3>{}</h3>\n", escape(heading)))
    }

    /// A paragraph of plain text.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        self.push(format_args!("<p>{}</p>\n", escape(text)))
    }

    /// A list of plain lines.
    pub fn list<T: AsRef<str>>(&mut self, lines: &[T]) -> &mut Self {
        let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line.as_ref()))).collect();
        self.push(format_args!("<ul>\n{items}</ul>\n"))
    }

    /// A table.
    pub fn table(&mut self, table: &Table) -> &mut Self {
        self.push(table)
    }

    /// Plots, side by side where there is room.
    pub fn plots(&mut self, plots: &[LinePlot]) -> &mut Self {
        let figures: String = plots.iter().map(LinePlot::to_html).collect();
        self.push(format_args!("<div class=\"plots\">\n{figures}</div>\n"))
    }

    /// Rows of pictures, each with its name; all pictures have one size.
    pub fn pictures(&mut self, caption: &str, rows: &[sheet::Row]) -> &mut Self {
        self.push(pictures::to_html(caption, rows))
    }

    /// The figures of the page for machines: JSON in the element `#data`.
    pub fn data(&mut self, value: &impl Serialize) -> &mut Self {
        // `</script>` in a name must not end the element.
        self.data = serde_json::to_string(value).expect("plain data").replace("</", "<\\/");
        self
    }

    /// The page as it is written.
    pub fn html(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<main>\n{}</main>\n<script type=\"application/json\" id=\"data\">{}</script>\n</body>\n</html>\n",
            escape(&self.title),
            self.body,
            self.data
        )
    }

    /// Writes the page to `path`, whole or not at all.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        files::write_atomically(path, self.html().as_bytes())
    }

    fn push(&mut self, html: impl Display) -> &mut Self {
        write!(self.body, "{html}").expect("writing into memory");
        self
    }
}

/// Text as HTML, in elements and in quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_data_cannot_break_out_of_the_page() {
        let mut page = Page::new("a < b & \"c\"", "<script>");
        page.section("<h1>").paragraph("&amp;").list(&["<li>"]);
        page.data(&serde_json::json!({ "name": "</script><b>" }));
        let html = page.html();
        assert!(html.contains("<title>a &lt; b &amp; &quot;c&quot;</title>") && html.contains("&amp;amp;"));
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</script>").count(), 1);
        let data = html.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
        assert_eq!(serde_json::from_str::<serde_json::Value>(data).unwrap()["name"], "</script><b>");
    }
}
