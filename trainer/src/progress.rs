//! What the user sees while a network is trained: a bar on a terminal, a line an epoch elsewhere. All on stderr.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress through a run of many epochs.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    shown: String,
    /// When it started, and at which step.
    start: (Instant, u64),
}

impl Progress {
    /// Progress of `epochs` epochs of `steps_an_epoch` steps, `done` steps of which lie behind.
    pub fn new(label: &'static str, epochs: usize, steps_an_epoch: usize, done: usize) -> Self {
        let template = "{prefix} {wide_bar} {pos}/{len} steps, {eta} left, {msg}";
        let style = ProgressStyle::with_template(template).expect("a constant template");
        let bar = ProgressBar::with_draw_target(Some((epochs * steps_an_epoch) as u64), ProgressDrawTarget::stderr())
            .with_style(style)
            .with_prefix(label)
            .with_position(done as u64);
        // The time left counts from here, not from steps of long ago.
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress { bar, epochs, shown: String::new(), start: (Instant::now(), done as u64) }
    }

    /// No progress at all, for tests.
    pub fn hidden() -> Self {
        Progress { bar: ProgressBar::hidden(), epochs: 0, shown: String::new(), start: (Instant::now(), 0) }
    }

    /// One step more.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// The loss so far in this epoch.
    pub fn loss(&self, epoch: usize, loss: f64) {
        self.bar.set_message(format!("epoch {}/{}, loss {loss:.5}{}", epoch + 1, self.epochs, self.shown));
    }

    /// Epoch `epoch` (from 0) is over; `about` says what else is known, e.g. the rank.
    pub fn epoch(&mut self, epoch: usize, loss: f64, about: &str) {
        self.shown = if about.is_empty() { String::new() } else { format!(", {about}") };
        self.loss(epoch, loss);
        if self.bar.is_hidden() && self.epochs > 0 {
            let left = HumanDuration(self.left());
            eprintln!("epoch {}/{}: loss {loss:.5}{}; {left} left", epoch + 1, self.epochs, self.shown);
        }
    }

    /// The time that is left at the pace so far.
    fn left(&self) -> Duration {
        let (since, first) = self.start;
        let (done, all) = (self.bar.position() - first, self.bar.length().unwrap_or_default() - first);
        since.elapsed().mul_f64((all - done) as f64 / done.max(1) as f64)
    }

    /// Leaves the finished bar on the screen.
    pub fn finish(&self) {
        self.bar.abandon();
    }
}
