//! What Arm's FPGA boards have in common: the UART of the Cortex-M System Design Kit, LEDs and a counter.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};
use embedded_io::ReadReady as _;
use irmae_node::Clock;

use super::Board;
use super::register::Register;

/// Bits per second of the link.
const BAUD_RATE: u32 = 115_200;

/// The transmitter's register is full (register STATE).
const STATE_TX_FULL: u32 = 1;
/// A byte has come (register STATE).
const STATE_RX_FULL: u32 = 1 << 1;
/// Transmitter and receiver are on (register CTRL).
const CTRL_ENABLE: u32 = 0b11;
/// Offset of the counter in the FPGA's register block, and that of its prescaler.
const COUNTER: usize = 0x18;
const PRESCALER: usize = 0x1c;

/// The transmitting half of a UART.
pub struct Uart {
    data: Register<u32>,
    state: Register<u32>,
}

impl Uart {
    /// The UART whose registers start at `base`, which is switched on.
    ///
    /// # Safety
    /// There is one, and nothing but one [`Receiver`] else uses it.
    pub(super) unsafe fn new(base: usize, clock_hz: u32) -> Self {
        // SAFETY: promised by the caller; offsets are those of DATA, STATE, CTRL and BAUDDIV.
        let [data, state, mut ctrl, mut baud_divider] =
            [0x00, 0x04, 0x08, 0x10].map(|offset| unsafe { Register::at(base + offset) });
        baud_divider.write(clock_hz / BAUD_RATE);
        ctrl.write(CTRL_ENABLE);
        Self { data, state }
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl embedded_io::Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.flush()?;
            self.data.write(u32::from(byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.state.read() & STATE_TX_FULL != 0 {}
        Ok(())
    }
}

impl embedded_io::WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.state.read() & STATE_TX_FULL == 0)
    }
}

/// What lies at these addresses of an MPS board, whose clock is that of all of them.
///
/// # Safety
/// They are the board's, and nothing else uses them.
pub(super) unsafe fn board(uart: usize, fpga_io: usize) -> Board<Led, Uart, Receiver, Counter> {
    const CLOCK_HZ: u32 = 25_000_000;
    // SAFETY: promised by the caller.
    unsafe {
        Board {
            busy: Led::new(fpga_io),
            link: Uart::new(uart, CLOCK_HZ),
            receiver: Receiver::new(uart),
            clock: Counter::new(fpga_io, CLOCK_HZ),
        }
    }
}

/// The receiving half of a UART, which holds a byte.
pub struct Receiver {
    data: Register<u32>,
    state: Register<u32>,
}

impl Receiver {
    /// Of the UART whose registers start at `base`.
    ///
    /// # Safety
    /// There is one, and nothing but one [`Uart`] else uses it.
    pub(super) unsafe fn new(base: usize) -> Self {
        // SAFETY: promised by the caller; offsets are those of DATA and STATE, whose reading has no effect on a transmitter.
        let [data, state] = [0x00, 0x04].map(|offset| unsafe { Register::at(base + offset) });
        Self { data, state }
    }
}

impl embedded_io::ErrorType for Receiver {
    type Error = Infallible;
}

impl embedded_io::ReadReady for Receiver {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.state.read() & STATE_RX_FULL != 0)
    }
}

impl embedded_io::Read for Receiver {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(byte) = bytes.first_mut() else { return Ok(0) };
        while !self.read_ready()? {}
        *byte = self.data.read() as u8;
        Ok(1)
    }
}

/// A counter that runs at the FPGA's clock.
#[derive(Clone, Copy)]
pub struct Counter {
    counter: Register<u32>,
    clock_hz: u32,
}

impl Counter {
    /// The counter in the FPGA's register block at `base`, without a prescaler.
    ///
    /// # Safety
    /// There is one, and nothing else sets it.
    pub(super) unsafe fn new(base: usize, clock_hz: u32) -> Self {
        // SAFETY: promised by the caller.
        let [counter, mut prescaler] = [COUNTER, PRESCALER].map(|offset| unsafe { Register::at(base + offset) });
        prescaler.write(0);
        Self { counter, clock_hz }
    }
}

impl Clock for Counter {
    fn ticks(&self) -> u32 {
        self.counter.read()
    }

    fn ticks_per_us(&self) -> u32 {
        self.clock_hz / 1_000_000
    }
}

/// The first user LED, as an output pin.
pub struct Led {
    leds: Register<u32>,
}

impl Led {
    /// The LED in the FPGA's register block at `base`.
    ///
    /// # Safety
    /// There is one, and nothing else uses it.
    pub(super) unsafe fn new(base: usize) -> Self {
        // SAFETY: promised by the caller; the LEDs come first.
        Self { leds: unsafe { Register::at(base) } }
    }
}

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.leds.write(0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.leds.write(1);
        Ok(())
    }
}
