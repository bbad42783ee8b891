//! Which outputs the user wants.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use irmae_infer::Model;

use super::mqtt::{Address, Publisher};
use super::sink::Sink;
use super::sink::csv::Csv;
use super::sink::jsonl::JsonLines;
use super::sink::npy::Npy;

/// Where windows go. Files are not overwritten.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Outputs {
    /// Array of all windows, if it ends in .npy, else a folder with an array for each node
    #[arg(long, value_name = "PATH")]
    npy: Option<PathBuf>,
    /// Table with a row for each window, or - for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// JSON object for each window, one a line, or - for standard output
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Publish each window as a JSON object under TOPIC/NODE: a topic at the broker of --mqtt, or a URL as there
    #[arg(long, value_name = "TOPIC")]
    publish: Option<String>,
}

impl Outputs {
    /// How many of them write to standard output.
    pub(crate) fn on_stdout(&self) -> usize {
        [&self.csv, &self.jsonl].into_iter().filter(|path| path.as_deref() == Some(Path::new("-"))).count()
    }

    /// Opens all of them. `broker` is where packets come from.
    ///
    /// # Errors
    /// Where one cannot be made.
    pub(crate) fn open(&self, models: &[Model<'_>], broker: Option<&Address>) -> Result<Vec<Box<dyn Sink>>> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(text) = &self.publish {
            sinks.push(Box::new(Publisher::connect(&publish_address(text, broker)?)?));
        }
        if let Some(path) = &self.npy {
            sinks.push(Box::new(Npy::create(path, models.len())?));
        }
        if let Some(path) = &self.csv {
            let samples = models.iter().map(|model| model.frame().len()).max().unwrap_or(0);
            sinks.push(Box::new(Csv::new(path.display().to_string(), create(path)?, samples)?));
        }
        if let Some(path) = &self.jsonl {
            sinks.push(Box::new(JsonLines::new(path.display().to_string(), create(path)?)));
        }
        Ok(sinks)
    }
}

fn publish_address(text: &str, broker: Option<&Address>) -> Result<Address> {
    let address = match (text.contains("://"), broker) {
        (true, _) => text.parse().context("--publish")?,
        (false, Some(broker)) => broker.with_topic(text),
        (false, None) => bail!("--publish {text}: name a broker, mqtt://HOST:PORT/TOPIC"),
    };
    if !address.is_topic() || address.topic.is_empty() {
        bail!("--publish: a topic must not be empty or have wildcards");
    }
    Ok(address)
}

fn create(path: &Path) -> Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    match File::create_new(path) {
        Ok(file) => Ok(Box::new(BufWriter::new(file))),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists: move it away or name another file", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}
