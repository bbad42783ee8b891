//! The budget: committed figures that must not be exceeded.

use super::{
    BenchError,
    report::{Layer, Network, Report},
};
use crate::firmware::FirmwareError;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// What a figure may grow by, in percent, before it fails: another compiler's small changes, no lost kernel.
const TOLERANCE: u64 = 1;

/// The committed file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Budget {
    /// The compiler that the figures hold for.
    rustc: String,
    /// By core, layer or network, and what was counted.
    figures: BTreeMap<String, u64>,
}

/// How figures compare with the budget.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// A line for each figure that is too large, or has no budget.
    pub(super) over: Vec<String>,
    /// A line for each figure whose budget can be tightened.
    pub(super) under: Vec<String>,
}

impl Budget {
    /// The figures of a report.
    pub(super) fn of(report: &Report) -> Budget {
        let mut figures = BTreeMap::new();
        for layer in &report.layers {
            add_layer(&mut figures, layer);
        }
        for network in &report.networks {
            add_network(&mut figures, network);
        }
        Budget { rustc: report.rustc.clone(), figures }
    }

    pub(super) fn read(path: &Path) -> Result<Budget, BenchError> {
        let text = fs::read_to_string(path).map_err(FirmwareError::io(path))?;
        serde_json::from_str(&text).map_err(|source| BenchError::Budget { path: path.display().to_string(), source })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), BenchError> {
        let text = serde_json::to_string_pretty(self).expect("strings and numbers can be written");
        Ok(fs::write(path, text + "\n").map_err(FirmwareError::io(path))?)
    }

    /// Whether the figures are of another compiler, which makes other code.
    pub(super) fn is_of(&self, rustc: &str) -> bool {
        self.rustc == rustc
    }

    /// Compares what was measured with this budget; what is in the budget alone counts where all was measured.
    pub(super) fn compare(&self, measured: &Budget, is_all: bool) -> Comparison {
        let mut comparison = Comparison::default();
        for (key, &now) in &measured.figures {
            let Some(&budget) = self.figures.get(key) else {
                comparison.over.push(format!("{key}: {now}, and no budget"));
                continue;
            };
            let line = || format!("{key}: {now}, budget {budget} ({:+.1} %)", percent(now, budget));
            if 100 * now > (100 + TOLERANCE) * budget {
                comparison.over.push(line());
            } else if 100 * now < (100 - TOLERANCE) * budget {
                comparison.under.push(line());
            }
        }
        let is_missing = |key: &&String| is_all && !measured.figures.contains_key(*key);
        let missing =
            self.figures.keys().filter(is_missing).map(|key| format!("{key}: in the budget, but not measured"));
        comparison.over.extend(missing);
        comparison
    }
}

fn percent(now: u64, budget: u64) -> f64 {
    100.0 * (now as f64 / budget as f64 - 1.0)
}

fn add_layer(figures: &mut BTreeMap<String, u64>, layer: &Layer) {
    let mut add = |what: &str, figure| figures.insert(format!("{} {} {what}", layer.core, layer.layer), figure);
    add("instructions", layer.instructions);
    add("buffer bytes", layer.buffer_bytes);
}

fn add_network(figures: &mut BTreeMap<String, u64>, network: &Network) {
    let name = format!("{} {}-{}", network.core, network.network, network.precision);
    let counted = [
        ("encode instructions", Some(network.encode_instructions)),
        ("code instructions", Some(network.code_instructions)),
        ("decode instructions", Some(network.decode_instructions)),
        ("load encoder instructions", Some(network.load_encoder_instructions)),
        ("load decoder instructions", Some(network.load_decoder_instructions)),
        ("buffer bytes", Some(network.buffer_bytes)),
        ("decoder buffer bytes", Some(network.decoder_buffer_bytes)),
        ("stack bytes", Some(network.peak_stack_bytes)),
        ("decoder stack bytes", Some(network.decoder_peak_stack_bytes)),
        ("encoder code bytes", network.code_bytes_encoder),
        ("both code bytes", network.code_bytes_both),
    ];
    for (what, figure) in counted {
        figures.extend(figure.map(|figure| (format!("{name} {what}"), figure)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget<const N: usize>(figures: [(&str, u64); N]) -> Budget {
        Budget { rustc: "rustc 1".into(), figures: figures.map(|(key, figure)| (key.into(), figure)).into() }
    }

    #[test]
    fn a_percent_more_is_let_through_and_anything_above_is_not() {
        let budget = budget([("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000), ("lost", 1)]);
        let measured = self::budget([("a", 1010), ("b", 1011), ("c", 990), ("d", 989), ("new", 5)]);
        let comparison = budget.compare(&measured, false);
        assert_eq!(comparison.over, ["b: 1011, budget 1000 (+1.1 %)", "new: 5, and no budget"]);
        assert_eq!(comparison.under, ["d: 989, budget 1000 (-1.1 %)"]);
        let over = budget.compare(&measured, true).over;
        assert_eq!(over.last().map(String::as_str), Some("lost: in the budget, but not measured"));
    }

    #[test]
    fn a_budget_survives_its_file() {
        let (folder, written) = (tempfile::tempdir().unwrap(), budget([("m4 conv instructions", 7)]));
        let path = folder.path().join("budget.json");
        written.write(&path).unwrap();
        assert_eq!(Budget::read(&path).unwrap(), written);
        fs::write(&path, "{}").unwrap();
        assert!(Budget::read(&path).unwrap_err().to_string().contains("is not a budget"));
    }
}
