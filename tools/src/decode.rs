//! `irmae decode`

use std::path::PathBuf;

use anyhow::{Context, Result};
use irmae_infer::format::AlignedBytes;
use irmae_infer::{Decoder, Model, Sample};
use serde_json::json;

use crate::files;
use crate::link::{self, Link, Tally};
use crate::npy::{self, Samples};

/// Decode a file of packets into an array.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  irmae decode --model decoder.irmae --input test.irp --output restored.npy")]
pub(crate) struct Args {
    /// The decoder's model file
    #[arg(long)]
    model: PathBuf,
    /// File of packets
    #[arg(long)]
    input: PathBuf,
    /// Array of the model's raw type: (N,C,L), (N,H,W) or (N,C,H,W)
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    link: Link,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    let bytes = files::read_model(&args.model)?;
    let model = files::load_model(&bytes, &args.model)?;
    let packets = files::read(&args.input)?;
    let mut samples = Samples::empty(model.raw_type());
    let decoded = match &mut samples {
        Samples::U8(values) => decode(&model, &packets, args.link, values),
        Samples::I16(values) => decode(&model, &packets, args.link, values),
        Samples::U16(values) => decode(&model, &packets, args.link, values),
        Samples::F32(values) => decode(&model, &packets, args.link, values),
    };
    let tally = decoded.with_context(|| args.input.display().to_string())?;
    let items = samples.len() / model.frame().len();
    npy::write(&args.output, samples, model.frame())?;
    if let Some(warning) = tally.warning() {
        eprintln!("warning: {warning}");
    }
    if args.json {
        let report = json!({
            "items": items,
            "bytes": packets.len(),
            "lost": tally.lost,
            "replayed": tally.replayed,
            "out_of_order": tally.out_of_order,
            "damaged": tally.damaged,
            "output": args.output,
        });
        println!("{report}");
    } else {
        println!("{items} windows from {} bytes, to {}", packets.len(), args.output.display());
    }
    Ok(())
}

fn decode<S: Sample + Default>(model: &Model<'_>, packets: &[u8], link: Link, values: &mut Vec<S>) -> Result<Tally> {
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    let mut decoder = Decoder::new(model, buffer.as_mut_slice())?;
    link::receive(link, model, packets, |code| {
        let start = values.len();
        values.resize(start + model.frame().len(), S::default());
        Ok(decoder.decode(code, &mut values[start..])?)
    })
}
