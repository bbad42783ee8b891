//! A headless Chromium that opens a page at two widths and says what it saw.

use std::env::{split_paths, var_os};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// CSS pixels of a telephone's and of a desk's window.
const WIDTHS: [u32; 2] = [360, 1200];

/// What a browser makes of a page.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What the page wrote to the console.
    pub(crate) console: Vec<String>,
    /// The page at each width.
    pub(crate) views: Vec<View>,
}

/// A page in a window.
#[derive(Debug, Deserialize)]
pub(crate) struct View {
    /// Width of the window.
    pub(crate) width: f64,
    /// Width of what is in it.
    pub(crate) scroll_width: f64,
    /// Uncaught errors.
    pub(crate) errors: Vec<String>,
    /// Drawings.
    pub(crate) plots: usize,
    /// Entries of their legends.
    pub(crate) lines: usize,
    /// Entries whose colour is in their drawing on no path that has a length.
    pub(crate) empty_lines: usize,
    /// Pictures.
    pub(crate) pictures: usize,
    /// Those that were not decoded.
    pub(crate) broken_pictures: usize,
    /// The smallest text in any drawing.
    pub(crate) least_text_px: f64,
}

/// Opens the page at `path`.
pub(crate) fn open(path: &Path) -> Opened {
    let page = std::fs::read_to_string(path).expect("a page");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let harness = folder.path().join("harness.html");
    std::fs::write(&harness, harness_for(&page)).expect("a page around the page");
    let output = Command::new(chromium())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", harness.display()))
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .expect("Chromium starts");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let seen = dom.split_once("<output>").and_then(|(_, rest)| rest.split_once("</output>"));
    let (views, _) = seen.unwrap_or_else(|| panic!("Chromium says nothing of the page: {log}"));
    let views = serde_json::from_str(views).unwrap_or_else(|why| panic!("{why}: {views}"));
    Opened { console: log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_string).collect(), views }
}

/// A page that shows `page` at each width and measures it. A frame is as a window of its size to what is in it, and unlike
/// a window it may be as narrow as a telephone.
fn harness_for(page: &str) -> String {
    let watched = page.replacen(
        "<head>",
        "<head><script>window.errors = []; addEventListener('error', e => errors.push(String(e.message)), true)</script>",
        1,
    );
    let source = watched.replace('&', "&amp;").replace('"', "&quot;");
    let frames = WIDTHS
        .map(|width| format!("<iframe width={width} height=800 style=\"border:0\" srcdoc=\"{source}\"></iframe>"));
    format!("<!DOCTYPE html><meta charset=utf-8>{}<output></output><script>{PROBE}</script>", frames.concat())
}

const PROBE: &str = include_str!("probe.js");

/// The browser: the system's, or the copy that set-up keeps in its cache.
fn chromium() -> PathBuf {
    const NAMES: [&str; 5] =
        ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = var_os("PATH").unwrap_or_default();
    let installed = split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let set = |name: &str| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("IRMAE_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("irmae")))
        .or_else(|| Some(set("HOME")?.join(".cache/irmae")));
    installed
        .chain(cache.map(|cache| cache.join("chromium/run")))
        .find(|program| program.is_file())
        .expect("there is no Chromium: run `cargo xtask setup`, or install it (Debian: `apt-get install chromium`)")
}
