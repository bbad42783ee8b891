//! The code's quantiser in torch, for training with it in the loop.

use irmae_infer::code::{BITS, KNOTS};
use tch::{Device, Kind, Tensor};

use super::{CodeTables, fit, measure};
use crate::batches::DeviceData;
use crate::model::Model;
use crate::spectrum;

/// Training items that tables are fitted to.
const FIT_ITEMS: usize = 10_000;
/// Training items over which the decoder's sensitivity is measured.
const SENSITIVITY_ITEMS: usize = 512;
/// Size of the perturbation, in deviations of the coefficient: about the error of a 3-bit quantiser.
const PERTURBATION: f64 = 0.2;
/// Shares count as no less, so that their logarithm is finite.
const LEAST_SHARE: f64 = 1e-5;

/// [`CodeTables`] as tensors.
#[derive(Debug)]
pub struct Quantizer {
    tables: CodeTables,
    /// What a unit is worth, and the least and largest number of units. Shape: `[r]`.
    resolution: Tensor,
    low: Tensor,
    high: Tensor,
    /// Step, half of the zero cell (both in units) and largest number of a cell. Shape: `[points, r]`.
    step: Tensor,
    zero: Tensor,
    top: Tensor,
    /// Where the values of a coefficient's cells start. Shape: `[points, r]`.
    start: Tensor,
    /// What cells stand for, in units.
    values: Tensor,
    /// Cumulative distributions, up to 1. Shape: `[r * KNOTS]`.
    knots: Tensor,
    /// Where those of a coefficient start. Shape: `[r]`.
    first_knot: Tensor,
}

impl Quantizer {
    /// The quantiser of `tables` on `device`.
    ///
    /// # Panics
    /// Where the tables are not sound.
    pub fn new(tables: CodeTables, device: Device) -> Self {
        let code = tables.spec.code().expect("fitted tables are sound");
        let shape = [code.points() as i64, code.len() as i64];
        let (mut step, mut zero, mut top, mut start, mut values) = (vec![], vec![], vec![], vec![], vec![]);
        for (quantizer, knots) in (0..code.points()).flat_map(|point| code.coefficients(point)) {
            let last = quantizer.top();
            step.push(quantizer.step_256ths() as f32 / 256.0);
            zero.push(quantizer.zero() as f32);
            top.push(last as f32);
            start.push((values.len() as i32 + last) as f32);
            // What is not sent stands for 0, whatever its distribution.
            let value = |level| if last == 0 { 0.0 } else { f32::from(quantizer.cell(knots, level).value) };
            values.extend((-last..=last).map(value));
        }
        let row = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        let half = |bits: &u8| 2_f32.powi(i32::from(*bits) - 1);
        let halves: Vec<f32> = tables.spec.bits.iter().map(half).collect();
        let [step, zero, top, start] = [step, zero, top, start].map(|values| row(&values).view(shape));
        let unit = |bits: &u8| 0.5_f32.powi(i32::from(BITS - *bits));
        let to_units = row(&tables.spec.bits.iter().map(unit).collect::<Vec<_>>());
        Self {
            resolution: row(&tables.spec.resolutions),
            low: -row(&halves),
            high: row(&halves) - 1.0,
            step: step * &to_units,
            zero: zero * to_units,
            top,
            start,
            values: row(&values),
            knots: row(&tables.spec.knots.iter().map(|&knot| f32::from(knot) / 32_768.0).collect::<Vec<_>>()),
            first_knot: Tensor::arange_start_step(
                0,
                tables.spec.knots.len() as i64,
                KNOTS as i64,
                (Kind::Float, device),
            ),
            tables,
        }
    }

    /// Fits tables for packets of `bytes` to the codes that `model` gives now.
    pub fn fit(model: &Model, data: &DeviceData, bytes: &[usize]) -> Self {
        let codes = spectrum::codes(model, data, FIT_ITEMS);
        let columns = Vec::<Vec<f32>>::try_from(codes.tr().contiguous()).expect("a matrix of f32");
        Self::new(fit(&columns, &sensitivity(model, &codes), bytes), model.device())
    }

