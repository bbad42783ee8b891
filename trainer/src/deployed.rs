//! An exported encoder and decoder, run as the device runs them: by `irmae-infer`.

use std::ops::Range;
use std::path::Path;
use std::thread;

use irmae_infer::format::AlignedBytes;
use irmae_infer::kernels::{Best, Kernels};
use irmae_infer::{Decoder, Encoder, LoadError, Model, RunError, Sample};

use crate::code::ideal_bits;
use crate::data::{RawItem, RawItems};
use crate::export::Exported;
use crate::files::{self, FileError};

/// Name of the encoder's file in an export.
pub const ENCODER: &str = "encoder.irmae";
/// Name of the decoder's file in an export.
pub const DECODER: &str = "decoder.irmae";

/// The bytes of both files.
#[derive(Debug, Clone)]
pub struct Deployed {
    encoder: AlignedBytes,
    decoder: AlignedBytes,
}

/// Why a deployed model cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A file is missing.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not a model.
    #[error("{file}: {source}")]
    Load {
        /// Which file.
        file: String,
        /// Why not.
        source: LoadError,
    },
    /// The data does not fit the model.
    #[error("the exported model does not fit this data ({0}); evaluate it on the data it was trained for")]
    Run(#[from] RunError),
}

/// What the device makes of a set of items.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The packets.
    pub packets: Vec<Vec<u8>>,
    /// Ideal length of all payloads, in bits.
    pub ideal_bits: f64,
    /// All codes as they were received, in units.
    pub received: Vec<i16>,
    /// Real-valued codes before quantisation; empty for an integer model.
    pub coefficients: Vec<f32>,
    /// Raw output in the order of the device, of the items' own type but as `f32`.
    pub output: Vec<f32>,
    /// Output before it is rounded to the raw type; for an integer model the same as `output`.
    pub unrounded: Vec<f32>,
    /// Sum of squared errors against the items, in raw units.
    pub squared_error: f64,
}

impl Deployed {
    /// Both files of an export folder.
    ///
    /// # Errors
    /// When one is missing.
    pub fn read(folder: &Path) -> Result<Self, DeployError> {
        let read = |name| files::read(&folder.join(name)).map(|bytes| AlignedBytes::new(&bytes));
        Ok(Self { encoder: read(ENCODER)?, decoder: read(DECODER)? })
    }

    /// Both models.
    ///
    /// # Errors
    /// When one is damaged, or they do not belong together.
    pub fn models(&self) -> Result<[Model<'_>; 2], DeployError> {
        let named = |file: &str| {
            let file = file.to_string();
            |source| DeployError::Load { file, source }
        };
        let encoder = Model::load(self.encoder.as_slice()).map_err(named(ENCODER))?;
        let decoder = Model::load(self.decoder.as_slice()).and_then(|model| model.expect_id(encoder.id()));
        Ok([encoder, decoder.map_err(named(DECODER))?])
    }

    /// Encodes the items of `range`, sends them in packets of at most `max_bytes`, and decodes them, on all cores.
    ///
    /// # Errors
    /// When the models are damaged or made for other data.
    pub fn run(&self, items: &RawItems, range: Range<usize>, max_bytes: usize) -> Result<Outcome, DeployError> {
        self.run_with::<Best>(items, range, max_bytes)
    }

    /// [`Deployed::run`] with kernels of the caller's choice.
    ///
    /// # Errors
    /// As [`Deployed::run`].
    pub fn run_with<K: Kernels>(
        &self,
        items: &RawItems,
        range: Range<usize>,
        max_bytes: usize,
    ) -> Result<Outcome, DeployError> {
        let models = self.models()?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let share = range.len().div_ceil(cores).max(1);
        let indices: Vec<usize> = range.collect();
        let outcomes = thread::scope(|scope| {
            let worker = |indices| {
                let models = &models;
                scope.spawn(move || run_share::<K>(models, items, indices, max_bytes))
            };
            let workers: Vec<_> = indices.chunks(share).map(worker).collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic in a worker")).collect::<Vec<_>>()
        });
        outcomes.into_iter().try_fold(Outcome::default(), |all, share| Ok(all.followed_by(share?)))
    }
}

