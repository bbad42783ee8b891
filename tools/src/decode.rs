//! `irmae decode`

use std::path::PathBuf;

use anyhow::{Context, Result};
use irmae_infer::format::AlignedBytes;
use irmae_infer::{Decoder, Model, Sample, code};
use serde_json::json;

use crate::files;
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
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    let bytes = files::read_model(&args.model)?;
    let model = files::load_model(&bytes, &args.model)?;
    let packets = files::read(&args.input)?;
    let decoded = match Samples::empty(model.raw_type()) {
        Samples::U8(_) => decode(&model, &packets).map(Samples::U8),
        Samples::I16(_) => decode(&model, &packets).map(Samples::I16),
        Samples::U16(_) => decode(&model, &packets).map(Samples::U16),
        Samples::F32(_) => decode(&model, &packets).map(Samples::F32),
    };
    let samples = decoded.with_context(|| args.input.display().to_string())?;
    let items = samples.len() / model.frame().len();
    npy::write(&args.output, samples, model.frame())?;
    if args.json {
        println!("{}", json!({ "items": items, "bytes": packets.len(), "output": args.output }));
    } else {
        println!("{items} windows from {} bytes, to {}", packets.len(), args.output.display());
    }
    Ok(())
}

fn decode<S: Sample + Default>(model: &Model<'_>, packets: &[u8]) -> Result<Vec<S>> {
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    let mut decoder = Decoder::new(model, buffer.as_mut_slice())?;
    let mut code = vec![0; model.code_len()];
    let mut values = Vec::new();
    let (mut at, mut index) = (0, 0);
    while at < packets.len() {
        let packet = code::unpack(model.bits(), &packets[at..], &mut code);
        at += packet.with_context(|| format!("packet {index} (from 0) at byte {at}"))?;
        let start = values.len();
        values.resize(start + model.frame().len(), S::default());
        decoder.decode(&code, &mut values[start..])?;
        index += 1;
    }
    Ok(values)
}
