//! Linear codes to compare with: PCA, DCT and wavelet, through the same quantiser and entropy coder as a network's code.
//!
//! A [`Basis`] turns windows into coefficients and back; a [`Coded`] one sends them in packets. [`Ideal`] is a bound that
//! needs no tables. [`compare`] puts them beside an exported model.

mod coded;
mod compare;
mod dct;
mod ideal;
mod report;
mod wavelet;

use tch::{Device, Kind, Tensor};

use crate::batches::DeviceData;
use crate::data::DataShape;
use crate::spectrum::{CHUNK, principal_axes};

pub use coded::Coded;
pub use compare::{Comparison, Gain, OURS, Restored, Row, compare};
pub use ideal::Ideal;

/// Training items that bases and tables are fitted to.
pub(crate) const FIT_ITEMS: usize = 20_000;

/// A linear code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Principal components of the training windows, all channels together.
    Pca,
    /// Orthonormal DCT-II along each axis of each channel.
    Dct,
    /// Biorthogonal 4.4 wavelet (CDF 9/7) along each axis of each channel.
    Wavelet,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pca, Self::Dct, Self::Wavelet];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "PCA",
            Self::Dct => "DCT",
            Self::Wavelet => "wavelet",
        }
    }
}

/// A basis of the space of windows: `c = (x - mean) A`, `x = c S + mean`.
#[derive(Debug)]
pub struct Basis {
    /// Mean training window. Shape: `[n]`.
    mean: Tensor,
    /// Shape: `[n, k]`.
    analysis: Tensor,
    /// One basis window a row. Shape: `[k, n]`.
    synthesis: Tensor,
}

impl Basis {
    /// The basis that `method` has for `windows` (N,n) of `shape`.
    pub fn new(method: Method, windows: &Tensor, shape: DataShape) -> Self {
        let mean = windows.mean_dim(0i64, false, Kind::Double);
        let (analysis, synthesis) = match method {
            Method::Pca => {
                let axes = principal_axes(windows).axes;
                (axes.shallow_clone(), axes.tr())
            }
            Method::Dct => {
                let analysis = along_axes(shape, dct::analysis);
                (analysis.shallow_clone(), analysis.tr())
            }
            Method::Wavelet => {
                let analysis = along_axes(shape, wavelet::analysis);
                let synthesis = along_axes(shape, |len| wavelet::analysis(len).inverse().contiguous());
                (analysis, synthesis)
            }
        };
        Self { mean, analysis, synthesis }
    }

    /// Coefficients of `windows` (N,n). Shape: `[N, k]`.
    pub fn forward(&self, windows: &Tensor) -> Tensor {
        (windows - &self.mean).mm(&self.analysis)
    }

    /// Windows of `coefficients` (N,k). Shape: `[N, n]`.
    pub fn inverse(&self, coefficients: &Tensor) -> Tensor {
        coefficients.mm(&self.synthesis) + &self.mean
    }

    /// Mean squared change of a window's samples for a unit change of each coefficient.
    pub fn sensitivities(&self) -> Vec<f64> {
        let squares = self.synthesis.square().mean_dim(1i64, false, Kind::Double);
        Vec::try_from(squares).expect("a vector of f64")
    }

    /// The `count` coefficients that tell most of `windows` (N,n), by variance in the output, descending.
    #[must_use]
    pub fn strongest(&self, windows: &Tensor, count: usize) -> Self {
        let variances = self.forward(windows).square().mean_dim(0i64, false, Kind::Double);
        let weights = self.synthesis.square().sum_dim_intlist(1i64, false, Kind::Double);
        let order = (variances * weights).argsort(0, true).narrow(0, 0, count as i64);
        Self {
            mean: self.mean.shallow_clone(),
            analysis: self.analysis.index_select(1, &order),
            synthesis: self.synthesis.index_select(0, &order),
        }
    }
}

/// What `of_length(len)` (len,len) does along both axes of every channel.
fn along_axes(shape: DataShape, of_length: impl Fn(usize) -> Tensor) -> Tensor {
    let channels = Tensor::eye(shape.channels as i64, (Kind::Double, Device::Cpu));
    channels.kron(&of_length(shape.height)).kron(&of_length(shape.width))
}

