//! Which sequence numbers have come.

/// A packet's place among those that came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Arrival {
    /// The first one, or the next one.
    InOrder,
    /// Packets are missing before it: they are lost, or late.
    AfterLoss {
        /// How many; 256 more cannot be told from it.
        lost: u8,
    },
    /// Sent before one that has come already.
    OutOfOrder,
    /// Has come before.
    Replayed,
}

/// The last number and the 31 before it. Any other is ahead of them: links lose many packets, or their node starts anew, more often
/// than they delay one by so many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History {
    last: u8,
    /// Bit `i` is set where number `last - i` has come.
    come: u32,
}

impl History {
    pub(super) fn note(&mut self, sequence: u8) -> Arrival {
        let is_first = self.come == 0;
        let back = u32::from(self.last.wrapping_sub(sequence));
        let ahead = sequence.wrapping_sub(self.last);
        if is_first || back >= u32::BITS {
            self.come = self.come.checked_shl(ahead.into()).unwrap_or(0) | 1;
            self.last = sequence;
            return if is_first || ahead == 1 { Arrival::InOrder } else { Arrival::AfterLoss { lost: ahead - 1 } };
        }
        let is_known = self.come >> back & 1 != 0;
        self.come |= 1 << back;
        if is_known { Arrival::Replayed } else { Arrival::OutOfOrder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals<const N: usize>(sequences: [u8; N]) -> [Arrival; N] {
        let mut history = History::default();
        sequences.map(|sequence| history.note(sequence))
    }

    #[test]
    fn numbers_wrap_around() {
        assert_eq!(arrivals([254, 255, 0, 1]), [Arrival::InOrder; 4]);
        assert_eq!(arrivals([254, 1])[1], Arrival::AfterLoss { lost: 2 });
        assert_eq!(arrivals([1, 254, 254])[1..], [Arrival::OutOfOrder, Arrival::Replayed]);
        let mut history = History::default();
        assert!((0..1000).all(|sequence: u32| history.note(sequence as u8) == Arrival::InOrder));
    }

    #[test]
    fn late_ones_are_told_from_replayed_ones() {
        use Arrival::{AfterLoss, InOrder, OutOfOrder, Replayed};
        assert_eq!(
            arrivals([5, 5, 8, 6, 6, 7, 9]),
            [InOrder, Replayed, AfterLoss { lost: 2 }, OutOfOrder, Replayed, OutOfOrder, InOrder]
        );
    }

    #[test]
    fn what_is_not_a_little_behind_lies_ahead() {
        assert_eq!(arrivals([0, 224])[1], Arrival::AfterLoss { lost: 223 });
        assert_eq!(arrivals([0, 225])[1], Arrival::OutOfOrder);
        assert_eq!(
            arrivals([0, 1, 32, 0, 1, 2])[3..],
            [Arrival::AfterLoss { lost: 223 }, Arrival::InOrder, Arrival::InOrder]
        );
        assert_eq!(arrivals([0, 1, 32, 1])[3], Arrival::Replayed);
        // What lies too far ahead leaves nothing of what came before.
        assert_eq!(arrivals([7, 39, 8])[2], Arrival::OutOfOrder);
    }
}
