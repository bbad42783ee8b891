//! Runs IRMAE autoencoders on microcontrollers and edge CPUs: `no_std`, no heap, `i8`, `f16` and `f32`.
//!
//! An autoencoder that `trainer export` wrote becomes two files. The **encoder** turns a window of samples into a short
//! code, a [packet](code) of a few bytes; the **decoder** turns the packet back into samples.
//!
//! # Tour
//!
//! 1. [`Model::load`] checks the bytes of a file once and borrows its weights from flash.
//! 2. [`Encoder`] and [`Decoder`] join a model with a buffer of [`Model::buffer_len`] bytes that the caller owns.
//! 3. [`encode_packet`] and [`PacketDecoder`] go from [code](code::Code) to packet and back, in as many bytes as the sender may use. Where
//!    the link does not tell damaged, lost and foreign packets from others, [`packet`] does, and [`framing`] finds them in a stream
//!    of bytes.
//! 4. [`kernels::Kernels`] is the arithmetic; [`quant`] has the one place where integers are rounded; [`mod@format`] the file.
//!
//! ```
//! use irmae_infer::{
//!     Aligned, Decoder, Encoder, Model, PacketDecoder, Profile, encode_packet, format::buffer_len, include_model,
//! };
//!
//! static ENCODER: &[u8] = include_model!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/image-i8/encoder.irmae"));
//! static DECODER: &[u8] = include_model!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/image-i8/decoder.irmae"));
//!
//! // The size of the buffer is a constant, so it can be a static on the device.
//! let mut buffer = Aligned([0_u8; buffer_len(ENCODER)]);
//! let model = Model::load(ENCODER)?;
//! let mut encoder = Encoder::new(&model, &mut *buffer)?;
//!
//! let image = vec![128_u8; model.frame().len()];
//! let mut code = vec![0_i16; model.code_len()];
//! encoder.encode(&image, &mut code)?;
//!
//! // At most 12 bytes, of which one is not payload.
//! let mut packet = [0_u8; 12];
//! let packet_len = encode_packet(&model, &code, Profile::Bare, 0, packet.len(), &mut packet)?;
//!
//! // On the receiver:
//! let mut buffer = Aligned([0_u8; buffer_len(DECODER)]);
//! let decoder_model = Model::load(DECODER)?.expect_id(model.id())?;
//! let mut decoder = Decoder::new(&decoder_model, &mut *buffer)?;
//! PacketDecoder::new(&decoder_model, Profile::Bare).decode(&packet[..packet_len], &mut code)?;
//! let mut restored = vec![0_u8; decoder_model.frame().len()];
//! decoder.decode(&code, &mut restored)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A model on the stack takes a kilobyte, and moving it as much of flash: [`ModelSlot`] loads it where it lies.
//!
//! A sensor that delivers row by row, or sample by sample, need not keep the window: see [`Encoder::push_row`] and
//! [`Decoder::next_row`].
//!
//! # Numbers
//!
//! `i8` models are exact to the bit on every target. `f32` and `f16` models agree with libtorch to rounding, and are the same to the
//! bit on all microcontrollers, and on a host with [`kernels::Portable`].
//!
//! # Limits
//!
//! At most [12 layers](format::MAX_LAYERS); dense layers, convolutions and transposed convolutions in one or two
//! dimensions, without dilation or groups; ReLU, tanh, sigmoid. Little-endian targets.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `float` (default) | models of `f32` and `f16`; without it a program is smaller |
//! | `decode` (default) | decoders, and transposed convolutions; without it a program is smaller |
//! | `std` | the writer of model files, `format::write` |
//! | `defmt` | `defmt::Format` for errors and plain types |
//! | `conformance` | the tests of [`kernels`], to be run on a device; they allocate |

#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![deny(unsafe_code)]

/// The byte-exact specification of model files and packets.
#[doc = include_str!("../FORMAT.md")]
pub mod specification {}

#[cfg(target_endian = "big")]
compile_error!("irmae-infer borrows little-endian weights from the model file: big-endian targets cannot do that");

#[cfg(any(test, feature = "std", feature = "conformance"))]
extern crate alloc;

mod aligned;
pub mod code;
mod error;
pub mod format;
pub mod framing;
pub mod kernels;
mod layer;
#[cfg(feature = "float")]
mod line;
mod model;
pub mod packet;
mod pipeline;
pub mod quant;
mod reach;
mod sample;
mod session;
mod stage;

pub use aligned::Aligned;
pub use error::{LoadError, RunError};
pub use layer::{Activation, Op, Shape, Window};
pub use model::{Layer, Model, ModelSlot, Weights};
pub use packet::{PacketDecoder, Profile, encode_packet};
pub use reach::{Margins, ROWS_SLACK};
pub use sample::{RawType, Sample, Transfer};
pub use session::{Decoder, Encoder};
