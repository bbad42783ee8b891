//! A mixture of Gaussians with full covariances (GMM), fitted by expectation and maximisation, in f64.
//!
//! ```text
//! E  r_ik = w_k N(x_i; mu_k, S_k) / sum_j w_j N(x_i; mu_j, S_j)
//! M  w_k = mean_i r_ik        mu_k = sum_i r_ik x_i / sum_i r_ik        S_k = sum_i r_ik (x_i - mu_k)(x_i - mu_k)^T / sum_i r_ik + eps I
//! ```
//!
//! The first responsibilities are those of k-means, started as k-means++ does.

use rand::Rng;
use rand::distr::{Distribution, weighted::WeightedIndex};
use tch::{Kind, Tensor};

use super::normal;

/// Rounds of k-means.
const MEANS_ROUNDS: usize = 10;
/// Rounds of expectation and maximisation at most.
const MOST_ROUNDS: usize = 100;
/// Mean log-likelihoods that differ by less have converged.
const TOLERANCE: f64 = 1e-3;
/// What is added to each variance, as a share of the mean variance: codes of a low rank have directions of none.
const FLOOR: f64 = 1e-6;

/// Gaussians and how often each is drawn from.
#[derive(Debug)]
pub struct Mixture {
    /// Shape: `[K]`, f64, on the CPU, as all of these.
    weights: Tensor,
    /// Shape: `[K, n]`.
    means: Tensor,
    /// Cholesky factors of the covariances, lower. Shape: `[K, n, n]`.
    factors: Tensor,
    /// Mean log-likelihood of each round.
    pub log_likelihoods: Vec<f64>,
}

impl Mixture {
    /// The mixture of `components` Gaussians of `codes` (M,n).
    ///
    /// # Panics
    /// Without components or with fewer codes than components.
    pub fn fit(codes: &Tensor, components: usize, random: &mut impl Rng) -> Self {
        let codes = codes.to_kind(Kind::Double);
        assert!((1..=codes.size()[0] as usize).contains(&components), "{components} components");
        let floor = (codes.var_dim(0i64, false, false).mean(Kind::Double) * FLOOR).clamp_min(f64::MIN_POSITIVE);
        let responsibilities = nearest(&codes, &k_means(&codes, components, random)).one_hot(components as i64);
        let mut mixture = Mixture::maximise(&codes, &responsibilities.to_kind(Kind::Double), &floor);
        while mixture.log_likelihoods.len() < MOST_ROUNDS {
            let joint = mixture.joint(&codes);
            let total = joint.logsumexp(1i64, true);
            let mut log_likelihoods = std::mem::take(&mut mixture.log_likelihoods);
            let before = log_likelihoods.last().copied().unwrap_or(f64::NEG_INFINITY);
            log_likelihoods.push(total.mean(Kind::Double).double_value(&[]));
            let gain = log_likelihoods[log_likelihoods.len() - 1] - before;
            if gain > TOLERANCE {
                mixture = Mixture::maximise(&codes, &(joint - total).exp(), &floor);
            }
            mixture.log_likelihoods = log_likelihoods;
            if gain <= TOLERANCE {
                break;
            }
        }
        mixture
    }

    /// `count` codes drawn from it. Shape: `[count, n]`, f32, on the CPU.
    pub fn sample(&self, count: usize, random: &mut impl Rng) -> Tensor {
        let weights = Vec::<f64>::try_from(&self.weights).expect("a vector of f64");
        let choice = WeightedIndex::new(weights).expect("weights that sum to one");
        let chosen: Vec<i64> = choice.sample_iter(&mut *random).take(count).map(|k| k as i64).collect();
        let chosen = Tensor::from_slice(&chosen);
        let normal = normal([count as i64, self.means.size()[1]], random);
        let mut samples = self.means.index_select(0, &chosen);
        for k in 0..self.means.size()[0] {
            let members = chosen.eq(k).nonzero().view(-1);
            let spread = normal.index_select(0, &members).mm(&self.factors.get(k).tr());
            let _ = samples.index_add_(0, &members, &spread);
        }
        samples.to_kind(Kind::Float)
    }

    /// The M step, for `responsibilities` (M,K).
    fn maximise(codes: &Tensor, responsibilities: &Tensor, floor: &Tensor) -> Self {
        let (_, n) = codes.size2().expect("codes are a matrix");
        // A component that has lost all codes keeps a weight above 0, so that nothing is divided by it.
        let counts = responsibilities.sum_dim_intlist(0i64, false, Kind::Double).clamp_min(1e-9);
        let means = responsibilities.tr().mm(codes) / counts.unsqueeze(1);
        let factor = |k: i64| {
            let centred = codes - means.get(k);
            let weighted = &centred * responsibilities.narrow(1, k, 1);
            let covariance = weighted.tr().mm(&centred) / counts.get(k);
            (covariance + Tensor::eye(n, (Kind::Double, codes.device())) * floor).linalg_cholesky(false)
        };
        let factors = Tensor::stack(&(0..means.size()[0]).map(factor).collect::<Vec<_>>(), 0);
        Mixture { weights: &counts / counts.sum(Kind::Double), means, factors, log_likelihoods: Vec::new() }
    }

