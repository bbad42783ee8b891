//! The paper's experiments in one go: plain and regularised autoencoders, IRMAE at several depths, and its ablations.
//!
//! [`Study`] says what is done on which data, [`Experiment`] is one training, [`Yardstick`] measures what came of it, and `page` writes it
//! up. Each experiment has a folder below the study's: one whose measures are there is not run again.

mod estimate;
mod experiment;
mod measure;
mod page;
mod part;
mod study;
mod summary;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::config::RunConfig;
use crate::data::{self, DataError, DataSpec, Dataset};
use crate::device;
use crate::downstream::{FeatureError, Features, Point};
use crate::draft::DraftError;
use crate::files::{self, FileError};
use crate::methods::{self, Method, MethodError};
use crate::run::RunError;

pub use experiment::{Experiment, plan};
pub use measure::{Distances, Outcome, Record, Settings, Yardstick};
pub use part::Part;
use part::share;
pub use study::{Extent, Study};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// On which data.
    pub study: Study,
    /// The folder of faces.
    pub images: Option<PathBuf>,
    /// A narrower model and fewer steps.
    pub quick: bool,
    /// Epochs, if not the study's.
    pub epochs: Option<usize>,
    /// Linear layers at the main depth, if not the study's.
    pub linear_layers: Option<usize>,
    /// Training items at most.
    pub limit: Option<usize>,
    /// Seeds of every experiment; without a number, the study's.
    pub seeds: Option<u64>,
    /// Only these methods.
    pub methods: Option<Vec<Method>>,
    /// A TorchScript module for features of images.
    pub inception: Option<PathBuf>,
    /// Train a share of the experiments alone: no figures, no report.
    pub part: Option<Part>,
    /// Where everything goes.
    pub out: PathBuf,
}

/// What a study was run with; kept in its folder, so that results of other settings are never mixed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Manifest {
    study: Study,
    data: DataSpec,
    extent: Extent,
    inception: Option<PathBuf>,
}

/// All that a study found: the report's JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// The study.
    pub study: Study,
    /// Whether with a narrower model and fewer steps.
    pub quick: bool,
    /// How thoroughly.
    pub extent: Extent,
    /// The data's dimension, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// What sets of images were compared by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// The experiments.
    pub runs: Vec<Record>,
    /// The supervised twin, by seed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub twins: Vec<Vec<Point>>,
    /// The page; not in the report's JSON, which is handed on.
    #[serde(skip)]
    pub report: PathBuf,
}

/// Why a study stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// The data cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Faces are the user's own.
    #[error("celeba needs your own copy of the aligned images; give --images with the folder of its .jpg files")]
    NoImages,
    /// A folder of faces for a study of something else.
    #[error("--images is for celeba alone; leave it away for {0}")]
    Images(&'static str),
    /// The network does not fit.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// No features of images.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A method cannot be trained.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A trained network cannot be loaded.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder holds a study with other settings.
    #[error("{path} holds a study with other settings; choose another --out, or the settings in its {name}", path = path.display(), name = files::STUDY)]
    OtherSettings {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing to do.
    #[error(
        "--methods leaves nothing to run; give some of ae, ae_l1, ae_l2, vae, irmae, irmae_fixed, irmae_shared, irmae_relu"
    )]
    NoMethods,
}

/// Runs what of the study is not there yet, and writes `report.html` and `report.json` into its folder; the experiments of a part are trained alone.
///
/// # Errors
/// When the data cannot be had or a file cannot be written; what is done by then is kept. A training that diverges is reported in
/// the report, and the others go on.
pub fn run(request: &Request, device: Device) -> Result<Option<Findings>, ReproduceError> {
    let study = request.study;
    let extent = extent(request);
    let spec = data_spec(request, extent.items)?;
    let dataset = data::load(&spec)?;
    let whole = experiments(request, &extent)?;
    let plan = share(&whole, request.part);
    let manifest = Manifest { study, data: spec.clone(), extent, inception: request.inception.clone() };
    claim(&request.out, &manifest)?;
    let config = |experiment: &Experiment| extent.config(study, &spec, &dataset, experiment);
    let Some(first) = plan.first() else { return Ok(None) };
    let missing: Vec<&Experiment> = plan.iter().filter(|experiment| !measures(request, experiment).exists()).collect();
    estimate::announce(&missing, plan.len(), &config(first)?, &dataset, device);
    if request.part.is_some() {
        for experiment in &plan {
            train_alone(request, experiment, &config(experiment)?, &dataset, device)?;
        }
        return Ok(None);
    }
    let yardstick = Yardstick::new(&spec, &dataset, data::labels(&spec)?, extent, device, |train, labels| {
        let trained = || labels.map(|labels| Features::train(&dataset, train, labels, extent.effort));
        request.inception.as_ref().map_or_else(|| Ok(trained()), |path| Features::inception(path, device).map(Some))
    })?;
    let mut runs = Vec::new();
    for (index, experiment) in plan.iter().enumerate() {
        eprintln!("{}/{}: {}, seed {}", index + 1, plan.len(), experiment.title(), experiment.seed);
        runs.push(record(request, experiment, &config(experiment)?, &yardstick)?);
    }
    let twins = twins(request, &plan, &config(first)?, &yardstick)?;
    let findings = Findings {
        study,
        quick: request.quick,
        extent,
        dimension: study.dimension(),
        features: yardstick.features.as_ref().map(|features| features.about.clone()),
        runs,
        twins,
        report: request.out.join(files::REPORT),
    };
    page::write(&findings, &plan, &request.out, &yardstick)?;
    files::write_json(&request.out.join(files::REPORT_DATA), &findings)?;
    Ok(Some(findings))
}

