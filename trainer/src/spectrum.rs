//! Covariance of a code over a data set, its eigenvalues and its principal axes, in f64.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::files::{self, FileError};
use crate::model::Model;
use crate::rank::Ranks;

/// Items in one pass through a network that is only run, not trained.
pub const CHUNK: usize = 512;

/// Mean and principal axes of a code.
#[derive(Debug)]
pub struct PrincipalAxes {
    /// Mean code. Shape: `[n]`, f64, on the CPU.
    pub mean: Tensor,
    /// One axis a column, by variance descending; the largest component of each is positive. Shape: `[n, n]`, f64.
    pub axes: Tensor,
    /// Variance along each axis, descending.
    pub variances: Vec<f64>,
}

/// What `spectrum.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Size of the code.
    pub latent: usize,
    /// Training items that the covariance is over.
    pub items: usize,
    /// Singular values of the covariance (variances), descending.
    pub singular_values: Vec<f64>,
    /// Rank by each rule.
    pub ranks: Ranks,
}

impl Spectrum {
    /// Spectrum of the codes that `model` gives the items of `data`.
    pub fn measure(model: &Model, data: &DeviceData) -> Self {
        let singular_values = principal_axes(&codes(model, data, usize::MAX)).variances;
        Spectrum {
            latent: singular_values.len(),
            items: data.len(),
            ranks: Ranks::of(&singular_values),
            singular_values,
        }
    }

    /// Writes `spectrum.json` into `folder`.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), FileError> {
        files::write_json(&folder.join(files::SPECTRUM), self)
    }

    /// Reads `spectrum.json` from `folder`.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        files::read_json(&folder.join(files::SPECTRUM))
    }
}

impl fmt::Display for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.singular_values.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let total = self.singular_values.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        writeln!(f, "index  singular value  of the largest  energy so far")?;
        let mut so_far = 0.0;
        for (index, value) in self.singular_values.iter().enumerate() {
            so_far += value;
            writeln!(
                f,
                "{:>5}  {value:>14.6e}  {:>14.3e}  {:>12.4} %",
                index + 1,
                value / largest,
                100.0 * so_far / total
            )?;
        }
        let Ranks { gap, gap_ratio, energy, effective, stable, numerical_1e2, numerical_1e3 } = self.ranks;
        writeln!(f, "rank of {} over {} items, by rule:", self.latent, self.items)?;
        writeln!(
            f,
            "  gap {gap} (a factor of {gap_ratio:.1}), energy 0.999: {energy}, effective {effective:.1}, stable {stable:.1}"
        )?;
        write!(f, "  above 1e-2 of the largest {numerical_1e2}, above 1e-3 {numerical_1e3}")
    }
}

/// Codes of the items of `data`, of at most `limit` of them spread over all. Shape: `[M, n]`, f32, on the CPU.
pub fn codes(model: &Model, data: &DeviceData, limit: usize) -> Tensor {
    tch::no_grad(|| {
        let pieces = data.pieces(limit, CHUNK);
        let chunks = pieces.map(|indices| model.encode(&data.batch(&indices)).to_device(Device::Cpu));
        Tensor::cat(&chunks.collect::<Vec<_>>(), 0)
    })
}

/// Mean, principal axes and variances of `codes` (M,n).
pub fn principal_axes(codes: &Tensor) -> PrincipalAxes {
    let codes = codes.to_kind(Kind::Double);
    let (count, n) = codes.size2().expect("codes are a matrix");
    let mean = codes.mean_dim(0i64, false, Kind::Double);
    let centred = codes - &mean;
    let covariance = centred.tr().mm(&centred) / count as f64;
    // Eigenvalues come in ascending order.
    let (values, vectors) = covariance.linalg_eigh("L");
    let variances = Vec::<f64>::try_from(values.flip([0])).expect("a vector of f64");
    let axes = vectors.flip([1]);
    // An eigenvector's sign is arbitrary; fixing it makes results repeat on every machine.
    let largest = axes.gather(0, &axes.abs().argmax(0, true), false);
    debug_assert_eq!(largest.size(), [1, n]);
    PrincipalAxes { mean, axes: axes * largest.sign(), variances: variances.into_iter().map(|v| v.max(0.0)).collect() }
}

/// Mean and variances of `codes` (M,n) along the axes that they have.
pub fn own_axes(codes: &Tensor) -> PrincipalAxes {
    let codes = codes.to_kind(Kind::Double);
    let variances = Vec::try_from(codes.var_dim(0i64, false, false)).expect("a vector of f64");
    let axes = Tensor::eye(codes.size()[1], (Kind::Double, Device::Cpu));
    PrincipalAxes { mean: codes.mean_dim(0i64, false, Kind::Double), axes, variances }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_a_stretched_cloud() {
        // Along (1, -1) with deviation 2, across with 1/2, around (3, 0).
        let points = [[3.0 + 2.0, -2.0], [3.0 - 2.0, 2.0], [3.5, 0.5], [2.5, -0.5]];
        let axes = principal_axes(&Tensor::from_slice2(&points));
        assert_eq!(Vec::<f64>::try_from(&axes.mean).unwrap(), [3.0, 0.0]);
        let expected = [4.0, 0.25];
        assert!(axes.variances.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{:?}", axes.variances);
        let columns = Vec::<Vec<f64>>::try_from(axes.axes.tr()).unwrap();
        assert!((columns[0][0] + columns[0][1]).abs() < 1e-12 && (columns[1][0] - columns[1][1]).abs() < 1e-12);
        assert!(columns[1][0] > 0.0);
    }
}
