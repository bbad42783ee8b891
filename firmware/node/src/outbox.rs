//! Frames that wait for the link.

use heapless::Deque;
use irmae_infer::framing::DELIMITER;

/// There is no room for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A queue of whole COBS frames, as bytes: `N` of them.
#[derive(Debug, Default)]
pub struct Outbox<const N: usize> {
    bytes: Deque<u8, N>,
}

impl<const N: usize> Outbox<N> {
    /// Empty.
    pub const fn new() -> Self {
        Self { bytes: Deque::new() }
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts a frame at the end: all of it, or nothing.
    ///
    /// # Errors
    /// [`Full`]
    pub fn push(&mut self, frame: &[u8]) -> Result<(), Full> {
        if N - self.bytes.len() < frame.len() {
            return Err(Full);
        }
        for &byte in frame {
            self.bytes.push_back(byte).map_err(|_| Full)?;
        }
        Ok(())
    }

    /// The next bytes, `count` at most; more may follow.
    pub fn next(&self, count: usize) -> &[u8] {
        let (front, _) = self.bytes.as_slices();
        &front[..count.min(front.len())]
    }

    /// Removes the next `count` bytes.
    pub fn remove(&mut self, count: usize) {
        for _ in 0..count {
            self.bytes.pop_front();
        }
    }

    /// Removes what is left of the next frame but for its delimiter, so that the receiver drops what it has of it, and no more.
    /// Where the delimiter alone is left, it goes with the frame after it.
    pub fn abandon_frame(&mut self) {
        self.bytes.pop_front();
        while self.bytes.front().is_some_and(|&byte| byte != DELIMITER) {
            self.bytes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_in_whole_or_not_at_all() {
        let mut outbox = Outbox::<6>::new();
        assert_eq!(outbox.push(&[2, 7, 0]), Ok(()));
        assert_eq!(outbox.push(&[3, 8, 9, 0]), Err(Full));
        assert_eq!((outbox.len(), outbox.next(9)), (3, &[2, 7, 0][..]));
        assert_eq!(outbox.push(&[2, 8, 0]), Ok(()));
        outbox.remove(4);
        // Around the end of the memory.
        assert_eq!(outbox.push(&[1, 1, 1, 0]), Ok(()));
        assert_eq!(outbox.next(9), [8, 0]);
        outbox.remove(2);
        assert_eq!((outbox.next(9), outbox.next(2)), (&[1, 1, 1, 0][..], &[1, 1][..]));
        outbox.remove(9);
        assert!(outbox.is_empty());
    }

    #[test]
    fn of_an_abandoned_frame_the_delimiter_stays() {
        let mut outbox = Outbox::<8>::new();
        outbox.push(&[3, 7, 8, 0]).unwrap();
        outbox.push(&[2, 9, 0]).unwrap();
        outbox.remove(1);
        outbox.abandon_frame();
        assert_eq!(outbox.next(8), [0, 2, 9, 0]);
        outbox.abandon_frame();
        assert_eq!(outbox.next(8), [0]);
        outbox.abandon_frame();
        assert!(outbox.is_empty());
    }
}
