//! libtorch through tch, without gradients.

use anyhow::Result;
use irmae_infer::format::Kind;
use tch::Tensor;

use super::Peer;
use crate::network::{Network, to_vec};

struct Libtorch<'n> {
    network: &'n Network,
    half: Kind,
    input: Tensor,
}

pub(super) fn open(network: &Network, half: Kind) -> Box<dyn Peer + '_> {
    Box::new(Libtorch { network, half, input: network.input(half) })
}

impl Peer for Libtorch<'_> {
    fn run(&mut self) -> Result<()> {
        drop(self.network.forward(self.half, &self.input));
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        Ok(to_vec(&self.network.forward(self.half, &self.input)))
    }
}
