//! A range coder with carries: shares of `2^15`, 32 bits of state, no division on the encoder's side.
//!
//! Source: G. N. N. Martin, "Range encoding" (1979). The state is the interval `low .. low + range`, whose bytes above the lowest four
//! have gone out; coding a symbol narrows it to the symbol's share. A carry out of `low` goes up through the bytes that
//! are out already, which therefore lie in memory.
//!
//! A payload has no mark at its end. A symbol is in it if all that could follow means this symbol: so any prefix of a payload decodes, to a
//! prefix of its symbols.

/// Sum of all shares of a coefficient.
pub(super) const TOTAL: u32 = 1 << TOTAL_BITS;
const TOTAL_BITS: u32 = 15;
/// The range is at least this before each symbol, so that a share keeps 9 bits.
const RANGE_MIN: u32 = 1 << 24;

/// A symbol's share of the whole: `low .. high` of [`TOTAL`], not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) low: u32,
    pub(super) high: u32,
}

/// Writes symbols while they fit.
#[derive(Debug)]
pub(super) struct RangeEncoder<'a> {
    payload: &'a mut [u8],
    /// Bytes that are out.
    len: usize,
    low: u32,
    range: u32,
}

impl<'a> RangeEncoder<'a> {
    pub(super) fn new(payload: &'a mut [u8]) -> Self {
        Self { payload, len: 0, low: 0, range: u32::MAX }
    }

    /// Codes a symbol; false, and nothing is done, where the payload would become longer than it may.
    #[inline]
    pub(super) fn push(&mut self, share: Share) -> bool {
        let unit = self.range >> TOTAL_BITS;
        let range = unit * (share.high - share.low);
        let (low, is_carried) = self.low.overflowing_add(unit * share.low);
        let room = self.payload.len() - self.len;
        if room < 4 && ending(low, range, room).is_none() {
            return false;
        }
        if is_carried {
            self.carry();
        }
        (self.low, self.range) = (low, range);
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.put_byte();
        }
        true
    }

    /// Adds the fewest bytes that tell all symbols, whatever follows, and returns the payload's length.
    pub(super) fn finish(mut self) -> usize {
        // They were seen to fit when the last symbol was coded.
        let (mut count, mut gap) = (0, ending(self.low, self.range, 0));
        while gap.is_none() {
            count += 1;
            gap = ending(self.low, self.range, count);
        }
        let (low, is_carried) = self.low.overflowing_add(gap.unwrap_or_default());
        if is_carried {
            self.carry();
        }
        self.low = low;
        (0..count).for_each(|_| self.put_byte());
        self.len
    }

    /// Moves the uppermost byte of `low` out.
    #[inline]
    fn put_byte(&mut self) {
        if let Some(byte) = self.payload.get_mut(self.len) {
            *byte = (self.low >> 24) as u8;
        }
        self.len += 1;
        self.low <<= 8;
    }

    /// Adds 1 to what is out.
    fn carry(&mut self) {
        for byte in self.payload.get_mut(..self.len).unwrap_or_default().iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
}

/// By how much `low` must grow for its first `count` bytes to lie within the range whatever follows them, if it can. Two bytes are
/// always enough.
#[inline]
fn ending(low: u32, range: u32, count: usize) -> Option<u32> {
    if count == 0 {
        // Of the whole range nothing needs to be said.
        return (range == u32::MAX).then_some(0);
    }
    let block = 1 << (32 - 8 * count.min(4));
    let gap = low.wrapping_neg() & (block - 1);
    (gap + block <= range).then_some(gap)
}

/// Reads symbols while they are certain.
#[derive(Debug)]
pub(super) struct RangeDecoder<'a> {
    rest: &'a [u8],
    /// Where the payload lies above `low`, bytes that did not come taken as 0.
    offset: u32,
    /// By how much more that could be.
    doubt: u32,
    range: u32,
}

