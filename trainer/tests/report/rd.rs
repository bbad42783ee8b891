//! The page of `trainer rd`.

use trainer::config::DecoderKind;
use trainer::data::DataSpec;
use trainer::rd::{Contender, Curve, Point, Report, Settings};

use crate::browser::{Opened, open};

/// All methods over two seeds, of which the fifth is ahead of ours.
fn report() -> Report {
    let settings = Settings {
        data: DataSpec { limit: Some(100), ..DataSpec::new("windows") },
        preset: "micro-1d".into(),
        decoder: DecoderKind::Gateway,
        latent: None,
        train_epochs: 3,
        tune_epochs: 6,
        tune_learning_rate: 1e-2,
        bytes: vec![4, 8, 16, 32],
        published_linear_layers: 4,
    };
    let curve = |(index, contender): (usize, Contender), seed: u64| {
        let point = |bytes: usize| Point {
            bytes,
            bytes_per_item: 0.97 * bytes as f64,
            psnr_db: 3.0 * (bytes as f64).log2()
                + if index == 4 { 11.0 } else { 10.0 - 0.2 * index as f64 }
                + 0.1 * seed as f64,
        };
        let points = settings.bytes.iter().map(|&bytes| point(bytes)).collect();
        Curve { method: contender.to_string(), seed, rank: 20, epochs: 9, seconds: 75.0, device: "cpu".into(), points }
    };
    let curves = |seed: u64| Contender::all().into_iter().enumerate().map(move |contender| (contender, seed));
    let curves = (0..2).flat_map(curves).map(|(contender, seed)| curve(contender, seed)).collect();
    Report::new(settings, "windows", [100, 20], curves)
}

#[test]
fn a_comparison_is_whole_on_a_telephone_and_says_who_is_ahead() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.html");
    let page = report().page();
    assert!(page.html().contains("At 8 bytes ours is behind rrae (by 1.00 dB)."), "{}", page.html());
    page.write(&path).expect("a page");
    if let Some(keep) = std::env::var_os("KEEP_RD_REPORT") {
        std::fs::copy(&path, keep).expect("a copy");
    }
    let Opened { console, views } = open(&path);
    assert_eq!(console, Vec::<String>::new());
    for view in views {
        let lines = 2 * Contender::all().len();
        assert_eq!((view.errors.len(), view.plots, view.lines, view.empty_lines), (0, 2, lines, 0), "{view:?}");
        assert!(view.scroll_width <= view.width && view.least_text_px >= 8.0, "{view:?}");
    }
}
