//! How well a network gives its input back.

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::batches::DeviceData;
use crate::data::Normalization;
use crate::spectrum::CHUNK;

/// Mean squared error over `data`, or over at most `limit` items spread over it, in normalised units.
pub fn mse(data: &DeviceData, limit: usize, reconstruct: impl Fn(&Tensor) -> Tensor) -> f64 {
    mean_square(data, limit, |indices| {
        let x = data.batch(indices);
        reconstruct(&x) - x
    })
}

/// Mean squared error over all of `data` in raw units, as a device would see it: outputs rounded and saturated.
pub fn raw_mse(data: &DeviceData, reconstruct: impl Fn(&Tensor) -> Tensor) -> f64 {
    mean_square(data, usize::MAX, |indices| data.to_raw(&reconstruct(&data.batch(indices))) - data.raw_batch(indices))
}

/// Peak signal-to-noise ratio in dB.
pub fn psnr_db(mse: f64, peak: f64) -> f64 {
    10.0 * (peak * peak / mse).log10()
}

/// How well signals are restored, over all samples of all windows and channels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SignalQuality {
    /// Percentage root-mean-square difference: the error's energy over the signal's, both in raw units.
    pub prd_percent: f64,
    /// The same over the signal's energy about each window's own mean, each channel in its own deviations.
    pub prdn_percent: f64,
    /// Root mean squared error in raw units.
    pub rmse: f64,
    /// Peak signal-to-noise ratio in raw units.
    pub psnr_db: f64,
    /// Signal-to-noise ratio: variance over mean squared error, each channel in its own deviations.
    pub snr_db: f64,
}

impl SignalQuality {
    /// Of `restored` windows beside the `originals`, both in raw units. Shape: `[N, C, P]`, f64.
    pub fn of(originals: &Tensor, restored: &Tensor, normalization: &Normalization, peak: f64) -> Self {
        let scale = Tensor::from_slice(&normalization.scale).view([-1, 1]);
        let energy = |values: &Tensor| values.square().mean(Kind::Double).double_value(&[]);
        let about_mean = |axes: &[i64]| energy(&((originals - originals.mean_dim(axes, true, Kind::Double)) / &scale));
        let error = originals - restored;
        let (raw_error, scaled_error) = (energy(&error), energy(&(&error / &scale)));
        Self {
            prd_percent: 100.0 * (raw_error / energy(originals)).sqrt(),
            prdn_percent: 100.0 * (scaled_error / about_mean(&[2])).sqrt(),
            rmse: raw_error.sqrt(),
            psnr_db: psnr_db(raw_error, peak),
            snr_db: 10.0 * (about_mean(&[0, 2]) / scaled_error).log10(),
        }
    }
}

fn mean_square(data: &DeviceData, limit: usize, error: impl Fn(&Tensor) -> Tensor) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    tch::no_grad(|| {
        for indices in data.pieces(limit, CHUNK) {
            let error = error(&indices);
            sum += error.square().sum(Kind::Double).double_value(&[]);
            count += error.numel();
        }
    });
    sum / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Normalization, RawItems};
    use tch::Device;

    #[test]
    fn signals_are_measured_by_these_definitions() {
        // Two windows of two channels of two samples; the second channel has deviations of 10.
        let originals = [1.0, 3.0, 10.0, 30.0, 5.0, 7.0, 50.0, 70.0];
        let restored = [1.0, 2.0, 10.0, 40.0, 5.0, 7.0, 50.0, 70.0];
        let [originals, restored] = [originals, restored].map(|values| Tensor::from_slice(&values).view([2, 2, 2]));
        let normalization = Normalization { offset: vec![0.0; 2], scale: vec![1.0, 10.0] };
        let quality = SignalQuality::of(&originals, &restored, &normalization, 69.0);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(quality.prd_percent, 100.0 * (101.0_f64 / 8_484.0).sqrt()), "{quality:?}");
        // Scaled, both channels are 1 3 5 7: each window deviates by 1 about its own mean, all by 5 about theirs.
        assert!(close(quality.prdn_percent, 100.0 * (2.0_f64 / 8.0).sqrt()), "{quality:?}");
        assert!(close(quality.snr_db, 10.0 * (5.0_f64 / 0.25).log10()), "{quality:?}");
        assert!(close(quality.rmse, (101.0_f64 / 8.0).sqrt()), "{quality:?}");
        assert!(close(quality.psnr_db, psnr_db(101.0 / 8.0, 69.0)), "{quality:?}");
    }

    #[test]
    fn an_error_of_one_grey_level_is_48_db() {
        let items = RawItems::U8(ndarray::Array4::from_elem([3, 1, 2, 2], 100));
        let normalization = Normalization { offset: vec![0.0], scale: vec![255.0] };
        let data = DeviceData::upload(&items, &normalization, Device::Cpu);
        let mse = raw_mse(&data, |x| x + 1.2 / 255.0);
        assert_eq!(mse, 1.0);
        assert!((psnr_db(mse, 255.0) - 48.1308).abs() < 1e-4);
    }
}
