//! The network that every library runs: `micro-image` with seeded weights, and what goes into it.

use std::path::Path;

use anyhow::{Context, Result};
use irmae_infer::RawType;
use irmae_infer::format::{AlignedBytes, Kind, Precision};
use tch::{Device, Tensor, no_grad};
use trainer::code::{self, CodeTables, Quantizer};
use trainer::config::StackInit;
use trainer::data::{DataShape, Normalization};
use trainer::export::{self, Source};
use trainer::model::{Model, TorchLayer};
use trainer::presets;

/// Side length of the images.
pub(crate) const SIDE: usize = 28;
/// Size of the code.
const LATENT: usize = 32;
/// Bytes of a packet.
const PACKET_BYTES: usize = 32;
/// Images that integers are calibrated on.
const IMAGES: i64 = 256;
const SEED: u64 = 3;

/// A network with images and the codes that it makes of them.
pub(crate) struct Network {
    model: Model,
    code: CodeTables,
    /// `(N,1,28,28)`, whole numbers of 255ths.
    images: Tensor,
    /// `(N,32)`, as they come out of packets.
    codes: Tensor,
}

impl Network {
    /// The same network every time.
    pub(crate) fn seeded() -> Result<Self> {
        let shape = DataShape { channels: 1, height: SIDE, width: SIDE, one_dimensional: false };
        let spec = presets::find("micro-image")?.network(shape, LATENT, 0)?;
        let model = Model::initialise(&spec, StackInit::Pytorch, SEED, Device::Cpu);
        no_grad(|| {
            let images = images();
            fill_the_range(&model.encoder()[2], &model.encode(&images), 1.0, 0.0);
            let codes = model.encode(&images);
            let columns = Vec::<Vec<f32>>::try_from(codes.tr().contiguous())?;
            let code = code::fit(&columns, &[1.0; LATENT], &[PACKET_BYTES], code::CLASSES_MAX);
            let codes = Quantizer::new(code.clone(), Device::Cpu).through_packets(&codes, PACKET_BYTES);
            fill_the_range(&model.decoder()[2], &model.decode(&codes), 0.5, 0.5);
            Ok(Network { model, code, images, codes })
        })
    }

    /// Encoder or decoder as one of our files. Integers start from and end in pixels, reals in reals.
    pub(crate) fn file(&self, half: Kind, precision: Precision) -> Result<AlignedBytes> {
        let (raw, scale) = match precision {
            Precision::I8 => (RawType::U8, 255.0),
            Precision::F32 | Precision::F16 => (RawType::F32, 1.0),
        };
        let normalization = Normalization { offset: vec![0.0], scale: vec![scale] };
        let source = Source {
            model: &self.model,
            code: &self.code,
            normalization: &normalization,
            raw,
            calibration: &self.images,
        };
        let files = export::export(&source, precision)?;
        Ok(AlignedBytes::new(match half {
            Kind::Encoder => &files.encoder,
            Kind::Decoder => &files.decoder,
        }))
    }

    /// What all libraries are given: the first image, or its code.
    pub(crate) fn input(&self, half: Kind) -> Tensor {
        match half {
            Kind::Encoder => self.images.narrow(0, 0, 1),
            Kind::Decoder => self.codes.narrow(0, 0, 1),
        }
    }

    /// What all libraries are to make of the input.
    pub(crate) fn output(&self, half: Kind) -> Vec<f32> {
        to_vec(&self.forward(half, &self.input(half)))
    }

    /// libtorch's forward pass.
    pub(crate) fn forward(&self, half: Kind, input: &Tensor) -> Tensor {
        no_grad(|| match half {
            Kind::Encoder => self.model.encode(input),
            Kind::Decoder => self.model.decode(input),
        })
    }

    /// Weights under their names, with `images` and `codes` to calibrate on, for other programs.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let inputs = [("images", &self.images), ("codes", &self.codes)];
        let arrays: Vec<_> = self.model.parameters().named().chain(inputs).collect();
        Tensor::write_npz(&arrays, path).with_context(|| path.display().to_string())
    }
}

/// Soft blotches from black to white.
fn images() -> Tensor {
    tch::manual_seed(SEED as i64);
    let side = SIDE as i64;
    let coarse = Tensor::rand([IMAGES, 1, 4, 4], (tch::Kind::Float, Device::Cpu));
    let fine = coarse.upsample_bicubic2d([side, side], false, None, None);
    (fine.clamp(0.0, 1.0) * 255.0).round() / 255.0
}

/// Scales a half's last layer so that its outputs `y` come to lie within `centre` +- `reach`: fresh weights would leave them
/// within a few steps of the integers.
fn fill_the_range(layer: &TorchLayer, y: &Tensor, reach: f64, centre: f64) {
    let mean = y.mean(tch::Kind::Float);
    let gain = reach / (y - &mean).abs().max().double_value(&[]);
    let (mut weight, mut bias) = (layer.weight.shallow_clone(), layer.bias.shallow_clone());
    let _ = weight.g_mul_scalar_(gain);
    let _ = bias.g_sub_(&mean).g_mul_scalar_(gain).g_add_scalar_(centre);
}

/// All values in order.
pub(crate) fn to_vec(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().contiguous().flatten(0, -1)).expect("the network is f32")
}

/// `encoder` or `decoder`.
pub(crate) fn half_name(half: Kind) -> &'static str {
    match half {
        Kind::Encoder => "encoder",
        Kind::Decoder => "decoder",
    }
}
