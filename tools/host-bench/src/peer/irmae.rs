//! `irmae-infer`, through its public interface.

use anyhow::Result;
use irmae_infer::format::{AlignedBytes, Kind, Precision};
use irmae_infer::{Decoder, Encoder, Model, Sample};
use tch::Tensor;

use super::Peer;
use crate::network::{Network, to_vec};

/// Raw units of a pixel in 1.
const WHITE: f32 = 255.0;

pub(super) fn open(network: &Network, half: Kind, precision: Precision) -> Result<Box<dyn Peer>> {
    // For the rest of the program, which is short.
    let file = Box::leak(Box::new(network.file(half, precision)?));
    let model: &Model<'_> = Box::leak(Box::new(Model::load(file.as_slice())?));
    let buffer = Box::leak(Box::new(AlignedBytes::zeroed(model.buffer_len()))).as_mut_slice();
    let input = network.input(half);
    Ok(match (half, precision) {
        (Kind::Encoder, Precision::I8) => {
            let frame: Vec<u8> = to_vec(&(input * f64::from(WHITE)).round()).iter().map(|&pixel| pixel as u8).collect();
            encoder(model, buffer, frame)?
        }
        (Kind::Encoder, _) => encoder(model, buffer, to_vec(&input))?,
        (Kind::Decoder, Precision::I8) => decoder::<u8>(model, buffer, &input, WHITE)?,
        (Kind::Decoder, _) => decoder::<f32>(model, buffer, &input, 1.0)?,
    })
}

struct OurEncoder<S> {
    model: &'static Model<'static>,
    encoder: Encoder<'static, 'static>,
    frame: Vec<S>,
    units: Vec<i16>,
}

fn encoder<S: Sample + 'static>(
    model: &'static Model<'static>,
    buffer: &'static mut [u8],
    frame: Vec<S>,
) -> Result<Box<dyn Peer>> {
    let units = vec![0; model.code_len()];
    Ok(Box::new(OurEncoder { model, encoder: Encoder::new(model, buffer)?, frame, units }))
}

impl<S: Sample> Peer for OurEncoder<S> {
    fn run(&mut self) -> Result<()> {
        Ok(self.encoder.encode(&self.frame, &mut self.units)?)
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        self.run()?;
        let mut code = vec![0.0; self.units.len()];
        if self.encoder.coefficients(&mut code).is_err() {
            let units = self.units.iter().zip(self.model.resolutions());
            code = units.map(|(&units, resolution)| f32::from(units) * resolution).collect();
        }
        Ok(code)
    }
}

struct OurDecoder<S> {
    decoder: Decoder<'static, 'static>,
    code: Vec<i16>,
    frame: Vec<S>,
    scale: f32,
}

fn decoder<S: Sample + 'static>(
    model: &'static Model<'static>,
    buffer: &'static mut [u8],
    input: &Tensor,
    scale: f32,
) -> Result<Box<dyn Peer>> {
    let units = |(code, resolution): (f32, &f32)| (code / resolution).round() as i16;
    let code = to_vec(input).into_iter().zip(model.resolutions()).map(units).collect();
    let frame = vec![S::from_i32(0); model.frame().len()];
    Ok(Box::new(OurDecoder { decoder: Decoder::new(model, buffer)?, code, frame, scale }))
}

impl<S: Sample> Peer for OurDecoder<S> {
    fn run(&mut self) -> Result<()> {
        Ok(self.decoder.decode(&self.code, &mut self.frame)?)
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        self.run()?;
        Ok(self.frame.iter().map(|raw| raw.to_f32() / self.scale).collect())
    }
}
