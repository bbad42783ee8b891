use ndarray::{ArrayView3, Axis};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::raw::{Element, RawItems, for_each_type};

/// What the network sees: x = (raw - offset\[c\]) / scale\[c\] in channel c.
///
/// u8 data has offset 0 and scale 255, all other data the mean and standard deviation of each channel over the training
/// part. A channel that never changes keeps scale 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Raw value that becomes 0, one a channel.
    pub offset: Vec<f32>,
    /// Raw units in 1, one a channel; never 0.
    pub scale: Vec<f32>,
}

/// The normalisation of the training part `items`, and the peak value that PSNR is measured against.
///
/// The peak is 255 for u8 data, else the largest minus the smallest raw value.
///
/// # Errors
/// When the data is constant.
pub fn measure(items: &RawItems, name: &str) -> Result<(Normalization, f64), DataError> {
    if for_each_type!(items, array => array.axis_iter(Axis(1)).all(is_constant)) {
        return Err(DataError::Constant { name: name.into() });
    }
    if let RawItems::U8(array) = items {
        return Ok((Normalization::of_pixels(array.dim().1), 255.0));
    }
    let channels: Vec<_> =
        for_each_type!(items, array => array.axis_iter(Axis(1)).map(ChannelStatistics::of).collect());
    let normalization = Normalization {
        offset: channels.iter().map(|channel| channel.mean as f32).collect(),
        scale: channels.iter().map(ChannelStatistics::scale).collect(),
    };
    let min = channels.iter().map(|channel| channel.min).fold(f64::INFINITY, f64::min);
    let max = channels.iter().map(|channel| channel.max).fold(f64::NEG_INFINITY, f64::max);
    Ok((normalization, max - min))
}

impl Normalization {
    fn of_pixels(channels: usize) -> Normalization {
        Normalization { offset: vec![0.0; channels], scale: vec![255.0; channels] }
    }
}

fn is_constant<T: Element>(channel: ArrayView3<T>) -> bool {
    channel.iter().all(|value| Some(value) == channel.first())
}

struct ChannelStatistics {
    min: f64,
    max: f64,
    mean: f64,
    variance: f64,
}

impl ChannelStatistics {
    fn of<T: Element>(channel: ArrayView3<T>) -> ChannelStatistics {
        let values = || channel.iter().map(|&value| -> f64 { value.into() });
        let count = channel.len() as f64;
        let mean = values().sum::<f64>() / count;
        ChannelStatistics {
            min: values().fold(f64::INFINITY, f64::min),
            max: values().fold(f64::NEG_INFINITY, f64::max),
            mean,
            variance: values().map(|value| (value - mean).powi(2)).sum::<f64>() / count,
        }
    }

    /// The standard deviation, or 1 where dividing by it would give no finite number.
    fn scale(&self) -> f32 {
        let deviation = self.variance.sqrt() as f32;
        if self.min < self.max && deviation.is_normal() { deviation } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::raw::from_values;
    use super::*;

    #[test]
    fn pixels_are_divided_by_255() {
        let (normalization, peak) = measure(&from_values([2, 1, 1, 1], vec![3u8, 4]), "x").unwrap();
        assert_eq!(normalization, Normalization { offset: vec![0.0], scale: vec![255.0] });
        assert_eq!(peak, 255.0);
    }

    #[test]
    fn samples_are_standardised_by_channel() {
        let items = from_values([2, 2, 1, 2], vec![1i16, 3, -10, -10, 1, 3, 10, 10]);
        let (normalization, peak) = measure(&items, "x").unwrap();
        assert_eq!(normalization, Normalization { offset: vec![2.0, 0.0], scale: vec![1.0, 10.0] });
        assert_eq!(peak, 20.0);
    }

    #[test]
    fn a_constant_channel_among_others_has_scale_1() {
        let items = from_values([2, 2, 1, 1], vec![0.1f32, 1.0, 0.1, 3.0]);
        let (normalization, peak) = measure(&items, "x").unwrap();
        assert_eq!(normalization, Normalization { offset: vec![0.1, 2.0], scale: vec![1.0, 1.0] });
        assert_eq!(peak, 3.0 - f64::from(0.1f32));
    }

    #[test]
    fn constant_data_is_refused() {
        for items in [from_values([2, 1, 1, 2], vec![7u8; 4]), from_values([2, 2, 1, 1], vec![1f32, 2.0, 1.0, 2.0])] {
            let line = measure(&items, "x").unwrap_err().to_string();
            assert!(line.starts_with("the training part of `x` is constant"), "{line}");
        }
    }
}
