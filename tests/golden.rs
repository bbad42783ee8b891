//! `irmae-infer` repeats the golden files, its portable kernels to the bit, and agrees with what libtorch gave.

use irmae_infer::format::{AlignedBytes, Precision};
use irmae_infer::kernels::{Best, Kernels, Portable};
use irmae_infer::{Decoder, Encoder, Model, RawType, Sample};

use crate::cases::{self, Case};

/// Of the codes of `f32` and `f16` models, relative to the largest: rounding of sums, and of weights to 11 bits.
const CODE_TOLERANCE: [f64; 2] = [1e-5, 5e-3];
/// Of the outputs of `f32`, `f16` and `i8` models for the same codes: beside rounding, 8-bit weights and activations.
const OUTPUT_TOLERANCE: [f64; 3] = [1e-5, 5e-3, 0.03];

/// A sample with its little-endian bytes.
trait RawSample: Sample + Default + PartialEq + std::fmt::Debug {
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! raw_sample {
    ($($type:ty),*) => {$(
        impl RawSample for $type {
            fn from_bytes(bytes: &[u8]) -> Vec<Self> {
                bytes.chunks_exact(size_of::<Self>()).map(|b| Self::from_le_bytes(b.try_into().unwrap())).collect()
            }
        }
    )*};
}

raw_sample!(u8, i16, u16, f32);

#[test]
fn packets_and_outputs_are_repeated_to_the_bit() {
    for case in cases::all() {
        let decoded = run::<Portable>(&case);
        assert_eq!(decoded.packets, case.bytes("packets.irp"), "{}", case.name);
        assert_eq!(decoded.output, decoded.golden_output, "{}", case.name);
    }
}

#[test]
fn the_fastest_kernels_agree_with_the_portable_ones() {
    for case in cases::all() {
        let (fast, golden) = (run::<Best>(&case), run::<Portable>(&case));
        if case.models()[0].precision() == Precision::I8 {
            assert_eq!((fast.codes, fast.output), (golden.codes, golden.output), "{}", case.name);
            continue;
        }
        // A sum that lies between two integers may fall on either side.
        for (fast, golden) in fast.codes.iter().zip(&golden.codes) {
            assert!(fast.abs_diff(*golden) <= 1, "{}: {fast} for {golden}", case.name);
        }
        if fast.packets == golden.packets && case.models()[0].raw_type() == RawType::F32 {
            assert_near(&case, &fast.output, &golden.output, OUTPUT_TOLERANCE[Precision::F32 as usize]);
        } else if fast.packets == golden.packets {
            let is_near = |(fast, golden): (&f32, &f32)| (fast - golden).abs() <= 1.0;
            assert!(fast.output.iter().zip(&golden.output).all(is_near), "{}", case.name);
        }
    }
}

/// What came of a case's input, in raw units.
struct Decoded {
    codes: Vec<i16>,
    packets: Vec<u8>,
    output: Vec<f32>,
    golden_output: Vec<f32>,
}

fn run<K: Kernels>(case: &Case) -> Decoded {
    match case.models()[0].raw_type() {
        RawType::U8 => run_samples::<K, u8>(case),
        RawType::I16 => run_samples::<K, i16>(case),
        RawType::U16 => run_samples::<K, u16>(case),
        RawType::F32 => run_samples::<K, f32>(case),
    }
}

fn run_samples<K: Kernels, S: RawSample>(case: &Case) -> Decoded {
    let [encoder_model, decoder_model] = case.models();
    let mut buffers = case.models().map(|model| AlignedBytes::zeroed(model.buffer_len()));
    // What lay in the buffer before must not matter.
    buffers.iter_mut().for_each(|buffer| buffer.as_mut_slice().fill(0xa5));
    let [encoder_buffer, decoder_buffer] = &mut buffers;
    let mut encoder = Encoder::<K>::with_kernels(&encoder_model, encoder_buffer.as_mut_slice()).unwrap();
    let mut decoder = Decoder::<K>::with_kernels(&decoder_model, decoder_buffer.as_mut_slice()).unwrap();

    let frame_len = encoder_model.frame().len();
    let (input, golden_output) = (S::from_bytes(&case.bytes("input.bin")), S::from_bytes(&case.bytes("output.bin")));
    assert_eq!((input.len() % frame_len, input.len()), (0, golden_output.len()));
    let (mut codes, mut packets, mut output) = (Vec::new(), Vec::new(), Vec::new());
    for window in input.chunks(frame_len) {
        let mut code = vec![0; encoder_model.code_len()];
        encoder.encode(window, &mut code).unwrap();
        let mut packet = vec![0; encoder_model.code().packet_len_max()];
        let len = encoder_model.code().pack(&code, packet.len(), &mut packet).unwrap();
        packets.push(len as u8);
        packets.extend_from_slice(&packet[..len]);
        codes.extend(code);

        let mut received = vec![0; decoder_model.code_len()];
        decoder_model.code().unpack(&packet[..len], &mut received).unwrap();
        let mut restored = vec![S::default(); frame_len];
        decoder.decode(&received, &mut restored).unwrap();
        output.extend(restored);
    }
    // All types are exact in `f32`.
    let to_f32 = |samples: Vec<S>| samples.into_iter().map(Sample::to_f32).collect();
    Decoded { codes, packets, output: to_f32(output), golden_output: to_f32(golden_output) }
}

#[test]
fn row_by_row_is_the_same_as_the_whole_window() {
    for case in cases::all() {
        let [encoder_model, decoder_model] = case.models();
        // `f32` in raw units is taken and given by every model.
        let input = frames_f32(&case, &encoder_model);
        let (frame, row_len) = (encoder_model.frame(), encoder_model.frame().row_len());
        let mut buffer = AlignedBytes::zeroed(encoder_model.buffer_len());
        let mut encoder = Encoder::new(&encoder_model, buffer.as_mut_slice()).unwrap();
        let mut whole = vec![0; encoder_model.code_len()];
        let mut streamed = whole.clone();
        for window in input.chunks(frame.len()) {
            encoder.encode(window, &mut whole).unwrap();
            for (at, row) in window.chunks(row_len).enumerate() {
                let is_complete = encoder.push_row(row, &mut streamed).unwrap();
                assert_eq!(is_complete, at + 1 == usize::from(frame.height), "{}", case.name);
            }
            assert_eq!(streamed, whole, "{}", case.name);
        }

        let mut buffer = AlignedBytes::zeroed(decoder_model.buffer_len());
        let mut decoder = Decoder::new(&decoder_model, buffer.as_mut_slice()).unwrap();
        let mut restored = vec![0.0_f32; frame.len()];
        decoder.decode(&whole, &mut restored).unwrap();
        decoder.start(&whole).unwrap();
        let mut row = vec![0.0_f32; row_len];
        for expected in restored.chunks(row_len) {
            assert!(decoder.next_row(&mut row).unwrap());
            assert_eq!(row, expected, "{}", case.name);
        }
        assert!(!decoder.next_row(&mut row).unwrap(), "{}: no row is left", case.name);
    }
}

#[test]
fn codes_and_outputs_agree_with_libtorch() {
    for case in cases::all() {
        let [encoder_model, decoder_model] = case.models();
        let precision = encoder_model.precision() as usize;
        let code_len = encoder_model.code_len();
        let mut buffers = case.models().map(|model| AlignedBytes::zeroed(model.buffer_len()));
        let [encoder_buffer, decoder_buffer] = &mut buffers;
        let mut encoder = Encoder::new(&encoder_model, encoder_buffer.as_mut_slice()).unwrap();
        let mut decoder = Decoder::new(&decoder_model, decoder_buffer.as_mut_slice()).unwrap();
        let (mut codes, mut outputs) = (Vec::new(), Vec::new());
        let all_packets = case.bytes("packets.irp");
        let mut packets = &all_packets[..];
        let input = frames_f32(&case, &encoder_model);
        for window in input.chunks(encoder_model.frame().len()) {
            let mut received = vec![0; code_len];
            let (&len, rest) = packets.split_first().unwrap();
            encoder_model.code().unpack(&rest[..len.into()], &mut received).unwrap();
            packets = &rest[len.into()..];
            let mut restored = vec![0.0_f32; window.len()];
            decoder.decode(&received, &mut restored).unwrap();
            outputs.extend(restored);
            encoder.encode(window, &mut vec![0; code_len]).unwrap();
            let mut coefficients = vec![0.0; code_len];
            if encoder.coefficients(&mut coefficients).is_ok() {
                codes.extend(coefficients);
            }
        }
        let is_real = encoder_model.precision() != Precision::I8;
        assert_eq!(codes.len(), if is_real { input.len() / encoder_model.frame().len() * code_len } else { 0 });
        if is_real {
            assert_near(&case, &codes, &case.f32s("torch_code.bin"), CODE_TOLERANCE[precision]);
        }
        assert_near(&case, &outputs, &case.f32s("torch_output.bin"), OUTPUT_TOLERANCE[precision]);
    }
}

/// The inputs of a case as `f32`, in raw units.
fn frames_f32(case: &Case, model: &Model<'_>) -> Vec<f32> {
    let bytes = case.bytes("input.bin");
    fn wide<S: RawSample>(bytes: &[u8]) -> Vec<f32> {
        S::from_bytes(bytes).into_iter().map(Sample::to_f32).collect()
    }
    match model.raw_type() {
        RawType::U8 => wide::<u8>(&bytes),
        RawType::I16 => wide::<i16>(&bytes),
        RawType::U16 => wide::<u16>(&bytes),
        RawType::F32 => wide::<f32>(&bytes),
    }
}

fn assert_near(case: &Case, ours: &[f32], theirs: &[f32], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{}", case.name);
    let largest = theirs.iter().fold(0.0, |m: f64, v| m.max(f64::from(v.abs())));
    let difference = ours.iter().zip(theirs).fold(0.0, |m: f64, (a, b)| m.max(f64::from((a - b).abs())));
    assert!(difference <= tolerance * largest, "{}: {difference} of {largest}", case.name);
}
