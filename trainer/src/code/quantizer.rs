//! The code's quantiser in torch, for training with it in the loop.

use irmae_infer::code::{BITS, FARTHEST, KNOTS, OCTAVE, SPREAD_OVER_DEVIATION};
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

/// [`CodeTables`] as tensors. Rows of heads are in the order of heads: point by point, in each class by class.
#[derive(Debug)]
pub struct Quantizer {
    tables: CodeTables,
    /// What a unit is worth, and the least and largest number of units. Shape: `[r]`.
    resolution: Tensor,
    low: Tensor,
    high: Tensor,
    /// Means of a class, and half of what its knots reach over (both in units). Shape: `[classes, r]`.
    mean: Tensor,
    reach: Tensor,
    /// The inverse of a sixteenth of a deviation, and what the deviations add to the distance. Shape: `[classes, r]` and `[classes]`.
    closeness: Tensor,
    remoteness: Tensor,
    /// Step, half of the zero cell (both in units) and largest number of a cell. Shape: `[heads, r]`.
    step: Tensor,
    zero: Tensor,
    top: Tensor,
    /// Where the values of a coefficient's cells start. Shape: `[heads, r]`.
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
        let spec = &tables.spec;
        let rank = code.len() as i64;
        let unit = |spread: u8| 0.5_f32.powi(i32::from(BITS - spread));
        let (mut step, mut zero, mut top, mut start, mut values) = (vec![], vec![], vec![], vec![], vec![]);
        for head in code.heads() {
            let (spreads, means) = code.classes().rows(usize::from(head) % code.classes().count());
            for ((quantizer, knots), (&spread, &mean)) in code.coefficients(head).zip(spreads.iter().zip(means)) {
                let last = quantizer.top();
                step.push(quantizer.step_256ths() as f32 / 256.0 * unit(spread));
                zero.push(quantizer.zero() as f32 * unit(spread));
                top.push(last as f32);
                start.push((values.len() as i32 + last) as f32);
                // What is not sent stands for its mean, whatever its distribution.
                let value = |level| if last == 0 { mean } else { quantizer.cell(knots, level).value };
                values.extend((-last..=last).map(value).map(f32::from));
            }
        }
        let row = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        let rows = |values: &[f32]| row(values).view([-1, rank]);
        let half = |bits: &u8| 2_f32.powi(i32::from(*bits) - 1);
        let halves: Vec<f32> = spec.bits.iter().map(half).collect();
        let deviation_bits = |&spread: &u8| spread.saturating_sub(SPREAD_OVER_DEVIATION).max(spec.blur);
        let octaves = rows(&spec.spreads.iter().map(|spread| f32::from(deviation_bits(spread))).collect::<Vec<_>>());
        Self {
            resolution: row(&spec.resolutions),
            low: -row(&halves),
            high: row(&halves) - 1.0,
            mean: rows(&spec.means.iter().map(|&mean| f32::from(mean)).collect::<Vec<_>>()),
            reach: rows(&spec.spreads.iter().map(half).collect::<Vec<_>>()),
            closeness: (-&octaves).exp2() * 16.0,
            remoteness: octaves.sum_dim_intlist(1i64, false, Kind::Float) * f64::from(OCTAVE),
            step: rows(&step),
            zero: rows(&zero),
            top: rows(&top),
            start: rows(&start),
            values: row(&values),
            knots: row(&spec.knots.iter().map(|&knot| f32::from(knot) / 32_768.0).collect::<Vec<_>>()),
            first_knot: Tensor::arange_start_step(0, spec.knots.len() as i64, KNOTS as i64, (Kind::Float, device)),
            tables,
        }
    }

    /// Fits tables for packets of `bytes` to the codes that `model` gives now, with at most so many classes.
    pub fn fit(model: &Model, data: &DeviceData, bytes: &[usize], classes_max: usize) -> Self {
        let codes = spectrum::codes(model, data, FIT_ITEMS);
        let columns = Vec::<Vec<f32>>::try_from(codes.tr().contiguous()).expect("a matrix of f32");
        Self::new(fit(&columns, &sensitivity(model, &codes), bytes, classes_max), model.device())
    }

    /// The tables.
    pub fn tables(&self) -> &CodeTables {
        &self.tables
    }

    /// Number of operating points.
    pub fn points(&self) -> i64 {
        self.step.size()[0] / self.classes()
    }

    fn classes(&self) -> i64 {
        self.mean.size()[0]
    }

    /// The heads of `codes` (N,r), each of its own class, where each is sent at its own point (N).
    pub fn heads(&self, codes: &Tensor, points: &Tensor) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let units = self.units(codes);
        let distance = |class: i64| {
            let off = (&units - self.mean.select(0, class)).abs() * self.closeness.select(0, class);
            off.floor().clamp_max(f64::from(FARTHEST)).square().sum_dim_intlist(1i64, false, Kind::Float)
                + self.remoteness.get(class)
        };
        let distances: Vec<Tensor> = (0..self.classes()).map(distance).collect();
        points * self.classes() + Tensor::stack(&distances, 0).argmin(0, false)
    }

    /// Codes (N,r) in units, as an encoder rounds them.
    fn units(&self, codes: &Tensor) -> Tensor {
        (codes / &self.resolution + 0.5).floor().clamp_tensor(Some(&self.low), Some(&self.high))
    }

    /// What belongs to the class of each head (N). Shape: `[N, r]`.
    fn of_class(&self, grid: &Tensor, heads: &Tensor) -> Tensor {
        grid.index_select(0, &heads.remainder(self.classes()))
    }

    /// What a decoder reads of `codes` (N,r) where each is sent with its own head (N), all of it.
    pub fn read_back(&self, codes: &Tensor, heads: &Tensor) -> Tensor {
        let of_head = |grid: &Tensor| grid.index_select(0, heads);
        let residuals = self.units(codes) - self.of_class(&self.mean, heads);
        // -1 mirrors 0, as on the device.
        let negative = residuals.lt(0.0);
        let magnitude = residuals.where_self(&negative.logical_not(), &(-1.0 - &residuals));
        let level = (((magnitude - of_head(&self.zero)) / of_head(&self.step)).floor() + 1.0).clamp_min(0.0);
        let level = level.minimum(&of_head(&self.top));
        let level = level.where_self(&negative.logical_not(), &(-&level));
        let index = (of_head(&self.start) + level).to_kind(Kind::Int64);
        self.values.take(&index).clamp_tensor(Some(&self.low), Some(&self.high)) * &self.resolution
    }

    /// As [`read_back`](Self::read_back), with a gradient: 1 for what is sent and within the range of the units, else 0.
    ///
    /// With 1 everywhere, codes run away beyond the range, where the loss no longer feels them, and training diverges.
    pub fn straight_through(&self, codes: &Tensor, heads: &Tensor) -> Tensor {
        let (least, most) = (&self.low * &self.resolution, &self.high * &self.resolution);
        let sent = self.top.index_select(0, heads).clamp_max(1.0);
        let held = codes.clamp_tensor(Some(&least), Some(&most)) * sent;
        &held + (self.read_back(codes, heads) - &held).detach()
    }

    /// About how many bits `codes` (N,r) take where each is sent with its own head (N), with a gradient. Shape: `[N]`.
    ///
    /// Uniform noise of one step stands for the quantiser (Balle, Laparra and Simoncelli, "End-to-end optimized image compression",
    /// 2017), and the share of the step around the noisy value for that of its cell.
    pub fn bits(&self, codes: &Tensor, heads: &Tensor) -> Tensor {
        let step = self.step.index_select(0, heads);
        let residuals = codes / &self.resolution - self.of_class(&self.mean, heads);
        let noisy = residuals + (step.rand_like() - 0.5) * &step;
        let (half, reach) = (step * 0.5, self.of_class(&self.reach, heads));
        let share = self.cumulative(&((&noisy + &half) / &reach)) - self.cumulative(&((noisy - half) / reach));
        let sent = self.top.index_select(0, heads).clamp_max(1.0);
        -(share.clamp_min(LEAST_SHARE).log2() * sent).sum_dim_intlist(1i64, false, Kind::Float)
    }

    /// How much of each coefficient's distribution lies below `at` (N,r), from -1 to 1 in what it reaches over.
    fn cumulative(&self, at: &Tensor) -> Tensor {
        let bins = (KNOTS - 1) as f64;
        let at = ((at + 1.0) * (bins / 2.0)).clamp(0.0, bins);
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
    use super::super::CLASSES_MAX;
    use super::super::coefficient::tests::gaussian;
    use super::*;

    #[test]
    fn torch_reads_what_the_device_reads_and_has_gradients_within_the_range() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let tables = fit(&columns, &[1.0, 1.0], &[9], CLASSES_MAX);
        let quantizer = Quantizer::new(tables.clone(), Device::Cpu);
        let codes =
            Tensor::from_slice2(&[[0.3_f32, -0.2], [-1.7, 0.9], [1e3, 0.0], [-1e3, 0.4]]).set_requires_grad(true);
        let last = quantizer.points() - 1;
        let heads = quantizer.heads(&codes, &Tensor::from_slice(&[last; 4]));
        let read = quantizer.straight_through(&codes, &heads);
        // Nine bytes are enough for two coefficients, so the finest point is the one that is taken.
        let device = quantizer.through_packets(&codes.detach(), 9);
        assert!((read.detach() - device).abs().max().double_value(&[]) < 1e-6);
        read.sum(Kind::Float).backward();
        let gradient = Vec::<f32>::try_from(codes.grad().select(1, 0)).unwrap();
        assert_eq!(gradient, [1.0, 1.0, 0.0, 0.0], "none beyond the range");
    }

    #[test]
    fn classes_and_values_are_the_device_s() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let rows: Vec<f32> = (0..500).flat_map(|i| [columns[0][8 * i], columns[1][i * 1009 % 4000]]).collect();
        let tables = fit(&columns, &[1.0, 1.0], &[9], CLASSES_MAX);
        let quantizer = Quantizer::new(tables.clone(), Device::Cpu);
        let codes = Tensor::from_slice(&rows).view([-1, 2]);
        let finest = Tensor::full([500], quantizer.points() - 1, (Kind::Int64, Device::Cpu));
        let heads = quantizer.heads(&codes, &finest);
        let code = tables.spec.code().unwrap();
        let units = Vec::<f32>::try_from(quantizer.units(&codes).flatten(0, -1)).unwrap();
        let class = |row: &[f32]| code.classes().class_of(&[row[0] as i16, row[1] as i16]);
        let expected: Vec<i64> = units.chunks(2).map(|row| code.head(code.points() - 1, class(row)).into()).collect();
        assert_eq!(Vec::<i64>::try_from(&heads).unwrap(), expected);
        assert!(expected.iter().max() > expected.iter().min(), "classes differ");
        let device = quantizer.through_packets(&codes, 9);
        assert!((quantizer.read_back(&codes, &heads) - device).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn what_is_not_sent_is_0_and_has_no_gradient() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let quantizer = Quantizer::new(fit(&columns, &[1.0, 1e-12], &[3], 1), Device::Cpu);
        let codes = Tensor::from_slice2(&[[0.3_f32, 0.4]]).set_requires_grad(true);
        let read = quantizer.straight_through(&codes, &quantizer.heads(&codes, &Tensor::from_slice(&[0_i64])));
        assert_eq!(read.double_value(&[0, 1]), 0.0);
        read.sum(Kind::Float).backward();
        assert_eq!(codes.grad().double_value(&[0, 1]), 0.0);
    }

    #[test]
    fn bits_are_about_those_of_the_payload_and_fall_towards_the_mode() {
        let columns: Vec<Vec<f32>> = [2.0, 0.5].map(gaussian).into();
        let tables = fit(&columns, &[1.0, 1.0], &[3], 1);
        let quantizer = Quantizer::new(tables.clone(), Device::Cpu);
        let rows: Vec<f32> = (0..4000).flat_map(|i| [columns[0][i], columns[1][i * 1009 % 4000]]).collect();
        let codes = Tensor::from_slice(&rows).view([-1, 2]).set_requires_grad(true);
        let points = Tensor::full([4000], quantizer.points() / 2, (Kind::Int64, Device::Cpu));
        let heads = quantizer.heads(&codes, &points);
        let bits = quantizer.bits(&codes, &heads).mean(Kind::Float);
        let code = tables.spec.code().unwrap();
        let quantizers: Vec<_> = code.coefficients(code.head(code.points() / 2, 0)).collect();
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
