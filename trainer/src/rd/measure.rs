//! Codes through packets.

use std::cell::Cell;

use tch::{Kind, Tensor};

use super::Point;
use crate::baseline::{self, Basis, Coded, Method};
use crate::batches::DeviceData;
use crate::code::{self, CLASSES_MAX, CodeTables, Quantizer};
use crate::collapse::Collapse;
use crate::data::Dataset;
use crate::model::Model;
use crate::quality::{self, psnr_db};
use crate::spectrum::{self, PrincipalAxes};

/// Training items over which axes are chosen.
const CHOICE_ITEMS: usize = 2000;

/// A model with the tables of its code, ready to be sent.
pub(super) struct Sender {
    pub(super) model: Model,
    pub(super) tables: CodeTables,
}

impl Sender {
    /// `model` with tables for packets of `bytes`, along the principal axes of its code.
    pub(super) fn fit(model: &Model, data: &DeviceData, bytes: &[usize]) -> Self {
        Self::along(model, spectrum::principal_axes(&spectrum::codes(model, data, usize::MAX)), data, bytes)
    }

    /// As [`fit`](Self::fit), or along the axes that the code has, whichever restores the training items better: a rotation would mix what some methods
    /// put in order.
    pub(super) fn fit_ordered(model: &Model, data: &DeviceData, bytes: &[usize]) -> Self {
        let own = spectrum::own_axes(&spectrum::codes(model, data, usize::MAX));
        let senders = [Self::fit(model, data, bytes), Self::along(model, own, data, bytes)];
        let decibels = |sender: &Self| -> f64 {
            let error = |&bytes: &usize| quality::mse(data, CHOICE_ITEMS, |x| sender.restore(x, bytes).0).ln();
            bytes.iter().map(error).sum()
        };
        senders.into_iter().min_by(|a, b| decibels(a).total_cmp(&decibels(b))).expect("two of them")
    }

    fn along(model: &Model, axes: PrincipalAxes, data: &DeviceData, bytes: &[usize]) -> Self {
        let model = Collapse::along(model, axes).cut(model.spec().latent);
        let tables = Quantizer::fit(&model, data, bytes, CLASSES_MAX).tables().clone();
        Self { model, tables }
    }

    /// What becomes of normalised items in packets of at most `bytes`, and the packets' bytes on average.
    fn restore(&self, x: &Tensor, bytes: usize) -> (Tensor, f64) {
        let codes = self.model.encode(x);
        let values = Vec::<f32>::try_from(codes.to_device(tch::Device::Cpu).contiguous().flatten(0, -1)).expect("f32");
        let (read, mean_bytes) = code::measure(&self.tables, &values, bytes);
        (self.model.decode(&Tensor::from_slice(&read).view_as(&codes).to_device(codes.device())), mean_bytes)
    }

    /// Its quality over the `test` part at each size.
    pub(super) fn points(&self, test: &DeviceData, peak: f64) -> Vec<Point> {
        self.tables.bytes.iter().map(|&bytes| point(test, peak, bytes, |x| self.restore(x, bytes))).collect()
    }
}

/// Quality of principal components over the test part at each size, and how many are sent.
pub(super) fn pca(dataset: &Dataset, train: &DeviceData, test: &DeviceData, bytes: &[usize]) -> (Vec<Point>, usize) {
    let windows = baseline::windows(train, baseline::FIT_ITEMS);
    let coded = Coded::fit(&Basis::new(Method::Pca, &windows, dataset.shape), &windows, bytes);
    let restore = |x: &Tensor, bytes| {
        let windows = x.flatten(1, -1).to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let (restored, mean_bytes) = coded.through_packets(&windows, bytes);
        (restored.to_kind(Kind::Float).to_device(x.device()).view_as(x), mean_bytes)
    };
    let points = bytes.iter().map(|&bytes| point(test, dataset.peak, bytes, |x| restore(x, bytes))).collect();
    (points, coded.tables().sent().len())
}

fn point(test: &DeviceData, peak: f64, bytes: usize, restore: impl Fn(&Tensor) -> (Tensor, f64)) -> Point {
    let sent = Cell::new(0.0);
    let mse = quality::raw_mse(test, |x| {
        let (restored, mean_bytes) = restore(x);
        sent.set(sent.get() + mean_bytes * x.size()[0] as f64);
        restored
    });
    Point { bytes, bytes_per_item: sent.get() / test.len() as f64, psnr_db: psnr_db(mse, peak) }
}
