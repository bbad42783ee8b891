//! A private copy of Debian's QEMU: no root, and nothing on the user's machine changes.

use super::{SetupError, Workshop, debian::Apt};
use crate::{
    env::Env,
    qemu::{EMULATORS, Qemu, private_prefix},
};
use std::{fs, io, path::Path};

const PACKAGES: [&str; 3] = ["qemu-system-arm", "qemu-system-misc", "qemu-user"];

const REMEDY: &str = "install QEMU 7 or newer with your package manager, so that qemu-system-arm, qemu-system-riscv32 and \
                      qemu-aarch64 are on PATH (Debian: `apt-get install qemu-system-arm qemu-system-misc qemu-user`)";

pub(super) fn ready(env: &Env) -> Option<String> {
    Some(match Qemu::find(env)? {
        Qemu::Installed => "on PATH".into(),
        Qemu::Private(prefix) => prefix.display().to_string(),
    })
}

/// Unpacks QEMU, and the libraries that it needs and this machine lacks, into the cache.
pub(super) fn obtain(workshop: &Workshop) -> Result<(), SetupError> {
    let stage = workshop.stage()?;
    let Some(mut apt) = Apt::find(workshop, stage.path(), PACKAGES[0])? else {
        return Err(SetupError::missing("QEMU", REMEDY));
    };
    let prefix = stage.path().join("prefix");
    let packages = apt.closure(&PACKAGES)?;
    apt.unpack("QEMU", &packages, &prefix)?;
    trim(&prefix).map_err(SetupError::io(&prefix))?;
    check(&Qemu::Private(prefix.clone()))?;
    workshop.publish(&prefix, &private_prefix(workshop.env()))
}

/// Removes what the project never runs: emulators of other processors, documents. 65 MB of 380 remain.
fn trim(prefix: &Path) -> io::Result<()> {
    for entry in fs::read_dir(prefix.join("usr/bin"))? {
        let entry = entry?;
        if !EMULATORS.iter().any(|(program, ..)| entry.file_name() == *program) {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(prefix.join("usr/share"))? {
        let entry = entry?;
        if entry.file_name() != "qemu" && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Starts each emulator once: a library that is missing shows here and not in a test.
fn check(qemu: &Qemu) -> Result<(), SetupError> {
    match EMULATORS.iter().find(|(program, option, value)| !qemu.knows(program, option, value)) {
        None => Ok(()),
        Some((program, _, value)) => {
            let what = format!("a {program} that runs here and knows {value}");
            Err(SetupError::missing(what, REMEDY))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trim_keeps_the_emulators_and_their_data() {
        let prefix = tempfile::tempdir().unwrap();
        let keep =
            ["usr/bin/qemu-system-arm", "usr/bin/qemu-aarch64", "usr/share/qemu/opensbi.bin", "usr/lib/libslirp.so.0"];
        let drop = ["usr/bin/qemu-system-alpha", "usr/share/doc/qemu/copyright"];
        for file in keep.iter().chain(&drop) {
            let path = prefix.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        trim(prefix.path()).unwrap();
        assert!(keep.iter().all(|file| prefix.path().join(file).exists()));
        assert!(!drop.iter().any(|file| prefix.path().join(file).exists()));
    }
}