impl<'a> RangeDecoder<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        let mut decoder = Self { rest: payload, offset: 0, doubt: 0, range: u32::MAX };
        (0..4).for_each(|_| decoder.take_byte());
        decoder
    }

    /// What the next symbol's share holds, of [`TOTAL`]; or more than that, where no symbol was coded.
    pub(super) fn target(&self) -> u32 {
        self.offset / (self.range >> TOTAL_BITS)
    }

    /// Takes the symbol with that share; false where it is not certain, which is the end.
    pub(super) fn take(&mut self, share: Share) -> bool {
        let unit = self.range >> TOTAL_BITS;
        let range = unit * (share.high - share.low);
        let Some(offset) = self.offset.checked_sub(unit * share.low) else { return false };
        if offset.saturating_add(self.doubt) >= range {
            return false;
        }
        (self.offset, self.range) = (offset, range);
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.take_byte();
        }
        true
    }

    fn take_byte(&mut self) {
        let (byte, doubt) = self.rest.split_off_first().map_or((0, 0xff), |&byte| (byte, 0));
        self.offset = self.offset << 8 | u32::from(byte);
        self.doubt = self.doubt << 8 | doubt;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const SHARES: [Share; 4] = [
        Share { low: 0, high: 1 },
        Share { low: 1, high: 20_000 },
        Share { low: 20_000, high: TOTAL - 1 },
        Share { low: TOTAL - 1, high: TOTAL },
    ];

    fn encode(symbols: &[usize], room: usize) -> (Vec<u8>, usize) {
        let mut payload = std::vec![0x5a; room];
        let mut encoder = RangeEncoder::new(&mut payload);
        let count = symbols.iter().take_while(|&&symbol| encoder.push(SHARES[symbol])).count();
        let len = encoder.finish();
        payload.truncate(len);
        (payload, count)
    }

    fn decode(payload: &[u8], count: usize) -> Vec<usize> {
        let mut decoder = RangeDecoder::new(payload);
        let mut symbols = Vec::new();
        while symbols.len() < count {
            let target = decoder.target();
            let symbol = SHARES.iter().position(|share| target < share.high).unwrap_or(3);
            if !decoder.take(SHARES[symbol]) {
                break;
            }
            symbols.push(symbol);
        }
        symbols
    }

    /// Sequences with every kind of symbol, with long runs of rare ones, where carries ripple.
    fn sequences() -> impl Iterator<Item = Vec<usize>> {
        (0..2000_u32).map(|seed| {
            let mut state = seed.wrapping_mul(2_654_435_761) | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state
            };
            let rare = next() % 5;
            (0..next() % 40)
                .map(|_| if next() % 4 < rare { [0, 3][next() as usize % 2] } else { 1 + next() as usize % 2 })
                .collect()
        })
    }

    #[test]
    fn symbols_come_back_within_a_byte_of_the_ideal() {
        for symbols in sequences() {
            let (payload, count) = encode(&symbols, 255);
            assert_eq!(count, symbols.len());
            let followed = [&payload[..], &[0x5a; 9]].concat();
            assert_eq!(decode(&payload, count), symbols);
            assert_eq!(decode(&followed, count), symbols, "whatever follows");
            let ideal_bits: f64 =
                symbols.iter().map(|&s| 15.0 - f64::from(SHARES[s].high - SHARES[s].low).log2()).sum();
            assert!(
                (payload.len() as f64) <= ideal_bits * 1.002 / 8.0 + 1.0 + 1.0 / 8.0,
                "{} for {ideal_bits}",
                payload.len()
            );
        }
    }

    #[test]
    fn every_room_is_kept_and_every_prefix_decodes() {
        for symbols in sequences().take(300) {
            let (whole, _) = encode(&symbols, 255);
            let mut last = 0;
            for room in 0..=whole.len() {
                let (payload, count) = encode(&symbols, room);
                assert!(payload.len() <= room && count >= last);
                // More than what was meant is never read, for what follows is open.
                assert_eq!(decode(&payload, count), symbols[..count]);
                last = count;
                let cut = decode(&whole[..room], symbols.len());
                assert!(cut.len() <= count, "a cut payload holds no more than one made for that room");
                assert_eq!(cut, symbols[..cut.len()]);
            }
            assert_eq!(last, symbols.len());
        }
    }

    #[test]
    fn any_bytes_decode_to_something() {
        for seed in 0..2000_u32 {
            let payload: Vec<u8> = (0..seed % 23).map(|i| (seed.wrapping_mul(40_503) >> (i % 16)) as u8).collect();
            assert!(decode(&payload, 300).len() <= 300);
        }
        assert_eq!(encode(&[], 9), (Vec::new(), 0));
    }
}
