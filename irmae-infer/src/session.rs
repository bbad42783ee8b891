//! [`Encoder`] and [`Decoder`]: a model with the caller's buffer.

use bytemuck::Pod;

use crate::error::RunError;
use crate::format::{Element, Kind};
use crate::kernels::{Best, Kernels};
use crate::model::{BUFFER_ALIGNMENT, Model};
use crate::pipeline::Pipeline;
use crate::quant;
use crate::sample::{RawType, Sample, Transfer};

/// Windows of samples to codes.
#[derive(Debug)]
pub struct Encoder<'m, 'b, K = Best> {
    pipeline: Pipeline<'m, 'b, K, false>,
}

impl<'m, 'b> Encoder<'m, 'b> {
    /// An encoder with the fastest kernels of this target. `buffer` must have [`Model::buffer_len`] bytes, aligned to 4.
    ///
    /// # Errors
    /// [`RunError::Kind`], [`RunError::BufferTooSmall`], [`RunError::BufferMisaligned`].
    pub fn new(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Result<Self, RunError> {
        Self::with_kernels(model, buffer)
    }
}

impl<'m, 'b, K: Kernels> Encoder<'m, 'b, K> {
    /// An encoder with kernels of the caller's choice.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn with_kernels(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Result<Self, RunError> {
        Ok(Self { pipeline: start(model, buffer)? })
    }

    /// Encodes a window, in order height, width, channel, into its code, in units of [`Model::resolutions`].
    /// [`encode_packet`](crate::encode_packet) makes a packet of it.
    ///
    /// # Errors
    /// [`RunError::SampleType`], [`RunError::Length`].
    pub fn encode<S: Sample>(&mut self, frame: &[S], code: &mut [i16]) -> Result<(), RunError> {
        let shape = self.pipeline.model.frame();
        check_len(shape.len(), frame.len())?;
        self.pipeline.restart();
        for row in frame.chunks_exact(shape.row_len()) {
            self.push_row(row, code)?;
        }
        Ok(())
    }

    /// Takes the next row of a window (one sample of all channels, for a one-dimensional signal) as the sensor delivers
    /// it. Returns true when the window is complete; it is then in `code`, and the next row starts a new window.
    ///
    /// # Errors
    /// [`RunError::SampleType`], [`RunError::Length`].
    pub fn push_row<S: Sample>(&mut self, row: &[S], code: &mut [i16]) -> Result<bool, RunError> {
        let model = self.pipeline.model;
        check_type::<S>(model)?;
        check_len(model.frame().row_len(), row.len())?;
        check_len(model.code_len(), code.len())?;
        if self.pipeline.is_complete() {
            self.pipeline.restart();
        }
        load_row(&mut self.pipeline, row);
        let is_complete = self.pipeline.run();
        if is_complete {
            self.read_code(code);
        }
        Ok(is_complete)
    }

    /// The real-valued code of the window that was completed last, before quantisation.
    ///
    /// # Errors
    /// [`RunError::NotReal`] for an integer model, [`RunError::Length`].
    pub fn coefficients(&self, coefficients: &mut [f32]) -> Result<(), RunError> {
        let model = self.pipeline.model;
        check_real(model)?;
        check_len(model.code_len(), coefficients.len())?;
        coefficients.copy_from_slice(self.pipeline.output_row());
        Ok(())
    }

    fn read_code(&self, code: &mut [i16]) {
        let model = self.pipeline.model;
        if is_real(model) {
            let values = self.pipeline.output_row::<f32>().iter().zip(model.resolutions());
            for ((c, &bits), (&value, &resolution)) in code.iter_mut().zip(model.code().bits()).zip(values) {
                *c = clamp_to_bits(quant::round_f32(value / resolution), bits);
            }
        } else {
            let values = self.pipeline.output_row::<i16>();
            for ((c, &bits), &value) in code.iter_mut().zip(model.code().bits()).zip(values) {
                *c = clamp_to_bits(value.into(), bits);
            }
        }
    }
}

/// Codes to windows of samples.
#[derive(Debug)]
pub struct Decoder<'m, 'b, K = Best> {
    pipeline: Pipeline<'m, 'b, K, true>,
}

impl<'m, 'b> Decoder<'m, 'b> {
    /// A decoder with the fastest kernels of this target. `buffer` must have [`Model::buffer_len`] bytes, aligned to 4.
    ///
    /// # Errors
    /// [`RunError::Kind`], [`RunError::BufferTooSmall`], [`RunError::BufferMisaligned`].
    pub fn new(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Result<Self, RunError> {
        Self::with_kernels(model, buffer)
    }
}

impl<'m, 'b, K: Kernels> Decoder<'m, 'b, K> {
    /// A decoder with kernels of the caller's choice.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn with_kernels(model: &'m Model<'m>, buffer: &'b mut [u8]) -> Result<Self, RunError> {
        Ok(Self { pipeline: start(model, buffer)? })
    }

