use std::vec::Vec;

use super::*;
use crate::code::tests::{COEFFICIENTS, Example};
use crate::framing::{encode_frame, frame_len_max};

const MODEL_ID: u64 = 0x0123_4567_89ab_cdef;
const SEQUENCE: u8 = 0;
/// The example of `FORMAT.md`.
const FULL_PACKET: [u8; 8] = [0x21, 0xef, 0x00, 0x02, 0x12, 0xe4, 0x07, 0xc2];

fn decoder(tables: &Example, model_id: u64) -> PacketDecoder<'_> {
    PacketDecoder { tables: tables.code(), model_id, profile: Profile::Full, history: History::default() }
}

fn full_packet(max_bytes: usize) -> Vec<u8> {
    let mut packet = [0xaa; 10];
    let len = encode_full(&Example::new().code(), MODEL_ID, &COEFFICIENTS, SEQUENCE, max_bytes, &mut packet).unwrap();
    packet[..len].to_vec()
}

fn error(packet: &[u8]) -> PacketError {
    decoder(&Example::new(), MODEL_ID).decode(packet, &mut [0; 3]).unwrap_err()
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
    let checksum = definition(MODEL_ID.to_le_bytes().into_iter().chain(FULL_PACKET[..6].iter().copied()));
    assert_eq!(checksum.to_le_bytes(), FULL_PACKET[6..]);

    let (tables, mut code, mut bare_code) = (Example::new(), [7; 3], [8; 3]);
    let received = decoder(&tables, MODEL_ID).decode(&FULL_PACKET, &mut code);
    assert_eq!(received, Ok(Received { len: 8, sequence: Some(SEQUENCE), arrival: Arrival::InOrder }));
    assert_eq!(tables.code().unpack(&FULL_PACKET[HEAD_LEN..6], &mut bare_code), Ok(()));
    assert_eq!(code, bare_code);
}

#[test]
fn the_specification_shows_them() {
    let specification = include_str!("../../FORMAT.md");
    let mut bare = [0; 5];
    let bare_len = Example::new().code().pack(&COEFFICIENTS, usize::MAX, &mut bare).unwrap();
    let mut frame = [0; frame_len_max(FULL_PACKET.len())];
    let len = encode_frame(&FULL_PACKET, &mut frame).unwrap();
    for bytes in [&bare[..bare_len], &FULL_PACKET, &full_packet(7), &frame[..len]] {
        let hex: Vec<_> = bytes.iter().map(|byte| std::format!("{byte:02x}")).collect();
        assert!(specification.contains(&hex.join(" ")), "{}", hex.join(" "));
    }
}

#[test]
fn a_budget_is_kept() {
    let tables = Example::new();
    for max_bytes in [0, 6, 7, 8, 9, 10, usize::MAX] {
        let packet = full_packet(max_bytes);
        assert!(packet.len() <= max_bytes.max(Profile::Full.overhead_len()));
        let (mut code, mut bare_code) = ([7; 3], [8; 3]);
        decoder(&tables, MODEL_ID).decode(&packet, &mut code).unwrap();
        tables.code().unpack(&packet[HEAD_LEN..packet.len() - 2], &mut bare_code).unwrap();
        assert_eq!(code, bare_code);
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
    assert_eq!(error(&with(0, 0x11)), PacketError::Version { found: 0x11 });
    assert_eq!(error(&with(1, 0xee)), PacketError::Model { expected: 0xef, found: 0xee });
    assert_eq!(error(&with(2, 1)), PacketError::Checksum);
    let mut resealed = with(3, 9);
    let checksum = crc16(MODEL_ID, &resealed[..6]).to_le_bytes();
    resealed[6..].copy_from_slice(&checksum);
    assert_eq!(error(&resealed), PacketError::Head { found: 9 });
    assert_eq!(error(&[&FULL_PACKET[..], &[1, 2]].concat()), PacketError::Checksum);
    assert!((0..3).all(|len| error(&FULL_PACKET[..len]) == PacketError::Truncated));
    assert!((3..8).all(|len| error(&FULL_PACKET[..len]) == PacketError::Checksum));
    for bit in 0..64 {
        error(&with(bit / 8, FULL_PACKET[bit / 8] ^ 1 << (bit % 8)));
    }
    let too_small = encode_full(&Example::new().code(), MODEL_ID, &COEFFICIENTS, SEQUENCE, 99, &mut [0; 9]);
    assert_eq!(too_small, Err(PacketError::BufferTooSmall { needed: 10 }));
}

#[test]
fn a_model_with_the_same_last_byte_is_another_one() {
    let other = decoder(&Example::new(), MODEL_ID ^ 1 << 63).decode(&FULL_PACKET, &mut [0; 3]);
    assert_eq!(other, Err(PacketError::Checksum));
}

#[test]
fn a_refused_packet_was_not_received() {
    let tables = Example::new();
    let mut decoder = decoder(&tables, MODEL_ID);
    let mut code = [0; 3];
    decoder.decode(&[&FULL_PACKET[..], &[0]].concat(), &mut code).unwrap_err();
    assert_eq!(decoder.decode(&FULL_PACKET, &mut code).unwrap().arrival, Arrival::InOrder);
    assert_eq!(
        decoder.decode_first(&[&[8], &FULL_PACKET[..], &[9]].concat(), &mut code).unwrap(),
        Received { len: 9, sequence: Some(0), arrival: Arrival::Replayed }
    );
    decoder.restart();
    assert_eq!(decoder.decode(&FULL_PACKET, &mut code).unwrap().arrival, Arrival::InOrder);
}

#[cfg(feature = "std")]
#[test]
fn postcard_reads_and_writes_the_same() {
    // How long it is, the link says: the payload is no list.
    let head = (0x21_u8, 0xef_u8, SEQUENCE, 0x02_u8);
    let payload = [FULL_PACKET[4], FULL_PACKET[5]];
    let described = (head, payload, [FULL_PACKET[6], FULL_PACKET[7]]);
    assert_eq!(postcard::to_stdvec(&described).unwrap(), FULL_PACKET);
    assert_eq!(postcard::from_bytes::<((u8, u8, u8, u8), [u8; 2], [u8; 2])>(&FULL_PACKET).unwrap(), described);
}
