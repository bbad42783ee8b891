//! The first window of every case, from samples to a packet and back, compared with the case's files.

use bytemuck::Pod;
use irmae_infer::format::{MAX_CODE, Precision};
use irmae_infer::{Aligned, Decoder, Encoder, Model, ModelSlot, RawType, Sample, code};
use semihosting::println;

use crate::cases::{BUFFER_LEN, CASES, Case, WINDOW_LEN};
use crate::region::region;

/// Bytes of the largest packet.
const PACKET_LEN_MAX: usize = code::OVERHEAD_LEN + code::MAX_PAYLOAD_LEN;

/// All working memory but the stack.
pub struct Memory {
    buffer: Aligned<[u8; BUFFER_LEN]>,
    window: Aligned<[u8; WINDOW_LEN]>,
    code: [i16; MAX_CODE],
    packet: [u8; PACKET_LEN_MAX],
}

impl Memory {
    /// Zeros.
    pub const fn new() -> Self {
        Self {
            buffer: Aligned([0; BUFFER_LEN]),
            window: Aligned([0; WINDOW_LEN]),
            code: [0; MAX_CODE],
            packet: [0; PACKET_LEN_MAX],
        }
    }
}

/// Runs all of them.
pub fn run(memory: &mut Memory) {
    for case in CASES {
        match raw_type(case) {
            RawType::U8 => run_case::<u8>(case, memory),
            RawType::I16 => run_case::<i16>(case, memory),
            RawType::U16 => run_case::<u16>(case, memory),
            RawType::F32 => run_case::<f32>(case, memory),
        }
    }
}

fn run_case<S: Sample + Pod>(case: &Case, memory: &mut Memory) {
    let packet_len = run_encoder::<S>(case, memory);
    run_decoder::<S>(case, packet_len, memory);
}

// None is inlined, and results stay where they are, so that one model at a time is on the stack.

#[inline(never)]
fn raw_type(case: &Case) -> RawType {
    ModelSlot::new().load(case.encoder).expect("an encoder").raw_type()
}

#[inline(never)]
fn run_encoder<S: Sample + Pod>(case: &Case, memory: &mut Memory) -> usize {
    let mut slot = ModelSlot::new();
    let model = region(|| slot.load(case.encoder)).expect("a model");
    println!("load_encoder {} {}", case.name, model.buffer_len());
    let packet_len = region(|| encode::<S>(model, case.input, memory));
    println!("encode {}", case.name);
    region(|| code_once(model, packet_len, memory));
    println!("code {} {}", case.name, model.code_len());
    let expected = case.packets.split_first().expect("a packet").1;
    check(model, case, expected, &memory.packet[..packet_len]);
    packet_len
}

#[inline(never)]
fn run_decoder<S: Sample + Pod>(case: &Case, packet_len: usize, memory: &mut Memory) {
    let mut slot = ModelSlot::new();
    let model = region(|| slot.load(case.decoder)).expect("a model");
    println!("load_decoder {} {}", case.name, model.buffer_len());
    let window_len = region(|| decode::<S>(model, packet_len, memory));
    println!("decode {}", case.name);
    check(model, case, case.output, &memory.window[..window_len]);
}

/// That an integer model made what it must; real ones agree to rounding.
fn check(model: &Model<'_>, case: &Case, expected: &[u8], found: &[u8]) {
    let is_right = model.precision() != Precision::I8 || expected.starts_with(found);
    assert!(is_right, "{}: a wrong result", case.name);
}

/// From the first window of samples to a packet; gives its bytes.
#[inline(never)]
fn encode<S: Sample + Pod>(model: &Model<'_>, input: &[u8], memory: &mut Memory) -> usize {
    let samples = &bytemuck::cast_slice(input)[..model.frame().len()];
    let code = &mut memory.code[..model.code_len()];
    let mut encoder = Encoder::new(model, &mut *memory.buffer).expect("a large buffer");
    encoder.encode::<S>(samples, code).expect("a window");
    model.code().pack(code, PACKET_LEN_MAX, &mut memory.packet).expect("a large buffer")
}

/// The code that was encoded last, with the head that its packet has: quantiser and entropy coder alone.
#[inline(never)]
fn code_once(model: &Model<'_>, packet_len: usize, memory: &mut Memory) {
    let code = &memory.code[..model.code_len()];
    let [head, payload @ ..] = &mut memory.packet[..packet_len] else { return };
    model.code().encode(*head, code, payload);
}

/// From a packet to a window of samples; gives its bytes.
#[inline(never)]
fn decode<S: Sample + Pod>(model: &Model<'_>, packet_len: usize, memory: &mut Memory) -> usize {
    let code = &mut memory.code[..model.code_len()];
    model.code().unpack(&memory.packet[..packet_len], code).expect("a packet");
    let window_len = model.frame().len() * size_of::<S>();
    let samples: &mut [S] = bytemuck::cast_slice_mut(&mut memory.window[..window_len]);
    Decoder::new(model, &mut *memory.buffer).expect("a large buffer").decode(code, samples).expect("a window");
    window_len
}
