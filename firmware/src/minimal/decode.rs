//! Decoding, which only the larger program does.

use core::hint::black_box;

use irmae_infer::{Decoder, Model, ModelSlot};

use crate::cases::{BUFFER_LEN, CASES};
use crate::program::Memory;

const DECODER: &[u8] = CASES[0].decoder;

/// Loads the decoder, and makes a window of the packet.
#[inline(never)]
pub fn decode(memory: &mut Memory<BUFFER_LEN>, packet_len: usize, window: &mut [u8]) -> Option<()> {
    decode_with(ModelSlot::new().load(black_box(DECODER)).ok()?, memory, packet_len, window)
}

#[inline(never)]
fn decode_with(model: &Model<'_>, memory: &mut Memory<BUFFER_LEN>, packet_len: usize, window: &mut [u8]) -> Option<()> {
    let code = memory.code.get_mut(..model.code_len())?;
    model.code().unpack(memory.packet.get(..packet_len)?, code).ok()?;
    let samples = window.get_mut(..model.frame().len())?;
    Decoder::new(model, &mut *memory.buffer).ok()?.decode(code, samples).ok()?;
    black_box(window);
    Some(())
}
