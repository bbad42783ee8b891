//! What Arm's FPGA boards have in common: the UART of the Cortex-M System Design Kit, and LEDs.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};

use super::register::Register;

/// Bits per second of the link.
const BAUD_RATE: u32 = 115_200;

/// The transmitter's register is full (register STATE).
const STATE_TX_FULL: u32 = 1;
/// The transmitter is on (register CTRL).
const CTRL_TX_ENABLE: u32 = 1;

/// The transmitting half of a UART.
pub struct Uart {
    data: Register<u32>,
    state: Register<u32>,
}

impl Uart {
    /// The UART whose registers start at `base`, its transmitter on.
    ///
    /// # Safety
    /// There is one, and nothing else uses it.
    pub(super) unsafe fn new(base: usize, clock_hz: u32) -> Self {
        // SAFETY: promised by the caller; offsets are those of DATA, STATE, CTRL and BAUDDIV.
        let [data, state, mut ctrl, mut baud_divider] =
            [0x00, 0x04, 0x08, 0x10].map(|offset| unsafe { Register::at(base + offset) });
        baud_divider.write(clock_hz / BAUD_RATE);
        ctrl.write(CTRL_TX_ENABLE);
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
