//! The runs of a sweep, some at a time, each step in a process of its own.

use std::fs::{self, File, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::HumanDuration;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::Deserialize;

use super::{Packets, Plan, Report, Row, RunReport, SweepError, TunePlan};
use crate::config::RunConfig;
use crate::export::REPORT;
use crate::files::{self, FileError};
use crate::tune::TuneReport;
use crate::{interrupt, run, train};

/// How often a process is looked after.
const POLL: Duration = Duration::from_millis(50);

/// How to do a sweep.
#[derive(Debug)]
pub struct Options {
    /// Folder of the sweep, in which every run has its own.
    pub folder: PathBuf,
    /// Runs side by side.
    pub jobs: usize,
    /// This program.
    pub program: PathBuf,
    /// `--device` of every step.
    pub device: String,
    /// `--quantize` of the export: `f32`, `f16` or `i8`.
    pub precision: String,
}

/// Why a run is not done.
enum Undone {
    /// Ctrl-C.
    Interrupted,
    /// What its last step said.
    Failed(String),
}

impl From<FileError> for Undone {
    fn from(error: FileError) -> Self {
        Undone::Failed(error.to_string())
    }
}

/// A run at work.
struct Work<'a> {
    plan: &'a Plan,
    options: &'a Options,
    /// Its folder in the sweep's; the run itself lies in `run` there.
    folder: PathBuf,
    /// Held by every process of the sweep, as its standard input.
    lock: &'a File,
}

/// Does what is left to do of `plans`, which are those of a file.
///
/// # Errors
/// When the folder is in use or holds runs with other settings, and on Ctrl-C. Runs that fail are in the report.
pub fn run(plans: &[Plan], options: &Options) -> Result<Report, SweepError> {
    let lock = lock(&options.folder)?;
    let work = |plan| Work { plan, options, folder: options.folder.join(&plan.name), lock: &lock };
    let works: Vec<Work<'_>> = plans.iter().map(work).collect();
    works.iter().try_for_each(Work::prepare)?;
    let results: Vec<Mutex<Option<RunReport>>> = works.iter().map(|_| Mutex::new(None)).collect();
    let (next, done, start) = (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now());
    let work_on = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(work) = works.get(index) else { return };
            let name = work.plan.name.clone();
            let report = match work.result() {
                Ok(row) => RunReport::Done(row),
                Err(Undone::Failed(error)) => RunReport::Failed { name: name.clone(), error },
                Err(Undone::Interrupted) => return,
            };
            *results[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            let left = start.elapsed().mul_f64((works.len() - done) as f64 / done as f64);
            eprintln!("{done}/{} runs, {name} last; {} left", works.len(), HumanDuration(left));
        }
    };
    thread::scope(|scope| (0..options.jobs).for_each(|_| drop(scope.spawn(work_on))));
    let results = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
    let runs = results.collect::<Option<Vec<_>>>();
    runs.map(|runs| Report { runs }).ok_or_else(|| SweepError::Interrupted { path: options.folder.clone() })
}

/// A lock on the sweep's folder, which stays while anyone has the file open.
fn lock(folder: &Path) -> Result<File, SweepError> {
    let path = folder.join(".lock");
    let io_error = |cause| FileError::Io { path: path.clone(), cause };
    fs::create_dir_all(folder).map_err(io_error)?;
    let file = File::create(&path).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SweepError::Busy { path: folder.into() }),
        Err(TryLockError::Error(cause)) => Err(io_error(cause).into()),
    }
}

