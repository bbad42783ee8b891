//! Arm MPS3 with FPGA image AN547: SSE-300 with a Cortex-M55.

use super::Board;
use super::cmsdk::{Counter, Led, Receiver, Uart};

const UART0: usize = 0x4930_3000;
const FPGA_IO: usize = 0x4930_2000;
const CLOCK_HZ: u32 = 25_000_000;

/// LED 0, UART 0, and the counter of the FPGA.
pub fn start() -> Board<Led, Uart, Receiver, Counter> {
    // SAFETY: the addresses are the board's, and `start` is called once.
    unsafe {
        Board {
            busy: Led::new(FPGA_IO),
            link: Uart::new(UART0, CLOCK_HZ),
            receiver: Receiver::new(UART0),
            clock: Counter::new(FPGA_IO, CLOCK_HZ),
        }
    }
}
