//! Integer arithmetic of the `i8` path: the only place where rounding is written. The trainer's quantiser calls it too.
//!
//! A real number is `scale * q`. A layer accumulates `acc = bias + sum w q` exactly in `i32`, with
//! `scale_acc = scale_w[channel] * scale_x`, and one multiplication brings it to the scale of the output.

/// Weights are within +-127 (symmetric).
pub const WEIGHT_MAX: i32 = 127;
/// Fraction bits of the argument of tanh and sigmoid: range -8 to 8.
pub const CURVE_IN_BITS: u32 = 12;
/// Fraction bits of their value.
pub const CURVE_OUT_BITS: u32 = 15;
/// Left shift of a curve's value before the second multiplication, so that scales of 1 and above can be written.
const POST_SHIFT: u32 = 7;
/// Fraction bits of an input gain.
const GAIN_BITS: u32 = 19;

/// `round(acc * multiplier / 2^32)`, ties toward plus infinity: one rounding, exact on every target.
///
/// The multiplier is `2^32 scale_acc / scale_out`. It must lie below `2^31`, so an accumulator is at least twice as fine as
/// its output. On Cortex-M4 this is the one instruction SMMULR.
#[inline]
pub const fn requantize(acc: i32, multiplier: i32) -> i32 {
    if cfg!(irmae_v6m) {
        return requantize_by_halves(acc, multiplier);
    }
    ((acc as i64 * multiplier as i64 + (1 << 31)) >> 32) as i32
}

/// [`requantize`] for Cortex-M0 and M0+, whose products have 32 bits, in four of them: 25 instructions fewer than a call for 64 bits.
#[inline]
const fn requantize_by_halves(acc: i32, multiplier: i32) -> i32 {
    let (acc_high, acc_low) = (acc >> 16, (acc & 0xffff) as u32);
    let (high, low) = (multiplier >> 16, (multiplier & 0xffff) as u32);
    // Multiples of 2^16, the half that rounds among them: at most 2^31 - 1.
    let middle = acc_high * low as i32 + ((acc_low * low) >> 16) as i32 + 0x8000;
    let other = acc_low as i32 * high + (middle & 0xffff);
    acc_high * high + (middle >> 16) + (other >> 16)
}

/// The multiplier of [`requantize`] for `scale = scale_acc / scale_out`; `None` where it is not within `0 < scale < 1/2`.
pub fn multiplier(scale: f64) -> Option<i32> {
    fixed(scale, 4_294_967_296.0)
}

/// The second multiplier of a tanh or sigmoid layer: output units for a value of 1.
pub fn post_multiplier(units: f64) -> Option<i32> {
    fixed(units, (1_u64 << (32 - CURVE_OUT_BITS - POST_SHIFT)) as f64)
}

/// The gain of [`scale_input`]: output units for one raw unit.
pub fn input_gain(units: f64) -> Option<i32> {
    fixed(units, f64::from(1_u32 << GAIN_BITS))
}

fn fixed(value: f64, one: f64) -> Option<i32> {
    let rounded = libm::round(value * one);
    (1.0..f64::from(i32::MAX)).contains(&rounded).then_some(rounded as i32)
}

/// Output of a curved activation at its final scale: `round(y * units) + offset`, `y` with [`CURVE_OUT_BITS`].
#[inline]
pub const fn post_scale(y: i32, multiplier: i32, offset: i32) -> i32 {
    requantize(y << POST_SHIFT, multiplier).saturating_add(offset)
}

/// Brings a raw sample to the input scale of an integer network: `round((raw - zero) * gain / 2^19)`, within `limit`.
#[inline]
pub const fn scale_input(raw: i32, zero: i32, gain: i32, limit: i32) -> i32 {
    let scaled = ((raw as i64 - zero as i64) * gain as i64 + (1 << (GAIN_BITS - 1))) >> GAIN_BITS;
    if scaled > limit as i64 {
        limit
    } else if scaled < -(limit as i64) {
        -limit
    } else {
        scaled as i32
    }
}

/// The nearest integer, ties toward plus infinity, as [`requantize`] rounds.
#[inline]
pub fn round_f32(x: f32) -> i32 {
    let x = x + 0.5;
    // Toward zero, then down: without a call, which takes longest where most numbers are to be rounded.
    let truncated = x as i32;
    if truncated as f32 > x { truncated.saturating_sub(1) } else { truncated }
}

/// `sigmoid(i / 32)` for `i` in 0..=256, with [`CURVE_OUT_BITS`]. Built by the compiler, so it is the same on every target.
static SIGMOID: [u16; 257] = {
    let step = 0.969_233_234_476_344_1_f64; // exp(-1/32)
    let (mut table, mut decay, mut i) = ([0; 257], 1.0, 0);
    while i < table.len() {
        table[i] = (32_768.0 / (1.0 + decay) + 0.5) as u16;
        decay *= step;
        i += 1;
    }
    table
};

