//! The code's quantiser and entropy coder: tables that are fitted to what a network gives on its training data.
//!
//! `coefficient` fits one coefficient: its resolution, its distribution, and what each step would cost in bits and in error. `fit` chooses
//! steps for all of them at each operating point. `ideal` says how short payloads could be. `quantizer` is the result in torch, for training with it in the loop.
//! Cells, shares and payloads are [`irmae_infer::code`]'s own.

mod coefficient;
mod fit;
mod ideal;
mod quantizer;

use irmae_infer::code::{MAX_PAYLOAD_LEN, OVERHEAD_LEN};
use irmae_infer::format::CodeSpec;
use serde::{Deserialize, Serialize};

pub use fit::{fit, measure};
pub use ideal::ideal_bits;
pub use quantizer::Quantizer;

/// What `code.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeTables {
    /// Packet sizes that it was fitted for, ascending, all bytes of a bare packet included.
    pub bytes: Vec<usize>,
    /// The tables.
    pub spec: CodeSpec,
}

/// A packet size that no code can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// Too small.
    #[error("--bytes {0} leaves no room for the code; give 2 or more (one byte is the operating point)")]
    NoRoom(usize),
    /// Too large.
    #[error("--bytes {0} is more than a packet can have; give at most 250")]
    TooLarge(usize),
}

/// `bytes` ascending, each once, if all can be packet sizes.
///
/// # Errors
/// Names the one that cannot.
pub fn check_bytes(bytes: &[usize]) -> Result<Vec<usize>, BytesError> {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    match (bytes.first(), bytes.last()) {
        (Some(&least), _) if least <= OVERHEAD_LEN => Err(BytesError::NoRoom(least)),
        (_, Some(&most)) if most > OVERHEAD_LEN + MAX_PAYLOAD_LEN => Err(BytesError::TooLarge(most)),
        _ => Ok(bytes),
    }
}

impl CodeTables {
    /// Number of coefficients.
    pub fn rank(&self) -> usize {
        self.spec.bits.len()
    }

    /// Largest packet size that it was fitted for.
    pub fn max_bytes(&self) -> usize {
        self.bytes.last().copied().unwrap_or(OVERHEAD_LEN)
    }

    /// The indices of coefficients that are sent at some point.
    pub fn sent(&self) -> Vec<usize> {
        let code = self.spec.code().expect("fitted tables are sound");
        let sent: Vec<bool> = (0..code.points()).fold(vec![false; code.len()], |sent, point| {
            sent.into_iter()
                .zip(code.coefficients(point))
                .map(|(sent, (quantizer, _))| sent || quantizer.top() > 0)
                .collect()
        });
        (0..code.len()).filter(|&i| sent[i]).collect()
    }

    /// The tables of the coefficients at `order`, in that order.
    pub fn select(&self, order: &[usize]) -> Self {
        let CodeSpec { resolutions, bits, steps, knots, .. } = &self.spec;
        let per_coefficient = knots.len() / bits.len();
        let rows = steps.chunks(bits.len());
        let spec = CodeSpec {
            resolutions: order.iter().map(|&i| resolutions[i]).collect(),
            bits: order.iter().map(|&i| bits[i]).collect(),
            steps: rows.flat_map(|row| order.iter().map(|&i| row[i])).collect(),
            knots: order.iter().flat_map(|&i| &knots[i * per_coefficient..][..per_coefficient]).copied().collect(),
            ..self.spec.clone()
        };
        Self { bytes: self.bytes.clone(), spec }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_sizes_are_put_in_order_and_checked() {
        assert_eq!(check_bytes(&[32, 4, 8, 4]), Ok(vec![4, 8, 32]));
        assert_eq!(check_bytes(&[4, 1]), Err(BytesError::NoRoom(1)));
        assert_eq!(check_bytes(&[4, 251]), Err(BytesError::TooLarge(251)));
    }
}
