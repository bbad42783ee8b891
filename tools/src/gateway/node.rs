//! What the gateway remembers of a node.

use std::time::Instant;

use irmae_infer::packet::{Arrival, PacketDecoder};
use irmae_infer::{Model, Profile};

use crate::link::Tally;

/// One sender of packets.
pub(crate) struct Node<'m> {
    /// For each model, which of its packets have come.
    decoders: Vec<Option<PacketDecoder<'m>>>,
    counter: FrameCounter,
    /// Bytes of a stream that nothing marks off, not read yet.
    pub(crate) pending: Vec<u8>,
    /// Whether the stream's packets can be found no more.
    pub(crate) is_lost: bool,
    pub(crate) link: LinkQuality,
}

impl<'m> Node<'m> {
    pub(crate) fn new(models: usize) -> Self {
        Self {
            decoders: vec![None; models],
            counter: FrameCounter::default(),
            pending: Vec::new(),
            is_lost: false,
            link: LinkQuality::default(),
        }
    }

    /// The decoder of this node's packets of the model at `index`.
    pub(crate) fn decoder(&mut self, index: usize, model: &Model<'m>, profile: Profile) -> &mut PacketDecoder<'m> {
        self.decoders[index].get_or_insert_with(|| PacketDecoder::new(model, profile))
    }

    /// The place of a packet without a number of its own, by the network's.
    pub(crate) fn note_counter(&mut self, counter: u32) -> Arrival {
        self.counter.note(counter)
    }
}

/// How well a node is heard.
#[derive(Debug, Default)]
pub(crate) struct LinkQuality {
    /// Windows decoded.
    pub(crate) windows: usize,
    /// Bytes of their packets.
    pub(crate) bytes: usize,
    /// Packets of a model that is not loaded.
    pub(crate) foreign: usize,
    pub(crate) tally: Tally,
    pub(crate) last: Option<Instant>,
}

/// Frame counters of 32 bits. A device that joins anew starts from 0, so what lies far behind is a start and not a delay.
#[derive(Debug, Default)]
struct FrameCounter {
    last: u32,
    /// Bit `i` is set where counter `last - i` has come.
    come: u32,
}

impl FrameCounter {
    fn note(&mut self, counter: u32) -> Arrival {
        let is_first = self.come == 0;
        let back = self.last.wrapping_sub(counter);
        if !is_first && counter <= self.last && back < u32::BITS {
            let is_known = self.come >> back & 1 != 0;
            self.come |= 1 << back;
            return if is_known { Arrival::Replayed } else { Arrival::OutOfOrder };
        }
        let is_restart = is_first || counter < self.last;
        let ahead = counter.wrapping_sub(self.last);
        self.come = if is_restart { 1 } else { self.come.checked_shl(ahead).unwrap_or(0) | 1 };
        self.last = counter;
        if is_restart || ahead == 1 {
            Arrival::InOrder
        } else {
            Arrival::AfterLoss { lost: u8::try_from(ahead - 1).unwrap_or(u8::MAX) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_counters_tell_late_repeated_and_lost_from_a_new_start() {
        use Arrival::{AfterLoss, InOrder, OutOfOrder, Replayed};
        let mut counter = FrameCounter::default();
        let arrivals = [1000, 1001, 1001, 1004, 1002, 1002, 0, 1, 400].map(|n| counter.note(n));
        let expected = [
            InOrder,
            InOrder,
            Replayed,
            AfterLoss { lost: 2 },
            OutOfOrder,
            Replayed,
            InOrder,
            InOrder,
            AfterLoss { lost: 255 },
        ];
        assert_eq!(arrivals, expected);
    }
}
