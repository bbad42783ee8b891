//! The figures of a comparison beside each other.

use std::fmt;

use serde::Serialize;

use super::{Contender, Curve, Point, Settings};

/// All curves, and how far ours is ahead of the others.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the data set.
    pub data: String,
    /// Training and test items.
    pub items: [usize; 2],
    /// What was compared.
    pub settings: Settings,
    /// By seed, then by method.
    pub curves: Vec<Curve>,
    /// By method, then by packet size.
    pub gains: Vec<Gain>,
}

/// PSNR of ours minus that of another method, in dB.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// The other method.
    pub over: String,
    /// Bytes that a packet may have.
    pub bytes: usize,
    /// Mean over the seeds.
    pub gain_db: f64,
}

/// PSNR of a method at a packet size, over the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Bytes that packets have, on average.
    pub bytes_per_item: f64,
    /// Mean.
    pub mean_db: f64,
    /// Largest minus smallest.
    pub range_db: f64,
}

impl Report {
    /// A report on `curves`, with the data's name and its numbers of training and test items.
    pub fn new(settings: Settings, data: &str, items: [usize; 2], curves: Vec<Curve>) -> Self {
        let mut report = Self { data: data.into(), items, settings, curves, gains: Vec::new() };
        report.gains = report.all_gains();
        report
    }

    /// Names of the methods, in the order in which they were compared.
    pub fn methods(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for curve in &self.curves {
            if !names.contains(&curve.method.as_str()) {
                names.push(&curve.method);
            }
        }
        names
    }

    /// How many seeds there are.
    pub fn seeds(&self) -> usize {
        self.curves.iter().map(|curve| curve.seed as usize + 1).max().unwrap_or(0)
    }

    /// PSNR of `method` at packets of `bytes`.
    pub fn psnr(&self, method: &str, bytes: usize) -> Option<Spread> {
        let curves = self.curves.iter().filter(|curve| curve.method == method);
        let points: Vec<&Point> = curves.flat_map(|curve| &curve.points).filter(|p| p.bytes == bytes).collect();
        let mean = |of: fn(&Point) -> f64| points.iter().map(|point| of(point)).sum::<f64>() / points.len() as f64;
        let psnrs = || points.iter().map(|point| point.psnr_db);
        (!points.is_empty()).then(|| Spread {
            bytes_per_item: mean(|point| point.bytes_per_item),
            mean_db: mean(|point| point.psnr_db),
            range_db: psnrs().fold(f64::NEG_INFINITY, f64::max) - psnrs().fold(f64::INFINITY, f64::min),
        })
    }

    /// Where another method is ahead of ours.
    pub fn losses(&self) -> impl Iterator<Item = &Gain> {
        self.gains.iter().filter(|gain| gain.gain_db < 0.0)
    }

    fn all_gains(&self) -> Vec<Gain> {
        let ours = Contender::OURS.to_string();
        let others = self.methods().into_iter().filter(|&method| method != ours);
        let gain = |over: &str, bytes: usize| {
            let [ours, theirs] = [&ours, over].map(|method| self.psnr(method, bytes));
            Some(Gain { over: over.into(), bytes, gain_db: ours?.mean_db - theirs?.mean_db })
        };
        others.flat_map(|over| self.settings.bytes.iter().filter_map(move |&bytes| gain(over, bytes))).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, test] = self.items;
        writeln!(
            f,
            "{}: PSNR in dB over {test} test items after {} epochs over {train}, {} seeds, all bytes of a packet counted",
            self.data,
            self.settings.epochs(),
            self.seeds()
        )?;
        write!(f, "{:<14}", "bytes")?;
        self.settings.bytes.iter().try_for_each(|bytes| write!(f, "{bytes:>16}"))?;
        for method in self.methods() {
            write!(f, "\n{method:<14}")?;
            for &bytes in &self.settings.bytes {
                let gain = self.gains.iter().find(|gain| gain.over == method && gain.bytes == bytes);
                let psnr = self.psnr(method, bytes).map_or(f64::NAN, |spread| spread.mean_db);
                let gain = gain.map_or(String::new(), |gain| format!("({:+.2})", -gain.gain_db));
                write!(f, "{:>16}", format!("{psnr:.2} {gain:>8}"))?;
            }
        }
        for Gain { over, bytes, gain_db } in self.losses() {
            write!(f, "\n{over} is ahead of ours at {bytes} bytes, by {:.2} dB", -gain_db)?;
        }
        Ok(())
    }
}
