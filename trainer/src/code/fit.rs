//! Which steps the coefficients have at each operating point.
//!
//! Reverse water-filling (Cover and Thomas, section 10.3.3) at what the coder really costs: at a point every coefficient has the step for
//! which `error + price * bits` is least, the error being that in the decoder's output. All coefficients then give the same
//! error for their last bit, and those that could not are not sent. Each point has a price of its own.

use irmae_infer::code::{Code, DEADZONE_NONE, MAX_HEADS, OVERHEAD_LEN};
use irmae_infer::format::{CodeSpec, VERSION};

use super::CodeTables;
use super::classes::Mixture;
use super::coefficient::{Choice, Coefficient, Units, to_units};

/// Bits of the coefficient that moves the output most.
pub(super) const BITS_MAX: u8 = 13;
/// Widths of the zero cell that are tried: from that of all cells to 1.5 times as wide.
const DEADZONES: [u8; 5] = [DEADZONE_NONE, 144, 160, 176, 192];
/// Payloads of the coarsest point, on average, for the smallest packet; and of the finest for the largest one. A code takes the finest point that fits.
const COARSEST: f64 = 0.6;
const FINEST: f64 = 1.15;
/// From point to point payloads grow by this, or by more where there are [`POINTS_MAX`] points.
const GROWTH: f64 = 1.2;
/// Codes over which it is seen whether classes help.
const CHOICE_ITEMS: usize = 1000;
/// Points, at most: each takes a byte a coefficient, and leaves the head of a packet room for fewer classes.
const POINTS_MAX: usize = 12;

/// Tables for packets of `bytes`. `columns` has the values of each coefficient over the training set, `sensitivities` the squared change of the decoder's
/// output for a change of 1. Codes have at most `classes_max` classes and as many as the head of a packet can tell, or one where that keeps more.
///
/// # Panics
/// Where there are no coefficients, no values or no packet sizes.
pub fn fit(columns: &[Vec<f32>], sensitivities: &[f64], bytes: &[usize], classes_max: usize) -> CodeTables {
    let one = fit_classes(columns, sensitivities, bytes, 1);
    let many = (classes_max > 1).then(|| fit_classes(columns, sensitivities, bytes, classes_max));
    let every = columns[0].len().div_ceil(CHOICE_ITEMS);
    let rows = (0..columns[0].len()).step_by(every);
    let codes: Vec<f32> = rows.flat_map(|item| columns.iter().map(move |values| values[item])).collect();
    match many {
        Some(many) if error(&many, &codes) < error(&one, &codes) => many,
        _ => one,
    }
}

/// The logarithm of what packets lose of real-valued codes, over all sizes.
fn error(tables: &CodeTables, codes: &[f32]) -> f64 {
    let weights = || tables.spec.resolutions.iter().cycle();
    let square = |((read, code), &unit): ((&f32, &f32), &f32)| f64::from((read - code) / unit).powi(2);
    let lost = |read: &[f32]| read.iter().zip(codes).zip(weights()).map(square).sum::<f64>();
    tables.bytes.iter().map(|&bytes| lost(&measure(tables, codes, bytes).0).ln()).sum()
}

fn fit_classes(columns: &[Vec<f32>], sensitivities: &[f64], bytes: &[usize], classes_max: usize) -> CodeTables {
    let largest = |values: &Vec<f32>| values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let reach = |(values, sensitivity): (&Vec<f32>, &f64)| f64::from(largest(values)) * sensitivity.sqrt();
    let farthest = columns.iter().zip(sensitivities).map(reach).fold(f64::MIN_POSITIVE, f64::max);
    let finest = farthest / f64::from(1 << (BITS_MAX - 1));
    let units = columns.iter().zip(sensitivities).map(|(values, &sensitivity)| Units::fit(values, sensitivity, finest));
    let units: Vec<Units> = units.collect();
    let [least, most] = [bytes[0], bytes[bytes.len() - 1]].map(|bytes| (bytes - OVERHEAD_LEN) as f64);
    let range = (FINEST * most) / (COARSEST * least);
    let last = ((range.ln() / GROWTH.ln()).ceil() as usize).clamp(1, POINTS_MAX - 1);
    let bits: Vec<u8> = units.iter().map(|units| units.bits).collect();
    let values: Vec<&[i16]> = units.iter().map(|units| &units.values[..]).collect();
    let mixture = Mixture::fit(&values, &bits, classes_max.min(MAX_HEADS / (last + 1)), 8.0 * (least * most).sqrt());
    let coefficients = in_classes(&units, &mixture, &mixture.classes_of(&values));
    let choices = DEADZONES.map(|deadzone| coefficients.iter().map(|c| c.choices(deadzone)).collect::<Vec<_>>());
    let payloads = (0..=last).map(|k| COARSEST * least * range.powf(k as f64 / last as f64));
    let points: Vec<PointChoice> = payloads.map(|payload| choose_point(&choices, 8.0 * payload)).collect();
    let spec = CodeSpec {
        resolutions: units.iter().map(|units| units.resolution).collect(),
        bits,
        max_len: most as u8,
        deadzones: points.iter().map(|point| point.deadzone).collect(),
        steps: points.iter().flat_map(|point| &point.steps).copied().collect(),
        spreads: mixture.spreads,
        means: mixture.means,
        blur: mixture.blur,
        knots: coefficients.iter().flat_map(|c| c.knots).collect(),
    };
    CodeTables { bytes: bytes.to_vec(), spec, version: VERSION.0 }
}

