//! Weights, and what follows them.

use bytemuck::Pod;
use half::f16;

use super::packing::{self, FLOAT_BLOCK};
use super::rows::{ConvGeometry, Integer};
use crate::layer::{Activation, Op};
use crate::quant;

/// A weight of a real-valued layer: `f32` or `f16`.
pub trait FloatWeight: Pod {
    /// Widens; exact.
    fn to_f32(self) -> f32;
    /// Widens a block.
    #[inline]
    fn widen(block: &[Self; FLOAT_BLOCK]) -> [f32; FLOAT_BLOCK] {
        let [a, b, c, d, e, f, g, h] = block.map(Self::to_f32);
        [a, b, c, d, e, f, g, h]
    }
}

impl FloatWeight for f32 {
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
}

impl FloatWeight for f16 {
    /// Of finite numbers, which weights are. Five operations that vectorise; `half`'s own conversion asks the CPU what it
    /// can do, each time, and made encoding 2.4 times slower on an x86-64 host.
    #[inline]
    fn to_f32(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let (sign, magnitude) = ((bits & 0x8000) << 16, bits & 0x7fff);
        let is_normal = magnitude >= 0x0400;
        // A normal number moves its exponent from bias 15 to 127; a subnormal one counts units of 2^-24.
        let normal = (magnitude << 13) + ((127 - 15) << 23);
        let subnormal = (magnitude as f32 * (1.0 / 16_777_216.0)).to_bits();
        f32::from_bits(sign | if is_normal { normal } else { subnormal })
    }
}

/// How a layer sums and what it does with the sum. Lets one loop serve every number type.
pub(super) trait Arithmetic {
    /// Input.
    type X: Copy;
    /// Weight.
    type W: Copy;
    /// Accumulator.
    type Acc: Copy;
    /// Output.
    type Y;
    /// Weight `n` in the [natural order](crate::Op::weights_len).
    fn weight(&self, op: Op, geometry: &ConvGeometry, n: usize) -> Self::W;
    /// The accumulator's first value.
    fn bias(&self, index: usize) -> Self::Acc;
    /// `acc + x w`
    fn multiply_add(&self, acc: Self::Acc, x: Self::X, w: Self::W) -> Self::Acc;
    /// From sum to output.
    fn finish(&self, channel: usize, acc: Self::Acc) -> Self::Y;
}

/// Weights of an `i8` layer.
#[derive(Debug, Clone, Copy)]
pub struct IntParams<'a> {
    /// Weights, within +-127, in the order of the [specification](crate::specification).
    pub weights: &'a [u32],
    /// Biases at the accumulator's scale.
    pub bias: &'a [i32],
    /// Left shift of the accumulator, for outputs finer than it; mostly 0.
    pub acc_shift: u8,
    /// [`quant::requantize`]'s multiplier, one an output channel.
    pub multiplier: &'a [i32],
    /// Second multiplier and offset of a tanh or sigmoid layer, one an output channel; empty otherwise.
    pub post: [&'a [i32]; 2],
    /// What follows the sum.
    pub activation: Activation,
    /// Least and largest output. ReLU is a least of 0.
    pub clamp: [i32; 2],
}

impl<'a> IntParams<'a> {
    /// From accumulator to output, at the output's scale and within its range.
    // Where kernels have their own way to this, by assembly, what is left is worth a call.
    #[cfg_attr(all(irmae_dsp, not(irmae_mve)), inline(never))]
    #[cfg_attr(not(all(irmae_dsp, not(irmae_mve))), inline)]
    pub fn finish(&self, channel: usize, acc: i32) -> i32 {
        let acc = acc << self.acc_shift;
        let q = quant::requantize(acc, self.multiplier[channel]);
        self.clamped(if self.activation.is_curved() { self.curve(channel, q) } else { q })
    }

    /// The same, if it is known whether that [is linear](Self::is_linear): without a call where it is.
    #[inline(always)]
    pub(crate) fn finish_known(&self, is_linear: bool, channel: usize, acc: i32) -> i32 {
        if is_linear {
            self.clamped(quant::requantize(acc, self.multiplier[channel]))
        } else {
            self.finish(channel, acc)
        }
    }

    #[inline(always)]
    fn clamped(&self, y: i32) -> i32 {
        // Not `clamp`: that panics where a hostile file has its ends crossed.
        y.max(self.clamp[0]).min(self.clamp[1])
    }

    /// Whether [`finish`](Self::finish) is no more than [`quant::requantize`], clamped.
    pub(crate) fn is_linear(&self) -> bool {
        !self.activation.is_curved() && self.acc_shift == 0
    }

