//! The UART as a link. The HAL's own transmitting half (0.19) panics where it is given fewer bytes than its buffer has
//! room for, so here is another one.

use embedded_io::{ErrorType, Write, WriteReady};
use nrf52840_hal::uarte::{Error, Instance, Uarte};

/// Bytes that are sent at a time.
const CHUNK_LEN: usize = 8;

/// The transmitting half. `write` waits until its bytes are sent.
pub struct Link<T>(pub Uarte<T>);

impl<T: Instance> ErrorType for Link<T> {
    type Error = Error;
}

impl<T: Instance> Write for Link<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        // The UART reads memory by itself, and only RAM.
        let mut chunk = [0; CHUNK_LEN];
        let len = bytes.len().min(CHUNK_LEN);
        chunk[..len].copy_from_slice(&bytes[..len]);
        self.0.write(&chunk[..len])?;
        Ok(len)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<T: Instance> WriteReady for Link<T> {
    fn write_ready(&mut self) -> Result<bool, Error> {
        Ok(true)
    }
}
