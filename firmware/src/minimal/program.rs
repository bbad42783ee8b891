//! What both programs have in common: memory, encoding, and the end.

// Linked for its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;

use core::{hint::black_box, panic::PanicInfo};

use irmae_infer::{Aligned, Encoder, Model, ModelSlot};
use semihosting::process;

use crate::cases::CASES;

/// Values of the code, and bytes of the packet, at most.
const CODE_LEN_MAX: usize = 64;

/// The encoder's file. A constant, so that the rest of the case is not linked.
pub const ENCODER: &[u8] = CASES[0].encoder;
const INPUT: &[u8] = CASES[0].input;

/// All working memory but the stack.
pub struct Memory<const BUFFER_LEN: usize> {
    /// The network's.
    pub buffer: Aligned<[u8; BUFFER_LEN]>,
    /// As it was encoded, then as it was received.
    pub code: [i16; CODE_LEN_MAX],
    /// What goes over the link.
    pub packet: [u8; CODE_LEN_MAX],
}

impl<const BUFFER_LEN: usize> Memory<BUFFER_LEN> {
    /// Zeros.
    pub const fn new() -> Self {
        Self { buffer: Aligned([0; BUFFER_LEN]), code: [0; CODE_LEN_MAX], packet: [0; CODE_LEN_MAX] }
    }
}

/// Loads the encoder, makes a packet of the window, and gives its length.
#[inline(never)]
pub fn encode<const BUFFER_LEN: usize>(memory: &mut Memory<BUFFER_LEN>) -> Option<usize> {
    encode_with(ModelSlot::new().load(black_box(ENCODER)).ok()?, memory)
}

#[inline(never)]
fn encode_with<const BUFFER_LEN: usize>(model: &Model<'_>, memory: &mut Memory<BUFFER_LEN>) -> Option<usize> {
    let samples = black_box(INPUT).get(..model.frame().len())?;
    let code = memory.code.get_mut(..model.code_len())?;
    Encoder::new(model, &mut *memory.buffer).ok()?.encode(samples, code).ok()?;
    let packet_len = model.code().pack(code, CODE_LEN_MAX, &mut memory.packet).ok()?;
    black_box(&memory.packet);
    Some(packet_len)
}

/// Ends the program.
pub fn exit(is_done: bool) -> ! {
    process::exit(i32::from(!is_done))
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
