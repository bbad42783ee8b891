//! Collapsing a run: how many coefficients to keep, why, and the plain network that results.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::batches::DeviceData;
use crate::collapse::{Collapse, PrefixError};
use crate::data::Dataset;
use crate::files::{self, FileError};
use crate::model::Model;
use crate::rank::{self, Decision, Ranks};
use crate::run::{self, Run};

/// The rule of distortion: the fewest coefficients whose reconstruction error is within this factor of the whole code's.
const WITHIN: f64 = 1.01;

/// Training items over which that error is measured.
const ERROR_ITEMS: usize = 2048;

/// How many coefficients to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum RankChoice {
    /// What all rules together say: see [`Decision::of`].
    #[default]
    Auto,
    /// This many.
    Fixed(usize),
    /// The fewest that hold this share of the variance.
    Energy(f64),
}

impl FromStr for RankChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(RankChoice::Auto),
            _ => text.parse().map(RankChoice::Fixed).map_err(|_| format!("`{text}` is neither auto nor a number")),
        }
    }
}

/// Why a run cannot be collapsed.
#[derive(Debug, thiserror::Error)]
pub enum CollapseError {
    /// The rank is not one of this code.
    #[error("--rank {rank} was asked for, but the code has {latent} values; give 1 to {latent}, or auto")]
    Rank {
        /// What was asked for.
        rank: usize,
        /// Size of the code.
        latent: usize,
    },
    /// The share of variance is none.
    #[error("--energy {0} is not a share; give a number above 0 and at most 1, such as 0.999")]
    Energy(f64),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a rank costs in reconstruction error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleError {
    /// The rule that gives this rank.
    pub rule: String,
    /// The rank.
    pub rank: usize,
    /// Mean squared error with that many coefficients, over that with all.
    pub error_ratio: f64,
}

/// What `collapse.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollapseReport {
    /// Folder of the collapsed network.
    pub folder: PathBuf,
    /// Coefficients kept.
    pub rank: usize,
    /// Size of the code before the cut.
    pub latent: usize,
    /// Linear layers that were folded.
    pub linear_layers: usize,
    /// Why this rank, in words.
    pub reason: String,
    /// Mean squared error with the whole code, in normalised units, over a part of the training set.
    pub full_mse: f64,
    /// Mean squared error after the cut.
    pub mse: f64,
    /// Every rule's rank and what it would cost.
    pub rules: Vec<RuleError>,
    /// Rank by every rule on the spectrum alone.
    pub ranks: Ranks,
    /// Singular values of the code's covariance before the cut, descending.
    pub singular_values: Vec<f64>,
}

/// Collapses `run` and writes `RUN/collapsed`; a `RUN/tuned` made from an earlier one is removed.
///
/// # Errors
/// When the rank does not exist or a file cannot be written.
pub fn collapse_run(run: &Run, dataset: &Dataset, choice: RankChoice) -> Result<CollapseReport, CollapseError> {
    let data = DeviceData::upload(&dataset.train, &run.config.normalization, run.model.device());
    let collapse = Collapse::new(&run.model, &data);
    check(choice, collapse.variances.len())?;
    let full = collapse.cut(collapse.variances.len());
    let report = choose(run, &collapse, &PrefixError::new(&full, &data, ERROR_ITEMS), choice);
    save(run, &collapse.cut(report.rank), &report)?;
    Ok(report)
}

fn check(choice: RankChoice, latent: usize) -> Result<(), CollapseError> {
    match choice {
        RankChoice::Fixed(rank) if !(1..=latent).contains(&rank) => Err(CollapseError::Rank { rank, latent }),
        RankChoice::Energy(share) if !(share > 0.0 && share <= 1.0) => Err(CollapseError::Energy(share)),
        _ => Ok(()),
    }
}

