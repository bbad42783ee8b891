//! Names of the files of a run folder, and how they are written: whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The configuration of a run.
pub const CONFIG: &str = "config.toml";
/// The weights.
pub const MODEL: &str = "model.safetensors";
/// All that a resumed run needs: parameters, moments, step and epoch.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// One JSON object a line for each epoch.
pub const HISTORY: &str = "history.jsonl";
/// What was tried before a run was trained.
pub const AUTO: &str = "auto.json";
/// What `trainer train --auto` has tried so far.
pub const TRIALS: &str = "trials.json";
/// Singular values and ranks.
pub const SPECTRUM: &str = "spectrum.json";
/// Plot of the singular values.
pub const SPECTRUM_PLOT: &str = "spectrum.png";
/// What collapsing found.
pub const COLLAPSE: &str = "collapse.json";
/// What tuning did.
pub const TUNE: &str = "tune.json";
/// Bits and steps of the code's quantiser.
pub const CODE: &str = "code.json";
/// What a study was run with.
pub const STUDY: &str = "study.json";
/// What was measured of one of its experiments.
pub const MEASURES: &str = "measures.json";
/// A study as a page.
pub const REPORT: &str = "report.html";
/// A study as figures.
pub const REPORT_DATA: &str = "report.json";
/// Folder of the collapsed network.
pub const COLLAPSED: &str = "collapsed";
/// Folder of the tuned network.
pub const TUNED: &str = "tuned";
/// Folder of a tuning under way.
pub const TUNING: &str = "tuning";
/// The folder, inside an automatic run, of a trial that is under way.
pub const TRIAL: &str = "trial";

/// Why a file of a run could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("{path} is missing; {hint}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What makes it.
        hint: &'static str,
    },
    /// It is there, but not whole or not what it should be.
    #[error("{path} is damaged or cut short ({why}); copy it again or train again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        why: String,
    },
    /// No space is left; the previous version of the file still stands.
    #[error("{path}: the disk is full; free some space and run it again, or `trainer resume` a training (what was saved before is intact)", path = path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Any other failure.
    #[error("{path}: {cause}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The output folder holds something.
    #[error("{path} exists and is not empty; choose another --out, `trainer resume` it, or give --overwrite", path = path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
}

impl FileError {
    fn reading(path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::NotFound => {
                FileError::Missing { path, hint: "give the folder of a run, as `trainer train --out RUN` makes it" }
            }
            _ => FileError::Io { path, cause },
        }
    }

    fn writing(path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileError::DiskFull { path },
            _ => FileError::Io { path, cause },
        }
    }
}

/// Reads a file whole.
///
/// # Errors
/// When it is missing or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|error| FileError::reading(path, error))
}

/// Reads a text file whole.
///
/// # Errors
/// When it is missing, cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(path)?)
        .map_err(|error| FileError::Damaged { path: path.to_path_buf(), why: error.to_string() })
}

/// Writes `bytes` to `path`: to a temporary file beside it, down to the disk, then under its name.
///
/// Whatever happens on the way, `path` is either as it was or whole.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_together(&[(path, bytes)])
}

/// Writes files that belong together: none gets its name before all are down on the disk.
///
/// # Errors
/// When the disk is full or a folder cannot be written; all files are then as they were.
pub fn write_together(files: &[(&Path, &[u8])]) -> Result<(), FileError> {
    let stage = |&(path, bytes): &(&Path, &[u8])| -> Result<NamedTempFile, FileError> {
        let write = || -> io::Result<NamedTempFile> {
            std::fs::create_dir_all(parent(path))?;
            let mut file = staging(0o666).tempfile_in(parent(path))?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().map_err(|error| FileError::writing(path, error))
    };
    let staged: Vec<NamedTempFile> = files.iter().map(stage).collect::<Result<_, _>>()?;
    for (file, (path, _)) in staged.into_iter().zip(files) {
        file.persist(path).map_err(|error| FileError::writing(path, error.error))?;
    }
    Ok(())
}

/// Makes `folder` anew with what `write` puts into the folder that it is given; the old one goes when the new one is whole.
///
/// # Errors
/// Those of `write`, and when the folder cannot be replaced. The old one still stands then.
pub fn replace_folder(folder: &Path, write: impl FnOnce(&Path) -> Result<(), FileError>) -> Result<(), FileError> {
    let io_error = |error| FileError::writing(folder, error);
    std::fs::create_dir_all(parent(folder)).map_err(io_error)?;
    let staged = staging(0o777).tempdir_in(parent(folder)).map_err(io_error)?;
    write(staged.path())?;
    remove_folder(folder)?;
    std::fs::rename(staged.keep(), folder).map_err(io_error)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// For temporary files and folders. They are private by default; a result is for everyone whom the umask allows.
fn staging(mode: u32) -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-").permissions(std::fs::Permissions::from_mode(mode));
    builder
}

/// Writes a value as pretty JSON.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_string_pretty(value).expect("plain data");
    text.push('\n');
    write_atomically(path, text.as_bytes())
}

