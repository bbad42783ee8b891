//! The smallest program that encodes: what an encoder adds to a sensor's firmware. It makes a packet of the first window of
//! the first case, logs nothing, and leaves with status 1 where something fails.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "it does not decode")]
#[path = "../cases.rs"]
mod cases;
mod program;
#[cfg(target_arch = "arm")]
#[path = "../vectors.rs"]
mod vectors;

use irmae_infer::format::buffer_len;
use program::Memory;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<Memory<{ buffer_len(program::ENCODER) }>> = ConstStaticCell::new(Memory::new());

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let memory = MEMORY.take();
    let packet_len = program::encode(memory);
    program::exit(packet_len.is_some())
}
