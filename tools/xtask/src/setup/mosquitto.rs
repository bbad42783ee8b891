//! A private copy of Debian's mosquitto, the broker that tests of the gateway start.

use super::{SetupError, Workshop, debian::Apt};
use crate::{
    env::{Env, find_program},
    qemu::library_path,
};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, process::Command};

const PACKAGE: &str = "mosquitto";

/// Where Debian puts it, which is not on everyone's PATH.
const INSTALLED: &str = "/usr/sbin/mosquitto";

/// What starts the copy, wherever the cache lies; tests look for it.
const STARTER: &str = "run";

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
    write_starter(&prefix).map_err(SetupError::io(&prefix))?;
    if !starts(&prefix) {
        return Err(SetupError::missing("a mosquitto that runs here", REMEDY));
    }
    workshop.publish(&prefix, &workshop.env().cache.join(PACKAGE))
}

/// A script that starts the copy with the libraries beside it.
fn write_starter(prefix: &Path) -> io::Result<()> {
    let libraries = library_path(prefix).replace(&*prefix.to_string_lossy(), "$here");
    let script = format!(
        "#!/bin/sh\nhere=$(cd \"$(dirname \"$0\")\" && pwd)\n\
         LD_LIBRARY_PATH=\"{libraries}\" exec \"$here/usr/sbin/mosquitto\" \"$@\"\n"
    );
    let path = prefix.join(STARTER);
    fs::write(&path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Whether the copy says what it is: a library that is missing shows here and not in a test.
fn starts(prefix: &Path) -> bool {
    let help = Command::new(prefix.join(STARTER)).arg("-h").output();
    help.is_ok_and(|help| help.stdout.starts_with(b"mosquitto version 2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_finds_what_lies_beside_it() {
        let prefix = tempfile::tempdir().unwrap();
        for file in ["usr/sbin/mosquitto", "usr/lib/arch/libcjson.so.1"] {
            let path = prefix.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\necho \"mosquitto version 2 $LD_LIBRARY_PATH $1\"\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        write_starter(prefix.path()).unwrap();
        assert!(starts(prefix.path()));
        let said = Command::new(prefix.path().join(STARTER)).arg("x y").output().unwrap().stdout;
        let expected = format!("mosquitto version 2 {}/usr/lib/arch x y\n", prefix.path().display());
        assert_eq!(String::from_utf8(said).unwrap(), expected);
    }
}
