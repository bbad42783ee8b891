//! One side of the pair, encoder or decoder, on its way to a file.

use half::f16;
use irmae_infer::format::{
    self, Element, Kind, LayerHeader, LayerSpec, ModelSpec, Precision, TransferSpec, WeightsSpec,
};
use irmae_infer::{Activation, RawType, Shape, quant};
use tch::Tensor;

use super::layers::{self, DeviceLayer};
use super::quantize::{self, Target, Unquantizable};
use super::{ExportError, Source, calibrate, model_id};
use crate::code::Quantizer;
use crate::data::Normalization;
use crate::model::TorchLayer;

/// Encoder or decoder on its way to a file.
pub(super) struct Side<'a> {
    source: &'a Source<'a>,
    kind: Kind,
    precision: Precision,
    torch_layers: &'a [TorchLayer],
    layers: Vec<DeviceLayer>,
    frame: Shape,
}

impl<'a> Side<'a> {
    pub(super) fn new(source: &'a Source<'a>, kind: Kind, precision: Precision) -> Result<Self, ExportError> {
        let spec = source.model.spec();
        let torch_layers = match kind {
            Kind::Encoder => source.model.encoder(),
            Kind::Decoder => source.model.decoder(),
        };
        let one_dimensional = spec.input.one_dimensional;
        let frame = layers::frame_shape(spec.item_shape(), one_dimensional);
        Ok(Self {
            source,
            kind,
            precision,
            torch_layers,
            layers: layers::device_layers(part(kind), torch_layers, one_dimensional)?,
            frame: frame.ok_or(ExportError::TooLarge { part: part(kind), index: 0 })?,
        })
    }

    pub(super) fn file(&self) -> Result<Vec<u8>, ExportError> {
        let (input, layers, transfer) = match self.precision {
            Precision::I8 => self.integer_layers()?,
            Precision::F32 | Precision::F16 => (Input::REAL, self.real_layers()?, self.real_transfer()),
        };
        let spec = ModelSpec {
            kind: self.kind,
            precision: self.precision,
            model_id: model_id(self.source.model, self.source.code),
            raw: self.source.raw,
            frame: self.frame,
            code: self.source.code.spec.clone(),
            transfer,
            input: input.element,
            input_clamp: input.clamp,
            layers,
        };
        format::write(&spec).map_err(|source| ExportError::Write { part: part(self.kind), source })
    }

    fn real_transfer(&self) -> TransferSpec {
        let Normalization { offset, scale } = self.source.normalization;
        TransferSpec::Real(offset.clone(), scale.iter().map(|scale| 1.0 / scale).collect())
    }

    fn real_layers(&self) -> Result<Vec<LayerSpec>, ExportError> {
        self.layers.iter().enumerate().map(|(index, layer)| self.real_layer(index, layer)).collect()
    }

    fn real_layer(&self, index: usize, layer: &DeviceLayer) -> Result<LayerSpec, ExportError> {
        let bias = layer.bias.clone();
        let weights = if self.precision == Precision::F16 {
            let weights: Vec<f16> = layer.weights.iter().map(|&w| f16::from_f32(w)).collect();
            if weights.iter().any(|w| !w.is_finite()) {
                return Err(ExportError::BeyondF16 { part: part(self.kind), index });
            }
            WeightsSpec::F16(weights, bias)
        } else {
            WeightsSpec::F32(layer.weights.clone(), bias)
        };
        let DeviceLayer { op, activation, output, .. } = *layer;
        let header = LayerHeader { op, activation, output, element: Element::F32, clamp: [0, 0], acc_shift: 0 };
        Ok(LayerSpec { header, weights })
    }

    fn integer_layers(&self) -> Result<(Input, Vec<LayerSpec>, TransferSpec), ExportError> {
        let input = self.integer_input();
        let ranges = calibrate::output_ranges(self.torch_layers, &self.calibration(), 255);
        let (mut x_units, mut specs) = (input.units, Vec::new());
        let (mut layers, mut transfer) = (self.layers.clone(), input.transfer.clone());
        if self.kind == Kind::Decoder {
            // The code arrives in units: what they are worth goes into the weights.
            let resolutions = &self.source.code.spec.resolutions;
            layers[0].weights.chunks_mut(resolutions.len()).for_each(|weights| {
                weights.iter_mut().zip(resolutions).for_each(|(w, resolution)| *w *= resolution);
            });
        }
        for (index, layer) in layers.iter().enumerate() {
            let target = match layers.get(index + 1) {
                Some(next) => hidden_target(layer, ranges[index], next),
                None if self.kind == Kind::Encoder => self.code_target(),
                None => {
                    let (target, out) = self.frame_target(ranges[index]);
                    transfer = out;
                    target
                }
            };
            let part = part(self.kind);
            let spec = quantize::quantize(layer, x_units, &target).map_err(|why| match why {
                Unquantizable::TooFine => ExportError::TooFine { part, index },
                Unquantizable::ReluOnOffset => ExportError::ReluOnOffset { part, index },
            })?;
            specs.push(spec);
            x_units = target.units[0];
        }
        Ok((input, specs, transfer))
    }

