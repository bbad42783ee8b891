//! Damaged, foreign and hostile model files are refused by name, or run without a panic; wrong use has its own errors.

use irmae_infer::code::KNOTS;
use irmae_infer::format::{
    AlignedBytes, CodeSpec, Element, Kind, LayerHeader, LayerSpec, ModelSpec, Precision, TransferSpec, WeightsSpec,
    WriteError, write,
};
use irmae_infer::{Activation, Decoder, Encoder, LoadError, Model, Op, RawType, RunError, Shape, Window, code};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cases::{self, Case};

fn load(bytes: &[u8]) -> Result<(), LoadError> {
    Model::load(AlignedBytes::new(bytes).as_slice()).map(|_| ())
}

/// CRC-32 (ISO HDLC) bit by bit, from its definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// `bytes` with a checksum that matches.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let checksum = crc32(&bytes[..body]).to_le_bytes();
    bytes[body..].copy_from_slice(&checksum);
    bytes
}

fn sealed_with(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = value;
    sealed(bytes)
}

#[test]
fn every_truncation_says_how_much_is_missing() {
    for case in cases::all() {
        let file = case.encoder.as_slice();
        for len in (0..file.len()).step_by(7).chain([file.len() - 1]) {
            let needed = if len < 32 { 32 } else { file.len() as u32 };
            assert_eq!(load(&file[..len]), Err(LoadError::Truncated { needed, given: len as u32 }), "{}", case.name);
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let case = Case::named("image-i8");
    let file = case.decoder.as_slice();
    for at in 0..file.len() {
        let mut bytes = file.to_vec();
        bytes[at] ^= 1 << (at % 8);
        assert!(load(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn each_kind_of_damage_has_its_own_error() {
    let case = Case::named("signal-i8");
    let file = case.encoder.as_slice();
    assert_eq!(load(&sealed(file.to_vec())), Ok(()), "the checksum here is the format's");
    assert_eq!(load(b"PK\x03\x04, a zip file and no model at all"), Err(LoadError::NotAModel));
    assert_eq!(load(&sealed_with(file, 4, 1)), Err(LoadError::Version { major: 1, minor: 0 }));
    assert_eq!(load(&sealed_with(file, 5, 9)), Ok(()), "a newer minor version is read");
    assert_eq!(load(&sealed_with(file, 7, 3)), Err(LoadError::Header));
    let mut bytes = file.to_vec();
    bytes[100] ^= 1;
    assert_eq!(load(&bytes), Err(LoadError::Checksum));

    let mut shifted = AlignedBytes::zeroed(file.len() + 1);
    shifted.as_mut_slice()[1..].copy_from_slice(file);
    assert_eq!(Model::load(&shifted.as_slice()[1..]).map(|_| ()), Err(LoadError::Misaligned));

    let needed = case.models()[0].buffer_len() as u32;
    let stated = needed - 4;
    let mut bytes = file.to_vec();
    bytes[28..32].copy_from_slice(&stated.to_le_bytes());
    assert_eq!(load(&sealed(bytes)), Err(LoadError::BufferLen { stated, needed }));

    let mut bytes = file.to_vec();
    bytes[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(load(&sealed(bytes)), Err(LoadError::Length)), "a header that reaches beyond the file");

    let other = Case::named("image-i8");
    let [encoder, decoder] = [Model::load(file).unwrap(), Model::load(other.decoder.as_slice()).unwrap()];
    let found = decoder.id();
    assert_eq!(decoder.expect_id(encoder.id()).map(|_| ()), Err(LoadError::ModelId { expected: encoder.id(), found }));
}

#[test]
fn only_decoders_have_transposed_convolutions() {
    let written = |kind| {
        let op = Op::ConvTranspose(Window { kernel: [1, 1], stride: [1, 1], padding: [0, 0] });
        let header = LayerHeader {
            op,
            activation: Activation::None,
            output: Shape::flat(2),
            element: Element::F32,
            clamp: [0, 0],
            acc_shift: 0,
        };
        write(&ModelSpec {
            kind,
            precision: Precision::F32,
            model_id: 1,
            raw: RawType::F32,
            frame: Shape::flat(2),
            code: CodeSpec {
                resolutions: vec![1.0; 2],
                bits: vec![8; 2],
                max_len: 4,
                deadzones: vec![128],
                steps: vec![24; 2],
                spreads: vec![8; 2],
                means: vec![0; 2],
                blur: 0,
                knots: (0..KNOTS).chain(0..KNOTS).map(|knot| (knot << 10) as u16).collect(),
            },
            transfer: TransferSpec::Real(vec![0.0; 2], vec![1.0; 2]),
            input: Element::F32,
            input_clamp: [0, 0],
            layers: vec![LayerSpec { header, weights: WeightsSpec::F32(vec![1.0; 4], vec![0.0; 2]) }],
        })
        .map(|_| ())
    };
    assert_eq!(written(Kind::Decoder), Ok(()));
    assert_eq!(written(Kind::Encoder), Err(WriteError::Refused(LoadError::Layer { index: 0 })));
}

#[test]
fn hostile_files_are_refused_or_run_without_a_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut refused, mut run) = (0, 0);
    for case in cases::all() {
        for file in [case.encoder.as_slice(), case.decoder.as_slice()] {
            for _ in 0..400 {
                let mut bytes = file.to_vec();
                // The first bytes after the magic number hold all lengths and shapes; the rest is mostly weights.
                for _ in 0..random.random_range(1..4) {
                    let end = if random.random_bool(0.8) { 160.min(bytes.len()) } else { bytes.len() };
                    let at = random.random_range(5..end);
                    bytes[at] =
                        if random.random() { random.random() } else { bytes[at] ^ (1 << random.random_range(0..8)) };
                }
                if run_if_sound(&sealed(bytes)) { run += 1 } else { refused += 1 }
            }
        }
    }
    assert!(refused > 1000 && run > 1000, "{refused} refused, {run} run");
}

/// Runs the model in `bytes` on extreme samples, where it loads and is not too large for a test.
fn run_if_sound(bytes: &[u8]) -> bool {
    let aligned = AlignedBytes::new(bytes);
    let Ok(model) = Model::load(aligned.as_slice()) else { return false };
    let macs: u64 = model.layers().iter().map(|layer| layer.op.macs(layer.input, layer.output)).sum();
    if macs > 10_000_000 || model.buffer_len() > 1 << 20 {
        return true;
    }
    let mut buffer = AlignedBytes::zeroed(model.buffer_len());
    match model.kind() {
        Kind::Encoder => {
            let mut encoder = Encoder::new(&model, buffer.as_mut_slice()).unwrap();
            for extreme in [0.0_f32, 1e30, -1e30] {
                encoder.encode(&vec![extreme; model.frame().len()], &mut vec![0; model.code_len()]).unwrap();
            }
        }
        Kind::Decoder => {
            let mut decoder = Decoder::new(&model, buffer.as_mut_slice()).unwrap();
            for extreme in [0, i16::MAX, i16::MIN] {
                decoder.decode(&vec![extreme; model.code_len()], &mut vec![0.0_f32; model.frame().len()]).unwrap();
            }
        }
    }
    true
}

#[test]
fn wrong_use_is_an_error_that_names_what_is_needed() {
    let case = Case::named("image-i8");
    let [encoder_model, decoder_model] = case.models();
    let needed = encoder_model.buffer_len();
    let mut buffer = AlignedBytes::zeroed(needed + 1);
    let error = |result: Result<Encoder<'_, '_>, RunError>| result.map(|_| ()).unwrap_err();
    assert_eq!(
        error(Encoder::new(&encoder_model, &mut buffer.as_mut_slice()[..needed - 1])),
        RunError::BufferTooSmall { needed: needed as u32, given: needed as u32 - 1 }
    );
    assert_eq!(error(Encoder::new(&encoder_model, &mut buffer.as_mut_slice()[1..])), RunError::BufferMisaligned);
    assert_eq!(error(Encoder::new(&decoder_model, buffer.as_mut_slice())), RunError::Kind { found: Kind::Decoder });

    let mut encoder = Encoder::new(&encoder_model, buffer.as_mut_slice()).unwrap();
    let (frame_len, code_len) = (encoder_model.frame().len(), encoder_model.code_len());
    let mut levels = vec![0; code_len];
    assert_eq!(
        encoder.encode(&vec![0_u8; frame_len - 1], &mut levels),
        Err(RunError::Length { expected: frame_len as u32, given: frame_len as u32 - 1 })
    );
    assert_eq!(
        encoder.encode(&vec![0_i16; frame_len], &mut levels),
        Err(RunError::SampleType { expected: RawType::U8, given: RawType::I16 })
    );
    assert_eq!(encoder.coefficients(&mut vec![0.0; code_len]), Err(RunError::NotReal));
    let mut packet = [0; 2];
    let needed = encoder_model.code().packet_len_max() as u16;
    let packed = encoder_model.code().pack(&levels, usize::MAX, &mut packet);
    assert_eq!(packed, Err(code::PacketError::BufferTooSmall { needed }));
}
