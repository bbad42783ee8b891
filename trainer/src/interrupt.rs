//! Ctrl-C: the step under way is finished and all is saved, so that `trainer resume` goes on from there.

use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell expects of a program that Ctrl-C ended.
pub const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// A training that was interrupted and saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted in epoch {epoch} after step {step} of {steps}, and saved; {}", self.how())]
pub struct Interrupted {
    /// The run to resume; without one, what was asked for goes on when it is asked for again.
    pub run: Option<PathBuf>,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub step: usize,
    /// Steps that it has.
    pub steps: usize,
}

impl Interrupted {
    /// How to go on.
    fn how(&self) -> String {
        match &self.run {
            Some(run) => format!("go on with `trainer resume {}`", run.display()),
            None => "give the same command again to go on".into(),
        }
    }
}

/// From now on the first SIGINT, SIGTERM or SIGHUP is only [noted](requested); the second ends the program at once.
pub fn listen() {
    static LISTENING: Once = Once::new();
    let note = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            // Not `process::exit`: it would take libtorch apart while another thread computes with it.
            // SAFETY: it ends the process, and touches nothing of it.
            unsafe { nix::libc::_exit(EXIT_CODE.into()) }
        }
        eprintln!("interrupted: saving after this step (once more to stop at once)");
    };
    // Without a handler, signals end the program as they do any other.
    LISTENING.call_once(|| drop(ctrlc::set_handler(note)));
}

/// Whether an interruption has been asked for.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
