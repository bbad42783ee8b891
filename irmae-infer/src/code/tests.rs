use super::*;
use std::vec::Vec;

/// Three coefficients of 9, 8 and 7 bits; two points: steps of 32 and of 8, the last coefficient at the finer one alone.
pub(crate) struct Tables {
    knots: Vec<u16>,
}

const BITS: [u8; 3] = [9, 8, 7];
const DEADZONES: [u8; 2] = [160, 128];
const STEPS: [u8; 6] = [8 * 11, 8 * 12, 8 * 15, 8 * 9, 8 * 10, 8 * 11];
const MAX_LEN: u8 = 4;

impl Tables {
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
        Code::new(&BITS, MAX_LEN, &DEADZONES, &STEPS, &self.knots).unwrap()
    }
}

pub(crate) const COEFFICIENTS: [i16; 3] = [-200, 17, 3];

#[test]
fn packets_are_these_bytes() {
    let tables = Tables::new();
    let code = tables.code();
    let mut packet = [0xff; 5];
    let len = code.pack(&COEFFICIENTS, 5, &mut packet).unwrap();
    assert_eq!(packet[..len], [1, 0x12, 0xe4]);
    let mut received = [9; 3];
    assert_eq!(code.unpack(&packet[..len], &mut received), Ok(()));
    assert_eq!(received, [-200, 16, 0]);
    for ((&c, &r), (quantizer, knots)) in COEFFICIENTS.iter().zip(&received).zip(code.coefficients(1)) {
        assert_eq!(r, quantizer.cell(knots, quantizer.level(c)).value);
    }
}

#[test]
fn every_budget_gives_the_point_that_keeps_most() {
    let tables = Tables::new();
    let code = tables.code();
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
    let tables = Tables::new();
    let code = tables.code();
    for point in 0..2 {
        let mut payload = [0; 9];
        let Encoded { len, count, .. } = code.encode(point, &COEFFICIENTS, &mut payload);
        let (len, mut whole, mut last) = (usize::from(len), [9; 3], 0);
        assert_eq!((code.decode(point, &payload[..len], &mut whole), count), (3, 3));
        for cut in 0..len {
            let mut received = [9; 3];
            let count = code.decode(point, &payload[..cut], &mut received);
            assert!(received[..count] == whole[..count] && received[count..].iter().all(|&c| c == 0));
            assert!((last..3).contains(&count));
            last = count;
        }
    }
}

#[test]
fn damage_is_refused() {
    let tables = Tables::new();
    let code = tables.code();
    let mut received = [0; 3];
    assert_eq!(code.unpack(&[], &mut received), Err(PacketError::Truncated));
    assert_eq!(code.unpack(&[2, 0x12, 0xe4], &mut received), Err(PacketError::Head { found: 2 }));
    assert_eq!(code.unpack(&[1, 0, 0, 0, 0, 0], &mut received), Err(PacketError::TooLong));
    assert_eq!(code.unpack(&[0], &mut received[..2]), Err(PacketError::BufferTooSmall { needed: 3 }));
    assert_eq!(code.pack(&COEFFICIENTS, 9, &mut [0; 4]), Err(PacketError::BufferTooSmall { needed: 5 }));
}

#[test]
fn impossible_tables_are_refused() {
    let knots = Tables::new().knots;
    let is_sound = |bits: &[u8], deadzones: &[u8], steps: &[u8], knots: &[u16]| {
        Code::new(bits, MAX_LEN, deadzones, steps, knots).is_some()
    };
    assert!(is_sound(&BITS, &DEADZONES, &STEPS, &knots));
    assert!(!is_sound(&[9, 8, 4], &DEADZONES, &STEPS, &knots) && !is_sound(&[9, 8, 16], &DEADZONES, &STEPS, &knots));
    assert!(!is_sound(&[], &DEADZONES, &[], &[]) && !is_sound(&BITS, &[], &[], &knots));
    assert!(!is_sound(&BITS, &DEADZONES[..1], &STEPS, &knots) && !is_sound(&BITS, &DEADZONES, &STEPS, &knots[1..]));
    assert!(!is_sound(&BITS, &[160, 127], &STEPS, &knots), "a zero cell that is narrower than the others");
    assert!(is_sound(&BITS, &[128; 256], &STEPS.repeat(128), &knots));
    assert!(!is_sound(&BITS, &[128; 257], &[20; 3 * 257], &knots), "more points than heads");
    assert!(Code::new(&BITS, 249, &DEADZONES, &STEPS, &knots).is_some());
    assert!(Code::new(&BITS, 250, &DEADZONES, &STEPS, &knots).is_none());
    let with = |index: usize, step: u8| {
        let mut steps = STEPS;
        steps[index] = step;
        steps
    };
    assert!(!is_sound(&BITS, &DEADZONES, &with(1, 15), &knots) && !is_sound(&BITS, &DEADZONES, &with(1, 128), &knots));
    for (index, knot) in [(0, 1), (KNOTS - 1, 32_767), (3, 0), (2 * KNOTS + 16, 40_000)] {
        let mut knots = knots.clone();
        knots[index] = knot;
        assert!(!is_sound(&BITS, &DEADZONES, &STEPS, &knots), "{index}");
    }
}
