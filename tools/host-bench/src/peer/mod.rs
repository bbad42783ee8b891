//! One half of the network in the hands of each library, ready to run.

mod irmae;
mod libtorch;
mod microflow;
mod onnx;
mod onnxruntime;
mod tract;

use std::path::{Path, PathBuf};

use anyhow::Result;
use irmae_infer::format::{Kind, Precision};
use trainer::config::LIBTORCH_VERSION;

use crate::network::Network;

/// A library with one half of the network in one precision.
pub(crate) trait Peer {
    /// One inference of the [input](Network::input), on one thread.
    fn run(&mut self) -> Result<()>;

    /// Runs once more and gives the output as reals.
    fn output(&mut self) -> Result<Vec<f32>>;
}

/// A library and what it made of the network.
pub(crate) struct Entry<'n> {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) peer: Box<dyn Peer + 'n>,
}

/// All libraries.
pub(crate) struct Peers<'n> {
    network: &'n Network,
    /// Where the ONNX files are.
    folder: PathBuf,
    onnxruntime_version: String,
}

impl<'n> Peers<'n> {
    /// Loads what is not linked in: `onnxruntime` is its library, `folder` has the ONNX files.
    pub(crate) fn new(network: &'n Network, folder: &Path, onnxruntime: &Path) -> Result<Self> {
        // As PyPI's packages name it: libonnxruntime.so.1.32.0
        let name = onnxruntime.file_name().unwrap_or_default().to_string_lossy();
        let version = name.split_once(".so.").map_or("", |(_, version)| version);
        onnxruntime::load(onnxruntime)?;
        Ok(Peers { network, folder: folder.into(), onnxruntime_version: version.into() })
    }

    /// All libraries that can run this half in this precision, ours first.
    pub(crate) fn open(&self, half: Kind, precision: Precision) -> Result<Vec<Entry<'n>>> {
        let network = self.network;
        let mut entries = Vec::new();
        let mut add = |name, version: &str, peer| entries.push(Entry { name, version: version.into(), peer });
        add("irmae-infer", locked("irmae-infer"), irmae::open(network, half, precision)?);
        if precision != Precision::F16 {
            let graph = onnx::Graph::read(&self.folder, half, precision)?;
            let input = network.input(half);
            let output_shape = network.forward(half, &input).size();
            add("onnxruntime", &self.onnxruntime_version, onnxruntime::open(&graph, &input, &output_shape)?);
            add("tract", locked("tract-onnx"), tract::open(&graph, &input)?);
        }
        match (half, precision) {
            (_, Precision::F32) => add("libtorch", LIBTORCH_VERSION, libtorch::open(network, half)),
            // It has no transposed convolution.
            (Kind::Encoder, Precision::I8) => add("microflow", locked("microflow"), microflow::open(network)),
            _ => {}
        }
        Ok(entries)
    }
}

/// The version of a crate that this program is built with.
fn locked(name: &str) -> &'static str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = include_str!("../../Cargo.lock").split_once(&entry).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next()).unwrap_or_default()
}
