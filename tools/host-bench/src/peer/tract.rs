//! tract: the ONNX graph, optimised, in a state that is kept between runs.

use anyhow::{Context, Result};
use tract_onnx::prelude::*;

use super::Peer;
use super::onnx::{Graph, Scale};
use crate::network::to_vec;

struct Tract {
    state: TypedSimpleState,
    input: TValue,
    bytes: Option<Scale>,
}

pub(super) fn open(graph: &Graph, input: &tch::Tensor) -> Result<Box<dyn Peer>> {
    let model = onnx().model_for_path(&graph.file)?.into_optimized()?;
    let shape: Vec<usize> = input.size().iter().map(|&n| n as usize).collect();
    let input = match &graph.bytes {
        None => Tensor::from_shape(&shape, &to_vec(input))?,
        Some(ends) => Tensor::from_shape(&shape, &ends.input(input))?,
    };
    let state = model.into_runnable()?.spawn()?;
    Ok(Box::new(Tract { state, input: input.into_tvalue(), bytes: graph.bytes.map(|ends| ends.y) }))
}

impl Tract {
    fn output(&mut self) -> Result<TValue> {
        self.state.run(tvec!(self.input.clone()))?.pop().context("the graph has no output")
    }
}

impl Peer for Tract {
    fn run(&mut self) -> Result<()> {
        Tract::output(self).map(drop)
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        let output = Tract::output(self)?;
        let output = output.try_as_plain_ram()?;
        Ok(match self.bytes {
            None => output.as_slice::<f32>()?.to_vec(),
            Some(scale) => scale.reals(output.as_slice::<u8>()?),
        })
    }
}
