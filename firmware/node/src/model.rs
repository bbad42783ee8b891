//! Where the model lies.
//!
//! With the feature `model-region`, that is a memory region of its own: the board's `memory.x` has a region MODEL, and its linker
//! is given `-Tmodel.x`, which this crate's build script writes. A program that was built without a model reads what has been flashed
//! there; one that was built with `IRMAE_MODEL=encoder.irmae` brings it along.

use irmae_infer::Model;

use crate::error::NodeError;
use crate::log::log;

/// The model that the program was built with.
#[cfg(model)]
static EMBEDDED: &[u8] = embedded::bytes();

#[cfg(model)]
#[allow(unsafe_code, reason = "a static's section is said by an attribute that may break a program")]
mod embedded {
    use irmae_infer::Aligned;

    const LEN: usize = include_bytes!(env!("IRMAE_MODEL_FILE")).len();

    // SAFETY: `model.x` places the section, and it holds nothing else.
    #[cfg_attr(feature = "model-region", used, unsafe(link_section = ".model"))]
    static MODEL: Aligned<[u8; LEN]> = Aligned(*include_bytes!(env!("IRMAE_MODEL_FILE")));

    pub(super) const fn bytes() -> &'static [u8] {
        &MODEL.0
    }
}

/// The model that the program was built with, if `IRMAE_MODEL` named one.
pub fn embedded() -> Option<&'static [u8]> {
    #[cfg(model)]
    return Some(EMBEDDED);
    #[cfg(not(model))]
    None
}

/// All bytes of the memory region for a model, whatever has been flashed there.
#[cfg(feature = "model-region")]
#[allow(unsafe_code, reason = "only the linker knows where the region is")]
pub fn region() -> &'static [u8] {
    unsafe extern "C" {
        static __model_start: u8;
        static __model_end: u8;
    }
    let (start, end) = (&raw const __model_start, &raw const __model_end);
    // SAFETY: `model.x` takes both addresses from the board's region MODEL, which is readable, and which no program writes.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// Checks the model that starts at the first of `bytes`, and logs what it is.
///
/// # Errors
/// [`NodeError::Model`]
pub fn load(bytes: &[u8]) -> Result<Model<'_>, NodeError> {
    let address = bytes.as_ptr().addr();
    let model = Model::load(bytes).map_err(|why| NodeError::Model { address, why })?;
    let frame = model.frame();
    log!(
        info,
        "model {:x}: windows of {}x{}x{}, code of {}, {} bytes, buffer of {}",
        model.id(),
        frame.height,
        frame.width,
        frame.channels,
        model.code_len(),
        model.file_len(),
        model.buffer_len()
    );
    Ok(model)
}
