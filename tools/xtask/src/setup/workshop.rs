//! The one place where set-up works: under a lock, in a temporary folder beside the goal, with a log.

use super::SetupError;
use crate::env::Env;
use fs4::FileExt;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

/// Temporary folders start so; what an interrupted set-up left is swept by the next.
const PARTIAL: &str = ".partial-";

/// How often a running download is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A locked cache to build in.
pub(super) struct Workshop {
    env: Env,
    log: PathBuf,
    /// Held open: closing it releases the lock, also when the process is killed.
    _lock: File,
}

impl Workshop {
    /// Locks the cache, waiting for another set-up to end, and clears what an interrupted one left.
    pub(super) fn open(env: &Env) -> Result<Workshop, SetupError> {
        let cache = &env.cache;
        fs::create_dir_all(cache).map_err(SetupError::io(cache))?;
        let lock = lock(&cache.join(".setup.lock"))?;
        sweep(cache).map_err(SetupError::io(cache))?;
        let log = cache.join("setup.log");
        File::create(&log).map_err(SetupError::io(&log))?;
        Ok(Workshop { env: env.clone(), log, _lock: lock })
    }

    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    /// A temporary folder on the cache's own file system, gone when dropped.
    pub(super) fn stage(&self) -> Result<TempDir, SetupError> {
        tempfile::Builder::new().prefix(PARTIAL).tempdir_in(&self.env.cache).map_err(SetupError::io(&self.env.cache))
    }

    /// Moves a finished folder to its goal in one step, so that nobody ever sees half of it.
    pub(super) fn publish(&self, finished: &Path, goal: &Path) -> Result<(), SetupError> {
        if let Some(parent) = goal.parent() {
            fs::create_dir_all(parent).map_err(SetupError::io(parent))?;
        }
        let old = self.stage()?;
        if goal.exists() {
            // A folder that holds something cannot be renamed over; the damaged one goes with `old`.
            fs::rename(goal, old.path().join("old")).map_err(SetupError::io(goal))?;
        }
        fs::rename(finished, goal).map_err(SetupError::io(goal))
    }

    /// Runs a program to its end, its output into the log. `what` names the doing in an error.
    pub(super) fn run(&self, what: &str, command: &mut Command) -> Result<(), SetupError> {
        self.run_with(what, command, |child| child.wait())
    }

    /// Runs a download, a bar showing how much of `bytes` has come to lie under `folder`.
    pub(super) fn download(
        &self,
        what: &str,
        bytes: u64,
        folder: &Path,
        command: &mut Command,
    ) -> Result<(), SetupError> {
        eprintln!("{what}: downloading {} MB", bytes.div_ceil(1_000_000));
        let bar = ProgressBar::new(bytes).with_style(bar_style());
        self.run_with(&format!("downloading {what}"), command, |child| {
            loop {
                if let Some(status) = child.try_wait()? {
                    bar.finish_and_clear();
                    return Ok(status);
                }
                bar.set_position(folder_bytes(folder));
                sleep(POLL);
            }
        })
    }

    fn run_with(
        &self,
        what: &str,
        command: &mut Command,
        wait: impl FnOnce(&mut Child) -> io::Result<ExitStatus>,
    ) -> Result<(), SetupError> {
        let in_log = || SetupError::io(&self.log);
        let mut log = File::options().append(true).read(true).open(&self.log).map_err(in_log())?;
        let start = log.seek(SeekFrom::End(0)).map_err(in_log())?;
        let mut child = command
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(in_log())?)
            .stderr(log.try_clone().map_err(in_log())?)
            .spawn()
            .map_err(|source| SetupError::start(command, source))?;
        if wait(&mut child).map_err(in_log())?.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        // The log only explains the failure; one that cannot be read back changes nothing about it.
        let _ = log.seek(SeekFrom::Start(start)).and_then(|_| log.read_to_end(&mut said));
        let detail = telling_line(&String::from_utf8_lossy(&said)).map(str::to_string);
        Err(SetupError::Failed { what: what.into(), detail, log: self.log.clone() })
    }
}

