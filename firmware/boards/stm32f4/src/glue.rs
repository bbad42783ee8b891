//! What the HAL does not have in the application's terms.

use core::convert::Infallible;

use embedded_hal::digital::{self, InputPin};
use embedded_io::{ErrorKind, ErrorType, Write, WriteReady};
use stm32f4xx_hal::gpio::ExtiPin;
use stm32f4xx_hal::serial::{Instance, Tx, TxISR};

/// A pin that is low if it has fallen since it was asked last: the edge detector remembers pulses that are too short to be seen.
pub struct Falling<P>(pub P);

impl<P> digital::ErrorType for Falling<P> {
    type Error = Infallible;
}

impl<P: ExtiPin> InputPin for Falling<P> {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(!self.is_low()?)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        let has_fallen = self.0.check_interrupt();
        if has_fallen {
            self.0.clear_interrupt_pending_bit();
        }
        Ok(has_fallen)
    }
}

/// The transmitting half of a UART, by the version of `embedded-io` that the application knows.
pub struct Link<U: Instance>(pub Tx<U>);

impl<U: Instance> ErrorType for Link<U> {
    type Error = ErrorKind;
}

impl<U: Instance> Write for Link<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        loop {
            // It takes none while it has no room.
            match embedded_io_06::Write::write(&mut self.0, bytes) {
                Ok(0) if !bytes.is_empty() => (),
                Ok(len) => return Ok(len),
                Err(_) => return Err(ErrorKind::Other),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<U: Instance> WriteReady for Link<U> {
    fn write_ready(&mut self) -> Result<bool, Self::Error> {
        Ok(self.0.is_tx_empty())
    }
}
