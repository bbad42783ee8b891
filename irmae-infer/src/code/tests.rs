use super::*;
use std::vec::Vec;

/// Three coefficients of 9, 8 and 7 bits; two points: steps of 32 and of 8, the last coefficient at the finer one alone.
pub(crate) struct Tables {
    knots: Vec<u16>,
}

const BITS: [u8; 3] = [9, 8, 7];
const DEADZONES: [u8; 2] = [160, 128];
const STEPS: [u8; 6] = [8 * 5, 8 * 5, 8 * 7, 8 * 3, 8 * 3, 8 * 3];
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
    assert_eq!(packet[..len], [33, 0x12, 0xe4]);
    let mut received = [9; 3];
    assert_eq!(code.unpack(&packet, &mut received), Ok(len));
    assert_eq!(received, [-200, 16, 0]);
    for ((&c, &r), (quantizer, knots)) in COEFFICIENTS.iter().zip(&received).zip(code.coefficients(1)) {
        let cell = quantizer.cell(knots, quantizer.level(c));
        assert!(cell.low <= c.into() && i32::from(c) < cell.high && r == cell.value, "{cell:?}");
    }
}

#[test]
fn every_budget_gives_the_finest_that_fits_or_a_cut() {
    let tables = Tables::new();
    let code = tables.code();
    let mut errors = Vec::new();
    for max_bytes in 0..=6 {
        let mut packet = [0; 5];
        let len = code.pack(&COEFFICIENTS, max_bytes, &mut packet).unwrap();
        assert!(len <= max_bytes.max(OVERHEAD_LEN));
        let mut received = [9; 3];
        assert_eq!(code.unpack(&packet[..len], &mut received), Ok(len));
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
        let Encoded { len, is_whole } = code.encode(point, &COEFFICIENTS, &mut payload);
        assert!(is_whole);
        let (mut whole, mut last) = ([9; 3], 0);
        assert_eq!(code.decode(point, &payload[..len], &mut whole), Ok(len));
        for cut in 0..len {
            let mut received = [9; 3];
            assert_eq!(code.decode(point, &payload[..cut], &mut received), Err(PacketError::Truncated));
            let count = received.iter().zip(&whole).take_while(|(received, whole)| received == whole).count();
            assert!(received[count..].iter().all(|&c| c == 0) && count >= last);
            last = count;
        }
    }
}

#[test]
fn damage_is_refused() {
    let tables = Tables::new();
    let code = tables.code();
    let mut received = [0; 3];
    for cut in [&[][..], &[33], &[33, 0x12], &[2, 0]] {
        assert_eq!(code.unpack(cut, &mut received), Err(PacketError::Truncated));
    }
    assert_eq!(code.unpack(&[34, 0x12, 0xe4], &mut received), Err(PacketError::Head { found: 34 }));
    let ends_wrongly = |last| code.unpack(&[33, 0x12, last, 0, 0], &mut [0; 3]) == Err(PacketError::Ending);
    assert!((0..=255).filter(|&last| ends_wrongly(last)).count() > 64);
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
    let many = [128; 225];
    assert!(is_sound(&BITS, &many[..224], &STEPS.repeat(112), &knots));
    assert!(!is_sound(&BITS, &many, &[20; 3 * 225], &knots), "more points than heads");
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
