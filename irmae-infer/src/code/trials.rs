//! The search for the operating point that keeps most of a code in the bytes that it may take.

use super::{Code, Encoded, Quantizer};

/// A code that is being tried.
pub(super) struct Trials<'t> {
    code: &'t Code<'t>,
    class: usize,
    coefficients: &'t [i16],
    payload: &'t mut [u8],
    /// What is in `payload`.
    last: Encoded,
}

impl<'t> Trials<'t> {
    pub(super) fn new(code: &'t Code<'t>, coefficients: &'t [i16], payload: &'t mut [u8]) -> Self {
        let class = code.classes().class_of(coefficients);
        let last = code.encode(code.head(code.points() / 2, class), coefficients, payload);
        Self { code, class, coefficients, payload, last }
    }

    /// Leaves the best payload.
    pub(super) fn best(mut self) -> Encoded {
        let (points, whole) = (self.code.points(), self.code.len());
        // By halving: the coarsest point whose payload is cut.
        let (mut low, mut high, mut cut) = (0, points, self.last);
        while low < high {
            let trial = self.encode((low + high) / 2);
            if usize::from(trial.count) == whole {
                low = self.code.point_of(trial.head) + 1;
            } else {
                high = self.code.point_of(trial.head);
                cut = trial;
            }
        }
        // The point before it loses less than all coarser ones. From there on the loss falls, while steps become finer, and then rises, as
        // coefficients are cut off.
        let mut best = high.saturating_sub(1);
        let mut least = if high == 0 { u64::MAX } else { self.loss(best, whole) };
        for point in high..points {
            if point > high {
                cut = self.encode(point);
            }
            let loss = self.loss(point, cut.count.into());
            if loss >= least {
                break;
            }
            (best, least) = (point, loss);
        }
        self.encode(best)
    }

    fn encode(&mut self, point: usize) -> Encoded {
        let head = self.code.head(point, self.class);
        if head != self.last.head {
            self.last = self.code.encode(head, self.coefficients, self.payload);
        }
        self.last
    }

    /// Sum over all coefficients of the square of what is lost where the first `count` are sent.
    fn loss(&self, point: usize, count: usize) -> u64 {
        let lost = |(index, ((quantizer, _), &coefficient)): (usize, ((Quantizer, _), &i16))| {
            quantizer.square_lost(coefficient, index < count)
        };
        self.code.coefficients(self.code.head(point, self.class)).zip(self.coefficients).enumerate().map(lost).sum()
    }
}
