//! A training that is not finished yet, which lies in `FOLDER/under-way`, from where the same call goes on with it; and what is known of one that is.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Recipe;
use super::objective::Objective;
use crate::config::RunConfig;
use crate::files::{self, FileError};
use crate::fit::{Fit, Place};
use crate::model::Model;
use crate::optim::Optimizer;
use crate::{run, tensors};

const FOLDER: &str = "under-way";
const STATE: &str = "state.json";
const BASIS: &str = "basis.safetensors";
/// Beside the network of a finished training.
const FINISHED: &str = "trained.json";

/// What a finished training was.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finished {
    pub(super) recipe: Recipe,
    /// As it was asked for.
    pub(super) config: RunConfig,
    /// Mean loss of each epoch.
    pub(super) losses: Vec<f64>,
    /// How long it took.
    pub(super) seconds: f64,
    /// Where.
    pub(super) device: String,
}

impl Finished {
    /// That of `folder`, if it is of `recipe` and `config`, with however many threads: it may come from another machine.
    pub(super) fn find(folder: &Path, recipe: &Recipe, config: &RunConfig) -> Result<Option<Self>, FileError> {
        let path = folder.join(FINISHED);
        if !path.exists() {
            return Ok(None);
        }
        let finished: Self = files::read_json(&path)?;
        let mut asked_for = finished.config.clone();
        asked_for.training.threads = config.training.threads;
        Ok((finished.recipe == *recipe && asked_for == *config).then_some(finished))
    }

    /// Leaves word of it in `folder`, whose network is whole, in place of what was under way.
    pub(super) fn save(&self, folder: &Path) -> Result<(), FileError> {
        files::write_json(&folder.join(FINISHED), self)?;
        files::remove_folder(&folder.join(FOLDER))
    }
}

/// What a training has behind it, but for parameters and moments.
#[derive(Debug)]
pub(super) struct UnderWay {
    folder: PathBuf,
    state: State,
    start: Instant,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Mean loss of each whole epoch.
    losses: Vec<f64>,
    /// What it had taken when it was saved.
    seconds: f64,
}

impl UnderWay {
    /// That of `folder`, which gives its parameters, moments and directions; or one that is new.
    pub(super) fn take_up(
        folder: &Path,
        model: &Model,
        optimizer: &mut Optimizer,
        objective: &Objective,
    ) -> Result<(Self, Place), FileError> {
        let (folder, start) = (folder.join(FOLDER), Instant::now());
        if !folder.exists() {
            let place = Place::start_after(0, model.device());
            return Ok((Self { folder, state: State::default(), start }, place));
        }
        let state = files::read_json(&folder.join(STATE))?;
        let place = run::load_checkpoint(model, optimizer, &folder)?;
        let path = folder.join(BASIS);
        if path.exists() {
            let basis = tensors::load(&path)?.tensors.remove("basis");
            let basis = basis.ok_or(FileError::Damaged { path, why: "it has no tensor basis".into() })?;
            objective.follow(&basis.to_device(model.device()));
        }
        Ok((Self { folder, state, start }, place))
    }

    /// Adds the loss of an epoch.
    pub(super) fn push(&mut self, loss: f64) {
        self.state.losses.push(loss);
    }

    /// How long it has taken.
    fn seconds(&self) -> f64 {
        self.state.seconds + self.start.elapsed().as_secs_f64()
    }

    pub(super) fn save(&self, fit: &Fit<'_>, place: &Place, objective: &Objective) -> Result<(), FileError> {
        let state = State { losses: self.state.losses.clone(), seconds: self.seconds() };
        files::replace_folder(&self.folder, |folder| {
            if let Some(basis) = objective.basis() {
                tensors::save(&folder.join(BASIS), [("basis", &basis)], [].into())?;
            }
            files::write_json(&folder.join(STATE), &state)?;
            run::save_checkpoint(fit.model, &fit.optimizer, folder, place)
        })
    }

    /// The loss of each epoch, and how long they took.
    pub(super) fn into_history(self) -> (Vec<f64>, f64) {
        let seconds = self.seconds();
        (self.state.losses, seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;
    use crate::testing;

    #[test]
    fn a_finished_training_of_another_machine_is_known_and_one_of_other_settings_is_not() {
        let (folder, config) = (tempfile::tempdir().unwrap(), testing::config(&testing::dataset()));
        let recipe = Recipe::from(Method::Ae);
        let finished =
            Finished { recipe, config: config.clone(), losses: vec![1.0], seconds: 2.0, device: "cuda:0".into() };
        finished.save(folder.path()).unwrap();
        let found = |recipe: Recipe, change: &dyn Fn(&mut RunConfig)| {
            let mut asked_for = config.clone();
            change(&mut asked_for);
            Finished::find(folder.path(), &recipe, &asked_for).unwrap()
        };
        assert_eq!(found(recipe, &|config| config.training.threads += 14), Some(finished));
        assert_eq!(found(recipe, &|config| config.training.epochs += 1), None);
        assert_eq!(found(Method::Vae.into(), &|_| {}), None);
    }
}
