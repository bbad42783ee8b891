//! Where windows go.

pub(crate) mod csv;
pub(crate) mod jsonl;
pub(crate) mod npy;

use anyhow::Result;
use irmae_infer::Shape;
use irmae_infer::packet::Arrival;

use super::intake::Receipt;
use crate::npy::Samples;

/// A window with all that is known of its packet. Node, model and sequence number identify it.
pub(crate) struct Record<'a> {
    /// When it was decoded, in seconds since 1970.
    pub(crate) time_s: f64,
    pub(crate) node: &'a str,
    pub(crate) model_id: u64,
    /// The packet's own number, else the network's.
    pub(crate) sequence: Option<u32>,
    pub(crate) arrival: Arrival,
    /// Of the packet.
    pub(crate) bytes: usize,
    pub(crate) frame: Shape,
    /// In the device's order: height, width, channel.
    pub(crate) samples: &'a Samples,
}

impl Record<'_> {
    /// The packet's place among those before, in a word, and how many are missing before it.
    pub(crate) fn arrival(&self) -> (&'static str, u8) {
        match self.arrival {
            Arrival::InOrder => ("in_order", 0),
            Arrival::AfterLoss { lost } => ("after_loss", lost),
            Arrival::OutOfOrder => ("out_of_order", 0),
            Arrival::Replayed => ("replayed", 0),
        }
    }
}

/// One output.
pub(crate) trait Sink {
    /// Takes a window. A sink that makes it safe later than at the next [`Sink::flush`] shares the receipt.
    fn put(&mut self, record: &Record<'_>, receipt: Option<&Receipt>) -> Result<()>;

    /// Makes safe what was put.
    fn flush(&mut self) -> Result<()>;

    /// Ends the output.
    fn finish(self: Box<Self>) -> Result<()>;

    /// Whether it also wants windows of packets that a broker sent again: the first one may not be safe yet, and whoever reads the
    /// output removes duplicates.
    fn takes_repeats(&self) -> bool {
        false
    }
}

/// Values of a window in a file's order: channels first.
pub(crate) fn in_file_order<T: Copy>(values: &[T], frame: Shape) -> impl Iterator<Item = T> {
    let channels = usize::from(frame.channels);
    (0..channels).flat_map(move |channel| values.iter().skip(channel).step_by(channels).copied())
}

/// Calls a function or macro with a [`Samples`]' values, whatever their type.
macro_rules! with_values {
    ($samples:expr, |$values:ident| $body:expr) => {
        match $samples {
            $crate::npy::Samples::U8($values) => $body,
            $crate::npy::Samples::I16($values) => $body,
            $crate::npy::Samples::U16($values) => $body,
            $crate::npy::Samples::F32($values) => $body,
        }
    };
}
pub(crate) use with_values;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_channels_first() {
        let device = [1, 10, 2, 20, 3, 30];
        assert!(in_file_order(&device, Shape::new(3, 1, 2)).eq([1, 2, 3, 10, 20, 30]));
        assert!(in_file_order(&device, Shape::new(2, 3, 1)).eq(device));
    }
}
