//! The program, whatever the board: every window of every case is encoded, sent, decoded, and compared with the golden
//! files at each step.

use bytemuck::Pod;
use embedded_hal::digital::OutputPin;
use embedded_io::Write;
use heapless::Vec;
use irmae_infer::{Aligned, Decoder, Encoder, Model, RawType, Sample, code, format::MAX_CODE};

use crate::cases::{BUFFER_LEN, Case, WINDOW_LEN};
use crate::failure::{Failure, Part};

/// Bytes of a packet, at most.
const PACKET_LEN_MAX: usize = code::OVERHEAD_LEN + code::MAX_PAYLOAD_LEN;

/// What the buffer holds before each use: a network that reads bytes which it did not write shows.
const STALE: u8 = 0xa5;

/// A packet as it goes over the link.
type Packet = Vec<u8, PACKET_LEN_MAX>;

/// All working memory but the stack.
pub struct Memory {
    /// For encoder and decoder in turn.
    buffer: Aligned<[u8; BUFFER_LEN]>,
    /// The decoded window.
    window: Aligned<[u8; WINDOW_LEN]>,
    /// As it was encoded, then as it was received.
    code: [i16; MAX_CODE],
}

impl Memory {
    /// Zeros.
    pub const fn new() -> Self {
        Self { buffer: Aligned([0; BUFFER_LEN]), window: Aligned([0; WINDOW_LEN]), code: [0; MAX_CODE] }
    }
}

/// How many cases came out as they must.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Cases without a difference.
    pub passed: usize,
    /// Others.
    pub failed: usize,
}

/// What a case that passed took.
struct Figures {
    windows: usize,
    packet_bytes: usize,
    encoder_buffer: usize,
    decoder_buffer: usize,
}

/// Runs all `cases`. `busy` is high while a window is encoded, so that a logic analyser sees the time; packets go out on
/// `link`.
pub fn run<P: OutputPin, L: Write>(cases: &[Case], busy: &mut P, link: &mut L, memory: &mut Memory) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        match run_case(case, busy, link, memory) {
            Ok(figures) => {
                tally.passed += 1;
                defmt::info!(
                    "{=str}: {=usize} windows in {=usize} bytes, buffers of {=usize} and {=usize} bytes: passed",
                    case.name,
                    figures.windows,
                    figures.packet_bytes,
                    figures.encoder_buffer,
                    figures.decoder_buffer
                );
            }
            Err(failure) => {
                tally.failed += 1;
                defmt::error!("{=str}: {}", case.name, failure);
            }
        }
    }
    defmt::println!("{=usize} passed, {=usize} failed", tally.passed, tally.failed);
    tally
}

fn run_case<P: OutputPin, L: Write>(
    case: &Case,
    busy: &mut P,
    link: &mut L,
    memory: &mut Memory,
) -> Result<Figures, Failure> {
    let encoder = Model::load(case.encoder)?;
    let decoder = Model::load(case.decoder)?.expect_id(encoder.id())?;
    let models = [&encoder, &decoder];
    let windows = match encoder.raw_type() {
        RawType::U8 => run_windows::<u8, P, L>(case, models, busy, link, memory),
        RawType::I16 => run_windows::<i16, P, L>(case, models, busy, link, memory),
        RawType::U16 => run_windows::<u16, P, L>(case, models, busy, link, memory),
        RawType::F32 => run_windows::<f32, P, L>(case, models, busy, link, memory),
    }?;
    Ok(Figures {
        windows,
        packet_bytes: case.packets.len(),
        encoder_buffer: encoder.buffer_len(),
        decoder_buffer: decoder.buffer_len(),
    })
}

/// Runs the windows of a case and returns how many there are.
fn run_windows<S: Sample + Pod, P: OutputPin, L: Write>(
    case: &Case,
    [encoder, decoder]: [&Model<'_>; 2],
    busy: &mut P,
    link: &mut L,
    memory: &mut Memory,
) -> Result<usize, Failure> {
    let samples: &[S] = bytemuck::try_cast_slice(case.input).map_err(|_| Failure::Windows)?;
    let window_len = encoder.frame().len();
    let inputs = samples.chunks_exact(window_len);
    let outputs = case.output.chunks_exact(window_len * size_of::<S>());
    let windows = inputs.len();
    if windows == 0 || outputs.len() != windows || case.output.len() != case.input.len() {
        return Err(Failure::Windows);
    }
    let mut packets = case.packets;
    for (window, (input, output)) in inputs.zip(outputs).enumerate() {
        let packet = encode(encoder, input, busy, memory)?;
        // As in a file of packets.
        link.write_all(&[packet.len() as u8]).map_err(Failure::link)?;
        link.write_all(&packet).map_err(Failure::link)?;
        Failure::check(window, Part::Packet, &packet, take_packet(&mut packets))?;
        let decoded = decode::<S>(decoder, &packet, memory)?;
        Failure::check(window, Part::Output, bytemuck::cast_slice(decoded), output)?;
    }
    link.flush().map_err(Failure::link)?;
    if packets.is_empty() { Ok(windows) } else { Err(Failure::Windows) }
}

/// A sensor node's work: from a window of samples to a packet.
fn encode<S: Sample, P: OutputPin>(
    model: &Model<'_>,
    samples: &[S],
    busy: &mut P,
    memory: &mut Memory,
) -> Result<Packet, Failure> {
    let code = memory.code.get_mut(..model.code_len()).ok_or(Failure::Windows)?;
    memory.buffer.fill(STALE);
    let mut encoder = Encoder::new(model, &mut *memory.buffer)?;
    busy.set_high().map_err(Failure::pin)?;
    let outcome = encoder.encode(samples, code);
    busy.set_low().map_err(Failure::pin)?;
    outcome?;
    let mut bytes = [0; PACKET_LEN_MAX];
    let len = model.code().pack(code, PACKET_LEN_MAX, &mut bytes)?;
    Ok(bytes[..len].iter().copied().collect())
}

/// A receiver's work: from a packet to a window of samples.
fn decode<'m, S: Sample + Pod>(model: &Model<'_>, packet: &[u8], memory: &'m mut Memory) -> Result<&'m [S], Failure> {
    let code = memory.code.get_mut(..model.code_len()).ok_or(Failure::Windows)?;
    model.code().unpack(packet, code)?;
    let bytes = memory.window.get_mut(..model.frame().len() * size_of::<S>()).ok_or(Failure::Windows)?;
    let samples = bytemuck::try_cast_slice_mut(bytes).map_err(|_| Failure::Windows)?;
    memory.buffer.fill(STALE);
    Decoder::new(model, &mut *memory.buffer)?.decode(code, samples)?;
    Ok(samples)
}

/// The next packet of a file of packets, each after a byte that counts it; what is there where it is cut short.
fn take_packet<'p>(packets: &mut &'p [u8]) -> &'p [u8] {
    let Some((&len, rest)) = packets.split_first() else { return &[] };
    let (packet, rest) = rest.split_at(rest.len().min(len.into()));
    *packets = rest;
    packet
}
