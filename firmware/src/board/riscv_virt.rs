//! QEMU's `virt` machine for 32-bit RISC-V: an NS16550 UART, and no pins.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};

use embedded_io::ReadReady as _;
use irmae_node::Clock;

use super::Board;
use super::register::Register;

const UART: usize = 0x1000_0000;
/// The transmitter takes another byte (register LSR).
const LSR_TX_EMPTY: u8 = 1 << 5;
/// A byte has come (register LSR).
const LSR_RX_READY: u8 = 1;
/// The machine's timer counts at 10 MHz.
const TICKS_PER_US: u32 = 10;

/// The UART and the timer.
pub fn start() -> Board<NoPin, Uart, Receiver, Timer> {
    // SAFETY: the address is the machine's, and `start` is called once. Offsets are those of THR, which is RBR where it is read,
    // and LSR, whose reading has no effect.
    let [data, line_status] = [UART, UART + 5].map(|address| unsafe { Register::at(address) });
    Board {
        busy: NoPin { is_high: false },
        link: Uart { data, line_status },
        receiver: Receiver { data, line_status },
        clock: Timer,
    }
}

/// The transmitting half of the UART. The emulated one needs no set-up.
pub struct Uart {
    data: Register<u8>,
    line_status: Register<u8>,
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl embedded_io::Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.flush()?;
            self.data.write(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.line_status.read() & LSR_TX_EMPTY == 0 {}
        Ok(())
    }
}

impl embedded_io::WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.line_status.read() & LSR_TX_EMPTY != 0)
    }
}

/// The receiving half of the UART.
pub struct Receiver {
    data: Register<u8>,
    line_status: Register<u8>,
}

impl embedded_io::ErrorType for Receiver {
    type Error = Infallible;
}

impl embedded_io::ReadReady for Receiver {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.line_status.read() & LSR_RX_READY != 0)
    }
}

impl embedded_io::Read for Receiver {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(byte) = bytes.first_mut() else { return Ok(0) };
        while !self.read_ready()? {}
        *byte = self.data.read();
        Ok(1)
    }
}

/// The machine's timer.
#[derive(Clone, Copy)]
pub struct Timer;

impl Clock for Timer {
    fn ticks(&self) -> u32 {
        riscv::register::time::read() as u32
    }

    fn ticks_per_us(&self) -> u32 {
        TICKS_PER_US
    }
}

/// Stands in for a pin where there is none, and remembers its level.
pub struct NoPin {
    is_high: bool,
}

impl ErrorType for NoPin {
    type Error = Infallible;
}

impl OutputPin for NoPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.is_high = false;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.is_high = true;
        Ok(())
    }
}