/// A square matrix that maps row vectors as `transform` maps slices.
fn matrix(len: usize, transform: impl Fn(&mut [f64])) -> Tensor {
    let mut rows = vec![0.0; len * len];
    for (index, row) in rows.chunks_exact_mut(len).enumerate() {
        row[index] = 1.0;
        transform(row);
    }
    Tensor::from_slice(&rows).view([len as i64, len as i64])
}

/// Items of `data` as the network sees them, at most `limit` of them spread over all. Shape: `[N, n]`, f64, on the CPU.
pub(crate) fn windows(data: &DeviceData, limit: usize) -> Tensor {
    let pieces = data.pieces(limit, CHUNK).map(|indices| data.batch(&indices).flatten(1, -1));
    Tensor::cat(&pieces.collect::<Vec<_>>(), 0).to_device(Device::Cpu).to_kind(Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 24 samples whose slow parts are strong.
    pub(super) const SHAPE: DataShape = DataShape { channels: 2, height: 1, width: 24, one_dimensional: true };

    /// Sums of two waves of random phase and strength, which the second channel has later. Shape: `[count, 48]`.
    pub(super) fn waves(count: usize) -> Tensor {
        use rand::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut values = Vec::new();
        for _ in 0..count {
            let [a, b, phase, other]: [f64; 4] = std::array::from_fn(|_| random.random_range(-1.5..1.5));
            for t in (0..24).chain(-3..21) {
                let noise = random.random_range(-0.05..0.05);
                values.push(
                    a * (0.4 * f64::from(t) + phase).sin() + 0.3 * b * (1.1 * f64::from(t) + other).cos() + noise,
                );
            }
        }
        Tensor::from_slice(&values).view([count as i64, 48])
    }

    fn largest(difference: &Tensor) -> f64 {
        difference.abs().max().double_value(&[])
    }

    #[test]
    fn unquantised_coefficients_restore_the_windows() {
        let windows = waves(60);
        for method in Method::ALL {
            let basis = Basis::new(method, &windows, SHAPE);
            let restored = basis.inverse(&basis.forward(&windows));
            assert!(largest(&(restored - &windows)) < 1e-10, "{method:?}");
        }
    }

    #[test]
    fn an_image_is_transformed_along_both_axes() {
        let shape = DataShape { channels: 1, height: 2, width: 2, one_dimensional: false };
        let pixels = Tensor::from_slice2(&[[1.0, 2.0, 3.0, 6.0], [0.0; 4]]);
        let basis =
            Basis { mean: Tensor::zeros(4, (Kind::Double, Device::Cpu)), ..Basis::new(Method::Dct, &pixels, shape) };
        let coefficients = Vec::<f64>::try_from(basis.forward(&pixels).select(0, 0)).unwrap();
        // Sum, left minus right, top minus bottom, and their difference, each halved.
        let expected = [6.0, -2.0, -3.0, 1.0];
        assert!(coefficients.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{coefficients:?}");
    }

    #[test]
    fn pca_and_dct_are_orthonormal_and_the_wavelet_has_norms_near_1() {
        let windows = waves(60);
        let [pca, dct, wavelet] = Method::ALL.map(|method| Basis::new(method, &windows, SHAPE));
        for basis in [pca, dct] {
            let identity = Tensor::eye(48, (Kind::Double, Device::Cpu));
            assert!(largest(&(basis.synthesis.mm(&basis.synthesis.tr()) - identity)) < 1e-10);
            assert!(basis.sensitivities().iter().all(|s| (s - 1.0 / 48.0).abs() < 1e-12));
        }
        // The ends, where signals are mirrored, are the farthest from it.
        let squares: Vec<f64> = wavelet.sensitivities().iter().map(|s| 48.0 * s).collect();
        assert!(squares.iter().all(|square| (0.5..1.8).contains(square)), "{squares:?}");
        assert!((squares.iter().sum::<f64>() / 48.0 - 1.0).abs() < 0.1, "{squares:?}");
    }

    #[test]
    fn the_strongest_principal_components_tell_most() {
        let windows = waves(60);
        let error = |method| {
            let basis = Basis::new(method, &windows, SHAPE).strongest(&windows, 6);
            let restored = basis.inverse(&basis.forward(&windows));
            (restored - &windows).square().mean(Kind::Double).double_value(&[])
        };
        let [pca, dct, wavelet] = Method::ALL.map(error);
        assert!(pca < 0.5 * dct && pca < 0.5 * wavelet, "{pca} {dct} {wavelet}");
    }
}