/// Coefficients around their means, where each item is of its class.
fn in_classes(units: &[Units], mixture: &Mixture, classes: &[usize]) -> Vec<Coefficient> {
    let coefficient = |(index, one): (usize, &Units)| {
        let at = |&class: &usize| class * units.len() + index;
        Coefficient::fit(one, classes.iter().map(at).map(|at| (mixture.spreads[at], mixture.means[at])))
    };
    units.iter().enumerate().map(coefficient).collect()
}

/// Steps of a point.
struct PointChoice {
    deadzone: u8,
    steps: Vec<u8>,
}

/// The best steps whose payloads have `bits` on average.
fn choose_point(choices: &[Vec<Vec<Choice>>; DEADZONES.len()], bits: f64) -> PointChoice {
    let points = choices.iter().zip(DEADZONES).map(|(choices, deadzone)| {
        let price = price_of(choices, bits);
        let chosen = choose(choices, price);
        let cost: f64 = chosen.iter().map(|choice| choice.error + price * choice.bits).sum();
        // At the same price per bit, what the bits that differ from the goal are worth is not a merit.
        let total: f64 = chosen.iter().map(|choice| choice.bits).sum();
        (
            cost - price * (total - bits),
            PointChoice { deadzone, steps: chosen.iter().map(|choice| choice.step).collect() },
        )
    });
    points.min_by(|a, b| a.0.total_cmp(&b.0)).expect("deadzones").1
}

fn choose(choices: &[Vec<Choice>], price: f64) -> Vec<Choice> {
    let cost = |choice: &Choice| choice.error + price * choice.bits;
    let best = |choices: &Vec<Choice>| *choices.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).expect("choices");
    choices.iter().map(best).collect()
}

/// The price of a bit at which codes have so many, or the fewest above that.
fn price_of(choices: &[Vec<Choice>], bits: f64) -> f64 {
    let total = |price: f64| choose(choices, price).iter().map(|choice| choice.bits).sum::<f64>();
    let whole: f64 = choices.iter().filter_map(|choices| choices.last()).map(|choice| choice.error).sum();
    let (mut low, mut high) = (1e-12 * whole.max(f64::MIN_POSITIVE), whole.max(f64::MIN_POSITIVE));
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        *(if total(middle) > bits { &mut low } else { &mut high }) = middle;
    }
    high
}

/// A code in units of its resolutions.
fn units(spec: &CodeSpec, values: impl Iterator<Item = f32>) -> Vec<i16> {
    values
        .zip(&spec.resolutions)
        .zip(&spec.bits)
        .map(|((value, &resolution), &bits)| to_units(value, resolution, bits))
        .collect()
}

