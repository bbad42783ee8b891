//! Starts a program of a private copy with the libraries that lie beside it, wherever the cache is.

use crate::qemu::library_path;
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// The script's name in the copy; tests look for it.
pub(super) const STARTER: &str = "run";

/// Writes a script into `prefix` that starts `program` (a path in it); `$here` in `variables` is the copy's folder.
pub(super) fn write(prefix: &Path, program: &str, variables: &str) -> io::Result<()> {
    let libraries = library_path(prefix).replace(&*prefix.to_string_lossy(), "$here");
    let script = format!(
        "#!/bin/sh\nhere=$(cd \"$(dirname \"$0\")\" && pwd)\n\
         {variables}LD_LIBRARY_PATH=\"{libraries}\" exec \"$here/{program}\" \"$@\"\n"
    );
    let path = prefix.join(STARTER);
    fs::write(&path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_starter_finds_what_lies_beside_it() {
        let prefix = tempfile::tempdir().unwrap();
        for file in ["usr/sbin/said", "usr/lib/arch/libcjson.so.1"] {
            let path = prefix.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\necho \"$LD_LIBRARY_PATH $FONTS $1\"\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        write(prefix.path(), "usr/sbin/said", "FONTS=\"$here/f\" ").unwrap();
        let said = Command::new(prefix.path().join(STARTER)).arg("x y").output().unwrap().stdout;
        let root = prefix.path().display();
        assert_eq!(String::from_utf8(said).unwrap(), format!("{root}/usr/lib/arch {root}/f x y\n"));
    }
}
