//! Golden cases: model files with inputs and the outputs that a device must give for them.
//!
//! | file | what |
//! |---|---|
//! | `encoder.irmae`, `decoder.irmae` | the models |
//! | `input.bin` | windows in the raw type, little-endian, in the device's order |
//! | `packets.irp` | what the encoder makes of them: bare packets of the largest size, each after a byte that counts it |
//! | `output.bin` | what the decoder makes of the packets, in the raw type |
//! | `torch_code.bin` | libtorch's codes of the real-valued network, `f32` |
//! | `torch_output.bin` | libtorch's outputs for the packets' codes, `f32`, raw units, not rounded |
//! | `manifest.toml` | how they were made |
//!
//! `packets.irp` and `output.bin` come from `irmae-infer`'s portable kernels and are what every device must repeat to the bit;
//! the `torch_` files come from libtorch and say that they are right.

mod networks;

use std::path::Path;

use irmae_infer::RawType;
use irmae_infer::format::Precision;
use irmae_infer::kernels::Portable;
use serde::Serialize;
use tch::{Kind, Tensor};

use crate::batches::DeviceData;
use crate::config::LIBTORCH_VERSION;
use crate::data::RawItems;
use crate::deployed::{self, Deployed};
use crate::eval::{dequantize, precision_name, to_vec};
use crate::export::{self, Subject, SubjectError};
use crate::files;

pub use networks::{NAMES, build};

/// The precisions that cases are written in.
pub const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::I8];

#[derive(Serialize)]
struct Manifest<'a> {
    command: &'a str,
    trainer: &'a str,
    libtorch: &'a str,
    seed: u64,
    network: &'a str,
    precision: &'a str,
    raw: &'a str,
    windows: usize,
}

/// Writes a case of `windows` windows in each precision, as `folder/network-precision`; gives their names.
///
/// # Errors
/// When the network cannot be exported or a file cannot be written.
pub fn write_cases(
    subject: &Subject,
    network: &str,
    windows: usize,
    folder: &Path,
    command: &str,
    seed: u64,
) -> Result<Vec<String>, SubjectError> {
    let case = |precision| {
        let name = format!("{}-{}", network, precision_name(precision));
        let manifest = Manifest {
            command,
            trainer: env!("CARGO_PKG_VERSION"),
            libtorch: LIBTORCH_VERSION,
            seed,
            network,
            precision: precision_name(precision),
            raw: subject.data.test.dtype(),
            windows: windows.min(subject.data.test.len()),
        };
        write_case(subject, precision, &manifest, &folder.join(&name)).map(|()| name)
    };
    PRECISIONS.into_iter().map(case).collect()
}

fn write_case(
    subject: &Subject,
    precision: Precision,
    manifest: &Manifest<'_>,
    folder: &Path,
) -> Result<(), SubjectError> {
    let exported = subject.export(precision)?;
    let deployed = Deployed::from(&exported);
    let [encoder, _] = deployed.models()?;
    let outcome = deployed.run_with::<Portable>(&subject.data.test, 0..manifest.windows, usize::MAX)?;
    let (torch_code, torch_output) = torch_values(subject, &outcome.received, manifest.windows);
    let frames = device_frames(&subject.data.test, manifest.windows, usize::from(encoder.frame().channels));
    let write = |name: &str, bytes: &[u8]| files::write_atomically(&folder.join(name), bytes);
    write(deployed::ENCODER, &exported.encoder)?;
    write(deployed::DECODER, &exported.decoder)?;
    write("input.bin", &raw_bytes(encoder.raw_type(), &frames))?;
    let packets: Vec<u8> =
        outcome.packets.iter().flat_map(|packet| [&[packet.len() as u8], packet.as_slice()].concat()).collect();
    write("packets.irp", &packets)?;
    write("output.bin", &raw_bytes(encoder.raw_type(), &outcome.output))?;
    write("torch_code.bin", &raw_bytes(RawType::F32, &torch_code))?;
    write("torch_output.bin", &raw_bytes(RawType::F32, &torch_output))?;
    write("manifest.toml", toml::to_string(manifest).expect("plain data").as_bytes())?;
    Ok(())
}

/// Libtorch's codes of the first `windows` test items, and its outputs for the codes that were received, in the device's order.
fn torch_values(subject: &Subject, received: &[i16], windows: usize) -> (Vec<f32>, Vec<f32>) {
    let test = DeviceData::upload(&subject.data.test, &subject.data.normalization, subject.model.device());
    let indices = Tensor::arange(windows as i64, (Kind::Int64, subject.model.device()));
    tch::no_grad(|| {
        let codes = subject.model.encode(&test.batch(&indices));
        let outputs = subject.model.decode(&dequantize(received, &subject.code, subject.model.device()));
        let maps = export::to_raw_units(&outputs, &subject.data.normalization);
        let frames = export::to_frames(&maps, subject.model.spec().input.one_dimensional);
        (to_vec(&codes), to_vec(&frames))
    })
}

/// The first `windows` items in the device's order.
fn device_frames(items: &RawItems, windows: usize, channels: usize) -> Vec<f32> {
    let values = items.to_f32(0..windows);
    let item_len = values.len() / windows;
    let values = values.as_standard_layout();
    let values = values.as_slice().expect("standard layout");
    values.chunks_exact(item_len).flat_map(|item| deployed::to_device_order(item, channels)).collect()
}

/// Little-endian bytes of values of a raw type; they are exact in `f32`.
fn raw_bytes(raw: RawType, values: &[f32]) -> Vec<u8> {
    match raw {
        RawType::U8 => values.iter().map(|&v| v as u8).collect(),
        RawType::I16 => values.iter().flat_map(|&v| (v as i16).to_le_bytes()).collect(),
        RawType::U16 => values.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect(),
        RawType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_are_little_endian() {
        assert_eq!(raw_bytes(RawType::I16, &[-2.0, 258.0]), [0xfe, 0xff, 2, 1]);
        assert_eq!(raw_bytes(RawType::U16, &[65_535.0]), [0xff, 0xff]);
        assert_eq!(raw_bytes(RawType::F32, &[1.0]), [0, 0, 0x80, 0x3f]);
    }

    #[test]
    fn every_network_becomes_a_whole_case_in_every_precision() {
        let folder = tempfile::tempdir().unwrap();
        for name in NAMES {
            let names = write_cases(&build(name, 7), name, 3, folder.path(), "test", 7).unwrap();
            assert_eq!(names, ["f32", "f16", "i8"].map(|precision| format!("{name}-{precision}")));
            for case in names {
                assert_eq!(std::fs::read_dir(folder.path().join(case)).unwrap().count(), 8);
            }
        }
    }
}