impl From<&Exported> for Deployed {
    fn from(exported: &Exported) -> Self {
        Self { encoder: AlignedBytes::new(&exported.encoder), decoder: AlignedBytes::new(&exported.decoder) }
    }
}

impl Outcome {
    fn followed_by(mut self, next: Self) -> Self {
        self.squared_error += next.squared_error;
        self.packets.extend(next.packets);
        self.ideal_bits += next.ideal_bits;
        self.received.extend(next.received);
        self.coefficients.extend(next.coefficients);
        self.output.extend(next.output);
        self.unrounded.extend(next.unrounded);
        self
    }
}

fn run_share<K: Kernels>(
    models: &[Model<'_>; 2],
    items: &RawItems,
    indices: &[usize],
    max_bytes: usize,
) -> Result<Outcome, DeployError> {
    let [encoder, decoder] = models;
    let mut buffers = models.each_ref().map(|model| AlignedBytes::zeroed(model.buffer_len()));
    let [encoder_buffer, decoder_buffer] = &mut buffers;
    let mut session = Session {
        encoder: Encoder::<K>::with_kernels(encoder, encoder_buffer.as_mut_slice())?,
        decoder: Decoder::<K>::with_kernels(decoder, decoder_buffer.as_mut_slice())?,
        model: encoder,
        max_bytes,
        outcome: Outcome::default(),
    };
    for &index in indices {
        match items.item(index) {
            RawItem::U8(item) => session.run(item)?,
            RawItem::I16(item) => session.run(item)?,
            RawItem::U16(item) => session.run(item)?,
            RawItem::F32(item) => session.run(item)?,
        }
    }
    Ok(session.outcome)
}

struct Session<'m, K> {
    encoder: Encoder<'m, 'm, K>,
    decoder: Decoder<'m, 'm, K>,
    model: &'m Model<'m>,
    max_bytes: usize,
    outcome: Outcome,
}

impl<K: Kernels> Session<'_, K> {
    fn run<S: Sample + Default>(&mut self, item: &[S]) -> Result<(), DeployError> {
        let (model, outcome) = (self.model, &mut self.outcome);
        let frame = to_device_order(item, usize::from(model.frame().channels));
        let mut received = vec![0; model.code_len()];
        self.encoder.encode(&frame, &mut received)?;
        let mut packet = vec![0; model.code().packet_len_max()];
        let packet_len = model.code().pack(&received, self.max_bytes, &mut packet).expect("room for any packet");
        packet.truncate(packet_len);
        outcome.ideal_bits += ideal_bits(&model.code(), &received, &packet);
        model.code().unpack(&packet, &mut received).expect("the packet was just made");

        let mut unrounded = vec![0.0_f32; frame.len()];
        self.decoder.decode(&received, &mut unrounded)?;
        let mut coefficients = vec![0.0; model.code_len()];
        if self.encoder.coefficients(&mut coefficients).is_ok() {
            outcome.coefficients.extend(coefficients);
        }
        for (&value, &raw) in unrounded.iter().zip(&frame) {
            let restored = S::from_f32(value).to_f32();
            outcome.squared_error += f64::from(restored - raw.to_f32()).powi(2);
            outcome.output.push(restored);
        }
        outcome.packets.push(packet);
        outcome.received.extend(received);
        outcome.unrounded.extend(unrounded);
        Ok(())
    }
}

/// From channels first to channels last.
pub fn to_device_order<T: Copy>(item: &[T], channels: usize) -> Vec<T> {
    let pixels = item.len() / channels;
    (0..item.len()).map(|at| item[at % channels * pixels + at / channels]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_last() {
        assert_eq!(to_device_order(&[1, 2, 3, 10, 20, 30], 2), [1, 10, 2, 20, 3, 30]);
        assert_eq!(to_device_order(&[1, 2, 3], 1), [1, 2, 3]);
    }

    #[test]
    fn a_missing_export_says_so() {
        let error = Deployed::read(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("encoder.irmae is missing"), "{error}");
    }
}
