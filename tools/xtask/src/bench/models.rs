//! Full-size networks with random weights, written as cases that the firmware can carry. Time and memory do not depend on
//! the weights' values.

use bytemuck::Pod;
use half::f16;
use irmae_infer::code::KNOTS;
use irmae_infer::{
    Activation, Decoder, Encoder, Model, Op, RawType, Sample, Shape, Window, code,
    format::{
        AlignedBytes, CodeSpec, Element, Kind, LayerHeader, LayerSpec, ModelSpec, Precision, TransferSpec, WeightsSpec,
        write,
    },
    quant,
};
use std::{fs, path::Path};

use super::BenchError;
use crate::firmware::{FILES, FirmwareError};

/// Bytes of a packet, at most.
const PACKET_LEN_MAX: usize = code::OVERHEAD_LEN + code::MAX_PAYLOAD_LEN;

/// An encoder of convolutions and a dense layer, and its mirror image.
struct Network {
    name: &'static str,
    frame: Shape,
    raw: RawType,
    /// Channels after each convolution.
    channels: &'static [u16],
    /// Values in the code.
    code_len: u16,
    precisions: &'static [(Precision, &'static str)],
}

const I8: (Precision, &str) = (Precision::I8, "i8");
const ALL: &[(Precision, &str)] = &[I8, (Precision::F16, "f16"), (Precision::F32, "f32")];

/// The presets of the trainer, on images of 28x28 and on accelerometers' windows; and a larger image.
static NETWORKS: [Network; 3] = [
    Network {
        name: "micro_image",
        frame: Shape::new(28, 28, 1),
        raw: RawType::U8,
        channels: &[16, 32],
        code_len: 32,
        precisions: ALL,
    },
    Network {
        name: "micro_1d",
        frame: Shape::new(128, 1, 3),
        raw: RawType::I16,
        channels: &[16, 32, 32],
        code_len: 32,
        precisions: ALL,
    },
    Network {
        name: "image_96",
        frame: Shape::new(96, 96, 1),
        raw: RawType::U8,
        channels: &[16, 32, 64],
        code_len: 32,
        precisions: &[I8],
    },
];

/// Writes every network's cases into `folder`.
pub(super) fn write_all(folder: &Path) -> Result<(), BenchError> {
    for network in &NETWORKS {
        for &(precision, suffix) in network.precisions {
            network.write(precision, &folder.join(format!("{}-{suffix}", network.name)))?;
        }
    }
    Ok(())
}

/// A layer on paper.
struct Layer {
    op: Op,
    activation: Activation,
    output: Shape,
}

impl Network {
    /// Writes a case with one window.
    fn write(&self, precision: Precision, folder: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(folder).map_err(FirmwareError::io(folder))?;
        let mut random = Random(1);
        let encoder = write(&self.spec(Kind::Encoder, precision, &mut random))?;
        let decoder = write(&self.spec(Kind::Decoder, precision, &mut random))?;
        let input: Vec<i16> = (0..self.frame.len()).map(|_| (random.unit() * 127.0 + 128.0) as i16).collect();
        let [input, packet, output] = match self.raw {
            RawType::U8 => run(&encoder, &decoder, &input.iter().map(|&raw| raw as u8).collect::<Vec<_>>())?,
            _ => run(&encoder, &decoder, &input)?,
        };
        let files = FILES.into_iter().zip([encoder, decoder, input, packet, output]);
        files.into_iter().try_for_each(|(name, content)| write_if_changed(&folder.join(name), &content))
    }

    fn spec(&self, kind: Kind, precision: Precision, random: &mut Random) -> ModelSpec {
        let code = Shape::flat(self.code_len);
        let (layers, mut input) = match kind {
            Kind::Encoder => (self.encoder(), self.frame),
            Kind::Decoder => (self.decoder(), code),
        };
        let ends = match (precision, self.raw, kind) {
            (Precision::F32 | Precision::F16, ..) => [Element::F32; 2],
            (Precision::I8, RawType::U8, Kind::Encoder) => [Element::U8, Element::I16],
            (Precision::I8, RawType::U8, Kind::Decoder) => [Element::I16, Element::U8],
            (Precision::I8, ..) => [Element::I16; 2],
        };
        let last = layers.len() - 1;
        let layers = layers.into_iter().enumerate().map(|(index, layer)| {
            let between = if precision == Precision::I8 { Element::U8 } else { Element::F32 };
            let element = if index == last { ends[1] } else { between };
            let spec = layer_spec(&layer, input, element, precision, random);
            input = layer.output;
            spec
        });
        ModelSpec {
            kind,
            precision,
            model_id: 1,
            raw: self.raw,
            frame: self.frame,
            code: self.code(),
            input: ends[0],
            input_clamp: clamp(ends[0]),
            transfer: self.transfer(kind, precision),
            layers: layers.collect(),
        }
    }

    /// Evenly distributed coefficients of 11 bits, with steps for four bits each and for six.
    fn code(&self) -> CodeSpec {
        let len = usize::from(self.code_len);
        let even = (0..KNOTS).map(|knot| (knot << 10) as u16);
        CodeSpec {
            resolutions: vec![1.0 / 128.0; len],
            bits: vec![11; len],
            max_len: code::MAX_PAYLOAD_LEN as u8,
            deadzones: vec![160, 144],
            steps: [vec![8 * 11; len], vec![8 * 9; len]].concat(),
            spreads: vec![11; len],
            means: vec![0; len],
            blur: 0,
            knots: even.cycle().take(len * KNOTS).collect(),
        }
    }

