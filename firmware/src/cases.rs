//! The golden cases that the program carries in flash, and the memory that the largest of them needs.
//!
//! `build.rs` lists them from the folder that `IRMAE_CASES` names, `tests/golden` by default.

use irmae_infer::format::{buffer_len, window_len};

/// A model in both halves, and what they make of some windows.
pub struct Case {
    /// Name of its folder.
    pub name: &'static str,
    /// Model file.
    pub encoder: &'static [u8],
    /// Model file.
    pub decoder: &'static [u8],
    /// Windows of raw samples.
    pub input: &'static [u8],
    /// A packet for each window, one after the other.
    pub packets: &'static [u8],
    /// What the decoder makes of each packet, in the type of the raw samples.
    pub output: &'static [u8],
}

macro_rules! case {
    ($name:literal, $folder:literal) => {
        Case {
            name: $name,
            encoder: irmae_infer::include_model!(concat!($folder, "/encoder.irmae")),
            decoder: irmae_infer::include_model!(concat!($folder, "/decoder.irmae")),
            // Samples are aligned like models, to be read in place.
            input: irmae_infer::include_model!(concat!($folder, "/input.bin")),
            packets: include_bytes!(concat!($folder, "/packets.irp")),
            output: include_bytes!(concat!($folder, "/output.bin")),
        }
    };
}

/// All cases in order of name.
pub static CASES: &[Case] = &include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// Bytes of the buffer that serves every encoder and decoder here.
pub const BUFFER_LEN: usize = {
    let (mut len, mut i) = (0, 0);
    while i < CASES.len() {
        len = max(len, max(buffer_len(CASES[i].encoder), buffer_len(CASES[i].decoder)));
        i += 1;
    }
    len
};

/// Bytes of the largest window.
pub const WINDOW_LEN: usize = {
    let (mut len, mut i) = (0, 0);
    while i < CASES.len() {
        len = max(len, window_len(CASES[i].decoder));
        i += 1;
    }
    len
};

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