    /// Decodes a code, in units of [`Model::resolutions`] as a packet gives it, into a window in order height, width, channel.
    ///
    /// # Errors
    /// [`RunError::SampleType`], [`RunError::Length`].
    pub fn decode<S: Sample>(&mut self, code: &[i16], frame: &mut [S]) -> Result<(), RunError> {
        check_len(self.pipeline.model.frame().len(), frame.len())?;
        self.start(code)?;
        self.drain(frame)
    }

    /// Decodes a real-valued code that was never quantised.
    ///
    /// # Errors
    /// [`RunError::NotReal`] for an integer model, [`RunError::SampleType`], [`RunError::Length`].
    pub fn decode_coefficients<S: Sample>(&mut self, code: &[f32], frame: &mut [S]) -> Result<(), RunError> {
        let model = self.pipeline.model;
        check_real(model)?;
        check_len(model.frame().len(), frame.len())?;
        check_len(model.code_len(), code.len())?;
        self.pipeline.restart();
        self.pipeline.input_row().copy_from_slice(code);
        self.pipeline.commit_input_row();
        self.drain(frame)
    }

    /// Takes a code whose rows [`Decoder::next_row`] then gives one by one.
    ///
    /// # Errors
    /// [`RunError::Length`].
    pub fn start(&mut self, code: &[i16]) -> Result<(), RunError> {
        let model = self.pipeline.model;
        check_len(model.code_len(), code.len())?;
        self.pipeline.restart();
        if is_real(model) {
            let input = self.pipeline.input_row::<f32>();
            for ((x, &c), &resolution) in input.iter_mut().zip(code).zip(model.resolutions()) {
                *x = f32::from(c) * resolution;
            }
        } else {
            let [least, largest] = model.input_clamp();
            for (x, &c) in self.pipeline.input_row::<i16>().iter_mut().zip(code) {
                *x = i32::from(c).max(least).min(largest) as i16;
            }
        }
        self.pipeline.commit_input_row();
        Ok(())
    }

    /// Computes the next row of the window; false where there is none left.
    ///
    /// # Errors
    /// [`RunError::SampleType`], [`RunError::Length`].
    pub fn next_row<S: Sample>(&mut self, row: &mut [S]) -> Result<bool, RunError> {
        let model = self.pipeline.model;
        check_type::<S>(model)?;
        check_len(model.frame().row_len(), row.len())?;
        let has_row = self.pipeline.run();
        if has_row {
            store_row(&self.pipeline, row);
        }
        Ok(has_row)
    }

    fn drain<S: Sample>(&mut self, frame: &mut [S]) -> Result<(), RunError> {
        let row_len = self.pipeline.model.frame().row_len();
        for row in frame.chunks_exact_mut(row_len) {
            self.next_row(row)?;
        }
        Ok(())
    }
}

fn start<'m, 'b, K: Kernels, const DECODES: bool>(
    model: &'m Model<'m>,
    buffer: &'b mut [u8],
) -> Result<Pipeline<'m, 'b, K, DECODES>, RunError> {
    if (model.kind() == Kind::Decoder) != DECODES {
        return Err(RunError::Kind { found: model.kind() });
    }
    if !(buffer.as_ptr() as usize).is_multiple_of(BUFFER_ALIGNMENT) {
        return Err(RunError::BufferMisaligned);
    }
    let (needed, given) = (model.buffer_len(), buffer.len());
    let buffer =
        buffer.get_mut(..needed).ok_or(RunError::BufferTooSmall { needed: needed as u32, given: given as u32 })?;
    Ok(Pipeline::new(model, buffer))
}