    /// What the side is calibrated on: items, or their codes as the largest packets bring them.
    fn calibration(&self) -> Tensor {
        let x = self.source.calibration;
        match self.kind {
            Kind::Encoder => x.shallow_clone(),
            Kind::Decoder => {
                let codes = self.source.model.encode(x);
                let quantizer = Quantizer::new(self.source.code.clone(), codes.device());
                quantizer.through_packets(&codes, self.source.code.max_bytes()).unsqueeze(-1).unsqueeze(-1)
            }
        }
    }

    fn integer_input(&self) -> Input {
        let fan_in = self.layers[0].op.fan_in(self.layers[0].input);
        match (self.kind, self.source.raw) {
            (Kind::Decoder, _) => {
                Input { element: Element::I16, clamp: self.code_clamp(), units: 1.0, transfer: TransferSpec::Identity }
            }
            (Kind::Encoder, RawType::U8) => {
                // Pixels go in as they are.
                let units = f64::from(self.source.normalization.scale[0]);
                Input { element: Element::U8, clamp: [0, 255], units, transfer: TransferSpec::Identity }
            }
            (Kind::Encoder, raw) => {
                let limit = quantize::i16_limit(fan_in);
                // A quarter of room for values beyond those of the calibration.
                let units = f64::from(limit) / (1.25 * calibrate::largest(self.source.calibration));
                let transfer = self.input_transfer(raw, units);
                Input { element: Element::I16, clamp: [-limit, limit], units, transfer }
            }
        }
    }

    fn input_transfer(&self, raw: RawType, units: f64) -> TransferSpec {
        let Normalization { offset, scale } = self.source.normalization;
        let gains = scale.iter().map(|&scale| units / f64::from(scale));
        if raw == RawType::F32 {
            return TransferSpec::Real(offset.clone(), gains.map(|gain| gain as f32).collect());
        }
        let zeros = offset.iter().map(|offset| offset.round() as i32).collect();
        // Finer than 2^-19 or coarser than 2^12 units a count: nothing that 16 bits of raw data could need.
        let gains = gains.map(|gain| quant::input_gain(gain).unwrap_or(if gain < 1.0 { 1 } else { i32::MAX }));
        TransferSpec::Fixed(zeros, gains.collect())
    }

    /// The last layer of the encoder gives the code in units.
    fn code_target(&self) -> Target {
        let resolutions = &self.source.code.spec.resolutions;
        Target {
            element: Element::I16,
            units: resolutions.iter().map(|&resolution| 1.0 / f64::from(resolution)).collect(),
            offset: vec![0.0; resolutions.len()],
            clamp: self.code_clamp(),
        }
    }

    /// The range of the coefficient that has the largest.
    fn code_clamp(&self) -> [i32; 2] {
        let half = 1 << (self.source.code.spec.bits.iter().max().copied().unwrap_or(1) - 1);
        [-half, half - 1]
    }

    /// The last layer of the decoder gives raw samples; see [`irmae_infer::Transfer`].
    fn frame_target(&self, range: f64) -> (Target, TransferSpec) {
        let Normalization { offset, scale } = self.source.normalization;
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
        let (units, mut offset) = (wide(scale), wide(offset));
        let signed = [-32_768, 32_767];
        match self.source.raw {
            RawType::U8 => {
                let target = Target { element: Element::U8, units, offset, clamp: [0, 255] };
                (target, TransferSpec::Identity)
            }
            RawType::I16 => (Target { element: Element::I16, units, offset, clamp: signed }, TransferSpec::Identity),
            RawType::U16 => {
                offset.iter_mut().for_each(|offset| *offset -= 32_768.0);
                (Target { element: Element::I16, units, offset, clamp: signed }, TransferSpec::Identity)
            }
            RawType::F32 => {
                let fine = 32_767.0 / (1.25 * range);
                let gains = units.iter().map(|scale| (fine / scale) as f32).collect();
                let transfer = TransferSpec::Real(self.source.normalization.offset.clone(), gains);
                let channels = units.len();
                let (units, offset) = (vec![fine; channels], vec![0.0; channels]);
                (Target { element: Element::I16, units, offset, clamp: signed }, transfer)
            }
        }
    }
}

/// The first layer's input.
struct Input {
    element: Element,
    clamp: [i32; 2],
    units: f64,
    transfer: TransferSpec,
}

impl Input {
    /// Of real-valued models, whose raw samples are normalised as in training.
    const REAL: Self = Self { element: Element::F32, clamp: [0, 0], units: 1.0, transfer: TransferSpec::Identity };
}

/// Between two layers: `u8` where values cannot be negative, else `i16` as large as the next layer's sum allows.
fn hidden_target(layer: &DeviceLayer, range: f64, next: &DeviceLayer) -> Target {
    let channels = usize::from(layer.output.channels);
    let limit = quantize::i16_limit(next.op.fan_in(next.input));
    let (element, units, clamp) = match layer.activation {
        Activation::Relu => (Element::U8, 255.0 / range, [0, 255]),
        Activation::Sigmoid => (Element::U8, 255.0, [0, 255]),
        Activation::Tanh => (Element::I16, f64::from(limit), [-limit, limit]),
        Activation::None => (Element::I16, f64::from(limit) / (1.25 * range), [-limit, limit]),
    };
    Target { element, units: vec![units; channels], offset: vec![0.0; channels], clamp }
}

fn part(kind: Kind) -> &'static str {
    match kind {
        Kind::Encoder => "encoder",
        Kind::Decoder => "decoder",
    }
}
