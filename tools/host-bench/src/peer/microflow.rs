//! microflow: the encoder, compiled from `encoder.tflite`, which `tflite_file.py` wrote.

use std::hint::black_box;

use anyhow::Result;
use irmae_infer::format::Kind;
use microflow::buffer::Buffer2D;
use microflow_macros::model;

use super::Peer;
use crate::network::{Network, SIDE, to_vec};

#[model("encoder.tflite")]
struct Encoder;

struct Microflow {
    /// Pixels less 128.
    image: [Buffer2D<[i8; 1], SIDE, SIDE>; 1],
}

pub(super) fn open(network: &Network) -> Box<dyn Peer> {
    let pixels = to_vec(&((network.input(Kind::Encoder) * 255.0).round() - 128.0));
    Box::new(Microflow { image: [Buffer2D::from_fn(|row, column| [pixels[row * SIDE + column] as i8])] })
}

impl Peer for Microflow {
    fn run(&mut self) -> Result<()> {
        black_box(Encoder::predict_quantized(black_box(self.image)));
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        Ok(Encoder::predict_quantized(self.image).iter().copied().collect())
    }
}
