//! The smallest program that encodes and decodes: as `encoder.rs`, with the way back.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "it does not say names")]
#[path = "../cases.rs"]
mod cases;
mod decode;
mod program;
#[cfg(target_arch = "arm")]
#[path = "../vectors.rs"]
mod vectors;

use program::Memory;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<Memory<{ cases::BUFFER_LEN }>> = ConstStaticCell::new(Memory::new());
static WINDOW: ConstStaticCell<[u8; cases::WINDOW_LEN]> = ConstStaticCell::new([0; cases::WINDOW_LEN]);

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let (memory, window) = (MEMORY.take(), WINDOW.take());
    let done = program::encode(memory).and_then(|packet_len| decode::decode(memory, packet_len, window));
    program::exit(done.is_some())
}