fn bar_style() -> ProgressStyle {
    let template = "  {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn lock(path: &Path) -> Result<File, SetupError> {
    let file = File::create(path).map_err(SetupError::io(path))?;
    // Named in full: newer standard libraries have methods of the same name that our oldest Rust lacks.
    if FileExt::try_lock(&file).is_err() {
        eprintln!("another set-up is running: waiting for it");
        FileExt::lock(&file).map_err(SetupError::io(path))?;
    }
    Ok(file)
}

/// Removes old temporary folders; one that a dying download still writes to is left for the next time.
fn sweep(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// The last line that is fit to show: one that names a host helps nobody and may name a private mirror.
fn telling_line(said: &str) -> Option<&str> {
    const HOST_MARKS: [&str; 6] = ["://", "host=", ".org", ".com", ".net", ".io"];
    said.lines().map(str::trim).rfind(|line| !line.is_empty() && !HOST_MARKS.iter().any(|mark| line.contains(mark)))
}

/// All bytes of all files under a folder; what vanishes meanwhile counts nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Refuses a file whose sha256 is not the pinned one.
pub(super) fn verify(path: &Path, expected: &str) -> Result<(), SetupError> {
    let mut file = File::open(path).map_err(SetupError::io(path))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(SetupError::io(path))?;
    let found = format!("{:x}", hash.finalize());
    if found == expected {
        return Ok(());
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Err(SetupError::Checksum { name, found, expected: expected.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workshop() -> (TempDir, Workshop) {
        let dir = tempfile::tempdir().unwrap();
        let env = Env { root: dir.path().into(), cache: dir.path().join("cache") };
        let workshop = Workshop::open(&env).unwrap();
        (dir, workshop)
    }

    #[test]
    fn publish_replaces_a_damaged_goal_whole() {
        let (_dir, workshop) = workshop();
        let goal = workshop.env().cache.join("data/thing");
        fs::create_dir_all(&goal).unwrap();
        fs::write(goal.join("damaged"), b"x").unwrap();
        let stage = workshop.stage().unwrap();
        let finished = stage.path().join("out");
        fs::create_dir(&finished).unwrap();
        fs::write(finished.join("whole"), b"y").unwrap();
        workshop.publish(&finished, &goal).unwrap();
        assert_eq!(fs::read(goal.join("whole")).unwrap(), b"y");
        assert!(!goal.join("damaged").exists() && !finished.exists());
    }

    #[test]
    fn what_an_interrupted_setup_left_is_swept() {
        let (_dir, workshop) = workshop();
        let env = workshop.env().clone();
        drop(workshop);
        let left = env.cache.join(".partial-abc");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("half"), b"x").unwrap();
        Workshop::open(&env).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_second_setup_waits_for_the_lock() {
        let (_dir, workshop) = workshop();
        let env = workshop.env().clone();
        let second = std::thread::spawn(move || Workshop::open(&env).map(|_| ()));
        sleep(Duration::from_millis(50));
        assert!(!second.is_finished());
        drop(workshop);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn a_failed_program_is_named_with_its_last_telling_line() {
        let (_dir, workshop) = workshop();
        let script = "echo 'No space left on device'; echo 'see https://example.org'; exit 3";
        let error = workshop.run("work", Command::new("sh").args(["-c", script])).unwrap_err();
        let SetupError::Failed { detail, log, .. } = error else { panic!("{error}") };
        assert_eq!(detail.as_deref(), Some("No space left on device"));
        assert!(fs::read_to_string(log).unwrap().contains("example.org"));
        let error = workshop.run("work", &mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }

    #[test]
    fn verify_names_both_sums() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        fs::write(&path, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&path, abc).unwrap();
        fs::write(&path, b"abd").unwrap();
        let message = verify(&path, abc).unwrap_err().to_string();
        assert!(message.starts_with("abc is not the expected file") && message.contains(abc));
    }

    #[test]
    fn bytes_are_counted_through_folders() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/a"), [0; 3]).unwrap();
        fs::write(dir.path().join("b"), [0; 4]).unwrap();
        assert_eq!(folder_bytes(dir.path()), 7);
        assert_eq!(folder_bytes(&dir.path().join("none")), 0);
    }
}