/// Hands the packet of each of the real-valued `codes` (rows of `rank` values), of at most `max_bytes`, to `take`.
///
/// # Panics
/// Where the tables are not sound.
fn for_each_packet(tables: &CodeTables, codes: &[f32], max_bytes: usize, mut take: impl FnMut(&Code<'_>, &[u8])) {
    let code = tables.spec.code().expect("fitted tables are sound");
    let mut packet = vec![0; code.packet_len_max()];
    for row in codes.chunks_exact(tables.rank()) {
        let coefficients = units(&tables.spec, row.iter().copied());
        let len = code.pack(&coefficients, max_bytes, &mut packet).expect("room for any packet");
        take(&code, &packet[..len]);
    }
}

/// What becomes of real-valued codes (rows of `rank` values) in packets of at most `max_bytes`: the codes that are received, and the packets'
/// bytes on average.
///
/// # Panics
/// Where the tables are not sound.
pub fn measure(tables: &CodeTables, codes: &[f32], max_bytes: usize) -> (Vec<f32>, f64) {
    let rank = tables.rank();
    let (mut bytes, mut read, mut received) = (0, Vec::with_capacity(codes.len()), vec![0; rank]);
    for_each_packet(tables, codes, max_bytes, |code, packet| {
        code.unpack(packet, &mut received).expect("the packet was just made");
        bytes += packet.len();
        read.extend(received.iter().zip(&tables.spec.resolutions).map(|(&c, &resolution)| f32::from(c) * resolution));
    });
    (read, bytes as f64 / (codes.len() / rank).max(1) as f64)
}

/// The shares of packets of at most `max_bytes` that are sent at each operating point.
///
/// # Panics
/// Where the tables are not sound.
pub(crate) fn use_of_points(tables: &CodeTables, codes: &[f32], max_bytes: usize) -> Vec<f64> {
    let mut shares = vec![0.0; tables.spec.deadzones.len()];
    let each = 1.0 / (codes.len() / tables.rank()) as f64;
    for_each_packet(tables, codes, max_bytes, |code, packet| shares[code.point_of(packet[0])] += each);
    shares
}

#[cfg(test)]
mod tests {
    use super::super::CLASSES_MAX;
    use super::super::coefficient::tests::gaussian;
    use super::*;

    /// Columns that are shuffled against one another.
    fn columns(deviations: &[f32]) -> Vec<Vec<f32>> {
        let shuffled = |(index, &deviation): (usize, &f32)| {
            let values = gaussian(deviation);
            let stride = [1, 1009, 2003, 3001, 1511][index % 5];
            (0..values.len()).map(|i| values[i * stride % values.len()]).collect()
        };
        deviations.iter().enumerate().map(shuffled).collect()
    }

    fn rows(columns: &[Vec<f32>]) -> Vec<f32> {
        (0..columns[0].len()).flat_map(|item| columns.iter().map(move |values| values[item])).collect()
    }

    #[test]
    fn error_falls_by_six_decibels_a_bit_of_every_coefficient() {
        let columns = columns(&[8.0, 4.0, 2.0, 1.0, 8.0, 4.0, 2.0, 1.0]);
        let tables = fit(&columns, &[1.0; 8], &[3, 5, 6], CLASSES_MAX);
        let codes = rows(&columns);
        let error = |max_bytes: usize| {
            let (read, bytes) = measure(&tables, &codes, max_bytes);
            assert!(bytes <= max_bytes as f64 && bytes > 0.75 * max_bytes as f64, "{bytes} of {max_bytes}");
            let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
            (read.iter().zip(&codes).map(square).sum::<f64>() / codes.len() as f64, bytes)
        };
        let errors = [3, 4, 5, 6].map(error);
        for pair in errors.windows(2) {
            let bits_a_coefficient = 8.0 * (pair[1].1 - pair[0].1) / 8.0;
            let gained_db = 10.0 * (pair[0].0 / pair[1].0).log10();
            assert!(gained_db > 4.0 * bits_a_coefficient && gained_db > 0.0, "{errors:?}");
        }
        // The rate-distortion function of a Gaussian source, D = (8 4 2 1)^(1/2) 4^-R: within 0.25 bits and a byte.
        let (distortion, bytes) = errors[3];
        let bits = 8.0 * 0.5 * ((64.0_f64 * 16.0 * 4.0).powf(0.25) / distortion).log2();
        assert!(8.0 * (bytes - 2.0) < bits + 8.0 * 0.3, "{bytes} bytes for {bits} bits");
    }

    #[test]
    fn what_the_decoder_hardly_feels_is_not_sent() {
        let columns = columns(&[4.0, 4.0, 4.0]);
        let tables = fit(&columns, &[1.0, 1e-9, 1.0], &[2], CLASSES_MAX);
        assert_eq!(tables.sent(), [0, 2]);
        let chosen = tables.select(&[2, 0]);
        assert_eq!((chosen.rank(), chosen.spec.resolutions[1]), (2, tables.spec.resolutions[0]));
        assert!(chosen.spec.code().is_some());
    }

    #[test]
    fn any_packet_sizes_have_tables() {
        let columns = columns(&[4.0, 2.0, 1.0, 0.5, 0.25]);
        for bytes in [vec![2], vec![2, 250], vec![4, 8, 16, 32], vec![242]] {
            let tables = fit(&columns, &[1.0; 5], &bytes, CLASSES_MAX);
            let code = tables.spec.code().expect("sound tables");
            assert!(code.points() > 3 && code.packet_len_max() == *bytes.last().unwrap(), "{bytes:?}");
        }
    }
}