    /// Shapes from the frame to the last convolution's output: each halves what is longer than 1.
    fn shapes(&self) -> Vec<Shape> {
        let mut shapes = vec![self.frame];
        for &channels in self.channels {
            let Shape { height, width, .. } = shapes[shapes.len() - 1];
            shapes.push(Shape::new(height / 2, width.div_ceil(2), channels));
        }
        shapes
    }

    fn window(&self) -> Window {
        let is_line = self.frame.width == 1;
        let across = |image, line| if is_line { line } else { image };
        Window { kernel: [4, across(4, 1)], stride: [2, across(2, 1)], padding: [1, across(1, 0)] }
    }

    fn encoder(&self) -> Vec<Layer> {
        let conv = |&output: &Shape| Layer { op: Op::Conv(self.window()), activation: Activation::Relu, output };
        let mut layers: Vec<Layer> = self.shapes()[1..].iter().map(conv).collect();
        layers.push(Layer { op: Op::Dense, activation: Activation::None, output: Shape::flat(self.code_len) });
        layers
    }

    fn decoder(&self) -> Vec<Layer> {
        let mut outputs = self.shapes();
        let start = outputs.pop().expect("the frame is one of them");
        let mut layers = vec![Layer { op: Op::Dense, activation: Activation::Relu, output: start }];
        for (index, output) in outputs.into_iter().enumerate().rev() {
            let activation = if index == 0 { Activation::None } else { Activation::Relu };
            layers.push(Layer { op: Op::ConvTranspose(self.window()), activation, output });
        }
        layers
    }

    fn transfer(&self, kind: Kind, precision: Precision) -> TransferSpec {
        let channels = usize::from(self.frame.channels);
        match (precision, self.raw, kind) {
            (Precision::F32 | Precision::F16, ..) => {
                TransferSpec::Real(vec![128.0; channels], vec![1.0 / 74.0; channels])
            }
            (Precision::I8, RawType::I16, Kind::Encoder) => {
                let gain = quant::input_gain(1.0).expect("a gain of 1 can be written");
                TransferSpec::Fixed(vec![128; channels], vec![gain; channels])
            }
            (Precision::I8, ..) => TransferSpec::Identity,
        }
    }
}

fn clamp(element: Element) -> [i32; 2] {
    match element {
        Element::U8 => [0, 255],
        Element::I16 => [-2047, 2047],
        Element::F32 => [0, 0],
    }
}

/// Weights that keep values in range: the outputs have about the variance of the inputs.
fn layer_spec(layer: &Layer, input: Shape, element: Element, precision: Precision, random: &mut Random) -> LayerSpec {
    let &Layer { op, activation, output } = layer;
    let (weights_len, bias_len) = (op.weights_len(input, output), op.bias_len(output));
    let fan_in = op.fan_in(input) as f64;
    let largest = (3.0 / fan_in).sqrt();
    let mut real = || (random.unit() * largest) as f32;
    let weights = match precision {
        Precision::F32 => WeightsSpec::F32((0..weights_len).map(|_| real()).collect(), vec![0.0; bias_len]),
        Precision::F16 => {
            WeightsSpec::F16((0..weights_len).map(|_| f16::from_f32(real())).collect(), vec![0.0; bias_len])
        }
        Precision::I8 => {
            let scale = largest / f64::from(quant::WEIGHT_MAX);
            let multiplier = quant::multiplier(scale).expect("a scale below a half");
            WeightsSpec::I8 {
                weights: (0..weights_len).map(|_| (random.unit() * 127.0) as i8).collect(),
                bias: vec![0; bias_len],
                multiplier: vec![multiplier; output.channels.into()],
                post: [Vec::new(), Vec::new()],
            }
        }
    };
    LayerSpec { header: LayerHeader { op, activation, output, element, clamp: clamp(element), acc_shift: 0 }, weights }
}

/// Input, packet and output of a window, as bytes.
fn run<S: Sample + Pod>(encoder: &[u8], decoder: &[u8], window: &[S]) -> Result<[Vec<u8>; 3], BenchError> {
    let (encoder, decoder) = (AlignedBytes::new(encoder), AlignedBytes::new(decoder));
    let (encoder, decoder) = (Model::load(encoder.as_slice())?, Model::load(decoder.as_slice())?);
    let mut buffer = AlignedBytes::zeroed(encoder.buffer_len().max(decoder.buffer_len()));
    let (mut code, mut packet) = (vec![0; encoder.code_len()], [0; PACKET_LEN_MAX]);
    Encoder::new(&encoder, buffer.as_mut_slice())?.encode(window, &mut code)?;
    let packet_len = encoder.code().pack(&code, PACKET_LEN_MAX, &mut packet)?;
    decoder.code().unpack(&packet[..packet_len], &mut code)?;
    let mut output = window.to_vec();
    Decoder::new(&decoder, buffer.as_mut_slice())?.decode(&code, &mut output)?;
    Ok([
        bytemuck::cast_slice(window).to_vec(),
        [&[packet_len as u8], &packet[..packet_len]].concat(),
        bytemuck::cast_slice(&output).to_vec(),
    ])
}

/// Copies a case.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), BenchError> {
    fs::create_dir_all(to).map_err(FirmwareError::io(to))?;
    FILES.into_iter().try_for_each(|name| {
        let content = fs::read(from.join(name)).map_err(FirmwareError::io(from.join(name)))?;
        write_if_changed(&to.join(name), &content)
    })
}

/// An untouched file does not have the firmware built again.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), BenchError> {
    let is_same = fs::read(path).is_ok_and(|old| old == content);
    if is_same { Ok(()) } else { Ok(fs::write(path, content).map_err(FirmwareError::io(path))?) }
}

/// A xorshift generator.
struct Random(u32);

impl Random {
    /// Within +-1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}
