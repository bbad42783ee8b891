//! Arm MPS2: FPGA images AN385 (Cortex-M3), AN386 (Cortex-M4F) and AN500 (Cortex-M7).

use super::Board;
use super::cmsdk::{self, Counter, Led, Receiver, Uart};

const UART0: usize = 0x4000_4000;
const FPGA_IO: usize = 0x4002_8000;

/// LED 0, UART 0, and the counter of the FPGA.
pub fn start() -> Board<Led, Uart, Receiver, Counter> {
    // SAFETY: the addresses are the board's, and `start` is called once.
    unsafe { cmsdk::board(UART0, FPGA_IO) }
}
