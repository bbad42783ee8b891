//! From a file with lists of settings to runs, one for each combination.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::SweepError;
use crate::draft::Draft;
use crate::files;

/// One combination of settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its settings, as a folder's name: `linear_layers=2,seed=0`.
    pub name: String,
    /// What the sweep sets, by the path of each setting.
    pub settings: Table,
    /// What `trainer train --config` takes.
    pub config: String,
    /// How to tune, if at all.
    pub tune: Option<TunePlan>,
}

/// `[tune]`: the options of `trainer tune`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunePlan {
    /// Sizes of packets.
    #[serde(default)]
    pub bytes: Vec<usize>,
    /// Passes over the training set.
    pub epochs: Option<usize>,
    /// Learning rate at the start.
    pub lr: Option<f64>,
    /// Items in a step.
    pub batch_size: Option<usize>,
}

/// The runs that the file at `path` describes: a configuration, with `[sweep]` for the settings that have lists of values.
///
/// # Errors
/// When it cannot be read, a list is none, or a combination is no configuration.
pub fn read(path: &Path) -> Result<Vec<Plan>, SweepError> {
    let text = files::read_text(path)?;
    plans(&text).map_err(|why| SweepError::Plan { path: path.into(), why: why.replace('\n', " ") })
}

fn plans(text: &str) -> Result<Vec<Plan>, String> {
    let mut base: Table = toml::from_str(text).map_err(|error| error.message().to_string())?;
    let axes = match base.remove("sweep") {
        None => Vec::new(),
        Some(Value::Table(table)) => table.into_iter().map(axis).collect::<Result<Vec<_>, _>>()?,
        Some(_) => return Err("sweep is not a table; write [sweep] and a line for each setting".into()),
    };
    let mut combinations = vec![Table::new()];
    for (key, values) in &axes {
        let with = |settings: &Table| {
            let settings = settings.clone();
            values.iter().map(move |value| {
                let mut settings = settings.clone();
                settings.insert(key.clone(), value.clone());
                settings
            })
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    combinations.into_iter().map(|settings| plan(&base, settings)).collect()
}

/// A setting and its values.
fn axis((key, values): (String, Value)) -> Result<(String, Vec<Value>), String> {
    match values {
        Value::Array(values) if !values.is_empty() => Ok((key, values)),
        _ => Err(format!("sweep: `{key}` has no list of values; write e.g. \"network.linear_layers\" = [0, 2, 4]")),
    }
}

fn plan(base: &Table, settings: Table) -> Result<Plan, String> {
    let name = name(&settings);
    let in_run = |why: String| format!("in the run {name}: {why}");
    let mut config = base.clone();
    for (path, value) in &settings {
        set(&mut config, path, value.clone()).map_err(in_run)?;
    }
    let tune = config.remove("tune").map(Value::try_into::<TunePlan>).transpose();
    let tune = tune.map_err(|error| in_run(format!("[tune] {}", error.message())))?;
    // Found now rather than after hours.
    config.clone().try_into::<Draft>().map_err(|error| in_run(error.message().to_string()))?;
    let config = toml::to_string(&config).expect("it was read as TOML");
    Ok(Plan { name, settings, config, tune })
}

/// Puts `value` at `path`, tables on the way included.
fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    match path.split_once('.') {
        None => drop(table.insert(path.into(), value)),
        Some((first, rest)) => {
            let below = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            let below = below.as_table_mut().ok_or_else(|| format!("`{first}` is not a table"))?;
            set(below, rest, value)?;
        }
    }
    Ok(())
}

/// Settings in the words of a folder's name.
fn name(settings: &Table) -> String {
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_string();
    let is_clear = |path: &str| settings.keys().filter(|other| last(other) == last(path)).count() == 1;
    let word = |(path, value): (&String, &Value)| {
        // As short as they were written: 1e30.
        let text = value.as_float().map_or_else(|| value.to_string(), |value| format!("{value:?}"));
        let text = text.replace([' ', '"', '[', ']'], "").replace([',', '/'], "+");
        format!("{}={text}", if is_clear(path) { last(path) } else { path.clone() })
    };
    if settings.is_empty() { "run".into() } else { settings.iter().map(word).collect::<Vec<_>>().join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "preset = 'micro-image'\n[data]\ndata = 'x'\n[training]\nepochs = 7\n[tune]\nepochs = 2\n\
        [sweep]\n'network.linear_layers' = [0, 2]\n'training.learning_rate' = [1e-3]\n'tune.bytes' = [[4, 8], [16]]\n";

    #[test]
    fn every_combination_is_a_configuration_with_a_name() {
        let plans = plans(FILE).unwrap();
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        let expected = [
            "linear_layers=0,learning_rate=0.001,bytes=4+8",
            "linear_layers=0,learning_rate=0.001,bytes=16",
            "linear_layers=2,learning_rate=0.001,bytes=4+8",
            "linear_layers=2,learning_rate=0.001,bytes=16",
        ];
        assert_eq!(names, expected);
        let config: Draft = toml::from_str(&plans[2].config).unwrap();
        assert_eq!((config.network.linear_layers, config.training.epochs), (Some(2), Some(7)));
        let tune = plans[3].tune.as_ref().unwrap();
        assert_eq!((&tune.bytes[..], tune.epochs), (&[16][..], Some(2)));
    }

    #[test]
    fn what_is_no_sweep_is_said_before_anything_runs() {
        let line = plans(&FILE.replace("training.learning_rate", "training.lr")).unwrap_err();
        assert!(line.starts_with("in the run linear_layers=0,lr=0.001,bytes=4+8: unknown field `lr`"), "{line}");
        let line = plans(&FILE.replace("[0, 2]", "2")).unwrap_err();
        assert!(line.contains("`network.linear_layers` has no list"), "{line}");
        assert_eq!(plans("preset = 'micro-image'").unwrap()[0].name, "run");
    }
}