    /// The tables.
    pub fn tables(&self) -> &CodeTables {
        &self.tables
    }

    /// Number of operating points.
    pub fn points(&self) -> i64 {
        self.step.size()[0]
    }

    /// What a decoder reads of `codes` (N,r) where each is sent at its own point (N), all of it.
    pub fn read_back(&self, codes: &Tensor, points: &Tensor) -> Tensor {
        let of_point = |grid: &Tensor| grid.index_select(0, points);
        let units = (codes / &self.resolution + 0.5).floor().clamp_tensor(Some(&self.low), Some(&self.high));
        // -1 mirrors 0, as on the device.
        let negative = units.lt(0.0);
        let magnitude = units.where_self(&negative.logical_not(), &(-1.0 - &units));
        let level = (((magnitude - of_point(&self.zero)) / of_point(&self.step)).floor() + 1.0).clamp_min(0.0);
        let level = level.minimum(&of_point(&self.top));
        let level = level.where_self(&negative.logical_not(), &(-&level));
        let index = (of_point(&self.start) + level).to_kind(Kind::Int64);
        self.values.take(&index) * &self.resolution
    }

    /// As [`read_back`](Self::read_back), with a gradient: 1 for what is sent and within the range of the units, else 0.
    ///
    /// With 1 everywhere, codes run away beyond the range, where the loss no longer feels them, and training diverges.
    pub fn straight_through(&self, codes: &Tensor, points: &Tensor) -> Tensor {
        let (least, most) = (&self.low * &self.resolution, &self.high * &self.resolution);
        let sent = self.top.index_select(0, points).clamp_max(1.0);
        let held = codes.clamp_tensor(Some(&least), Some(&most)) * sent;
        &held + (self.read_back(codes, points) - &held).detach()
    }

    /// About how many bits `codes` (N,r) take where each is sent at its own point (N), with a gradient. Shape: `[N]`.
    ///
    /// Uniform noise of one step stands for the quantiser (Balle, Laparra and Simoncelli, "End-to-end optimized image compression",
    /// 2017), and the share of the step around the noisy value for that of its cell.
    pub fn bits(&self, codes: &Tensor, points: &Tensor) -> Tensor {
        let step = self.step.index_select(0, points);
        let noisy = codes / &self.resolution + (step.rand_like() - 0.5) * &step;
        let half = step * 0.5;
        let share = self.cumulative(&(&noisy + &half)) - self.cumulative(&(noisy - half));
        let sent = self.top.index_select(0, points).clamp_max(1.0);
        -(share.clamp_min(LEAST_SHARE).log2() * sent).sum_dim_intlist(1i64, false, Kind::Float)
    }

    /// How much of each coefficient's distribution lies below `units` (N,r).
    fn cumulative(&self, units: &Tensor) -> Tensor {
        let bins = (KNOTS - 1) as f64;
        let at = ((units - &self.low) / (&self.high + 1.0 - &self.low) * bins).clamp(0.0, bins);
        let bin = at.detach().floor().clamp_max(bins - 1.0);
        let index = (&bin + &self.first_knot).to_kind(Kind::Int64);
        let [left, right] = [self.knots.take(&index), self.knots.take(&(index + 1))];
        &left + (right - &left) * (at - bin)
    }

    /// What a decoder reads of `codes` (N,r) in packets of at most `max_bytes`.
    pub fn through_packets(&self, codes: &Tensor, max_bytes: usize) -> Tensor {
        let values = Vec::<f32>::try_from(codes.to_device(Device::Cpu).contiguous().flatten(0, -1)).expect("f32");
        let (read, _) = measure(&self.tables, &values, max_bytes);
        Tensor::from_slice(&read).view_as(codes).to_device(codes.device())
    }
}

