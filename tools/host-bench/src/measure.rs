//! Times all libraries in turns, so that a machine that is busy for a while is so for all of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use criterion::Criterion;
use irmae_infer::format::{Kind, Precision};
use serde::{Deserialize, Serialize};
use trainer::eval::precision_name;

use crate::network::{Network, half_name};
use crate::peer::{Entry, Peers};

/// Short and many: what disturbs one round leaves the median alone.
const ROUNDS: usize = 15;
const WARM_UP: Duration = Duration::from_millis(20);
const MEASUREMENT: Duration = Duration::from_millis(80);
/// The fewest that criterion takes.
const SAMPLES: usize = 10;
/// For criterion's estimate of its own error, which is not used: the rounds show it.
const RESAMPLES: usize = 1001;

/// What one library needs for one half in one precision.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    half: &'static str,
    precision: &'static str,
    peer: &'static str,
    version: String,
    /// Microseconds of one inference: the median of the rounds' medians.
    median_us: f64,
    /// Least and largest median of a round.
    spread_us: [f64; 2],
    /// Its time over ours in the same round: the median of the rounds.
    ratio: f64,
    /// Largest difference to libtorch's output in `f32`, as a share of the largest value there.
    difference: f64,
}

/// A stopwatch with a folder for its notes.
pub(crate) struct Stopwatch {
    criterion: Criterion,
    folder: PathBuf,
}

impl Stopwatch {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let criterion = Criterion::default()
            .output_directory(&folder)
            .without_plots()
            .warm_up_time(WARM_UP)
            .measurement_time(MEASUREMENT)
            .sample_size(SAMPLES)
            .nresamples(RESAMPLES);
        Stopwatch { criterion, folder }
    }

    /// Checks and times both halves in every precision.
    pub(crate) fn rows(&mut self, network: &Network, peers: &Peers<'_>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for half in [Kind::Encoder, Kind::Decoder] {
            for precision in [Precision::F32, Precision::F16, Precision::I8] {
                rows.extend(self.group(network, peers, half, precision)?);
            }
        }
        Ok(rows)
    }

    fn group(&mut self, network: &Network, peers: &Peers<'_>, half: Kind, precision: Precision) -> Result<Vec<Row>> {
        let mut entries = peers.open(half, precision)?;
        let expected = network.output(half);
        let check = |entry: &mut Entry<'_>| {
            check(&expected, precision, entry)
                .with_context(|| format!("{} as {} in {}", entry.name, half_name(half), precision_name(precision)))
        };
        let differences = entries.iter_mut().map(check).collect::<Result<Vec<_>>>()?;
        let mut times = vec![Vec::new(); entries.len()];
        for round in 0..ROUNDS {
            for (entry, times) in entries.iter_mut().zip(&mut times) {
                let id = format!("{}-{}-{}-{round}", half_name(half), precision_name(precision), entry.name);
                times.push(self.median_us(&id, entry)?);
            }
        }
        let ours = times[0].clone();
        let row = |((entry, times), difference): ((Entry<'_>, Vec<f64>), f64)| {
            let ratios = times.iter().zip(&ours).map(|(theirs, ours)| theirs / ours);
            let [_, ratio, _] = spread(ratios.collect());
            let [least, median_us, largest] = spread(times);
            Row {
                half: half_name(half),
                precision: precision_name(precision),
                peer: entry.name,
                version: entry.version,
                median_us,
                spread_us: [least, largest],
                ratio,
                difference,
            }
        };
        Ok(entries.into_iter().zip(times).zip(differences).map(row).collect())
    }

    /// Microseconds, as criterion writes them down.
    fn median_us(&mut self, id: &str, entry: &mut Entry<'_>) -> Result<f64> {
        self.criterion.bench_function(id, |bencher| bencher.iter(|| entry.peer.run().expect("its output was checked")));
        let path = self.folder.join(id).join("new/estimates.json");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        let estimates: Estimates = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(estimates.median.point_estimate / 1e3)
    }
}

/// Least, median, largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// Nanoseconds.
    point_estimate: f64,
}

/// That a library computes this network: the largest difference of its output to `expected`, as a share of the largest
/// value there.
fn check(expected: &[f32], precision: Precision, entry: &mut Entry<'_>) -> Result<f64> {
    let tolerance = match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
        Precision::I8 => 5e-2,
    };
    let output = entry.peer.output()?;
    ensure!(output.len() == expected.len(), "it gives {} values, not {}", output.len(), expected.len());
    ensure!(output.iter().all(|value| value.is_finite()), "its output is not finite");
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, |a: f32, b| a.max(b.abs()));
    let difference =
        largest(&mut output.iter().zip(expected).map(|(y, e)| y - e)) / largest(&mut expected.iter().copied());
    ensure!(difference <= tolerance, "its output is off by {difference:.1e} of the largest value");
    Ok(f64::from(difference))
}
