//! What a network and its exported form are worth on a set of items.
//!
//! The exported model is measured by running `irmae-infer` on every item, so its figures are the device's.

use irmae_infer::code::OVERHEAD_LEN;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::code::{CodeTables, Quantizer};
use crate::data::{Dataset, RawItems};
use crate::deployed::{DeployError, Deployed, Outcome};
use crate::export::{self, Subject};
use crate::model::Model;
use crate::quality::{psnr_db, raw_mse};
use crate::sheet::{self, Row};

/// Items in a piece of work: bounds the memory that an evaluation takes.
const PIECE: usize = 1000;

/// The torch network on the test part.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkReport {
    /// Number of items.
    pub items: usize,
    /// PSNR in raw units, code not quantised.
    pub psnr_db: f64,
    /// Root mean squared error in raw units.
    pub rmse: f64,
    /// PSNR with the code in packets of the largest size that the network was tuned for, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_quantized_code_db: Option<f64>,
}

/// The exported pair on the test part.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceReport {
    /// `f32`, `f16` or `i8`.
    pub precision: &'static str,
    /// Number of items.
    pub items: usize,
    /// Bytes that a packet may have.
    pub max_bytes: usize,
    /// PSNR in raw units of what the decoder makes of the packets.
    pub psnr_db: f64,
    /// Root mean squared error in raw units.
    pub rmse: f64,
    /// Bytes of all packets, every byte of them, for each item.
    pub bytes_per_item: f64,
    /// Bytes of all payloads for each item: packets without the byte of operating point and class.
    pub payload_bytes_per_item: f64,
    /// What payloads would take with an ideal entropy coder under the model's own tables.
    pub ideal_payload_bytes_per_item: f64,
    /// Largest difference between the outputs of device and libtorch for the same code, relative to the largest output.
    pub max_rel_diff: f64,
    /// Largest difference between the codes of device and libtorch, relative to the largest coefficient; not for `i8`,
    /// whose codes are integers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_max_rel_diff: Option<f64>,
    /// The encoder's needs.
    pub encoder: HalfReport,
    /// The decoder's needs.
    pub decoder: HalfReport,
}

/// What one half takes on the device.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct HalfReport {
    /// Bytes of the model file.
    pub flash_bytes: usize,
    /// Bytes of the buffer.
    pub ram_bytes: usize,
    /// Multiplications by weights for one item.
    pub macs: u64,
}

impl HalfReport {
    fn of(model: &irmae_infer::Model<'_>) -> Self {
        let macs = model.layers().iter().map(|layer| layer.op.macs(layer.input, layer.output)).sum();
        Self { flash_bytes: model.file_len(), ram_bytes: model.buffer_len(), macs }
    }
}

/// Why something cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The exported files do not run.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A contact sheet was asked for.
    #[error("a contact sheet needs images of u8 pixels with 1 or 3 channels; leave --sheet away for this data")]
    NoImages,
}

/// Measures the torch network on the test part of `data`.
pub fn network(model: &Model, code: Option<&CodeTables>, data: &Dataset, device: Device) -> NetworkReport {
    let test = DeviceData::upload(&data.test, &data.normalization, device);
    let mse = raw_mse(&test, |x| model.forward(x));
    let quantized = |code: &CodeTables| {
        let quantizer = Quantizer::new(code.clone(), device);
        raw_mse(&test, |x| model.decode(&quantizer.through_packets(&model.encode(x), code.max_bytes())))
    };
    NetworkReport {
        items: data.test.len(),
        psnr_db: psnr_db(mse, data.peak),
        rmse: mse.sqrt(),
        psnr_quantized_code_db: code.map(|code| psnr_db(quantized(code), data.peak)),
    }
}

