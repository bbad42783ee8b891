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

/// The cycle counter of Cortex-M3 and larger cores.
#[cfg(feature = "cortex-m")]
#[derive(Debug, Clone, Copy)]
pub struct Cycles {
    ticks_per_us: u32,
}

#[cfg(feature = "cortex-m")]
impl Cycles {
    /// Starts the counter, which runs at the core's clock.
    pub fn start(dcb: &mut cortex_m::peripheral::DCB, dwt: &mut cortex_m::peripheral::DWT, core_hz: u32) -> Self {
        dcb.enable_trace();
        dwt.enable_cycle_counter();
        Self { ticks_per_us: core_hz / 1_000_000 }
    }
}

#[cfg(feature = "cortex-m")]
impl Clock for Cycles {
    fn ticks(&self) -> u32 {
        cortex_m::peripheral::DWT::cycle_count()
    }

    fn ticks_per_us(&self) -> u32 {
        self.ticks_per_us
    }
}
