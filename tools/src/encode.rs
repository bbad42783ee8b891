//! `irmae encode`

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use irmae_infer::format::AlignedBytes;
use irmae_infer::framing::{encode_frame, frame_len_max};
use irmae_infer::{Encoder, Model, Profile, RunError, Sample, encode_packet};
use serde_json::json;

use crate::files;
use crate::link::{Framing, Link};
use crate::npy::{self, Samples};

/// Encode an array of windows or images into a file of packets.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  irmae encode --model encoder.irmae --input test.npy --output test.irp --bytes 8")]
pub(crate) struct Args {
    /// The encoder's model file
    #[arg(long)]
    model: PathBuf,
    /// Array: (N,C,L), (N,C,H,W) or (N,H,W); u8, i16, u16, f32 or f64
    #[arg(long)]
    input: PathBuf,
    /// File of packets, one after the other
    #[arg(long)]
    output: PathBuf,
    /// Bytes that a packet may have, all of it included [default: those that the model was made for]
    #[arg(long)]
    bytes: Option<usize>,
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
    let max_bytes = args.bytes.unwrap_or(usize::MAX);
    let least = Profile::from(args.link.profile).overhead_len() + 1;
    if max_bytes < least {
        bail!("--bytes {max_bytes} leaves no room for the code: give {least} or more");
    }
    let packets = match npy::read(&args.input, model.frame())? {
        Samples::U8(values) => encode(&model, &values, args.link, max_bytes),
        Samples::I16(values) => encode(&model, &values, args.link, max_bytes),
        Samples::U16(values) => encode(&model, &values, args.link, max_bytes),
        Samples::F32(values) => {
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                bail!("{}: window {} holds NaN or infinity", args.input.display(), at / model.frame().len());
            }
            encode(&model, &values, args.link, max_bytes)
        }
    }?;
    files::write_atomically(&args.output, |file| Ok(file.write_all(&packets.bytes)?))?;
    let bytes_per_item = packets.sent_bytes as f64 / packets.count.max(1) as f64;
    if args.json {
        let report = json!({
            "items": packets.count,
            "bytes": packets.bytes.len(),
            "bytes_per_item": bytes_per_item,
            "model_id": format!("{:016x}", model.id()),
            "output": args.output,
        });
        println!("{report}");
    } else {
        println!(
            "{} windows in packets of {bytes_per_item:.3} bytes on average, {} bytes with their file's, to {}",
            packets.count,
            packets.bytes.len(),
            args.output.display()
        );
    }
    Ok(())
}

struct Packets {
    /// As they lie in the file, with what marks them off.
    bytes: Vec<u8>,
    count: usize,
    /// Bytes of the packets alone.
    sent_bytes: usize,
}

fn encode<S: Sample>(model: &Model<'_>, values: &[S], link: Link, max_bytes: usize) -> Result<Packets> {
    let profile = link.profile.into();
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    let mut encoder = Encoder::new(model, buffer.as_mut_slice())?;
    let mut code = vec![0; model.code_len()];
    let mut packet = vec![0; Profile::packet_len_max(profile, &model.code())];
    let mut frame = vec![0; frame_len_max(packet.len())];
    let mut packets = Packets { bytes: Vec::new(), count: 0, sent_bytes: 0 };
    for window in values.chunks_exact(model.frame().len()) {
        encoder.encode(window, &mut code).map_err(explain)?;
        let sequence = packets.count as u8;
        let len = encode_packet(model, &code, profile, sequence, max_bytes, &mut packet)?;
        match link.framing {
            Framing::None => {
                packets.bytes.push(len as u8);
                packets.bytes.extend_from_slice(&packet[..len]);
            }
            Framing::Cobs => {
                let len = encode_frame(&packet[..len], &mut frame)?;
                packets.bytes.extend_from_slice(&frame[..len]);
            }
        }
        packets.count += 1;
        packets.sent_bytes += len;
    }
    Ok(packets)
}

fn explain(error: RunError) -> anyhow::Error {
    let is_type = matches!(error, RunError::SampleType { .. });
    let error = anyhow::Error::from(error);
    if is_type { error.context("convert the input to the model's type, or to f32, by numpy's astype") } else { error }
}
