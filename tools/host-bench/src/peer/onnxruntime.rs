//! onnxruntime: the library out of its Python package, through its C interface, so that no Python is in its times.

use std::path::Path;

use anyhow::Result;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{IoBinding, Session};
use ort::value;
use tch::Tensor;

use super::Peer;
use super::onnx::{Graph, Scale};
use crate::network::to_vec;

/// Loads the library, before anything else is done with it.
pub(super) fn load(library: &Path) -> Result<()> {
    ort::init_from(library)?.commit();
    Ok(())
}

struct Onnxruntime {
    session: Session,
    /// Input and output stay where they are: nothing is copied between runs.
    binding: IoBinding,
    bytes: Option<Scale>,
}

pub(super) fn open(graph: &Graph, input: &Tensor, output_shape: &[i64]) -> Result<Box<dyn Peer>> {
    let session = Session::builder()?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(plain)?
        .with_intra_threads(1)
        .map_err(plain)?
        .with_inter_threads(1)
        .map_err(plain)?
        .commit_from_file(&graph.file)?;
    let mut binding = session.create_binding()?;
    match &graph.bytes {
        None => {
            binding.bind_input("x", &value::Tensor::from_array((input.size(), to_vec(input)))?)?;
            binding.bind_output("y", value::Tensor::<f32>::new(session.allocator(), output_shape)?)?;
        }
        Some(ends) => {
            binding.bind_input("x", &value::Tensor::from_array((input.size(), ends.input(input)))?)?;
            binding.bind_output("y", value::Tensor::<u8>::new(session.allocator(), output_shape)?)?;
        }
    }
    Ok(Box::new(Onnxruntime { session, binding, bytes: graph.bytes.map(|ends| ends.y) }))
}

/// Without the builder, which no other thread may see.
fn plain(error: ort::Error<SessionBuilder>) -> ort::Error {
    error.into()
}

impl Peer for Onnxruntime {
    fn run(&mut self) -> Result<()> {
        self.session.run_binding(&self.binding)?;
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        let outputs = self.session.run_binding(&self.binding)?;
        Ok(match self.bytes {
            None => outputs["y"].try_extract_tensor::<f32>()?.1.to_vec(),
            Some(scale) => scale.reals(outputs["y"].try_extract_tensor::<u8>()?.1),
        })
    }
}
