use super::*;
use std::vec::Vec;

/// Three coefficients of 9, 8 and 7 bits; two points: steps of 32 and of 8, the last coefficient at the finer one alone; two classes, the
/// second around 64, 32, 16 and half as wide.
pub(crate) struct Example {
    knots: Vec<u16>,
}

const BITS: [u8; 3] = [9, 8, 7];
const DEADZONES: [u8; 2] = [160, 128];
const STEPS: [u8; 6] = [8 * 11, 8 * 12, 8 * 15, 8 * 9, 8 * 10, 8 * 11];
const MAX_LEN: u8 = 4;
const SPREADS: [u8; 6] = [9, 8, 7, 8, 7, 6];
const MEANS: [i16; 6] = [0, 0, 0, 64, 32, 16];

impl Example {
    /// All distributions rise twice as fast in the middle half.
    pub(crate) fn new() -> Self {
        let knots = |i: usize| match i {
            0..8 => 683 * i,
            8..24 => 5464 + 1365 * (i - 8),
            _ => 32_768 - 683 * (32 - i),
        };
        Self { knots: (0..3 * KNOTS).map(|i| knots(i % KNOTS) as u16).collect() }
    }

    pub(crate) fn code(&self) -> Code<'_> {
        Code::new(self.tables()).unwrap()
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            bits: &BITS,
            max_len: MAX_LEN,
            deadzones: &DEADZONES,
            steps: &STEPS,
            spreads: &SPREADS,
            means: &MEANS,
            blur: 1,
            knots: &self.knots,
        }
    }
}

pub(crate) const COEFFICIENTS: [i16; 3] = [-200, 17, 3];

#[test]
fn packets_are_these_bytes() {
    let example = Example::new();
    let code = example.code();
    let mut packet = [0xff; 5];
    let len = code.pack(&COEFFICIENTS, 5, &mut packet).unwrap();
    assert_eq!(packet[..len], [2, 0x12, 0xe4]);
    let mut received = [9; 3];
    assert_eq!(code.unpack(&packet[..len], &mut received), Ok(()));
    assert_eq!(received, [-200, 16, 0]);
    for ((&c, &r), (quantizer, knots)) in COEFFICIENTS.iter().zip(&received).zip(code.coefficients(2)) {
        assert_eq!(r, quantizer.cell(knots, quantizer.level(c)).value);
    }
}

#[test]
fn every_budget_gives_the_point_that_keeps_most() {
    let example = Example::new();
    let code = example.code();
    let mut errors = Vec::new();
    for max_bytes in 0..=6 {
        let mut packet = [0; 5];
        let len = code.pack(&COEFFICIENTS, max_bytes, &mut packet).unwrap();
        assert!(len <= max_bytes.max(OVERHEAD_LEN));
        let mut received = [9; 3];
        assert_eq!(code.unpack(&packet[..len], &mut received), Ok(()));
        errors.push(COEFFICIENTS.iter().zip(&received).map(|(&a, &b)| i32::from(a - b).pow(2)).sum::<i32>());
    }
    assert!(errors.is_sorted_by(|more, less| more >= less) && errors[0] > 100 * errors[6], "{errors:?}");
    assert_eq!(errors[1], COEFFICIENTS.map(i32::from).map(|c| c * c).iter().sum(), "a head alone");
}

#[test]
fn every_prefix_of_a_payload_decodes() {
    let example = Example::new();
    let code = example.code();
    for head in 0..4 {
        let mut payload = [0; 9];
        let Encoded { len, count, .. } = code.encode(head, &COEFFICIENTS, &mut payload);
        let means = &MEANS[3 * (usize::from(head) % 2)..][..3];
        let (len, mut whole, mut last) = (usize::from(len), [9; 3], 0);
        assert_eq!((code.decode(head, &payload[..len], &mut whole), count), (3, 3));
        for cut in 0..len {
            let mut received = [9; 3];
            let count = code.decode(head, &payload[..cut], &mut received);
            assert!(received[..count] == whole[..count] && received[count..] == means[count..]);
            assert!((last..3).contains(&count));
            last = count;
        }
    }
}

#[test]
fn damage_is_refused() {
    let example = Example::new();
    let code = example.code();
    let mut received = [0; 3];
    assert_eq!(code.unpack(&[], &mut received), Err(PacketError::Truncated));
    assert_eq!(code.unpack(&[4, 0x12, 0xe4], &mut received), Err(PacketError::Head { found: 4 }));
    assert_eq!(code.unpack(&[1, 0, 0, 0, 0, 0], &mut received), Err(PacketError::TooLong));
    assert_eq!(code.unpack(&[0], &mut received[..2]), Err(PacketError::BufferTooSmall { needed: 3 }));
    assert_eq!(code.pack(&COEFFICIENTS, 9, &mut [0; 4]), Err(PacketError::BufferTooSmall { needed: 5 }));
}