/// Measures an exported pair on the first `limit` items of the test part of `data`, in packets of at most `max_bytes`, beside the
/// network it came from.
///
/// # Errors
/// When the files are damaged or made for other data.
pub fn deployed(
    deployed: &Deployed,
    subject: &Subject,
    data: &Dataset,
    max_bytes: usize,
    limit: usize,
) -> Result<DeviceReport, DeployError> {
    let Subject { model, code, .. } = subject;
    let [encoder, decoder] = deployed.models()?;
    let test = DeviceData::upload(&data.test, &data.normalization, model.device());
    let items = data.test.len().min(limit);
    let (mut squared_error, mut packet_bytes, mut ideal_bits) = (0.0, 0, 0.0);
    let (mut code_diff, mut output_diff) = (Difference::default(), Difference::default());
    for start in (0..items).step_by(PIECE) {
        let range = start..items.min(start + PIECE);
        let outcome = deployed.run(&data.test, range.clone(), max_bytes)?;
        squared_error += outcome.squared_error;
        packet_bytes += outcome.packets.iter().map(Vec::len).sum::<usize>();
        ideal_bits += outcome.ideal_bits;
        let indices = Tensor::arange_start(range.start as i64, range.end as i64, (Kind::Int64, model.device()));
        let theirs = Theirs { model, code, data };
        tch::no_grad(|| {
            code_diff.add(&outcome.coefficients, &model.encode(&test.batch(&indices)));
            let (ours, theirs) = theirs.outputs(&outcome);
            output_diff.add(ours, &theirs);
        });
    }
    let mse = squared_error / (items * data.test.axes()[1..].iter().product::<usize>()) as f64;
    let bytes_per_item = packet_bytes as f64 / items as f64;
    Ok(DeviceReport {
        precision: precision_name(encoder.precision()),
        items,
        max_bytes,
        psnr_db: psnr_db(mse, data.peak),
        rmse: mse.sqrt(),
        bytes_per_item,
        payload_bytes_per_item: bytes_per_item - OVERHEAD_LEN as f64,
        ideal_payload_bytes_per_item: ideal_bits / 8.0 / items as f64,
        max_rel_diff: output_diff.relative(),
        code_max_rel_diff: (code_diff.largest > 0.0).then(|| code_diff.relative()),
        encoder: HalfReport::of(&encoder),
        decoder: HalfReport::of(&decoder),
    })
}

/// Rows of a contact sheet: the first `count` test images, what libtorch makes of their packets, and what the device does.
///
/// # Errors
/// When the data is no set of images, or the files are damaged.
pub fn sheet_rows(
    deployed: &Deployed,
    subject: &Subject,
    data: &Dataset,
    report: &DeviceReport,
    count: usize,
) -> Result<Vec<Row>, EvalError> {
    let shape = data.shape;
    if shape.one_dimensional || !matches!(shape.channels, 1 | 3) || !matches!(data.test, RawItems::U8(_)) {
        return Err(EvalError::NoImages);
    }
    let count = count.min(data.test.len());
    let outcome = deployed.run(&data.test, 0..count, report.max_bytes)?;
    let theirs = Theirs { model: &subject.model, code: &subject.code, data };
    let libtorch = tch::no_grad(|| to_vec(&theirs.raw_outputs(&outcome)));
    let originals: Vec<f32> = to_vec(&export::to_frames(&as_tensor(&data.test, count), false));
    let row = |name: &str, about: String, values: &[f32]| Row {
        name: name.into(),
        about,
        images: values
            .chunks_exact(shape.channels * shape.height * shape.width)
            .map(|image| sheet::image_of(image, [shape.height, shape.width, shape.channels]))
            .collect(),
    };
    let item_len = shape.channels * shape.height * shape.width;
    Ok(vec![
        row("original", format!("{item_len} bytes"), &originals),
        row("libtorch", "f32, the same packets".into(), &libtorch),
        row(
            &format!("device {}", report.precision),
            format!("{:.0} bytes, {:.2} dB", report.bytes_per_item, report.psnr_db),
            &outcome.output,
        ),
    ])
}