/// Puts raw samples into the network's next input row; see [`Transfer`].
fn load_row<S: Sample, K: Kernels>(pipeline: &mut Pipeline<'_, '_, K, false>, row: &[S]) {
    let model = pipeline.model;
    let [least, largest] = model.input_clamp();
    match (model.transfer(), model.layers()[0].input_element) {
        (Transfer::Real { offset, gain }, Element::F32) if cfg!(feature = "float") => {
            let real = |raw: S, offset, gain| (raw.to_f32() - offset) * gain;
            convert_row(pipeline.input_row::<f32>(), row, [offset, gain], real);
        }
        (Transfer::Real { offset, gain }, _) if may_be_real::<S>() => {
            let real = |raw: S, offset, gain| (raw.to_f32() - offset) * gain;
            convert_row(pipeline.input_row::<i16>(), row, [offset, gain], |raw, offset, gain| {
                quant::round_f32(real(raw, offset, gain)).max(least).min(largest) as i16
            });
        }
        (Transfer::Fixed { offset, gain }, _) if !is_byte::<S>() => {
            let channels = offset.iter().zip(gain).cycle();
            for ((x, raw), (&zero, &gain)) in pipeline.input_row::<i16>().iter_mut().zip(row).zip(channels) {
                *x = quant::scale_input(raw.to_i32(), zero, gain, largest) as i16;
            }
        }
        (_, Element::U8) => {
            copy_row(pipeline.input_row::<u8>(), row, |raw| u8::from_i32(raw.to_i32()));
        }
        _ if !is_byte::<S>() => {
            copy_row(pipeline.input_row::<i16>(), row, |raw| i16::from_i32(raw.to_i32()));
        }
        _ => (),
    }
    pipeline.commit_input_row();
}

/// Takes raw samples from the network's output row; see [`Transfer`].
fn store_row<S: Sample, K: Kernels>(pipeline: &Pipeline<'_, '_, K, true>, row: &mut [S]) {
    let model = pipeline.model;
    let element = model.layers().last().map(|layer| layer.output_element);
    match (model.transfer(), element) {
        (Transfer::Real { offset, gain }, Some(Element::F32)) if cfg!(feature = "float") => {
            store_real(pipeline.output_row::<f32>(), |y| y, offset, gain, row);
        }
        (Transfer::Real { offset, gain }, _) if may_be_real::<S>() => {
            store_real(pipeline.output_row::<i16>(), f32::from, offset, gain, row);
        }
        (Transfer::OffsetBinary, _) => {
            copy_row(row, pipeline.output_row::<i16>(), |q| S::from_i32(i32::from(q) + 32_768));
        }
        (_, Some(Element::U8)) => copy_row(row, pipeline.output_row::<u8>(), |q| S::from_i32(i32::from(q))),
        _ => copy_row(row, pipeline.output_row::<i16>(), |q| S::from_i32(i32::from(q))),
    }
}

fn store_real<T: Pod, S: Sample>(values: &[T], to_f32: impl Fn(T) -> f32, offset: &[f32], gain: &[f32], row: &mut [S]) {
    convert_row(row, values, [offset, gain], |y, offset, gain| S::from_f32(to_f32(y) / gain + offset));
}

/// Converts values by the offset and gain of their channels.
fn convert_row<A: Copy, B>(to: &mut [B], from: &[A], scale: [&[f32]; 2], convert: impl Fn(A, f32, f32) -> B) {
    let pairs = to.iter_mut().zip(from);
    match scale {
        // A loop of its own, which vectorises.
        [&[offset], &[gain]] => pairs.for_each(|(to, &from)| *to = convert(from, offset, gain)),
        [offset, gain] => {
            let channels = offset.iter().zip(gain).cycle();
            pairs.zip(channels).for_each(|((to, &from), (&offset, &gain))| *to = convert(from, offset, gain));
        }
    }
}

fn copy_row<A: Copy, B>(to: &mut [B], from: &[A], convert: impl Fn(A) -> B) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = convert(from);
    }
}

/// Whether samples of this type can meet [`Transfer::Real`]: without real-valued models, only those of a real-valued sensor. Spares
/// other programs that arithmetic.
fn may_be_real<S: Sample>() -> bool {
    cfg!(feature = "float") || S::RAW == RawType::F32
}

/// Whether samples are bytes: they meet no [`Transfer::Fixed`], and an integer model takes them as they are.
fn is_byte<S: Sample>() -> bool {
    S::RAW == RawType::U8
}

/// Within `-2^(bits-1) .. 2^(bits-1)`.
fn clamp_to_bits(value: i32, bits: u8) -> i16 {
    let half = 1 << (bits - 1);
    value.max(-half).min(half - 1) as i16
}

fn is_real(model: &Model<'_>) -> bool {
    cfg!(feature = "float") && model.layers()[0].input_element == Element::F32
}

fn check_real(model: &Model<'_>) -> Result<(), RunError> {
    if is_real(model) { Ok(()) } else { Err(RunError::NotReal) }
}

fn check_type<S: Sample>(model: &Model<'_>) -> Result<(), RunError> {
    if S::RAW == model.raw_type() || S::RAW == RawType::F32 {
        Ok(())
    } else {
        Err(RunError::SampleType { expected: model.raw_type(), given: S::RAW })
    }
}

fn check_len(expected: usize, given: usize) -> Result<(), RunError> {
    if expected == given { Ok(()) } else { Err(RunError::Length { expected: expected as u32, given: given as u32 }) }
}
