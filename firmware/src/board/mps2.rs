//! Arm MPS2: FPGA images AN385 (Cortex-M3), AN386 (Cortex-M4F) and AN500 (Cortex-M7).

use super::cmsdk::{Led, Uart};

const UART0: usize = 0x4000_4000;
const FPGA_IO: usize = 0x4002_8000;
const CLOCK_HZ: u32 = 25_000_000;

/// The busy pin (LED 0) and the link (UART 0).
pub fn start() -> (Led, Uart) {
    // SAFETY: the addresses are the board's, and `start` is called once.
    unsafe { (Led::new(FPGA_IO), Uart::new(UART0, CLOCK_HZ)) }
}
