//! One experiment: a method, its depth, its optimiser, a seed; and the list of them.

use serde::{Deserialize, Serialize};

use super::Extent;
use crate::config::OptimizerKind;
use crate::methods::Method;

/// A way to train with a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// The method.
    pub method: Method,
    /// Linear layers behind the encoder.
    pub linear_layers: usize,
    /// An optimiser other than the study's.
    pub optimizer: Option<OptimizerKind>,
    /// Seed of weights, order of items, and all that is drawn.
    pub seed: u64,
}

impl Experiment {
    fn new(method: Method, linear_layers: usize) -> Self {
        Experiment {
            method,
            linear_layers: if method.has_stack() { linear_layers } else { 0 },
            optimizer: None,
            seed: 0,
        }
    }

    /// The method's name in files for machines; an optimiser that is not the study's is part of it.
    pub fn name(&self) -> String {
        match self.optimizer {
            None => self.method.name().into(),
            Some(optimizer) => format!("{}_{optimizer}", self.method.name()),
        }
    }

    /// What it is, for readers.
    pub fn title(&self) -> String {
        let title = match self.method {
            Method::Ae => "AE",
            Method::AeL1 => "AE + L1",
            Method::AeL2 => "AE + L2",
            Method::Vae => "VAE",
            Method::Irmae => "IRMAE",
            Method::IrmaeFixed => "IRMAE, layers fixed",
            Method::IrmaeShared => "IRMAE, layers shared",
            Method::IrmaeRelu => "IRMAE, ReLU between layers",
            Method::Rrae => "RRAE",
            Method::Nested => "AE, nested dropout",
        };
        let depth = if self.method.has_stack() { format!(", L = {}", self.linear_layers) } else { String::new() };
        let optimizer = self.optimizer.map_or_else(String::new, |optimizer| format!(", {}", title_of(optimizer)));
        format!("{title}{depth}{optimizer}")
    }

    /// Name of its folder.
    pub fn folder(&self) -> String {
        let depth = if self.method.has_stack() { format!("-l{}", self.linear_layers) } else { String::new() };
        format!("{}{depth}-seed{}", self.name().replace('_', "-"), self.seed)
    }

    /// Whether it differs in its seed alone.
    pub fn is_alike(&self, other: &Experiment) -> bool {
        Experiment { seed: 0, ..*self } == Experiment { seed: 0, ..*other }
    }

    /// Whether it asks what in IRMAE matters, rather than what IRMAE is worth.
    pub fn is_ablation(&self) -> bool {
        let is_variant = matches!(self.method, Method::IrmaeFixed | Method::IrmaeShared | Method::IrmaeRelu);
        is_variant || self.optimizer.is_some()
    }
}

/// The experiments of a study, in the order in which they are run: what matters most comes first, with all its seeds. Those beside
/// AE and IRMAE at the main depth have `side_seeds`.
pub fn plan(extent: &Extent, methods: Option<&[Method]>, seeds: u64, side_seeds: u64) -> Vec<Experiment> {
    let [main, other] = extent.depths;
    let core = [Experiment::new(Method::Ae, 0), Experiment::new(Method::Irmae, main)];
    let mut side = vec![
        Experiment::new(Method::AeL1, 0),
        Experiment::new(Method::AeL2, 0),
        Experiment::new(Method::Vae, 0),
        Experiment::new(Method::IrmaeFixed, main),
        Experiment::new(Method::IrmaeShared, main),
        Experiment::new(Method::IrmaeRelu, main),
    ];
    if other != main {
        side.insert(0, Experiment::new(Method::Irmae, other));
    }
    let others = [OptimizerKind::Adam, OptimizerKind::Rmsprop, OptimizerKind::Sgd];
    // Who names methods asks for them, not for optimisers.
    let others = others.into_iter().filter(|&optimizer| methods.is_none() && optimizer != extent.optimizer);
    side.extend(others.map(|other| Experiment { optimizer: Some(other), ..Experiment::new(Method::Irmae, main) }));
    let with_seeds = |experiments: &[Experiment], seeds: u64| -> Vec<Experiment> {
        let wanted = experiments.iter().filter(|e| methods.is_none_or(|methods| methods.contains(&e.method)));
        wanted.flat_map(|e| (0..seeds).map(|seed| Experiment { seed, ..*e })).collect()
    };
    [with_seeds(&core, seeds), with_seeds(&side, side_seeds)].concat()
}

/// An optimiser's name, for readers.
pub(super) fn title_of(optimizer: OptimizerKind) -> &'static str {
    match optimizer {
        OptimizerKind::Adam => "Adam",
        OptimizerKind::Adamw => "AdamW",
        OptimizerKind::Rmsprop => "RMSprop",
        OptimizerKind::Sgd => "SGD",
        OptimizerKind::Muon => "Muon",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::Study;

    #[test]
    fn every_experiment_has_a_folder_of_its_own() {
        let extent = Study::Shapes.extent(false);
        let one_depth = super::plan(&Extent { depths: [2, 2], ..extent }, Some(&[Method::Irmae]), 1, 1);
        assert_eq!(one_depth.len(), 1);
        let plan = plan(&extent, None, 3, 2);
        assert_eq!(plan.len(), 2 * 3 + 10 * 2);
        let mut folders: Vec<String> = plan.iter().map(Experiment::folder).collect();
        assert_eq!((folders[0].as_str(), folders[3].as_str()), ("ae-seed0", "irmae-l6-seed0"));
        assert!(folders.contains(&"irmae-sgd-l6-seed1".into()));
        folders.sort();
        folders.dedup();
        assert_eq!(folders.len(), plan.len());
    }

    #[test]
    fn only_the_methods_that_were_asked_for() {
        let plan = plan(&Study::Mnist.extent(true), Some(&[Method::Ae, Method::Vae]), 1, 1);
        assert_eq!(plan.iter().map(Experiment::name).collect::<Vec<_>>(), ["ae", "vae"]);
        let depths = super::plan(&Study::Mnist.extent(false), Some(&[Method::Irmae]), 1, 1);
        assert_eq!(depths.iter().map(Experiment::folder).collect::<Vec<_>>(), ["irmae-l4-seed0", "irmae-l8-seed0"]);
        assert!(!plan[0].is_ablation() && plan[0].is_alike(&Experiment { seed: 9, ..plan[0] }));
    }
}
