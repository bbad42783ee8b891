//! The sensor's own number types, and how they enter and leave a network.

use crate::quant;

/// Type of the raw samples that a model was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RawType {
    /// Pixels, 0 to 255.
    U8,
    /// Signed samples of up to 16 bits.
    I16,
    /// Unsigned samples of up to 16 bits, such as those of an ADC.
    U16,
    /// Real numbers in the sensor's unit.
    F32,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for i16 {}
    impl Sealed for u16 {}
    impl Sealed for f32 {}
}

// On a host, where crates are compiled apart, a call for each sample costs more than the conversion.

/// A raw sample: `u8`, `i16`, `u16` or `f32`.
///
/// A model takes and gives the type that it was made for; `f32` in raw units is taken and given by every model.
pub trait Sample: Copy + sealed::Sealed {
    /// The type's name in a model file.
    const RAW: RawType;
    /// As an integer; real numbers are rounded.
    fn to_i32(self) -> i32;
    /// As a real number.
    fn to_f32(self) -> f32;
    /// From an integer; saturates.
    fn from_i32(value: i32) -> Self;
    /// From a real number; rounds and saturates.
    fn from_f32(value: f32) -> Self;
}

macro_rules! integer_sample {
    ($type:ident, $raw:ident) => {
        impl Sample for $type {
            const RAW: RawType = RawType::$raw;
            #[cfg_attr(not(target_os = "none"), inline)]
            fn to_i32(self) -> i32 {
                i32::from(self)
            }
            #[cfg_attr(not(target_os = "none"), inline)]
            fn to_f32(self) -> f32 {
                f32::from(self)
            }
            #[cfg_attr(not(target_os = "none"), inline)]
            fn from_i32(value: i32) -> Self {
                value.clamp(i32::from($type::MIN), i32::from($type::MAX)) as $type
            }
            #[cfg_attr(not(target_os = "none"), inline)]
            fn from_f32(value: f32) -> Self {
                Self::from_i32(quant::round_f32(value))
            }
        }
    };
}

integer_sample!(u8, U8);
integer_sample!(i16, I16);
integer_sample!(u16, U16);

impl Sample for f32 {
    const RAW: RawType = RawType::F32;
    #[cfg_attr(not(target_os = "none"), inline)]
    fn to_i32(self) -> i32 {
        quant::round_f32(self)
    }
    #[cfg_attr(not(target_os = "none"), inline)]
    fn to_f32(self) -> f32 {
        self
    }
    #[cfg_attr(not(target_os = "none"), inline)]
    fn from_i32(value: i32) -> Self {
        value as f32
    }
    #[cfg_attr(not(target_os = "none"), inline)]
    fn from_f32(value: f32) -> Self {
        value
    }
}

/// How raw samples and the network's numbers belong together: per channel, or empty where they are the same.
///
/// | model | raw type | into the network | out of the network |
/// |---|---|---|---|
/// | f32, f16 | any | `(raw - offset) * gain` | `y / gain + offset` |
/// | i8 | u8 | `raw` | `q` |
/// | i8 | i16 | `round((raw - offset) * gain / 2^19)` | `q` |
/// | i8 | u16 | `round((raw - offset) * gain / 2^19)` | `q + 32768` |
/// | i8 | f32 | `round((raw - offset) * gain)` | `q / gain + offset` |
#[derive(Debug, Clone, Copy)]
pub enum Transfer<'a> {
    /// No arithmetic.
    Identity,
    /// No arithmetic, but unsigned samples are kept as `raw - 32768`.
    OffsetBinary,
    /// Fixed point, see [`quant::scale_input`].
    Fixed {
        /// Raw value that becomes 0.
        offset: &'a [i32],
        /// Units with 19 fraction bits for one raw unit.
        gain: &'a [i32],
    },
    /// Real arithmetic.
    Real {
        /// Raw value that becomes 0.
        offset: &'a [f32],
        /// Units for one raw unit.
        gain: &'a [f32],
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_numbers_round_and_saturate() {
        assert_eq!(u8::from_f32(254.5), 255);
        assert_eq!(u8::from_f32(300.0), 255);
        assert_eq!(u8::from_f32(-0.6), 0);
        assert_eq!(i16::from_f32(-1.5), -1);
        assert_eq!(u16::from_i32(70_000), 65_535);
        assert_eq!(u8::from_f32(f32::NAN), 0);
    }
}
