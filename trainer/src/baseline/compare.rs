//! An exported model beside linear codes on the test part of its data.

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::{Basis, Coded, FIT_ITEMS, Ideal, Method, windows};
use crate::batches::DeviceData;
use crate::data::{DataShape, Dataset, RawItems};
use crate::deployed::{DeployError, Deployed};
use crate::eval::{precision_name, round_to_raw};
use crate::export::to_raw_units;
use crate::quality::SignalQuality;

/// Name of the exported model in tables.
pub const OURS: &str = "irmae";
/// Bits of a sample that is kept as a real number: what the converters of motion sensors have.
const BITS_OF_REAL: u32 = 16;

/// All methods at all packet sizes.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The data set.
    pub data: String,
    /// `f32`, `f16` or `i8`.
    pub precision: &'static str,
    /// Test windows.
    pub items: usize,
    /// Samples of a window, of all channels.
    pub samples: usize,
    /// Bits of a sample as the sensor gives it.
    pub sensor_bits: u32,
    /// By packet size, then by method.
    pub rows: Vec<Row>,
    /// Beside PCA with an ideal coder, by packet size.
    pub gains: Vec<Gain>,
    /// Test windows of which pictures can be made.
    #[serde(skip)]
    pub shown: Restored,
}

/// A method at a packet size.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `irmae`, `PCA`, `DCT` or `wavelet`.
    pub method: &'static str,
    /// Bytes that a packet may have.
    pub max_bytes: usize,
    /// Bytes that packets have, every byte of them, on average.
    pub bytes_per_window: f64,
    /// Raw bits at the sensor's width over all bits sent.
    pub compression_ratio: f64,
    /// How well windows are restored.
    #[serde(flatten)]
    pub quality: SignalQuality,
    /// Some restored windows.
    #[serde(skip)]
    pub shown: Restored,
}

/// The exported model beside PCA with ideal entropy coding and no header, at the bytes that the model's packets have.
#[derive(Debug, Serialize)]
pub struct Gain {
    /// Bytes that a packet may have.
    pub max_bytes: usize,
    /// PCA's bytes a window.
    pub ideal_bytes: f64,
    /// What PCA reaches.
    pub ideal: SignalQuality,
    /// Signal-to-noise ratio above PCA's.
    pub gain_db: f64,
    /// PRDN over PCA's.
    pub prdn_ratio: f64,
}

/// Some windows in raw units. Shape: `[W, C, P]`, f64.
pub type Restored = Tensor;

/// Measures `deployed` and every linear code with packets of at most `bytes` (ascending), and keeps the windows at `shown` for pictures.
///
/// # Errors
/// When the files are damaged or made for other data.
pub fn compare(
    deployed: &Deployed,
    data: &Dataset,
    bytes: &[usize],
    shown: &[usize],
) -> Result<Comparison, DeployError> {
    let precision = precision_name(deployed.models()?[0].precision());
    let bench = Bench::new(data, shown);
    let mut rows = Vec::new();
    for &max_bytes in bytes {
        let outcome = deployed.run(&data.test, 0..data.test.len(), max_bytes)?;
        let sent: usize = outcome.packets.iter().map(Vec::len).sum();
        let restored = from_frames(&outcome.output, data.shape);
        rows.push(bench.row(OURS, max_bytes, sent as f64 / data.test.len() as f64, &restored));
    }
    let train = windows(&DeviceData::upload(&data.train, &data.normalization, Device::Cpu), FIT_ITEMS);
    let mut gains = Vec::new();
    for method in Method::ALL {
        let basis = Basis::new(method, &train, data.shape);
        let coded = Coded::fit(&basis, &train, bytes);
        for &max_bytes in bytes {
            let (restored, mean_bytes) = coded.through_packets(&bench.windows, max_bytes);
            rows.push(bench.row(method.name(), max_bytes, mean_bytes, &bench.to_raw(&restored)));
        }
        if method == Method::Pca {
            gains = rows.iter().filter(|row| row.method == OURS).map(|ours| bench.gain(&basis, ours)).collect();
        }
    }
    // Methods keep their order within a size.
    rows.sort_by_key(|row| row.max_bytes);
    Ok(Comparison {
        data: data.name.clone(),
        precision,
        items: data.test.len(),
        samples: bench.samples,
        sensor_bits: bench.sensor_bits,
        rows,
        gains,
        shown: bench.select(&bench.originals),
    })
}

/// The test part.
struct Bench<'a> {
    data: &'a Dataset,
    /// As the network sees it. Shape: `[N, n]`, f64.
    windows: Tensor,
    /// In raw units. Shape: `[N, C, P]`, f64.
    originals: Tensor,
    /// Indices of windows for pictures.
    shown: Tensor,
    samples: usize,
    sensor_bits: u32,
}

impl<'a> Bench<'a> {
    fn new(data: &'a Dataset, shown: &[usize]) -> Self {
        let test = DeviceData::upload(&data.test, &data.normalization, Device::Cpu);
        let raw = data.test.to_f32(0..data.test.len());
        let values = raw.as_slice().expect("items lie in memory order");
        let shown: Vec<i64> = shown.iter().map(|&index| index as i64).collect();
        Self {
            data,
            windows: windows(&test, usize::MAX),
            originals: Tensor::from_slice(values).view(signal_axes(data.shape)).to_kind(Kind::Double),
            shown: Tensor::from_slice(&shown),
            samples: data.shape.channels * data.shape.height * data.shape.width,
            sensor_bits: sensor_bits(data),
        }
    }

