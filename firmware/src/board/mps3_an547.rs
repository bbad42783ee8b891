//! Arm MPS3 with FPGA image AN547: SSE-300 with a Cortex-M55.

use super::Board;
use super::cmsdk::{self, Counter, Led, Receiver, Uart};

const UART0: usize = 0x4930_3000;
const FPGA_IO: usize = 0x4930_2000;

/// LED 0, UART 0, and the counter of the FPGA.
pub fn start() -> Board<Led, Uart, Receiver, Counter> {
    // SAFETY: the addresses are the board's, and `start` is called once.
    unsafe { cmsdk::board(UART0, FPGA_IO) }
}
