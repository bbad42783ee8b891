//! Reports as a reader meets them: opened in a real browser, on a telephone and on a desk.

mod browser;
mod rd;

use std::path::Path;
use std::process::Command;

use browser::{Opened, open};
use image::{Rgb, RgbImage};
use serde_json::Value;
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

/// Opens the page at `path`, which has `plots` with `lines` in all and `pictures`, and checks that all of them are to be seen.
fn check(path: &Path, [plots, lines, pictures]: [usize; 3]) {
    if let Some(keep) = std::env::var_os("KEEP_REPORT") {
        std::fs::copy(path, keep).expect("a copy");
    }
    let Opened { console, views } = open(path);
    assert_eq!(console, Vec::<String>::new(), "nothing is written to the console");
    for view in views {
        assert_eq!((view.errors.len(), view.plots, view.lines, view.pictures), (0, plots, lines, pictures), "{view:?}");
        assert_eq!((view.empty_lines, view.broken_pictures), (0, 0), "{view:?}");
        assert!(view.scroll_width <= view.width, "no sideways scroll: {view:?}");
        assert!(view.least_text_px >= 8.0, "text that can be read: {view:?}");
    }
}

/// A study as small as it can be, stopped and taken up again.
#[test]
fn a_study_becomes_a_page_and_is_not_run_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("study");
    let reproduce = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_trainer"))
            .args([
                "reproduce",
                "shapes",
                "--quick",
                "--limit",
                "200",
                "--seeds",
                "1",
                "--json",
                "--device",
                "cpu",
                "--out",
            ])
            .arg(&out)
            .args(more)
            .output()
            .expect("trainer starts");
        (output.status.success(), output.stdout, String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (ok, _, log) = reproduce(&["--epochs", "1", "--methods", "ae,vae"]);
    assert!(ok && log.contains("2 of 2 experiments to run, 1 epochs of 200 items each"), "{log}");
    let weights = |of: &str| std::fs::read(out.join(of).join("model.safetensors")).expect("the weights");
    let methods = ["--epochs", "1", "--methods", "ae,vae,irmae_fixed"];
    // A part is trained, no more; what is trained already is measured as it is.
    let (ok, _, log) = reproduce(&[&methods[..], &["--part", "3/3"]].concat());
    let third = "irmae-fixed-l5-seed0";
    assert!(ok && !out.join(third).join("measures.json").exists(), "{log}");
    let before = ["ae-seed0", third].map(weights);
    let (ok, json, log) = reproduce(&methods);
    assert!(ok && log.contains("1 of 3 experiments to run"), "{log}");
    assert_eq!(["ae-seed0", third].map(weights), before);
    let findings: Value = serde_json::from_slice(&json).expect("one JSON object");
    let runs = findings["runs"].as_array().expect("runs");
    assert_eq!(
        runs.iter().map(|run| run["method"].as_str()).collect::<Vec<_>>(),
        ["ae", "vae", "irmae_fixed"].map(Some)
    );
    for run in runs {
        let ranks = &run["ranks"];
        assert!(["gap", "energy", "auto", "distortion"].iter().all(|name| ranks[name].is_u64()), "{run}");
        assert!(
            ["effective", "stable"].iter().all(|name| ranks[name].is_f64()) && ranks["reason"].is_string(),
            "{run}"
        );
        assert!(run["fid"]["mvg"].is_f64() && run["singular_values"].as_array().map(Vec::len) == Some(20), "{run}");
        let labels: Vec<_> =
            run["downstream"].as_array().expect("points").iter().map(|p| p["labels"].as_u64()).collect();
        assert_eq!(labels, [10, 100, 200].map(Some));
    }
    // Two of three methods are no ablations. Pictures: originals, three reconstructions, two lines, two walks of four axes, two rows of samples
    // of each kind.
    check(&out.join("report.html"), [2, 3, 1 + 3 + 2 + 8 + 4]);
    assert!(std::fs::metadata(out.join("report.html")).expect("a page").len() < 1 << 20);

    let (ok, _, log) = reproduce(&["--epochs", "2", "--methods", "ae"]);
    assert!(!ok && log.contains("other settings"), "{log}");
}

#[test]
fn faces_are_the_users_own() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_trainer")).args(["reproduce", "celeba"]).output().expect("trainer starts");
    let log = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        !output.status.success() && log.contains("error: celeba needs your own copy") && log.contains("--images"),
        "{log}"
    );
}

#[test]
fn a_page_is_whole_and_readable_on_a_telephone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.html");
    page().write(&path).expect("a page");
    check(&path, [2, 12, 2]);
}
