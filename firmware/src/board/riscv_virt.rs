//! QEMU's `virt` machine for 32-bit RISC-V: an NS16550 UART, and no pins.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};

use super::register::Register;

const UART: usize = 0x1000_0000;
/// The transmitter takes another byte (register LSR).
const LSR_TX_EMPTY: u8 = 1 << 5;

/// The busy pin and the link.
pub fn start() -> (NoPin, Uart) {
    // SAFETY: the address is the machine's, and `start` is called once. Offsets are those of THR and LSR.
    let (data, line_status) = unsafe { (Register::at(UART), Register::at(UART + 5)) };
    (NoPin { is_high: false }, Uart { data, line_status })
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
