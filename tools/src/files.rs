//! Files in and out: model files aligned, results whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use irmae_infer::Model;
use irmae_infer::format::AlignedBytes;
use tempfile::NamedTempFile;

/// The bytes of a model file, aligned.
pub(crate) fn read_model(path: &Path) -> Result<AlignedBytes> {
    Ok(AlignedBytes::new(&read(path)?))
}

/// The model in `bytes`, which came from `path`.
pub(crate) fn load_model<'a>(bytes: &'a AlignedBytes, path: &Path) -> Result<Model<'a>> {
    Model::load(bytes.as_slice()).with_context(|| path.display().to_string())
}

/// A file, whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file through a temporary one beside it, so that `path` is as it was or whole.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut NamedTempFile) -> Result<()>) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> Result<()> {
        let mut file = tempfile::Builder::new().prefix(".irmae-").tempfile_in(folder)?;
        write(&mut file)?;
        file.flush()?;
        file.as_file().sync_all()?;
        set_public(&file)?;
        file.persist(path)?;
        Ok(())
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

/// Temporary files are made private; a result is for whom the umask would let it be.
#[cfg(unix)]
fn set_public(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_public(_file: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.irp");
        std::fs::write(&path, "old").unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("interrupted")
        });
        assert_eq!(format!("{:#}", failed.unwrap_err()), format!("cannot write {}: interrupted", path.display()));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
