use std::vec::Vec;

use super::*;
use crate::code::half_steps;
use crate::framing::{encode_frame, frame_len_max};

const BITS: [u8; 4] = [6, 5, 4, 2];
const LEVELS: [i16; 4] = [-32, 15, -1, 1];
const MODEL_ID: u64 = 0x0123_4567_89ab_cdef;
const SEQUENCE: u8 = 0;
/// The example of `FORMAT.md`.
const FULL_PACKET: [u8; 9] = [0x11, 0xef, 0x00, 0x03, 0x81, 0xfe, 0x80, 0x00, 0xc4];

fn decoder(model_id: u64) -> PacketDecoder<'static> {
    PacketDecoder { bits: &BITS, model_id, profile: Profile::Full, history: History::default() }
}

fn full_packet(max_bytes: usize) -> Vec<u8> {
    let mut packet = [0xaa; 9];
    let len = encode_full(&BITS, MODEL_ID, &LEVELS, SEQUENCE, max_bytes, &mut packet).unwrap();
    packet[..len].to_vec()
}

fn error(packet: &[u8]) -> PacketError {
    decoder(MODEL_ID).decode(packet, &mut [0; 4]).unwrap_err()
}

/// CRC-16 bit by bit, from its definition.
fn definition(bytes: impl IntoIterator<Item = u8>) -> u16 {
    !bytes
        .into_iter()
        .fold(u16::MAX, |crc, byte| (0..8).fold(crc ^ u16::from(byte), |crc, _| (crc >> 1) ^ (0x8408 * (crc & 1))))
}

#[test]
fn packet_is_these_bytes() {
    assert_eq!(full_packet(usize::MAX), FULL_PACKET);
    assert_eq!(definition(*b"123456789"), 0x906e, "the CRC that catalogues call X-25");
    let checksum = definition(MODEL_ID.to_le_bytes().into_iter().chain(FULL_PACKET[..7].iter().copied()));
    assert_eq!(checksum.to_le_bytes(), FULL_PACKET[7..]);

    let mut code = [7; 4];
    let received = decoder(MODEL_ID).decode(&FULL_PACKET, &mut code);
    assert_eq!(received, Ok(Received { len: 9, sequence: Some(SEQUENCE), arrival: Arrival::InOrder }));
    assert_eq!(code, LEVELS.map(half_steps));
}

#[test]
fn the_specification_shows_them() {
    let specification = include_str!("../../FORMAT.md");
    let mut bare = [0; 4];
    code::pack(&BITS, &LEVELS, usize::MAX, &mut bare).unwrap();
    let mut frame = [0; frame_len_max(FULL_PACKET.len())];
    let len = encode_frame(&FULL_PACKET, &mut frame).unwrap();
    for bytes in [&bare[..], &FULL_PACKET, &full_packet(7), &frame[..len]] {
        let hex: Vec<_> = bytes.iter().map(|byte| std::format!("{byte:02x}")).collect();
        assert!(specification.contains(&hex.join(" ")), "{}", hex.join(" "));
    }
}

#[test]
fn every_cut_is_a_packet_whose_missing_coefficients_are_zero() {
    for (max_bytes, kept) in [(0, 0), (6, 0), (7, 1), (8, 3), (9, 4), (usize::MAX, 4)] {
        let packet = full_packet(max_bytes);
        assert!(packet.len() <= max_bytes.max(Profile::Full.overhead_len()));
        let mut code = [7; 4];
        decoder(MODEL_ID).decode(&packet, &mut code).unwrap();
        let mut expected = [0; 4];
        expected[..kept].copy_from_slice(&LEVELS.map(half_steps)[..kept]);
        assert_eq!(code, expected);
    }
}

#[test]
fn each_kind_of_damage_has_its_own_error() {
    let with = |at: usize, byte: u8| {
        let mut packet = FULL_PACKET;
        packet[at] = byte;
        packet
    };
    assert_eq!(error(&[]), PacketError::Truncated);
    assert_eq!(error(&with(0, 0x21)), PacketError::Version { found: 0x21 });
    assert_eq!(error(&with(1, 0xee)), PacketError::Model { expected: 0xef, found: 0xee });
    assert_eq!(error(&with(2, 1)), PacketError::Checksum);
    assert_eq!(error(&with(3, 4)), PacketError::Truncated);
    assert_eq!(error(&[&FULL_PACKET[..], &[1, 2]].concat()), PacketError::Trailing { count: 2 });
    assert!((1..9).all(|len| error(&FULL_PACKET[..len]) == PacketError::Truncated));
    for bit in 0..72 {
        error(&with(bit / 8, FULL_PACKET[bit / 8] ^ 1 << (bit % 8)));
    }
    let too_small = encode_full(&BITS, MODEL_ID, &LEVELS, SEQUENCE, 99, &mut [0; 8]);
    assert_eq!(too_small, Err(PacketError::BufferTooSmall { needed: 9 }));
}

#[test]
fn a_model_with_the_same_last_byte_is_another_one() {
    let other = decoder(MODEL_ID ^ 1 << 63).decode(&FULL_PACKET, &mut [0; 4]);
    assert_eq!(other, Err(PacketError::Checksum));
}

#[test]
fn a_refused_packet_was_not_received() {
    let mut decoder = decoder(MODEL_ID);
    let mut code = [0; 4];
    decoder.decode(&[&FULL_PACKET[..], &[0]].concat(), &mut code).unwrap_err();
    assert_eq!(decoder.decode(&FULL_PACKET, &mut code).unwrap().arrival, Arrival::InOrder);
    assert_eq!(decoder.decode_first(&FULL_PACKET, &mut code).unwrap().arrival, Arrival::Replayed);
    decoder.restart();
    assert_eq!(decoder.decode(&FULL_PACKET, &mut code).unwrap().arrival, Arrival::InOrder);
}

#[cfg(feature = "std")]
#[test]
fn postcard_reads_and_writes_the_same() {
    let payload = &FULL_PACKET[4..7];
    let described = (0x11_u8, 0xef_u8, SEQUENCE, payload, [FULL_PACKET[7], FULL_PACKET[8]]);
    assert_eq!(postcard::to_stdvec(&described).unwrap(), FULL_PACKET);
    assert_eq!(postcard::from_bytes::<(u8, u8, u8, &[u8], [u8; 2])>(&FULL_PACKET).unwrap(), described);
    // Lengths above 127 are a byte too, so then the payload is no list.
    let bits = [15; 136];
    let mut packet = [0; MAX_PACKET_LEN];
    let len = encode_full(&bits, MODEL_ID, &[-1; 136], 200, usize::MAX, &mut packet).unwrap();
    let header = (0x11_u8, 0xef_u8, 200_u8, 255_u8);
    assert_eq!((len, &packet[..4]), (MAX_PACKET_LEN, &postcard::to_stdvec(&header).unwrap()[..]));
    let (read, rest) = postcard::take_from_bytes::<(u8, u8, u8, u8)>(&packet).unwrap();
    assert_eq!((read, rest.len()), (header, 255 + CHECKSUM_LEN));
}