/// The first `count` items as they are. Shape: `[count, C, H, W]`.
fn as_tensor(items: &RawItems, count: usize) -> Tensor {
    let values = items.to_f32(0..count);
    let axes: Vec<i64> = values.shape().iter().map(|&n| n as i64).collect();
    let values: Vec<f32> = values.iter().copied().collect();
    Tensor::from_slice(&values).view(axes.as_slice())
}

/// Name of a precision, as `--quantize` takes it.
pub fn precision_name(precision: irmae_infer::format::Precision) -> &'static str {
    use irmae_infer::format::Precision;
    match precision {
        Precision::F32 => "f32",
        Precision::F16 => "f16",
        Precision::I8 => "i8",
    }
}

/// What codes in units are worth. Shape: `[N, r]`.
pub(crate) fn dequantize(units: &[i16], code: &CodeTables, device: Device) -> Tensor {
    let units = Tensor::from_slice(units).view([-1, code.rank() as i64]).to_kind(Kind::Float);
    (units * Tensor::from_slice(&code.spec.resolutions)).to_device(device)
}

/// Libtorch's side of the comparison.
struct Theirs<'a> {
    model: &'a Model,
    code: &'a CodeTables,
    data: &'a Dataset,
}

impl Theirs<'_> {
    /// The outputs of device and libtorch for the codes in `outcome`, in raw units and the device's order. Those of an
    /// integer model are of the raw type already, so libtorch's are rounded and saturated as well.
    fn outputs<'o>(&self, outcome: &'o Outcome) -> (&'o [f32], Tensor) {
        let is_real = !outcome.coefficients.is_empty();
        let rounded = !is_real && !matches!(self.data.test, RawItems::F32(_));
        let theirs = self.raw_outputs(outcome);
        if rounded { (&outcome.output, round_to_raw(&theirs, &self.data.test)) } else { (&outcome.unrounded, theirs) }
    }

    /// Libtorch's outputs for the codes in `outcome`, in raw units and the device's order, neither rounded nor saturated.
    fn raw_outputs(&self, outcome: &Outcome) -> Tensor {
        let y = self.model.decode(&dequantize(&outcome.received, self.code, self.model.device()));
        let maps = export::to_raw_units(&y, &self.data.normalization);
        export::to_frames(&maps, self.model.spec().input.one_dimensional)
    }
}

/// Rounded and saturated as the raw type of `items` is.
pub(crate) fn round_to_raw(maps: &Tensor, items: &RawItems) -> Tensor {
    let [least, largest] = match items {
        RawItems::U8(_) => [0.0, 255.0],
        RawItems::I16(_) => [-32_768.0, 32_767.0],
        RawItems::U16(_) => [0.0, 65_535.0],
        RawItems::F32(_) => return maps.shallow_clone(),
    };
    maps.round().clamp(least, largest)
}

/// As `f32` on the CPU. Shape: flat.
fn on_host(tensor: &Tensor) -> Tensor {
    tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().flatten(0, -1)
}

/// All values.
pub(crate) fn to_vec(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(on_host(tensor)).expect("a flat f32 tensor")
}

/// The largest difference so far, and the largest value.
#[derive(Default)]
struct Difference {
    difference: f64,
    largest: f64,
}

impl Difference {
    /// Compares with libtorch's values; an empty slice has nothing to compare.
    fn add(&mut self, ours: &[f32], theirs: &Tensor) {
        if ours.is_empty() {
            return;
        }
        let theirs = on_host(theirs);
        let ours = Tensor::from_slice(ours);
        self.difference = self.difference.max((&ours - &theirs).abs().max().double_value(&[]));
        self.largest = self.largest.max(theirs.abs().max().double_value(&[]));
    }

    fn relative(&self) -> f64 {
        self.difference / self.largest.max(f64::MIN_POSITIVE)
    }
}
