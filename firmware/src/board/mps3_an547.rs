//! Arm MPS3 with FPGA image AN547: SSE-300 with a Cortex-M55.

use super::cmsdk::{Led, Uart};

const UART0: usize = 0x4930_3000;
const FPGA_IO: usize = 0x4930_2000;
const CLOCK_HZ: u32 = 25_000_000;

/// The busy pin (LED 0) and the link (UART 0).
pub fn start() -> (Led, Uart) {
    // SAFETY: the addresses are the board's, and `start` is called once.
    unsafe { (Led::new(FPGA_IO), Uart::new(UART0, CLOCK_HZ)) }
}