/// `sigmoid(x)`: `x` with [`CURVE_IN_BITS`], saturating at +-8; the value with [`CURVE_OUT_BITS`], within 2 units of the
/// true one. Linear between the points of a table.
#[inline]
pub fn sigmoid(x: i32) -> i32 {
    const FRACTION_BITS: u32 = CURVE_IN_BITS - 5;
    let limit = 8 << CURVE_IN_BITS;
    let magnitude = x.clamp(-limit, limit).unsigned_abs() as usize;
    let (i, fraction) = (magnitude >> FRACTION_BITS, (magnitude & ((1 << FRACTION_BITS) - 1)) as i32);
    let left = i32::from(SIGMOID[i.min(256)]);
    let right = i32::from(SIGMOID[(i + 1).min(256)]);
    let y = left + (((right - left) * fraction + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS);
    if x < 0 { (1 << CURVE_OUT_BITS) - y } else { y }
}

/// `tanh(x) = 2 sigmoid(2x) - 1`, fixed point as in [`sigmoid`].
pub fn tanh(x: i32) -> i32 {
    let limit = 8 << CURVE_IN_BITS;
    2 * sigmoid(2 * x.clamp(-limit, limit)) - (1 << CURVE_OUT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantize_rounds_once_with_ties_up() {
        let quarter = multiplier(0.25).unwrap();
        let cases = [(0, 0), (1, 0), (2, 1), (3, 1), (-1, 0), (-2, 0), (-3, -1), (-6, -1), (-7, -2)];
        for (acc, expected) in cases {
            assert_eq!(requantize(acc, quarter), expected, "acc = {acc}");
        }
        assert_eq!(requantize(i32::MIN, i32::MAX), -(1 << 30) + 1);
        assert_eq!(requantize(i32::MAX, i32::MAX), (1 << 30) - 1);
    }

    #[test]
    fn halves_give_the_same_as_a_long_product() {
        let ends = [i32::MIN, i32::MIN + 1, -65_536, -65_535, -32_768, -1, 0, 1, 32_767, 65_535, 65_536, i32::MAX];
        let spread = (0..1000_u32).map(|n| n.wrapping_mul(0x9e37_79b9) as i32);
        for a in ends.into_iter().chain(spread) {
            for b in ends.into_iter().chain([0x7fff_0000, 0x7fff_ffff - 0x8000, a ^ 0x5555_5555, !a]) {
                assert_eq!(requantize_by_halves(a, b), requantize(a, b), "{a} times {b}");
                assert_eq!(requantize_by_halves(b, a), requantize(b, a), "{b} times {a}");
            }
        }
    }

    #[test]
    fn multipliers_out_of_range_are_none() {
        assert_eq!(multiplier(0.5), None);
        assert_eq!(multiplier(0.0), None);
        assert_eq!(multiplier(f64::NAN), None);
        assert_eq!(multiplier(1e-12), None);
        assert_eq!(multiplier(2.0_f64.powi(-32)), Some(1));
    }

    #[test]
    fn curves_stay_within_two_units_of_the_true_values() {
        for x in -40_000..=40_000 {
            let real = f64::from(x) / 4096.0;
            let (sigmoid_real, tanh_real) = (1.0 / (1.0 + (-real).exp()), real.tanh());
            // Beyond +-8 the argument saturates, where the curve is flat to 11 units of 32768.
            let slack = if real.abs() > 8.0 { 11.0 } else { 2.0 };
            assert!((f64::from(sigmoid(x)) - 32_768.0 * sigmoid_real).abs() <= slack, "sigmoid({real})");
            assert!((f64::from(tanh(x)) - 32_768.0 * tanh_real).abs() <= 24.0, "tanh({real})");
        }
        assert_eq!((sigmoid(0), tanh(0)), (16_384, 0));
        assert_eq!((tanh(i32::MAX), tanh(i32::MIN)), (32_746, -32_746));
    }

    #[test]
    fn input_scaling_centres_and_saturates() {
        let gain = input_gain(2.5).unwrap();
        assert_eq!(scale_input(1024, 1024, gain, 100), 0);
        assert_eq!(scale_input(1025, 1024, gain, 100), 3);
        assert_eq!(scale_input(0, 1024, gain, 100), -100);
        assert_eq!(scale_input(i32::MAX, i32::MIN, i32::MAX, 32_767), 32_767);
    }

    #[test]
    fn post_scale_reaches_the_full_pixel_range() {
        let m = post_multiplier(255.0).unwrap();
        assert_eq!(post_scale(1 << CURVE_OUT_BITS, m, 0), 255);
        assert_eq!(post_scale(-(1 << CURVE_OUT_BITS), m, 3), -252);
    }
}
