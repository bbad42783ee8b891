//! All figures, as JSON has them.

use super::host::Host;
use serde::Serialize;

/// What `--json` writes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The commit; `-dirty` where files were changed since.
    pub(super) commit: String,
    /// The compiler.
    pub(super) rustc: String,
    /// How it optimised.
    pub(super) opt_level: String,
    /// The emulator.
    pub(super) qemu: String,
    /// Single layers.
    pub(super) layers: Vec<Layer>,
    /// Whole networks.
    pub(super) networks: Vec<Network>,
    /// Latency on the host.
    pub(super) host: Option<Host>,
}

/// A layer on a core.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Layer {
    pub(super) core: &'static str,
    pub(super) layer: String,
    /// Useful multiplications.
    pub(super) macs: u64,
    /// Executed instructions.
    pub(super) instructions: u64,
    /// The input rows that must be in memory, and what the kernels take beside them.
    pub(super) buffer_bytes: u64,
    /// Not measured: by Arm's table of cycles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) modelled_cycles: Option<u64>,
}

/// A network on a core.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Network {
    pub(super) core: &'static str,
    pub(super) network: String,
    pub(super) precision: String,
    /// From a window to a packet.
    pub(super) encode_instructions: u64,
    /// Number of coefficients.
    pub(super) coefficients: u64,
    /// Quantiser and entropy coder alone, once over all coefficients.
    pub(super) code_instructions: u64,
    /// From a packet to a window.
    pub(super) decode_instructions: u64,
    /// To check the encoder's file, once.
    pub(super) load_encoder_instructions: u64,
    /// To check the decoder's file, once.
    pub(super) load_decoder_instructions: u64,
    /// Not measured: by Arm's table of cycles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encode_modelled_cycles: Option<u64>,
    /// Not measured: by Arm's table of cycles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decode_modelled_cycles: Option<u64>,
    /// The buffer that the caller gives to the encoder.
    pub(super) buffer_bytes: u64,
    /// The buffer that the caller gives to the decoder.
    pub(super) decoder_buffer_bytes: u64,
    /// The program's whole stack while it loads a model and encodes.
    pub(super) peak_stack_bytes: u64,
    /// The program's whole stack while it loads a model and decodes.
    pub(super) decoder_peak_stack_bytes: u64,
    /// Of a program that does nothing but encode, without the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_bytes_encoder: Option<u64>,
    /// Of a program that encodes and decodes, without the models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_bytes_both: Option<u64>,
}

impl Network {
    /// The name of its case.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.network, self.precision)
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        name.rsplit_once('-') == Some((&self.network, &self.precision))
    }
}
