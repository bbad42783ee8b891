//! The code's quantiser and entropy coder: tables that are fitted to what a network gives on its training data.
//!
//! `coefficient` fits one coefficient: its resolution, its distribution, and what each step would cost in bits and in error. `classes` finds
//! kinds of codes. `fit` chooses steps for all coefficients at each operating point. `ideal` says how short payloads could be. `quantizer` is the result in torch, for training with it in the loop.
//! Cells, shares and payloads are [`irmae_infer::code`]'s own.

mod classes;
mod coefficient;
mod fit;
mod ideal;
mod quantizer;

use irmae_infer::code::{BITS, MAX_PAYLOAD_LEN, OVERHEAD_LEN, STEP_MAX};
use irmae_infer::format::{CodeSpec, VERSION};
use serde::{Deserialize, Serialize};

pub use classes::CLASSES_MAX;
pub(crate) use fit::use_of_points;
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
    /// Major version of the model files that they are for.
    #[serde(default = "version_without_mark")]
    pub version: u8,
}

/// What tables are for that do not say so.
fn version_without_mark() -> u8 {
    3
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
        let sent: Vec<bool> = code.heads().fold(vec![false; code.len()], |sent, head| {
            sent.into_iter()
                .zip(code.coefficients(head))
                .map(|(sent, (quantizer, _))| sent || quantizer.is_sent())
                .collect()
        });
        (0..code.len()).filter(|&i| sent[i]).collect()
    }

    /// As model files are now: up to version 3, steps were in units of their coefficient; up to version 4, all codes were of one class.
    pub fn upgraded(mut self) -> Self {
        if self.version < 4 {
            for (step, bits) in self.spec.steps.iter_mut().zip(self.spec.bits.iter().cycle()) {
                *step = (*step + 8 * (BITS - bits)).min(STEP_MAX);
            }
        }
        if self.version < 5 {
            self.spec.spreads = self.spec.bits.clone();
            self.spec.means = vec![0; self.rank()];
        }
        self.version = VERSION.0;
        self
    }

    /// The tables of the coefficients at `order`, in that order.
    pub fn select(&self, order: &[usize]) -> Self {
        let CodeSpec { resolutions, bits, steps, spreads, means, knots, .. } = &self.spec;
        let per_coefficient = knots.len() / bits.len();
        let len = bits.len();
        let spec = CodeSpec {
            resolutions: order.iter().map(|&i| resolutions[i]).collect(),
            bits: order.iter().map(|&i| bits[i]).collect(),
            steps: steps.chunks(len).flat_map(|row| order.iter().map(|&i| row[i])).collect(),
            spreads: spreads.chunks(len).flat_map(|row| order.iter().map(|&i| row[i])).collect(),
            means: means.chunks(len).flat_map(|row| order.iter().map(|&i| row[i])).collect(),
            knots: order.iter().flat_map(|&i| &knots[i * per_coefficient..][..per_coefficient]).copied().collect(),
            ..self.spec.clone()
        };
        Self { bytes: self.bytes.clone(), spec, version: self.version }
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

    #[test]
    fn tables_of_older_runs_have_the_same_steps_and_one_class() {
        let columns = [2.0, 0.5].map(super::coefficient::tests::gaussian);
        let tables = fit(&columns, &[1.0; 2], &[2, 9], 1);
        let mut older = serde_json::to_value(&tables).unwrap();
        for field in ["spreads", "means", "blur"] {
            older["spec"].as_object_mut().unwrap().remove(field);
        }
        older["version"] = 4.into();
        let read = |json: &serde_json::Value| serde_json::from_value::<CodeTables>(json.clone()).unwrap();
        assert!(read(&older) != tables && read(&older).upgraded() == tables);
        older.as_object_mut().unwrap().remove("version");
        let spec = &tables.spec;
        let in_units = spec.steps.iter().zip(spec.bits.iter().cycle()).map(|(step, bits)| step - 8 * (BITS - bits));
        older["spec"]["steps"] = in_units.collect::<Vec<_>>().into();
        assert!(read(&older) != tables && read(&older).upgraded() == tables);
        assert_eq!(tables.clone().upgraded(), tables);
    }
}
