//! The loop of a tuning, which lies in `RUN/tuning` until it is finished and can be taken up from there.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Reduction, Tensor};

use crate::batches::DeviceData;
use crate::code::{CLASSES_MAX, CodeTables, Quantizer};
use crate::config::TrainingConfig;
use crate::files::{self, FileError};
use crate::fit::{Fit, Place};
use crate::interrupt;
use crate::model::Model;
use crate::optim::Optimizer;
use crate::prices::Prices;
use crate::progress::Progress;
use crate::run;
use crate::tensors;
use crate::tune::{TuneError, TuneOptions};

/// The quantiser is fitted anew after so many steps, and whole epochs.
const FIT_STEPS: usize = 200;

const STATE: &str = "tuning.json";
const PRICES: &str = "prices.safetensors";

/// What is tuned, and how.
pub(crate) struct Tuning<'a> {
    pub(crate) model: &'a Model,
    pub(crate) data: &'a DeviceData,
    pub(crate) training: &'a TrainingConfig,
    /// The sizes of packets are checked.
    pub(crate) options: &'a TuneOptions,
    /// The run's folder.
    pub(crate) run: PathBuf,
    pub(crate) clock: Clock,
}

/// How long a tuning has taken.
pub(crate) struct Clock {
    /// Seconds that it had taken when it was taken up.
    before: f64,
    start: Instant,
}

/// What is saved of a tuning beside its checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) options: TuneOptions,
    seconds: f64,
    tables: Option<CodeTables>,
}

/// The code's quantiser in the loop, and what its points cost.
struct Code {
    quantizer: Quantizer,
    prices: Prices,
}

impl Clock {
    pub(crate) fn after(state: Option<&State>) -> Self {
        Clock { before: state.map_or(0.0, |state| state.seconds), start: Instant::now() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}

impl State {
    /// That of the tuning under way in `run`.
    pub(crate) fn read(run: &Path) -> Result<Self, FileError> {
        files::read_json(&run.join(files::TUNING).join(STATE))
    }
}

impl Tuning<'_> {
    /// Trains the model in place, from the start or from what was saved; gives the quantiser that fits it then, and the loss of the
    /// last epoch.
    pub(crate) fn fit(&self, state: Option<State>) -> Result<(Option<Quantizer>, f64), TuneError> {
        let &Tuning { model, data, training, .. } = self;
        tch::set_num_threads(training.threads as i32);
        let optimizer = Optimizer::new(training.optimizer, training.weight_decay, model.parameters());
        let mut fit = Fit { model, data, training, optimizer, progress: Progress::hidden() };
        let (mut place, mut code) = match state {
            Some(state) => self.load(state, &mut fit.optimizer)?,
            None => (Place::start_after(0, model.device()), None),
        };
        let steps = fit.steps_an_epoch();
        fit.progress = Progress::new("tune", training.epochs, steps, place.steps(steps));
        let mut loss = f64::NAN;
        while place.epoch < training.epochs {
            if place.step == 0 && place.epoch.is_multiple_of(FIT_STEPS.div_ceil(steps)) {
                fit.seed_random_numbers(&place);
                code = self.code(code.as_ref());
            }
            let epoch = place.epoch;
            let objective = |model: &Model, x: &Tensor| match &code {
                Some(code) => code.prices.loss(model, x, &code.quantizer),
                None => model.forward(x).mse_loss(x, Reduction::Mean),
            };
            let Some(mean) = fit.advance(&mut place, objective, interrupt::requested)? else {
                self.save(&fit, &place, code.as_ref())?;
                return Err(fit.interrupted(&place, Some(&self.run)).into());
            };
            loss = mean;
            fit.progress.epoch(epoch, loss, "");
            if place.epoch < training.epochs {
                self.save(&fit, &place, code.as_ref())?;
            }
        }
        fit.progress.finish();
        Ok((self.quantizer(CLASSES_MAX), loss))
    }

    /// What fits the codes of now, for packets if there are any.
    fn quantizer(&self, classes_max: usize) -> Option<Quantizer> {
        let bytes = &self.options.bytes;
        (!bytes.is_empty()).then(|| Quantizer::fit(self.model, self.data, bytes, classes_max))
    }

    /// What is in the loop has one class: with 16, a code tuned for 4 bytes alone drew together around their means and lost 1.4 dB on Fashion-MNIST.
    fn code(&self, last: Option<&Code>) -> Option<Code> {
        let quantizer = self.quantizer(1)?;
        let prices = Prices::of(self.model, self.data, &quantizer, last.map(|code| code.prices.base()));
        Some(Code { quantizer, prices })
    }

    fn save(&self, fit: &Fit<'_>, place: &Place, code: Option<&Code>) -> Result<(), FileError> {
        let tables = code.map(|code| code.quantizer.tables().clone());
        let state = State { options: self.options.clone(), seconds: self.clock.seconds(), tables };
        files::replace_folder(&self.run.join(files::TUNING), |folder| {
            if let Some(code) = code {
                let tensors = code.prices.tensors();
                tensors::save(&folder.join(PRICES), tensors.iter().map(|(name, tensor)| (*name, tensor)), [].into())?;
            }
            files::write_json(&folder.join(STATE), &state)?;
            run::save_checkpoint(self.model, &fit.optimizer, folder, place)
        })
    }

    /// Takes up parameters and optimiser; gives the place and the code.
    fn load(&self, state: State, optimizer: &mut Optimizer) -> Result<(Place, Option<Code>), FileError> {
        let (folder, device) = (self.run.join(files::TUNING), self.model.device());
        let place = run::load_checkpoint(self.model, optimizer, &folder)?;
        let code = |tables: CodeTables| -> Result<Code, FileError> {
            let path = folder.join(PRICES);
            let tensors = tensors::load(&path)?.tensors;
            let prices = Prices::from_tensors(|name| Some(tensors.get(name)?.to_device(device)));
            let prices = prices.ok_or(FileError::Damaged { path, why: "a tensor is missing".into() })?;
            Ok(Code { quantizer: Quantizer::new(tables.upgraded(), device), prices })
        };
        Ok((place, state.tables.map(code).transpose()?))
    }
}
