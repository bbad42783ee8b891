//! New items from a code: between two items, along its principal axes, and drawn from a distribution fitted to codes.

mod frechet;
mod gallery;
mod mixture;

use rand::Rng;
use rand_distr::StandardNormal;
use tch::{Kind, Tensor};

use crate::model::Model;
use crate::spectrum::{self, CHUNK, PrincipalAxes};

pub use frechet::Moments;
pub use gallery::{COMPONENTS, Gallery, NoImages, draw};
pub use mixture::Mixture;

/// A Gaussian with a full covariance: a multivariate normal distribution (MVG).
#[derive(Debug)]
pub struct Gaussian {
    axes: PrincipalAxes,
}

impl Gaussian {
    /// The Gaussian of `codes` (M,n).
    pub fn fit(codes: &Tensor) -> Self {
        Gaussian { axes: spectrum::principal_axes(codes) }
    }

    /// `count` codes drawn from it. Shape: `[count, n]`, f32, on the CPU.
    pub fn sample(&self, count: usize, random: &mut impl Rng) -> Tensor {
        let PrincipalAxes { mean, axes, variances } = &self.axes;
        let deviations = Tensor::from_slice(variances).sqrt();
        let normal = normal([count as i64, variances.len() as i64], random);
        ((normal * deviations).mm(&axes.tr()) + mean).to_kind(Kind::Float)
    }
}

/// Standard normal numbers, our own and not torch's: they repeat on every device. f64, on the CPU.
fn normal([rows, columns]: [i64; 2], random: &mut impl Rng) -> Tensor {
    let values: Vec<f64> = random.sample_iter(StandardNormal).take((rows * columns) as usize).collect();
    Tensor::from_slice(&values).view([rows, columns])
}

/// Codes on straight lines from each row of `from` to that of `to` (N,n), both ends included. Shape: `[N, steps, n]`.
///
/// # Panics
/// With fewer than two steps.
pub fn interpolate(from: &Tensor, to: &Tensor, steps: usize) -> Tensor {
    assert!(steps >= 2, "a line has two ends");
    let along = Tensor::linspace(0.0, 1.0, steps as i64, (Kind::Float, from.device())).view([1, -1, 1]);
    from.unsqueeze(1) + (to - from).unsqueeze(1) * along
}

/// Codes along each of the first `components` principal axes, from -`reach` to `reach` deviations around the mean of all codes.
/// Shape: `[components, steps, n]`, f32, on the CPU.
pub fn walk(axes: &PrincipalAxes, components: usize, reach: f64, steps: usize) -> Tensor {
    let components = components.min(axes.variances.len());
    let deviations = Tensor::from_slice(&axes.variances[..components]).sqrt().view([-1, 1, 1]);
    let directions = axes.axes.narrow(1, 0, components as i64).tr().unsqueeze(1);
    let along = Tensor::linspace(-reach, reach, steps as i64, (Kind::Double, directions.device())).view([1, -1, 1]);
    (directions * deviations * along + &axes.mean).to_kind(Kind::Float)
}

/// Items that `model` makes of codes (any number of axes before the last, n). Shape: `[N, C, H, W]`, normalised, on the model's device.
pub fn decode(model: &Model, codes: &Tensor) -> Tensor {
    let codes = codes.flatten(0, -2).to_device(model.device());
    tch::no_grad(|| {
        let pieces: Vec<Tensor> = codes.split(CHUNK as i64, 0).iter().map(|piece| model.decode(piece)).collect();
        Tensor::cat(&pieces, 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn samples_have_the_moments_of_what_was_fitted() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mixing = Tensor::from_slice2(&[[2.0f64, 0.0, 1.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]);
        let codes = normal([4000, 3], &mut random).mm(&mixing) + Tensor::from_slice(&[5.0f64, -3.0, 0.0]);
        let samples = Gaussian::fit(&codes).sample(40_000, &mut random);
        let moments = |codes: &Tensor| {
            (
                codes.to_kind(Kind::Double).mean_dim(0i64, false, Kind::Double),
                codes.to_kind(Kind::Double).tr().cov(1, None::<&Tensor>, None::<&Tensor>),
            )
        };
        let ((mean, covariance), (theirs, their_covariance)) = (moments(&codes), moments(&samples));
        assert!((mean - theirs).abs().max().double_value(&[]) < 0.05);
        assert!((covariance - their_covariance).abs().max().double_value(&[]) < 0.1);
    }

    #[test]
    fn lines_have_their_ends_and_walks_their_middle() {
        let (from, to) = (Tensor::from_slice2(&[[0f32, 1.0]]), Tensor::from_slice2(&[[4f32, -1.0]]));
        let line = Vec::<f32>::try_from(interpolate(&from, &to, 3).flatten(0, -1)).unwrap();
        assert_eq!(line, [0.0, 1.0, 2.0, 0.0, 4.0, -1.0]);
        let cloud = Tensor::from_slice2(&[[1.0, 2.0], [5.0, 2.0], [3.0, 3.0], [3.0, 1.0]]);
        let axes = spectrum::principal_axes(&cloud);
        let steps = walk(&axes, 9, 2.0, 3);
        assert_eq!(steps.size(), [2, 3, 2]);
        // The first axis has a variance of 2, and runs along x from (3, 2).
        let first = Vec::<f32>::try_from(steps.get(0).flatten(0, -1)).unwrap();
        let reach = 2.0 * 2f32.sqrt();
        let expected = [3.0 - reach, 2.0, 3.0, 2.0, 3.0 + reach, 2.0];
        assert!(first.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{first:?}");
    }
}