    fn row(&self, method: &'static str, max_bytes: usize, bytes_per_window: f64, restored: &Tensor) -> Row {
        let raw_bytes = self.samples as f64 * f64::from(self.sensor_bits) / 8.0;
        Row {
            method,
            max_bytes,
            bytes_per_window,
            compression_ratio: raw_bytes / bytes_per_window,
            quality: self.quality(restored),
            shown: self.select(restored),
        }
    }

    fn gain(&self, pca: &Basis, ours: &Row) -> Gain {
        let (found, restored) = Ideal::restore(pca, &self.windows, ours.bytes_per_window);
        let ideal = self.quality(&self.to_raw(&restored));
        Gain {
            max_bytes: ours.max_bytes,
            ideal_bytes: found.bytes,
            ideal,
            gain_db: ours.quality.snr_db - ideal.snr_db,
            prdn_ratio: ours.quality.prdn_percent / ideal.prdn_percent,
        }
    }

    fn quality(&self, restored: &Tensor) -> SignalQuality {
        SignalQuality::of(&self.originals, restored, &self.data.normalization, self.data.peak)
    }

    fn select(&self, windows: &Tensor) -> Restored {
        windows.index_select(0, &self.shown)
    }

    /// Restored windows (N,n) as a receiver gives them out: of the raw type. Shape: `[N, C, P]`.
    fn to_raw(&self, windows: &Tensor) -> Tensor {
        let maps = windows.view(signal_axes(self.data.shape)).unsqueeze(2);
        round_to_raw(&to_raw_units(&maps, &self.data.normalization), &self.data.test).squeeze_dim(2)
    }
}

fn signal_axes(shape: DataShape) -> [i64; 3] {
    [-1, shape.channels as i64, (shape.height * shape.width) as i64]
}

/// The device's outputs, whose channels come last. Shape: `[N, C, P]`, f64.
fn from_frames(frames: &[f32], shape: DataShape) -> Tensor {
    let [items, channels, pixels] = signal_axes(shape);
    Tensor::from_slice(frames).view([items, pixels, channels]).transpose(1, 2).to_kind(Kind::Double)
}

/// Bits of a sample: those that the largest one needs, where samples are unsigned and can be wider than the sensor's.
fn sensor_bits(data: &Dataset) -> u32 {
    let largest = |items: &RawItems| match items {
        RawItems::U16(items) => items.iter().copied().max().unwrap_or(0),
        _ => 0,
    };
    match &data.test {
        RawItems::U8(_) => 8,
        RawItems::I16(_) => 16,
        RawItems::U16(_) => largest(&data.train).max(largest(&data.test)).max(1).ilog2() + 1,
        RawItems::F32(_) => BITS_OF_REAL,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::data::Normalization;

    fn signals(items: RawItems) -> Dataset {
        let [_, channels, height, width] = items.axes();
        Dataset {
            name: "signals".into(),
            shape: DataShape { channels, height, width, one_dimensional: true },
            train: items.clone(),
            test: items,
            normalization: Normalization { offset: vec![1.0, 2.0], scale: vec![2.0, 4.0] },
            peak: 1.0,
        }
    }

    #[test]
    fn both_ways_to_raw_units_have_the_order_of_the_originals() {
        let items = Array4::from_shape_fn([2, 2, 1, 3], |(n, c, _, t)| (100 * n + 10 * c + t) as i16);
        let data = signals(RawItems::I16(items));
        let bench = Bench::new(&data, &[1]);
        assert_eq!(bench.to_raw(&bench.windows), bench.originals);
        let frames = [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 100.0, 110.0, 101.0, 111.0, 102.0, 112.0];
        assert_eq!(from_frames(&frames, data.shape), bench.originals);
        assert_eq!(bench.select(&bench.originals).double_value(&[0, 1, 2]), 112.0);
        assert!(bench.quality(&bench.originals).prd_percent == 0.0);
    }

    #[test]
    fn a_samples_bits_are_the_sensors() {
        let of = |items| sensor_bits(&signals(items));
        let u16s = |largest: u16| RawItems::U16(Array4::from_shape_vec([1, 2, 1, 1], vec![3, largest]).unwrap());
        assert_eq!((of(u16s(1754)), of(u16s(2048)), of(u16s(65_535))), (11, 12, 16));
        assert_eq!(of(RawItems::U8(Array4::zeros([1, 2, 1, 1]))), 8);
        assert_eq!(of(RawItems::F32(Array4::zeros([1, 2, 1, 1]))), 16);
    }

    #[test]
    fn packets_of_a_row_are_told_in_all_their_bits() {
        let data = signals(RawItems::F32(Array4::from_shape_fn([2, 2, 1, 8], |(n, c, _, t)| (n + c * t) as f32)));
        let bench = Bench::new(&data, &[]);
        let row = bench.row("PCA", 9, 8.0, &(&bench.originals + 1.0));
        // 16 samples of 16 bits in 64 bits.
        assert_eq!((row.compression_ratio, row.quality.rmse), (4.0, 1.0));
    }
}
