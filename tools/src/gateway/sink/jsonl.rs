//! A JSON object for each window.

use std::io::Write;

use anyhow::{Context, Result};
use irmae_infer::Shape;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Record, Sink, with_values};
use crate::gateway::intake::Receipt;
use crate::npy::item_axes;

/// Lines to a file or to standard output.
pub(crate) struct JsonLines {
    name: String,
    output: Box<dyn Write>,
}

impl JsonLines {
    pub(crate) fn new(name: String, output: Box<dyn Write>) -> Self {
        Self { name, output }
    }
}

impl Sink for JsonLines {
    fn put(&mut self, record: &Record<'_>, _receipt: Option<&Receipt>) -> Result<()> {
        let mut write = || {
            serde_json::to_writer(&mut self.output, record)?;
            self.output.write_all(b"\n")
        };
        write().with_context(|| format!("cannot write {}", self.name))
    }

    fn flush(&mut self) -> Result<()> {
        self.output.flush().with_context(|| format!("cannot write {}", self.name))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (arrival, lost) = self.arrival();
        let mut object = serializer.serialize_struct("Record", 8)?;
        object.serialize_field("time", &((self.time_s * 1000.0).round() / 1000.0))?;
        object.serialize_field("node", self.node)?;
        object.serialize_field("model", &format_args!("{:016x}", self.model_id))?;
        object.serialize_field("sequence", &self.sequence)?;
        object.serialize_field("arrival", arrival)?;
        object.serialize_field("lost", &lost)?;
        object.serialize_field("bytes", &self.bytes)?;
        with_values!(self.samples, |values| {
            object.serialize_field("window", &Nested { values, axes: &axes(self.frame), start: 0 })
        })?;
        object.end()
    }
}

/// Values as lists in lists, one level an axis of the file, without a copy in that order.
struct Nested<'a, T> {
    values: &'a [T],
    /// Length and step of each axis that is left.
    axes: &'a [(usize, usize)],
    start: usize,
}

/// Length and step of each axis of a window, whose values lie in order height, width, channel.
fn axes(frame: Shape) -> Vec<(usize, usize)> {
    let [w, c] = [frame.width, frame.channels].map(usize::from);
    let steps: &[usize] = match (w, c) {
        (1, _) => &[1, c],
        (_, 1) => &[w, 1],
        _ => &[1, w * c, c],
    };
    item_axes(frame).into_iter().zip(steps.iter().copied()).collect()
}

impl<T: Serialize> Serialize for Nested<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((&(len, step), axes)) = self.axes.split_first() else {
            return self.values[self.start].serialize(serializer);
        };
        let start = self.start;
        serializer.collect_seq((0..len).map(|i| Nested { values: self.values, axes, start: start + i * step }))
    }
}

#[cfg(test)]
mod tests {
    use irmae_infer::packet::Arrival;

    use super::*;
    use crate::npy::Samples;

    fn json(frame: Shape, samples: &Samples) -> String {
        let arrival = Arrival::AfterLoss { lost: 2 };
        let record =
            Record { time_s: 1.5, node: "n\"7", model_id: 0xab, sequence: Some(9), arrival, bytes: 12, frame, samples };
        serde_json::to_string(&record).unwrap()
    }

    #[test]
    fn a_line_says_who_what_and_which() {
        let line = json(Shape::new(2, 1, 2), &Samples::I16(vec![1, 10, 2, 20]));
        let expected = "{\"time\":1.5,\"node\":\"n\\\"7\",\"model\":\"00000000000000ab\",\"sequence\":9,\"arrival\":\"after_loss\",\"lost\":2,\"bytes\":12,\"window\":[[1,2],[10,20]]}";
        assert_eq!(line, expected);
    }

    #[test]
    fn windows_have_the_axes_of_files() {
        let image = json(Shape::new(2, 3, 1), &Samples::U8(vec![1, 2, 3, 4, 5, 6]));
        assert!(image.ends_with("\"window\":[[1,2,3],[4,5,6]]}"), "{image}");
        let colour = json(Shape::new(1, 2, 3), &Samples::U8(vec![1, 2, 3, 4, 5, 6]));
        assert!(colour.ends_with("\"window\":[[[1,4]],[[2,5]],[[3,6]]]}"), "{colour}");
        let real = json(Shape::new(1, 1, 1), &Samples::F32(vec![0.1]));
        assert!(real.ends_with("\"window\":[[0.1]]}"), "{real}");
    }
}