fn choose(run: &Run, collapse: &Collapse<'_>, error: &PrefixError<'_>, choice: RankChoice) -> CollapseReport {
    let (variances, latent) = (&collapse.variances, collapse.variances.len());
    let ranks = Ranks::of(variances);
    let full_mse = error.at(latent);
    let within = fewest_within(latent, full_mse, error);
    let Decision { rank, reason } = match choice {
        RankChoice::Auto => Decision::of(variances, within, |rank| error.at(rank) / full_mse),
        RankChoice::Fixed(rank) => Decision { rank, reason: "asked for".into() },
        RankChoice::Energy(share) => Decision {
            rank: rank::energy(variances, share).max(1),
            reason: format!("the fewest coefficients that hold {share} of the variance"),
        },
    };
    let rules = [
        ("error within 1 %", within),
        ("gap", ranks.gap),
        ("energy 0.999", ranks.energy),
        ("effective", ranks.effective.round() as usize),
        ("stable", ranks.stable.round() as usize),
        ("above 1e-2 of the largest", ranks.numerical_1e2),
        ("above 1e-3 of the largest", ranks.numerical_1e3),
    ];
    let rule =
        |(rule, rank): (&str, usize)| RuleError { rule: rule.into(), rank, error_ratio: error.at(rank) / full_mse };
    CollapseReport {
        folder: run.folder.join(files::COLLAPSED),
        rank,
        latent,
        linear_layers: run.config.network.linear_layers,
        reason,
        full_mse,
        mse: error.at(rank),
        rules: rules.map(rule).into(),
        ranks,
        singular_values: variances.clone(),
    }
}

/// The rank of a network's code by every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// By the spectrum alone.
    #[serde(flatten)]
    pub ranks: Ranks,
    /// Singular values of the code's covariance, descending.
    #[serde(skip)]
    pub singular_values: Vec<f64>,
    /// The fewest coefficients that reconstruct within 1 % of the whole code.
    pub distortion: usize,
    /// By all rules together.
    pub auto: usize,
    /// Why.
    pub reason: String,
}

/// Measures the rank of the code that `model` gives the items of `data`, as `--rank auto` does.
pub fn measure(model: &Model, data: &DeviceData) -> Measured {
    let collapse = Collapse::new(model, data);
    let latent = collapse.variances.len();
    let (ranks, full) = (Ranks::of(&collapse.variances), collapse.cut(latent));
    let error = PrefixError::new(&full, data, ERROR_ITEMS);
    let full_mse = error.at(latent);
    let distortion = fewest_within(latent, full_mse, &error);
    let Decision { rank, reason } = Decision::of(&collapse.variances, distortion, |rank| error.at(rank) / full_mse);
    Measured { ranks, distortion, auto: rank, reason, singular_values: collapse.variances.clone() }
}

fn fewest_within(latent: usize, full_mse: f64, error: &PrefixError<'_>) -> usize {
    smallest_within(latent, |rank| error.at(rank) <= WITHIN * full_mse)
}

/// The smallest rank up to `latent` that passes, by halving: the error falls with every coefficient but for noise.
fn smallest_within(latent: usize, passes: impl Fn(usize) -> bool) -> usize {
    let (mut fails, mut good) = (0, latent);
    while good - fails > 1 {
        let middle = (fails + good) / 2;
        *(if passes(middle) { &mut good } else { &mut fails }) = middle;
    }
    good
}

fn save(run: &Run, model: &Model, report: &CollapseReport) -> Result<(), FileError> {
    let mut config = run.config.clone();
    config.network = model.spec().clone();
    files::replace_folder(&report.folder, |folder| {
        config.save(folder)?;
        run::save_weights(model, folder, config.training.epochs)?;
        files::write_json(&folder.join(files::COLLAPSE), report)
    })?;
    [files::TUNED, files::TUNING].iter().try_for_each(|name| files::remove_folder(&run.folder.join(name)))
}

impl fmt::Display for CollapseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<27} {:>4}  error against the whole code", "rule", "rank")?;
        for RuleError { rule, rank, error_ratio } in &self.rules {
            writeln!(f, "{rule:<27} {rank:>4}  {:+.2} %", 100.0 * (error_ratio - 1.0))?;
        }
        let Self { rank, latent, linear_layers, reason, folder, .. } = self;
        write!(f, "kept {rank} of {latent} coefficients ({reason}); ")?;
        write!(f, "{linear_layers} linear layers folded into one matrix: {}", folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_finds_the_first_rank_that_passes() {
        for wanted in 1..=9 {
            assert_eq!(smallest_within(9, |rank| rank >= wanted), wanted);
        }
        assert_eq!(smallest_within(1, |_| false), 1);
    }

    #[test]
    fn ranks_that_do_not_exist_are_refused_in_one_line() {
        let line = check(RankChoice::Fixed(40), 32).unwrap_err().to_string();
        assert_eq!(line, "--rank 40 was asked for, but the code has 32 values; give 1 to 32, or auto");
        assert!(check(RankChoice::Fixed(0), 32).is_err() && check(RankChoice::Energy(1.5), 32).is_err());
        assert!(check(RankChoice::Auto, 32).is_ok());
        assert_eq!("7".parse(), Ok(RankChoice::Fixed(7)));
    }
}
