//! Time, for the figures that are logged.

use embedded_hal::delay::DelayNs;

/// A counter that runs all the time, and wraps around.
pub trait Clock {
    /// What it says now.
    fn ticks(&self) -> u32;
    /// Ticks in a microsecond.
    fn ticks_per_us(&self) -> u32;
}

/// Delays by watching a clock, for boards whose only timer that is.
#[derive(Debug, Clone, Copy)]
pub struct SpinDelay<C>(pub C);

impl<C: Clock> DelayNs for SpinDelay<C> {
    fn delay_ns(&mut self, ns: u32) {
        let ticks = u64::from(ns) * u64::from(self.0.ticks_per_us()) / 1_000;
        let start = self.0.ticks();
        while u64::from(self.0.ticks().wrapping_sub(start)) < ticks {}
    }
}
