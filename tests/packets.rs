//! A million full packets over a link that flips bits, cuts, drops, repeats, delays, and puts noise between them.

use std::collections::HashSet;

use irmae_infer::code::PacketError;
use irmae_infer::framing::{DELIMITER, FrameReader, encode_frame, frame_len_max};
use irmae_infer::packet::{Arrival, MAX_PACKET_LEN, PacketDecoder, Received};
use irmae_infer::{Model, Profile, encode_packet};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cases::Case;

const PACKETS: usize = 1_000_000;
/// Bytes before those of a bare packet.
const HEAD_LEN: usize = 3;
/// Bytes after them.
const CHECKSUM_LEN: usize = 2;

/// A packet as it was sent.
#[derive(Clone, Default)]
struct Sent {
    index: usize,
    packet: Vec<u8>,
    frame: Vec<u8>,
    code: Vec<i16>,
}

impl Sent {
    /// A random code, in some number of bytes.
    fn new(model: &Model<'_>, index: usize, random: &mut ChaCha8Rng) -> Self {
        let coefficient = |&bits: &u8| random.random_range(-(1_i16 << (bits - 1))..1 << (bits - 1));
        let mut code: Vec<i16> = model.code().bits().iter().map(coefficient).collect();
        let largest = Profile::Full.packet_len_max(&model.code());
        let max_bytes = random.random_range(Profile::Full.overhead_len()..=largest);
        let mut packet = vec![0; max_bytes];
        let len = encode_packet(model, &code, Profile::Full, index as u8, max_bytes, &mut packet).unwrap();
        packet.truncate(len);
        model.code().unpack(&packet[HEAD_LEN..len - CHECKSUM_LEN], &mut code).unwrap();
        Self { index, frame: framed(&packet), packet, code }
    }
}

fn framed(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; frame_len_max(packet.len())];
    let len = encode_frame(packet, &mut frame).unwrap();
    frame.truncate(len);
    frame
}

fn flip_bits(bytes: &mut [u8], random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..12) {
        bytes[random.random_range(0..bytes.len())] ^= 1 << random.random_range(0..8);
    }
}

/// What comes out of the link.
struct Gateway<'m, 'b> {
    reader: FrameReader<'b>,
    packets: PacketDecoder<'m>,
    code: Vec<i16>,
    /// Whether a packet that comes now cannot suffer from what came before.
    is_clear: bool,
    /// Refused for their CRC alone.
    checksums: usize,
    refused: usize,
}

impl Gateway<'_, '_> {
    /// The packets in `bytes` that were not refused.
    fn take(&mut self, bytes: &[u8]) -> Vec<(Received, Vec<i16>)> {
        let mut received = Vec::new();
        for &byte in bytes {
            self.is_clear = byte == DELIMITER;
            let Some(packet) = self.reader.push(byte) else { continue };
            match self.packets.decode(packet, &mut self.code) {
                Ok(packet) => received.push((packet, self.code.clone())),
                Err(error) => {
                    self.checksums += usize::from(error == PacketError::Checksum);
                    self.refused += 1;
                }
            }
        }
        received
    }
}

/// What should be said of packets, by their indices.
#[derive(Default)]
struct Expected {
    highest: Option<usize>,
    come: HashSet<usize>,
}

impl Expected {
    fn arrival(&mut self, index: usize) -> Arrival {
        let is_new = self.come.insert(index);
        let arrival = match self.highest {
            Some(highest) if index <= highest && is_new => return Arrival::OutOfOrder,
            Some(_) if !is_new => return Arrival::Replayed,
            Some(highest) if index > highest + 1 => Arrival::AfterLoss { lost: (index - highest - 1) as u8 },
            _ => Arrival::InOrder,
        };
        self.highest = Some(index);
        arrival
    }
}