/// Reads a JSON file.
///
/// # Errors
/// When it is missing or damaged.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| FileError::Damaged { path: path.to_path_buf(), why: error.to_string() })
}

/// Makes `folder` an empty output folder; with `overwrite` what a run left there is removed first.
///
/// # Errors
/// When it holds something and `overwrite` is not given, or it cannot be made.
pub fn prepare_output(folder: &Path, overwrite: bool) -> Result<(), FileError> {
    let io_error = |error| FileError::writing(folder, error);
    let occupied = folder.exists() && std::fs::read_dir(folder).map_err(io_error)?.next().is_some();
    if occupied && !overwrite {
        return Err(FileError::NotEmpty { path: folder.to_path_buf() });
    }
    if occupied {
        remove_run(folder)?;
    }
    std::fs::create_dir_all(folder).map_err(io_error)
}

/// Removes a folder with all that is in it, if it is there: results made from weights that are being replaced.
///
/// # Errors
/// When the system does not let it go.
pub fn remove_folder(folder: &Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(FileError::writing(folder, cause)),
        _ => Ok(()),
    }
}

/// Removes what a run that has no checkpoint yet left in `folder`, and the folder if nothing else is in it.
pub(crate) fn discard_unstarted(folder: &Path) {
    if !folder.join(OPTIMIZER).exists() {
        // A failure is being reported already; one in tidying up would say nothing more.
        let _ = remove_training(folder);
        let _ = std::fs::remove_dir(folder);
    }
}

/// Removes what a training writes into `folder`, which is then as if it had not been.
///
/// # Errors
/// When the system does not let it go.
pub fn remove_training(folder: &Path) -> Result<(), FileError> {
    remove_files(folder, &[CONFIG, MODEL, OPTIMIZER, HISTORY]).map_err(|error| FileError::writing(folder, error))
}

/// Removes what a run writes and nothing else: a wrong `--out --overwrite` must not cost anyone their files.
fn remove_run(folder: &Path) -> Result<(), FileError> {
    remove_training(folder)?;
    let results = remove_files(folder, &[SPECTRUM, SPECTRUM_PLOT, AUTO, TRIALS]);
    results.map_err(|error| FileError::writing(folder, error))?;
    [COLLAPSED, TUNED, TUNING, TRIAL].iter().try_for_each(|name| remove_folder(&folder.join(name)))
}

fn remove_files(folder: &Path, names: &[&str]) -> io::Result<()> {
    names.iter().try_for_each(|name| match std::fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_replaced_whole_or_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("tuned");
        let write = |text: &'static str| move |folder: &Path| write_atomically(&folder.join("x"), text.as_bytes());
        replace_folder(&folder, write("one")).unwrap();
        let failed = replace_folder(&folder, |staged| {
            write("half")(staged)?;
            Err(FileError::DiskFull { path: staged.join("y") })
        });
        assert!(failed.is_err());
        assert_eq!(read(&folder.join("x")).unwrap(), b"one");
        replace_folder(&folder, write("two")).unwrap();
        assert_eq!(read(&folder.join("x")).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_folder_in_use_is_refused_and_foreign_files_survive_overwrite() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        std::fs::write(path(CONFIG), "x").unwrap();
        std::fs::write(path("notes.txt"), "mine").unwrap();
        let error = prepare_output(folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("--overwrite"), "{error}");
        prepare_output(folder.path(), true).unwrap();
        assert!(!path(CONFIG).exists() && path("notes.txt").exists());
    }

    #[test]
    fn a_full_disk_is_one_clear_line_and_the_old_file_stands() {
        // Linux's /dev/full answers every write with "no space left on device".
        let error = FileError::writing(Path::new("x"), io::Error::from_raw_os_error(28));
        assert!(matches!(error, FileError::DiskFull { .. }));
        assert!(!error.to_string().contains('\n'));
    }
}
