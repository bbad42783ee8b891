//! A row for each window.

use std::io::Write;

use anyhow::{Context, Result};

use super::{Record, Sink, in_file_order, with_values};
use crate::gateway::intake::Receipt;

/// Columns before the samples.
const COLUMNS: [&str; 7] = ["time", "node", "model", "sequence", "arrival", "lost", "bytes"];

/// Rows to a file or to standard output.
pub(crate) struct Csv {
    name: String,
    writer: csv::Writer<Box<dyn Write>>,
    /// Columns of samples; windows of smaller models leave the last ones empty.
    samples: usize,
}

impl Csv {
    /// Writes the header, for windows of at most `samples` samples.
    ///
    /// # Errors
    /// Where the output fails.
    pub(crate) fn new(name: String, output: Box<dyn Write>, samples: usize) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        let names = (0..samples).map(|i| format!("v{i}"));
        writer.write_record(COLUMNS.map(String::from).into_iter().chain(names))?;
        Ok(Self { name, writer, samples })
    }
}

impl Sink for Csv {
    fn put(&mut self, record: &Record<'_>, _receipt: Option<&Receipt>) -> Result<()> {
        let (arrival, lost) = record.arrival();
        let mut row = vec![
            format!("{:.3}", record.time_s),
            record.node.into(),
            format!("{:016x}", record.model_id),
            record.sequence.map(|sequence| sequence.to_string()).unwrap_or_default(),
            arrival.into(),
            lost.to_string(),
            record.bytes.to_string(),
        ];
        with_values!(record.samples, |values| {
            row.extend(in_file_order(values, record.frame).map(|value| value.to_string()));
        });
        row.resize(COLUMNS.len() + self.samples, String::new());
        self.writer.write_record(&row).with_context(|| format!("cannot write {}", self.name))
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush().with_context(|| format!("cannot write {}", self.name))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush()
    }
}