/// Mean squared change of the normalised output for a unit change of each coefficient.
fn sensitivity(model: &Model, codes: &Tensor) -> Vec<f64> {
    tch::no_grad(|| {
        let every = (codes.size()[0] / SENSITIVITY_ITEMS as i64).max(1);
        let codes = codes.slice(0, 0, i64::MAX, every).to_device(model.device());
        let deviations =
            Vec::<f64>::try_from(codes.std_dim(0i64, true, false).to_kind(Kind::Double)).expect("a vector");
        let change = |(i, deviation): (usize, f64)| {
            let delta = (PERTURBATION * deviation).max(1e-6);
            let shift = Tensor::zeros_like(&codes.narrow(0, 0, 1));
            let _ = shift.narrow(1, i as i64, 1).fill_(delta);
            let change = model.decode(&(&codes + &shift)) - model.decode(&(&codes - &shift));
            change.square().mean(Kind::Double).double_value(&[]) / (4.0 * delta * delta)
        };
        deviations.into_iter().enumerate().map(change).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::coefficient::tests::gaussian;
    use super::*;

    #[test]
    fn torch_reads_what_the_device_reads_and_has_gradients_within_the_range() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let tables = fit(&columns, &[1.0, 1.0], &[9]);
        let quantizer = Quantizer::new(tables.clone(), Device::Cpu);
        let codes =
            Tensor::from_slice2(&[[0.3_f32, -0.2], [-1.7, 0.9], [1e3, 0.0], [-1e3, 0.4]]).set_requires_grad(true);
        let last = quantizer.points() - 1;
        let points = Tensor::from_slice(&[last; 4]);
        let read = quantizer.straight_through(&codes, &points);
        // Nine bytes are enough for two coefficients, so the finest point is the one that is taken.
        let device = quantizer.through_packets(&codes.detach(), 9);
        assert!((read.detach() - device).abs().max().double_value(&[]) < 1e-6);
        read.sum(Kind::Float).backward();
        let gradient = Vec::<f32>::try_from(codes.grad().select(1, 0)).unwrap();
        assert_eq!(gradient, [1.0, 1.0, 0.0, 0.0], "none beyond the range");
    }

    #[test]
    fn what_is_not_sent_is_0_and_has_no_gradient() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let quantizer = Quantizer::new(fit(&columns, &[1.0, 1e-12], &[3]), Device::Cpu);
        let codes = Tensor::from_slice2(&[[0.3_f32, 0.4]]).set_requires_grad(true);
        let read = quantizer.straight_through(&codes, &Tensor::from_slice(&[0_i64]));
        assert_eq!(read.double_value(&[0, 1]), 0.0);
        read.sum(Kind::Float).backward();
        assert_eq!(codes.grad().double_value(&[0, 1]), 0.0);
    }

    #[test]
    fn bits_are_about_those_of_the_payload_and_fall_towards_the_mode() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let tables = fit(&columns, &[1.0, 1.0], &[3]);
        let quantizer = Quantizer::new(tables.clone(), Device::Cpu);
        let rows: Vec<f32> = (0..4000).flat_map(|i| [columns[0][i], columns[1][i * 1009 % 4000]]).collect();
        let codes = Tensor::from_slice(&rows).view([-1, 2]).set_requires_grad(true);
        let points = Tensor::full([4000], quantizer.points() / 2, (Kind::Int64, Device::Cpu));
        let bits = quantizer.bits(&codes, &points).mean(Kind::Float);
        let code = tables.spec.code().unwrap();
        let quantizers: Vec<_> = code.coefficients(code.points() / 2).collect();
        let ideal = |(&value, (&resolution, (cells, knots))): (&f32, (&f32, &(irmae_infer::code::Quantizer, &_)))| {
            let level = cells.level((value / resolution).round() as i16);
            15.0 - f64::from(cells.cell(knots, level).share).log2()
        };
        let of_row =
            |row: &[f32]| -> f64 { row.iter().zip(tables.spec.resolutions.iter().zip(&quantizers)).map(ideal).sum() };
        let expected = rows.chunks(2).map(of_row).sum::<f64>() / 4000.0;
        assert!((bits.double_value(&[]) - expected).abs() < 0.3, "{bits} {expected}");
        bits.backward();
        let outward = codes.grad() * codes.sign();
        assert!(outward.mean(Kind::Float).double_value(&[]) > 0.0);
    }
}