impl Work<'_> {
    /// Writes down the settings, or compares them with those of an earlier sweep.
    fn prepare(&self) -> Result<(), SweepError> {
        let path = self.folder.join("sweep.toml");
        let tune = self.plan.tune.as_ref().map(|tune| toml::to_string(tune).expect("plain data"));
        let text = format!("{}\n# tune\n{}", self.plan.config, tune.unwrap_or_default());
        if !path.exists() {
            files::write_atomically(&self.folder.join(files::CONFIG), self.plan.config.as_bytes())?;
            return Ok(files::write_atomically(&path, text.as_bytes())?);
        }
        let is_same = files::read_text(&path)? == text;
        if is_same { Ok(()) } else { Err(SweepError::OtherSettings { path: self.folder.clone() }) }
    }

    /// What the run gives, once its steps are done.
    fn result(&self) -> Result<Row, Undone> {
        let path = self.folder.join("result.json");
        if let Ok(row) = files::read_json::<Row>(&path)
            && row.precision == self.options.precision
        {
            return Ok(row);
        }
        let (run, model) = (self.folder.join("run"), self.folder.join("model"));
        self.train(&run)?;
        if let Some(tune) = &self.plan.tune {
            self.tune(&run, tune)?;
        }
        let (run_text, model_text) = (text(&run), text(&model));
        self.step("export", &["export", &run_text, "--quantize", &self.options.precision, "--out", &model_text])?;
        self.step("eval", &["eval", &run_text, "--model", &model_text])?;
        let row = self.row(&run, &model)?;
        files::write_json(&path, &row)?;
        Ok(row)
    }

    fn train(&self, run: &Path) -> Result<(), Undone> {
        let config = text(&self.folder.join(files::CONFIG));
        match run::epochs_done(run) {
            None => self.step("train", &["train", "--config", &config, "--out", &text(run), "--overwrite"]),
            Some(done) if done >= RunConfig::load(run)?.training.epochs => Ok(()),
            Some(_) => self.step("train", &["resume", &text(run)]),
        }
    }

    fn tune(&self, run: &Path, tune: &TunePlan) -> Result<(), Undone> {
        let folder = text(run);
        if run.join(files::TUNED).exists() {
            return Ok(());
        }
        if run.join(files::TUNING).exists() {
            return self.step("tune", &["resume", &folder]);
        }
        let bytes: Vec<String> = tune.bytes.iter().map(usize::to_string).collect();
        let options = [
            ("--bytes", (!bytes.is_empty()).then(|| bytes.join(","))),
            ("--epochs", tune.epochs.map(|n| n.to_string())),
            ("--lr", tune.lr.map(|rate| rate.to_string())),
            ("--batch-size", tune.batch_size.map(|n| n.to_string())),
        ];
        let options = options.iter().filter_map(|(name, value)| Some([*name, value.as_deref()?]));
        let arguments: Vec<&str> = ["tune", &folder].into_iter().chain(options.flatten()).collect();
        self.step("tune", &arguments)
    }

    /// Lets a process of this program do a step. What it says is in files of the step's name.
    fn step(&self, name: &str, arguments: &[&str]) -> Result<(), Undone> {
        if interrupt::requested() {
            return Err(Undone::Interrupted);
        }
        eprintln!("{}: {name}", self.plan.name);
        let log = self.folder.join(format!("{name}.log"));
        let status = self.start(name, arguments, &log).and_then(wait);
        let status = status.map_err(|cause| FileError::Io { path: self.options.program.clone(), cause })?;
        if status.success() {
            return Ok(());
        }
        if interrupt::requested() {
            return Err(Undone::Interrupted);
        }
        let said = files::read_text(&log).unwrap_or_default();
        let last = said.lines().last().unwrap_or("no word").trim_start_matches("error: ");
        Err(Undone::Failed(format!("{name}: {last} ({status}; {})", log.display())))
    }

    fn start(&self, name: &str, arguments: &[&str], log: &Path) -> std::io::Result<Child> {
        let threads = thread::available_parallelism().map_or(1, usize::from) / self.options.jobs;
        let mut command = Command::new(&self.options.program);
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", threads.max(1).to_string());
        }
        command
            .args(arguments)
            .args(["--device", &self.options.device, "--json"])
            .stdin(self.lock.try_clone()?)
            .stdout(File::create(self.folder.join(format!("{name}.json")))?)
            .stderr(File::create(log)?)
            // A terminal's Ctrl-C goes to this process alone, which passes it on once.
            .process_group(0)
            .spawn()
    }

    fn row(&self, run: &Path, model: &Path) -> Result<Row, FileError> {
        #[derive(Deserialize)]
        struct Exported {
            rank: usize,
        }
        #[derive(Deserialize)]
        struct Evaluated {
            packets: Vec<Packets>,
        }
        let mut seconds = train::read_history(run)?.iter().map(|epoch| epoch.seconds).sum();
        if self.plan.tune.is_some() {
            seconds += files::read_json::<TuneReport>(&run.join(files::TUNED).join(files::TUNE))?.seconds;
        }
        Ok(Row {
            name: self.plan.name.clone(),
            settings: self.plan.settings.clone(),
            precision: self.options.precision.clone(),
            rank: files::read_json::<Exported>(&model.join(REPORT))?.rank,
            seconds,
            packets: files::read_json::<Evaluated>(&self.folder.join("eval.json"))?.packets,
        })
    }
}

/// Waits for a process, and passes an interruption on.
fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    let mut is_told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt::requested() && !is_told {
            is_told = true;
            // It may have ended just now.
            let _ = signal::kill(Pid::from_raw(child.id() as i32), Signal::SIGINT);
        }
        thread::sleep(POLL);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