    /// Whether it is no more than that, saturated to `u8`.
    pub(super) fn is_plain(&self) -> bool {
        self.is_linear() && self.clamp == [0, 255]
    }

    /// Not inlined: it is long, and there is a [`finish`](Self::finish) in every kernel.
    #[inline(never)]
    fn curve(&self, channel: usize, q: i32) -> i32 {
        let y = if self.activation == Activation::Tanh { quant::tanh(q) } else { quant::sigmoid(q) };
        quant::post_scale(y, self.post[0][channel], self.post[1][channel])
    }

    pub(super) fn arithmetic<X: Integer>(&self) -> IntArithmetic<'_, 'a, X> {
        IntArithmetic { params: self, inputs: core::marker::PhantomData }
    }
}

/// The weight at byte `at` of packed ones.
pub(super) fn unpack(words: &[u32], at: usize) -> i8 {
    let byte = words[at / 4].to_le_bytes()[at % 4];
    // The first of a pair is stored with 128 added.
    (if at.is_multiple_of(2) { byte ^ 0x80 } else { byte }) as i8
}

pub(super) struct IntArithmetic<'p, 'a, X> {
    params: &'p IntParams<'a>,
    inputs: core::marker::PhantomData<X>,
}

impl<X: Integer> Arithmetic for IntArithmetic<'_, '_, X> {
    type X = X;
    type W = i8;
    type Acc = i32;
    type Y = i32;

    fn weight(&self, op: Op, geometry: &ConvGeometry, n: usize) -> i8 {
        let at = packing::int_byte(op, geometry.input, geometry.output, n);
        unpack(self.params.weights, at)
    }
    #[inline]
    fn bias(&self, index: usize) -> i32 {
        self.params.bias[index]
    }
    #[inline]
    fn multiply_add(&self, acc: i32, x: X, w: i8) -> i32 {
        acc + x.to_i32() * i32::from(w)
    }
    #[inline]
    fn finish(&self, channel: usize, acc: i32) -> i32 {
        self.params.finish(channel, acc)
    }
}

/// Weights of an `f32` or `f16` layer.
#[derive(Debug, Clone, Copy)]
pub struct FloatParams<'a, W> {
    /// Weights, in the order of the [specification](crate::specification).
    pub weights: &'a [W],
    /// Biases.
    pub bias: &'a [f32],
    /// What follows the sum.
    pub activation: Activation,
}

impl<W: FloatWeight> FloatParams<'_, W> {
    /// The activation.
    #[inline]
    pub fn finish(&self, sum: f32) -> f32 {
        match self.activation {
            Activation::None => sum,
            Activation::Relu => sum.max(0.0),
            Activation::Tanh => libm::tanhf(sum),
            Activation::Sigmoid => 1.0 / (1.0 + libm::expf(-sum)),
        }
    }

    /// The activation, over all sums.
    pub(super) fn activate(&self, sums: &mut [f32]) {
        match self.activation {
            Activation::None => (),
            // A loop of its own, which vectorises.
            Activation::Relu => sums.iter_mut().for_each(|sum| *sum = sum.max(0.0)),
            Activation::Tanh | Activation::Sigmoid => sums.iter_mut().for_each(|sum| *sum = self.finish(*sum)),
        }
    }

    pub(super) fn arithmetic(&self) -> FloatArithmetic<'_, W> {
        FloatArithmetic(self)
    }
}

pub(super) struct FloatArithmetic<'a, W>(&'a FloatParams<'a, W>);

impl<W: FloatWeight> Arithmetic for FloatArithmetic<'_, W> {
    type X = f32;
    type W = W;
    type Acc = f32;
    type Y = f32;

    fn weight(&self, op: Op, geometry: &ConvGeometry, n: usize) -> W {
        self.0.weights[packing::float_index(op, geometry.input, geometry.output, n)]
    }
    #[inline]
    fn bias(&self, index: usize) -> f32 {
        self.0.bias[index]
    }
    #[inline]
    fn multiply_add(&self, acc: f32, x: f32, w: W) -> f32 {
        acc + x * w.to_f32()
    }
    #[inline]
    fn finish(&self, _channel: usize, acc: f32) -> f32 {
        self.0.finish(acc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let value = f16::from_bits(bits);
            if value.is_finite() {
                assert_eq!(FloatWeight::to_f32(value).to_bits(), f16::to_f32(value).to_bits(), "{value}");
            }
        }
    }
}