#[test]
fn a_packet_is_of_the_class_that_the_code_belongs_to() {
    let example = Example::new();
    let code = example.code();
    let near = [70, 30, 15];
    let mut packet = [0; 5];
    let len = code.pack(&near, 5, &mut packet).unwrap();
    assert_eq!(packet[0], code.head(1, 1));
    let mut received = [0; 3];
    assert_eq!(code.unpack(&packet[..len], &mut received), Ok(()));
    assert!(near.iter().zip(&received).all(|(a, b)| (a - b).abs() <= 8), "{received:?}");
    // The head alone says where the class lies.
    assert_eq!(code.unpack(&packet[..1], &mut received), Ok(()));
    assert_eq!(received, MEANS[3..]);
}

#[test]
fn what_is_read_lies_within_the_bits() {
    let example = Example::new();
    let means = [0, 0, 0, 255, 127, 63];
    let code = Code::new(Tables { means: &means, ..example.tables() }).unwrap();
    let mut payload = [0; 9];
    let Encoded { len, .. } = code.encode(code.head(1, 1), &[255, 127, 63], &mut payload);
    let mut received = [0; 3];
    for byte in 0..=255 {
        payload[0] = byte;
        code.decode(code.head(1, 1), &payload[..usize::from(len)], &mut received);
        assert!(received.iter().zip(BITS).all(|(&c, bits)| c < 1 << (bits - 1)), "{received:?}");
    }
}

#[test]
fn impossible_tables_are_refused() {
    let example = Example::new();
    let tables = example.tables();
    let is_sound = |tables: Tables<'_>| Code::new(tables).is_some();
    assert!(is_sound(tables));
    assert!(!is_sound(Tables { bits: &[9, 8, 4], ..tables }) && !is_sound(Tables { bits: &[9, 8, 16], ..tables }));
    assert!(!is_sound(Tables { bits: &[], steps: &[], spreads: &[], means: &[], knots: &[], ..tables }));
    assert!(!is_sound(Tables { deadzones: &[], steps: &[], ..tables }));
    assert!(!is_sound(Tables { deadzones: &DEADZONES[..1], ..tables }));
    assert!(!is_sound(Tables { knots: &tables.knots[1..], ..tables }));
    assert!(!is_sound(Tables { deadzones: &[160, 127], ..tables }), "a zero cell that is narrower than the others");
    let steps = STEPS.repeat(64);
    assert!(is_sound(Tables { deadzones: &[128; 128], steps: &steps, ..tables }));
    assert!(!is_sound(Tables { deadzones: &[128; 129], steps: &[80; 3 * 129], ..tables }), "more than heads");
    assert!(is_sound(Tables { max_len: 249, ..tables }) && !is_sound(Tables { max_len: 250, ..tables }));
    assert!(is_sound(Tables { spreads: &SPREADS[..3], means: &MEANS[..3], ..tables }), "one class");
    assert!(!is_sound(Tables { spreads: &[], means: &[], ..tables }), "none");
    assert!(!is_sound(Tables { spreads: &SPREADS.repeat(2)[..9], means: &[0; 9], ..tables }), "no power of two");
    assert!(!is_sound(Tables { means: &MEANS[1..], ..tables }));
    assert!(!is_sound(Tables { spreads: &[9, 8, 7, 10, 7, 6], ..tables }), "wider than its bits");
    assert!(!is_sound(Tables { means: &[0, 0, 0, 256, 32, 16], ..tables }), "a mean beyond its bits");
    assert!(!is_sound(Tables { blur: 15, ..tables }));
    let with = |index: usize, step: u8| {
        let mut steps = STEPS;
        steps[index] = step;
        steps
    };
    assert!(
        !is_sound(Tables { steps: &with(1, 15), ..tables }) && !is_sound(Tables { steps: &with(1, 128), ..tables })
    );
    for (index, knot) in [(0, 1), (KNOTS - 1, 32_767), (3, 0), (2 * KNOTS + 16, 40_000)] {
        let mut knots = example.knots.clone();
        knots[index] = knot;
        assert!(!is_sound(Tables { knots: &knots, ..tables }), "{index}");
    }
}
