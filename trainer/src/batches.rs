//! A part of a data set on the training device, in its raw type; batches are cut and normalised there.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use tch::{Device, Kind, Tensor};

use crate::data::{Normalization, RawItems};

/// Items on a device.
#[derive(Debug)]
pub struct DeviceData {
    /// Shape: `[N, C, H, W]`; u8, i16 or f32.
    items: Tensor,
    /// Subtracted after the conversion to f32, then divided by. Shape: `[C, 1, 1]`.
    offset: Tensor,
    scale: Tensor,
}

impl DeviceData {
    /// Copies `items` to `device` once.
    pub fn upload(items: &RawItems, normalization: &Normalization, device: Device) -> Self {
        let size = items.axes().map(|n| n as i64);
        // torch has no u16 to compute with: move it to the range of i16, and the offset with it.
        let (values, moved_by) = match items {
            RawItems::U8(array) => (Tensor::from_slice(slice(array)), 0.0),
            RawItems::I16(array) => (Tensor::from_slice(slice(array)), 0.0),
            RawItems::U16(array) => {
                let signed: Vec<i16> = slice(array).iter().map(|&v| (v ^ 0x8000) as i16).collect();
                (Tensor::from_slice(&signed), 32768.0)
            }
            RawItems::F32(array) => (Tensor::from_slice(slice(array)), 0.0),
        };
        let per_channel = |values: &[f32]| Tensor::from_slice(values).view([-1, 1, 1]).to_device(device);
        DeviceData {
            items: values.view(size).to_device(device),
            offset: per_channel(&normalization.offset) - moved_by,
            scale: per_channel(&normalization.scale),
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.size()[0] as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where they are.
    pub fn device(&self) -> Device {
        self.items.device()
    }

    /// The items at `indices` (i64, on the device), normalised. Shape: `[B, C, H, W]`.
    pub fn batch(&self, indices: &Tensor) -> Tensor {
        self.normalised(&self.items.index_select(0, indices))
    }

    /// At most `limit` items, normalised and spread over all. Shape: `[N, C, H, W]`.
    pub fn items(&self, limit: usize) -> Tensor {
        const PIECE: usize = 4096;
        Tensor::cat(&self.pieces(limit, PIECE).map(|piece| self.batch(&piece)).collect::<Vec<_>>(), 0)
    }

    /// The items at `indices` in raw units as f32; u16 values are 32768 lower. Shape: `[B, C, H, W]`.
    pub fn raw_batch(&self, indices: &Tensor) -> Tensor {
        self.items.index_select(0, indices).to_kind(Kind::Float)
    }

    /// Indices of all items in order, or of every k-th if there are more than `limit`, in pieces of at most `size`.
    pub fn pieces(&self, limit: usize, size: usize) -> impl Iterator<Item = Tensor> + use<> {
        let stride = self.len().div_ceil(limit.max(1)).max(1) as i64;
        let indices = Tensor::arange_start_step(0, self.len() as i64, stride, (Kind::Int64, self.items.device()));
        let (count, size) = (indices.size()[0], size as i64);
        (0..count).step_by(size as usize).map(move |start| indices.narrow(0, start, (count - start).min(size)))
    }

    /// The network's output in the units of [`raw_batch`](Self::raw_batch): rounded and saturated as a device stores it.
    pub fn to_raw(&self, output: &Tensor) -> Tensor {
        let raw = output * &self.scale + &self.offset;
        match self.items.kind() {
            Kind::Uint8 => raw.round().clamp(0.0, 255.0),
            // Of u16 data too: both lie 32768 lower.
            Kind::Int16 => raw.round().clamp(-32768.0, 32767.0),
            _ => raw,
        }
    }

    fn normalised(&self, raw: &Tensor) -> Tensor {
        (raw.to_kind(Kind::Float) - &self.offset) / &self.scale
    }
}

/// The order of the items in epoch `epoch`, on `device`. Shape: `[count]`, i64.
pub fn epoch_order(seed: u64, epoch: usize, count: usize, device: Device) -> Tensor {
    let mut order: Vec<i64> = (0..count as i64).collect();
    order.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed.wrapping_add(epoch as u64)));
    Tensor::from_slice(&order).to_device(device)
}

fn slice<T>(array: &ndarray::Array4<T>) -> &[T] {
    array.as_slice().expect("items lie in memory order")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.flatten(0, -1)).unwrap()
    }

    #[test]
    fn every_raw_type_is_normalised_per_channel() {
        let normalization = Normalization { offset: vec![1.0, 2.0], scale: vec![2.0, 4.0] };
        let u16_items = RawItems::U16(Array4::from_shape_vec([1, 2, 1, 1], vec![65535, 0]).unwrap());
        let data = DeviceData::upload(&u16_items, &normalization, Device::Cpu);
        assert_eq!(values(&data.batch(&Tensor::from_slice(&[0i64]))), [32767.0, -0.5]);
        let i16_items = RawItems::I16(Array4::from_shape_vec([2, 2, 1, 1], vec![0, 0, -3, 6]).unwrap());
        let data = DeviceData::upload(&i16_items, &normalization, Device::Cpu);
        assert_eq!(values(&data.batch(&Tensor::from_slice(&[1i64]))), [-2.0, 1.0]);
    }

    #[test]
    fn pieces_spread_over_the_whole_part() {
        let items = RawItems::U8(Array4::zeros([7, 1, 1, 1]));
        let normalization = Normalization { offset: vec![0.0], scale: vec![1.0] };
        let data = DeviceData::upload(&items, &normalization, Device::Cpu);
        let all: Vec<Vec<i64>> = data.pieces(4, 3).map(|piece| Vec::try_from(piece).unwrap()).collect();
        assert_eq!(all, [vec![0, 2, 4], vec![6]]);
    }

    #[test]
    fn what_comes_back_is_rounded_and_saturated() {
        let normalization = Normalization { offset: vec![32768.0], scale: vec![2.0] };
        let items = RawItems::U16(Array4::from_shape_vec([2, 1, 1, 1], vec![0, 65535]).unwrap());
        let data = DeviceData::upload(&items, &normalization, Device::Cpu);
        let back = data.to_raw(&Tensor::from_slice(&[-20000f32, 0.3, 20000.0]).view([3, 1, 1, 1]));
        assert_eq!(values(&back), [-32768.0, 1.0, 32767.0]);
        assert_eq!(values(&data.raw_batch(&Tensor::from_slice(&[0i64, 1]))), [-32768.0, 32767.0]);
    }

    #[test]
    fn an_epochs_order_depends_on_seed_and_epoch_alone() {
        let order = |seed, epoch| Vec::<i64>::try_from(epoch_order(seed, epoch, 20, Device::Cpu)).unwrap();
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        let mut sorted = order(1, 2);
        sorted.sort();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
