//! Reports as a reader meets them: opened in a real browser, on a telephone and on a desk.

mod browser;
mod rd;

use browser::{Opened, open};
use image::{Rgb, RgbImage};
use trainer::report::{Axis, Line, LinePlot, Page, Table};
use trainer::sheet::Row;

/// A page with all that a report can have, and more of it than fits a telephone.
fn page() -> Page {
    let mut page = Page::new("A report on codes & their ranks", "Seed 0, 3 epochs, cpu.");
    page.section("Spectra").paragraph("Singular values of the code's covariance, each relative to its largest.");
    let axes = || (Axis::linear("index of the singular value"), Axis::log("share of the largest"));
    let (x, y) = axes();
    let mut spectra = LinePlot::new("Spectra on one axis", x, y);
    for method in 0..11 {
        let decay = 0.1 * f64::from(method + 1);
        let points = (0..32).map(|i| (f64::from(i + 1), (-decay * f64::from(i)).exp()));
        spectra.lines.push(Line::new(format!("method {method} with a name of some length"), points));
    }
    spectra.marks.push((7.0, "true dimension".into()));
    spectra.note = "Seed 0, 3 epochs, cpu.".into();
    let (x, y) = axes();
    let mut few = LinePlot::new("Few points", x, y);
    few.lines.push(Line::new("one", [(1.0, 1.0), (2.0, 0.1), (3.0, 0.01)]));
    page.plots(&[spectra, few]);
    let mut table = Table::new("Rank by each rule", ["method", "gap", "energy", "effective", "stable", "auto", "why"]);
    for method in ["ae", "ae_l1", "irmae, 4 layers"] {
        table.row([method, "7", "12", "3.4 ± 0.2", "2.7", "8", "the gap of a factor of 40 is clear and costs 0.3 %"]);
    }
    page.table(table.mark());
    let picture = |level: u8| RgbImage::from_fn(32, 32, |x, y| Rgb([level, (x * 8) as u8, (y * 8) as u8]));
    let row = |name: &str| Row {
        name: name.into(),
        about: "32x32".into(),
        images: (0..10).map(|i| picture(i * 25)).collect(),
    };
    page.pictures("Interpolations.", &[row("original"), row("a-very-long-name-of-a-method-that-does-not-break")]);
    page.data(&serde_json::json!({ "runs": [] }));
    page
}

#[test]
fn a_page_is_whole_and_readable_on_a_telephone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.html");
    page().write(&path).expect("a page");
    if let Some(keep) = std::env::var_os("KEEP_REPORT") {
        std::fs::copy(&path, keep).expect("a copy");
    }
    let Opened { console, views } = open(&path);
    assert_eq!(console, Vec::<String>::new(), "nothing is written to the console");
    for view in views {
        assert_eq!((view.errors.len(), view.plots, view.lines, view.pictures), (0, 2, 12, 2), "{view:?}");
        assert_eq!((view.empty_lines, view.broken_pictures), (0, 0), "{view:?}");
        assert!(view.scroll_width <= view.width, "no sideways scroll: {view:?}");
        assert!(view.least_text_px >= 8.0, "text that can be read: {view:?}");
    }
}
