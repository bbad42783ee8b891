//! A private copy of Debian's headless Chromium, in which a test opens the trainer's reports.

use super::{
    SetupError, Workshop,
    debian::Apt,
    starter::{self, STARTER},
};
use crate::env::{Env, find_program};
use std::{fs, io, path::Path, process::Command};

const PACKAGE: &str = "chromium-headless-shell";
const NAME: &str = "chromium";

/// Programs that serve as well, where they are installed.
const INSTALLED: [&str; 5] = [NAME, PACKAGE, "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Fonts of the copy, and those of the system.
const FONTS: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n\
                     <dir prefix=\"relative\">usr/share/fonts</dir>\n<dir>/usr/share/fonts</dir>\n\
                     <cachedir prefix=\"xdg\">fontconfig</cachedir>\n</fontconfig>\n";
const FONTS_FILE: &str = "fonts.conf";

const REMEDY: &str = "install Chromium with your package manager (Debian: `apt-get install chromium`)";

pub(super) fn ready(env: &Env) -> Option<String> {
    if INSTALLED.into_iter().any(|name| find_program(name).is_some()) {
        return Some("on PATH".into());
    }
    let copy = env.cache.join(NAME);
    starts(&copy).then(|| copy.display().to_string())
}

/// Unpacks Chromium, and the libraries and fonts that it needs and this machine lacks, into the cache.
pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let stage = workshop.stage()?;
    let Some(mut apt) = Apt::find(workshop, stage.path(), PACKAGE)? else {
        return Err(SetupError::missing(NAME, REMEDY));
    };
    let prefix = stage.path().join("prefix");
    let packages = apt.closure(&[PACKAGE])?;
    apt.unpack("Chromium", &packages, &prefix)?;
    finish(&prefix).map_err(SetupError::io(&prefix))?;
    if !starts(&prefix) {
        return Err(SetupError::missing("a Chromium that runs here", REMEDY));
    }
    workshop.publish(&prefix, &workshop.env().cache.join(NAME))
}

/// Removes documents, and adds what the copy needs to be started.
fn finish(prefix: &Path) -> io::Result<()> {
    for entry in fs::read_dir(prefix.join("usr/share"))? {
        let entry = entry?;
        if entry.file_name() != "fonts" && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    fs::write(prefix.join(FONTS_FILE), FONTS)?;
    let variables = format!("FONTCONFIG_FILE=\"$here/{FONTS_FILE}\" ");
    starter::write(prefix, "usr/lib/chromium/chromium-headless-shell", &variables)
}

/// Whether the copy says what it is: a library that is missing shows here and not in a test.
fn starts(prefix: &Path) -> bool {
    let version = Command::new(prefix.join(STARTER)).arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("Chromium"))
}