/// What the link makes of a packet, if not its frame: nothing, a part of it, or something else, before it was framed or after.
fn damaged(model: &Model<'_>, sent: &Sent, random: &mut ChaCha8Rng) -> Vec<u8> {
    let (mut packet, mut frame) = (sent.packet.clone(), sent.frame.clone());
    match random.random_range(0..8) {
        0 => frame.clear(),
        1 => frame.truncate(random.random_range(0..frame.len())),
        2 => flip_bits(&mut frame, random),
        3 => {
            flip_bits(&mut packet, random);
            frame = framed(&packet);
        }
        _ => {
            // Another code, which the CRC alone can tell.
            packet = Sent::new(model, sent.index, random).packet;
            let checksum = packet.len() - 2;
            random.fill(&mut packet[checksum..]);
            frame = framed(&packet);
        }
    }
    frame
}

#[test]
fn a_million_packets_over_a_bad_link() {
    let case = Case::named("image-i8");
    let [encoder, decoder] = case.models();
    let mut buffer = [0; MAX_PACKET_LEN];
    let mut gateway = Gateway {
        reader: FrameReader::new(&mut buffer),
        packets: PacketDecoder::new(&decoder, Profile::Full),
        code: vec![0; decoder.code_len()],
        is_clear: true,
        checksums: 0,
        refused: 0,
    };
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut expected = Expected::default();
    let mut sent = vec![Sent::default(); 256];
    let mut late = None;
    let (mut sound, mut wrong, mut arrivals) = (0, 0, [0; 4]);
    for index in 0..PACKETS {
        let packet = Sent::new(&encoder, index, &mut random);
        sent[index % 256] = packet.clone();
        // Bytes, and the packet that must come of them if nothing lies before them.
        let mut chunks = Vec::new();
        if random.random_bool(0.1) {
            chunks.push(((0..random.random_range(1..300)).map(|_| random.random()).collect(), None));
        }
        match random.random_range(0..10) {
            0..5 => chunks.push((damaged(&encoder, &packet, &mut random), None)),
            5 => chunks.extend([(packet.frame.clone(), Some(index)), (packet.frame, Some(index))]),
            6 if late.is_none() => late = Some(packet),
            _ => {
                chunks.push((packet.frame, Some(index)));
                chunks.extend(late.take().map(|packet| (packet.frame, Some(packet.index))));
            }
        }
        for (bytes, must_come) in chunks {
            let must_come = must_come.filter(|_| gateway.is_clear);
            let received = gateway.take(&bytes);
            if let Some(index) = must_come {
                assert!(
                    received.len() == 1 && received[0].0.sequence == Some(index as u8),
                    "packet {index}: {received:?}"
                );
            }
            for (Received { sequence, arrival, .. }, code) in received {
                let original = &sent[usize::from(sequence.unwrap())];
                if code == original.code {
                    sound += 1;
                    assert_eq!(arrival, expected.arrival(original.index), "packet {}", original.index);
                    arrivals[match arrival {
                        Arrival::InOrder => 0,
                        Arrival::AfterLoss { .. } => 1,
                        Arrival::OutOfOrder => 2,
                        Arrival::Replayed => 3,
                    }] += 1;
                } else {
                    assert!(must_come.is_none(), "packet {index} came as another");
                    wrong += 1;
                    gateway.packets.restart();
                    expected = Expected::default();
                }
            }
        }
    }
    // A packet whose bits are random passes a CRC of 16 bits once in 65,536 times: with six standard deviations to spare.
    let mean = (gateway.checksums + wrong) as f64 / 65_536.0;
    println!(
        "{sound} sound, {arrivals:?}, {} refused, {} of them for the CRC alone, {} frames dropped; {wrong} wrong, {mean:.1} expected",
        gateway.refused,
        gateway.checksums,
        gateway.reader.dropped()
    );
    assert!(
        wrong as f64 <= mean + 6.0 * mean.sqrt(),
        "{wrong} wrong packets were not noticed, {mean} are to be expected"
    );
    assert!(
        arrivals.iter().all(|&count| count > 10_000)
            && gateway.checksums > 100_000
            && gateway.reader.dropped() > 10_000
    );
}
