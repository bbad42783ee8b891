//! Which outputs the user wants.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use irmae_infer::Model;

use super::mqtt::{Address, Publisher};
use super::sink::Sink;
use super::sink::csv::Csv;
use super::sink::jsonl::JsonLines;
use super::sink::npy::{self, Npy};

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

    /// That files are not there yet, and can hold windows of so many models.
    ///
    /// # Errors
    /// Says which is the wrong one.
    pub(crate) fn check(&self, models: usize) -> Result<()> {
        if let Some(path) = [&self.npy, &self.csv, &self.jsonl].into_iter().flatten().find(|path| path.is_file()) {
            bail!("{} exists: move it away or name another one", path.display());
        }
        match &self.npy {
            Some(path) if models > 1 && npy::is_array(path) => {
                bail!("{}: windows of several models do not fit one array: name a folder instead", path.display())
            }
            _ => Ok(()),
        }
    }

    /// Connects to the broker to publish at, if any. `subscribed` is where packets come from.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn connect(&self, subscribed: Option<&Address>) -> Result<Vec<Box<dyn Sink>>> {
        let Some(text) = &self.publish else { return Ok(Vec::new()) };
        Ok(vec![Box::new(Publisher::connect(&publish_address(text, subscribed)?)?)])
    }

    /// Makes all files.
    ///
    /// # Errors
    /// Where one cannot be made.
    pub(crate) fn create(&self, models: &[Model<'_>]) -> Result<Vec<Box<dyn Sink>>> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
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
    if broker.is_some_and(|broker| broker.hears(&address)) {
        bail!("--publish: the filter of --mqtt takes in {}/NODE: windows would come back as packets", address.topic);
    }
    Ok(address)
}

fn create(path: &Path) -> Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