    /// Log of weight times density of every code under every component. Shape: `[M, K]`.
    fn joint(&self, codes: &Tensor) -> Tensor {
        let (_, n) = codes.size2().expect("codes are a matrix");
        let constant = -0.5 * n as f64 * std::f64::consts::TAU.ln();
        let of = |k: i64| {
            let factor = self.factors.get(k);
            let whitened = factor.linalg_solve_triangular(&(codes - self.means.get(k)).tr(), false, true, false);
            let log_determinant = factor.diagonal(0, 0, 1).log().sum(Kind::Double);
            whitened.square().sum_dim_intlist(0i64, false, Kind::Double) * -0.5 - log_determinant
                + self.weights.get(k).log()
                + constant
        };
        Tensor::stack(&(0..self.means.size()[0]).map(of).collect::<Vec<_>>(), 1)
    }
}

/// Centres of the codes. Shape: `[K, n]`.
fn k_means(codes: &Tensor, components: usize, random: &mut impl Rng) -> Tensor {
    let count = codes.size()[0];
    let mut centres = codes.narrow(0, random.random_range(0..count), 1);
    while centres.size()[0] < components as i64 {
        // As likely as it is far from all centres so far.
        let distances = distances(codes, &centres).amin(1i64, false);
        let distances = Vec::<f64>::try_from(distances).expect("a vector of f64");
        let next = WeightedIndex::new(distances).map_or(0, |choice| choice.sample(random) as i64);
        centres = Tensor::cat(&[centres, codes.narrow(0, next, 1)], 0);
    }
    for _ in 0..MEANS_ROUNDS {
        let members = nearest(codes, &centres).one_hot(components as i64).to_kind(Kind::Double);
        let counts = members.sum_dim_intlist(0i64, false, Kind::Double).unsqueeze(1);
        let means = members.tr().mm(codes) / counts.clamp_min(1.0);
        // A centre without codes stays where it is.
        centres = means.where_self(&counts.gt(0.0), &centres);
    }
    centres
}

/// Squared distances. Shape: `[M, K]`.
fn distances(codes: &Tensor, centres: &Tensor) -> Tensor {
    Tensor::cdist(codes, centres, 2.0, None::<i64>).square()
}

/// Index of the centre nearest to each code. Shape: `[M]`.
fn nearest(codes: &Tensor, centres: &Tensor) -> Tensor {
    distances(codes, centres).argmin(1, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Three clouds in the plane, one of them long and thin, with as many points as their weights say.
    fn clouds(random: &mut ChaCha8Rng) -> Tensor {
        let cloud = |count, mean: [f64; 2], mixing: [[f64; 2]; 2], random: &mut ChaCha8Rng| {
            normal([count, 2], random).mm(&Tensor::from_slice2(&mixing)) + Tensor::from_slice(&mean)
        };
        let round = [[0.5, 0.0], [0.0, 0.5]];
        Tensor::cat(
            &[
                cloud(3000, [0.0, 0.0], round, random),
                cloud(2000, [9.0, 1.0], [[0.0, 3.0], [0.1, 0.0]], random),
                cloud(1000, [-5.0, 7.0], round, random),
            ],
            0,
        )
    }

    #[test]
    fn clouds_are_found_with_their_weights_and_shapes() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let codes = clouds(&mut random);
        let mixture = Mixture::fit(&codes, 3, &mut random);
        let order = mixture.weights.argsort(0, true);
        let sorted = |tensor: &Tensor| Vec::<f64>::try_from(tensor.index_select(0, &order).flatten(0, -1)).unwrap();
        let close = |values: Vec<f64>, expected: &[f64], tolerance: f64| {
            assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance), "{values:?}");
        };
        close(sorted(&mixture.weights), &[0.5, 1.0 / 3.0, 1.0 / 6.0], 0.01);
        close(sorted(&mixture.means), &[0.0, 0.0, 9.0, 1.0, -5.0, 7.0], 0.2);
        let covariance = mixture.factors.get(order.int64_value(&[1]));
        close(Vec::try_from(covariance.mm(&covariance.tr()).flatten(0, -1)).unwrap(), &[0.01, 0.0, 0.0, 9.0], 0.4);
        let rising = mixture.log_likelihoods.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9);
        assert!(rising, "{:?}", mixture.log_likelihoods);
    }

    #[test]
    fn samples_fall_where_the_codes_are() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let codes = clouds(&mut random);
        let samples = Mixture::fit(&codes, 3, &mut random).sample(6000, &mut random).to_kind(Kind::Double);
        let centres = Tensor::from_slice2(&[[0.0, 0.0], [9.0, 1.0], [-5.0, 7.0]]);
        let counts =
            |points: &Tensor| Vec::<i64>::try_from(nearest(points, &centres).bincount(None::<&Tensor>, 3)).unwrap();
        for (ours, theirs) in counts(&samples).iter().zip(counts(&codes)) {
            assert!((ours - theirs).abs() < 200, "{:?} of {:?}", counts(&samples), counts(&codes));
        }
    }

    #[test]
    fn codes_of_a_low_rank_and_repeated_codes_are_fitted_too() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let flat = normal([500, 1], &mut random).mm(&Tensor::from_slice2(&[[1.0, -2.0, 0.5, 0.0]]));
        let samples = Mixture::fit(&flat, 4, &mut random).sample(200, &mut random);
        assert!(samples.isfinite().all().int64_value(&[]) == 1);
        let same = Tensor::ones([20, 3], (Kind::Double, tch::Device::Cpu));
        let samples = Mixture::fit(&same, 2, &mut random).sample(50, &mut random);
        assert!((samples - 1.0).abs().max().double_value(&[]) < 1e-3);
    }
}
