//! A linear code through the quantiser and entropy coder that a network's code goes through.

use tch::{Kind, Tensor};

use super::Basis;
use crate::code::{self, CodeTables};

/// Coefficients for each byte of the largest packet, at most: one that has less than a bit is hardly worth its tables.
const COEFFICIENTS_PER_BYTE: usize = 8;

/// A basis with tables for its coefficients, the strongest first.
#[derive(Debug)]
pub struct Coded {
    basis: Basis,
    tables: CodeTables,
}

impl Coded {
    /// Fits tables for packets of `bytes` (ascending) to the training `windows` (N,n).
    pub fn fit(basis: &Basis, windows: &Tensor, bytes: &[usize]) -> Self {
        let budget = COEFFICIENTS_PER_BYTE * bytes.last().copied().unwrap_or(1);
        let basis = basis.strongest(windows, budget.min(windows.size()[1] as usize));
        let coefficients = basis.forward(windows).to_kind(Kind::Float).tr().contiguous();
        let columns = Vec::<Vec<f32>>::try_from(coefficients).expect("a matrix of f32");
        let tables = code::fit(&columns, &basis.sensitivities(), bytes, code::CLASSES_MAX);
        Self { basis, tables }
    }

    /// The tables.
    pub fn tables(&self) -> &CodeTables {
        &self.tables
    }

    /// What `windows` (N,n) become in packets of at most `max_bytes`, and the packets' bytes on average.
    pub fn through_packets(&self, windows: &Tensor, max_bytes: usize) -> (Tensor, f64) {
        let coefficients = self.basis.forward(windows).to_kind(Kind::Float);
        let values = Vec::<f32>::try_from(coefficients.contiguous().flatten(0, -1)).expect("f32");
        let (read, bytes) = code::measure(&self.tables, &values, max_bytes);
        let read = Tensor::from_slice(&read).view_as(&coefficients).to_kind(Kind::Double);
        (self.basis.inverse(&read), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SHAPE, waves};
    use super::super::{Basis, Method};
    use super::*;

    #[test]
    fn packets_hold_what_fits_and_more_bytes_restore_more() {
        let windows = waves(300);
        let errors = Method::ALL.map(|method| {
            let coded = Coded::fit(&Basis::new(method, &windows, SHAPE), &windows, &[4, 8, 16]);
            [4, 8, 16].map(|max_bytes| {
                let (restored, bytes) = coded.through_packets(&windows, max_bytes);
                assert!(bytes <= max_bytes as f64 && bytes > 0.6 * max_bytes as f64, "{method:?}: {bytes}");
                (restored - &windows).square().mean(Kind::Double).double_value(&[])
            })
        });
        let fall = |errors: &[f64; 3]| errors[0] > 1.5 * errors[1] && errors[1] > 1.5 * errors[2];
        assert!(errors.iter().all(fall), "{errors:?}");
        let [pca, dct, wavelet] = errors.map(|errors| errors[1]);
        assert!(pca < dct && pca < wavelet, "{errors:?}");
    }
}
