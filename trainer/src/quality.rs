//! How well a network gives its input back.

use tch::{Kind, Tensor};

use crate::batches::DeviceData;
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
    fn an_error_of_one_grey_level_is_48_db() {
        let items = RawItems::U8(ndarray::Array4::from_elem([3, 1, 2, 2], 100));
        let normalization = Normalization { offset: vec![0.0], scale: vec![255.0] };
        let data = DeviceData::upload(&items, &normalization, Device::Cpu);
        let mse = raw_mse(&data, |x| x + 1.2 / 255.0);
        assert_eq!(mse, 1.0);
        assert!((psnr_db(mse, 255.0) - 48.1308).abs() < 1e-4);
    }
}
