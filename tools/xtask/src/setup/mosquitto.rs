//! A private copy of Debian's mosquitto, the broker that tests of the gateway start.

use super::{
    SetupError, Workshop,
    debian::Apt,
    starter::{self, STARTER},
};
use crate::env::{Env, find_program};
use std::{path::Path, process::Command};

const PACKAGE: &str = "mosquitto";

/// Where Debian puts it, which is not on everyone's PATH.
const INSTALLED: &str = "/usr/sbin/mosquitto";

const REMEDY: &str = "install mosquitto 2 with your package manager (Debian: `apt-get install mosquitto`)";

pub(super) fn ready(env: &Env) -> Option<String> {
    if find_program(PACKAGE).is_some() || Path::new(INSTALLED).is_file() {
        return Some("installed".into());
    }
    let copy = env.cache.join(PACKAGE);
    starts(&copy).then(|| copy.display().to_string())
}

/// Unpacks mosquitto, and the libraries that it needs and this machine lacks, into the cache.
pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let stage = workshop.stage()?;
    let Some(mut apt) = Apt::find(workshop, stage.path(), PACKAGE)? else {
        return Err(SetupError::missing(PACKAGE, REMEDY));
    };
    let prefix = stage.path().join("prefix");
    let packages = apt.closure(&[PACKAGE])?;
    apt.unpack(PACKAGE, &packages, &prefix)?;
    starter::write(&prefix, "usr/sbin/mosquitto", "").map_err(SetupError::io(&prefix))?;
    if !starts(&prefix) {
        return Err(SetupError::missing("a mosquitto that runs here", REMEDY));
    }
    workshop.publish(&prefix, &workshop.env().cache.join(PACKAGE))
}

/// Whether the copy says what it is: a library that is missing shows here and not in a test.
fn starts(prefix: &Path) -> bool {
    let help = Command::new(prefix.join(STARTER)).arg("-h").output();
    help.is_ok_and(|help| help.stdout.starts_with(b"mosquitto version 2"))
}