fn extent(request: &Request) -> Extent {
    let extent = request.study.extent(request.quick);
    let [main, other] = extent.depths;
    Extent {
        epochs: request.epochs.unwrap_or(extent.epochs).max(1),
        items: request.limit.or(extent.items),
        depths: [request.linear_layers.unwrap_or(main).max(1), other],
        ..extent
    }
}

fn data_spec(request: &Request, limit: Option<usize>) -> Result<DataSpec, ReproduceError> {
    match (request.study, &request.images) {
        (Study::Celeba, None) => Err(ReproduceError::NoImages),
        (Study::Celeba, Some(folder)) => Ok(request.study.data(Some(&folder.to_string_lossy()), limit)),
        (study, Some(_)) => Err(ReproduceError::Images(study.name())),
        (study, None) => Ok(study.data(None, limit)),
    }
}

/// The question of rank is asked of several seeds, all others of one.
fn experiments(request: &Request, extent: &Extent) -> Result<Vec<Experiment>, ReproduceError> {
    let default = match (request.study, request.quick) {
        (Study::Shapes, false) => 5,
        (_, true) => 3,
        (_, false) => 1,
    };
    let (seeds, side_seeds) = request.seeds.map_or((default, 1), |seeds| (seeds.max(1), seeds.max(1)));
    let plan = plan(extent, request.methods.as_deref(), seeds, side_seeds);
    if plan.is_empty() { Err(ReproduceError::NoMethods) } else { Ok(plan) }
}

/// Makes `folder` that of a study with these settings, or finds it to be.
fn claim(folder: &Path, manifest: &Manifest) -> Result<(), ReproduceError> {
    let path = folder.join(files::STUDY);
    if !path.exists() {
        files::prepare_output(folder, false)?;
        return Ok(files::write_json(&path, manifest)?);
    }
    let there: Manifest = files::read_json(&path)?;
    if there == *manifest { Ok(()) } else { Err(ReproduceError::OtherSettings { path: folder.into() }) }
}

fn measures(request: &Request, experiment: &Experiment) -> PathBuf {
    request.out.join(experiment.folder()).join(files::MEASURES)
}

/// Trains an experiment of a part. One that diverges is found again, and recorded, where all are measured.
fn train_alone(
    request: &Request,
    experiment: &Experiment,
    config: &RunConfig,
    dataset: &Dataset,
    device: Device,
) -> Result<(), ReproduceError> {
    let folder = request.out.join(experiment.folder());
    match methods::train(experiment.method, config, dataset, device, &folder) {
        Err(MethodError::Diverged { method, cause }) => eprintln!("{}: {cause}", method.name()),
        trained => drop(trained?),
    }
    Ok(())
}

/// What came of an experiment: read, or trained and measured.
fn record(
    request: &Request,
    experiment: &Experiment,
    config: &RunConfig,
    yardstick: &Yardstick<'_>,
) -> Result<Record, ReproduceError> {
    let path = measures(request, experiment);
    if path.exists() {
        return Ok(files::read_json(&path)?);
    }
    let folder = request.out.join(experiment.folder());
    let device = yardstick.device();
    let (failed, outcome, device) = match methods::train(experiment.method, config, yardstick.dataset, device, &folder)
    {
        Ok(trained) => {
            let loss = trained.losses.last().copied().unwrap_or(f64::NAN);
            (None, Some(yardstick.measure(&trained.model, experiment, loss, trained.seconds)), trained.device)
        }
        Err(MethodError::Diverged { cause, .. }) => (Some(cause.to_string()), None, device::name(device)),
        Err(error) => return Err(error.into()),
    };
    let settings = Settings {
        linear_layers: experiment.linear_layers,
        optimizer: config.training.optimizer.to_string(),
        seed: experiment.seed,
        epochs: config.training.epochs,
        device,
    };
    let record = Record { method: experiment.name(), experiment: settings, failed, outcome };
    files::write_json(&path, &record)?;
    Ok(record)
}

/// The supervised twin of every seed that all experiments have.
fn twins(
    request: &Request,
    plan: &[Experiment],
    config: &RunConfig,
    yardstick: &Yardstick<'_>,
) -> Result<Vec<Vec<Point>>, ReproduceError> {
    let seeds_of = |experiment: &Experiment| plan.iter().filter(|other| other.is_alike(experiment)).count() as u64;
    let seeds = plan.iter().map(seeds_of).min().unwrap_or(0);
    if yardstick.labels.is_none() {
        return Ok(Vec::new());
    }
    let twin = |seed| {
        let path = request.out.join(format!("twin-seed{seed}")).join(files::MEASURES);
        if !path.exists() {
            eprintln!("supervised twin, seed {seed}");
            files::write_json(&path, &yardstick.twin(&config.network, seed))?;
        }
        Ok(files::read_json(&path)?)
    };
    (0..seeds).map(twin).collect()
}
