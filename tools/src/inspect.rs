//! `irmae inspect`

use std::path::PathBuf;

use anyhow::Result;
use irmae_infer::format::Kind;
use irmae_infer::{Layer, Model, Op, RawType, Shape, Window};
use serde_json::{Value, json};

use crate::files;

/// Show what a model file holds.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  irmae inspect encoder.irmae")]
pub(crate) struct Args {
    /// A model file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    let bytes = files::read_model(&args.file)?;
    let model = files::load_model(&bytes, &args.file)?;
    if args.json {
        println!("{}", report(&model));
    } else {
        print(&model);
    }
    Ok(())
}

fn report(model: &Model<'_>) -> Value {
    let layers: Vec<Value> = model.layers().iter().map(layer_report).collect();
    json!({
        "kind": kind(model),
        "precision": precision(model),
        "model_id": format!("{:016x}", model.id()),
        "raw": raw(model.raw_type()),
        "frame": shape_list(model.frame()),
        "code_len": model.code_len(),
        "bits": model.code().bits(),
        "resolutions": model.resolutions(),
        "points": model.code().points(),
        "classes": model.code().classes().count(),
        "packet_bytes": model.code().packet_len_max(),
        "flash_bytes": model.file_len(),
        "buffer_bytes": model.buffer_len(),
        "layers": layers,
    })
}

fn layer_report(layer: &Layer<'_>) -> Value {
    json!({
        "op": op(layer.op),
        "activation": format!("{:?}", layer.activation).to_lowercase(),
        "input": shape_list(layer.input),
        "output": shape_list(layer.output),
        "macs": layer.op.macs(layer.input, layer.output),
    })
}

fn print(model: &Model<'_>) {
    println!("{} {}, model id {:016x}", precision(model), kind(model), model.id());
    println!("  window   {} (height x width x channels) of {}", shape(model.frame()), raw(model.raw_type()));
    println!("  code     {} coefficients, bits {:?}", model.code_len(), model.code().bits());
    println!(
        "  packet   up to {} bytes, all included; {} operating points, {} classes",
        model.code().packet_len_max(),
        model.code().points(),
        model.code().classes().count()
    );
    println!("  flash    {} bytes", model.file_len());
    println!("  buffer   {} bytes", model.buffer_len());
    println!("  {:<26} {:<10} {:>12} {:>12} {:>10}", "layer", "then", "input", "output", "MACs");
    for layer in model.layers() {
        println!(
            "  {:<26} {:<10} {:>12} {:>12} {:>10}",
            op(layer.op),
            format!("{:?}", layer.activation).to_lowercase(),
            shape(layer.input),
            shape(layer.output),
            layer.op.macs(layer.input, layer.output)
        );
    }
}

fn kind(model: &Model<'_>) -> &'static str {
    match model.kind() {
        Kind::Encoder => "encoder",
        Kind::Decoder => "decoder",
    }
}

fn precision(model: &Model<'_>) -> String {
    format!("{:?}", model.precision()).to_lowercase()
}

fn raw(raw: RawType) -> String {
    format!("{raw:?}").to_lowercase()
}

fn shape(shape: Shape) -> String {
    format!("{}x{}x{}", shape.height, shape.width, shape.channels)
}

fn shape_list(shape: Shape) -> [u16; 3] {
    [shape.height, shape.width, shape.channels]
}

fn op(op: Op) -> String {
    let window = |name: &str, Window { kernel, stride, padding }: Window| {
        let pair = |[a, b]: [u8; 2]| if a == b { a.to_string() } else { format!("{a}x{b}") };
        format!("{name} k{} s{} p{}", pair(kernel), pair(stride), pair(padding))
    };
    match op {
        Op::Dense => "dense".into(),
        Op::Conv(geometry) => window("conv", geometry),
        Op::ConvTranspose(geometry) => window("conv_transpose", geometry),
    }
}
