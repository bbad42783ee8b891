//! A comparison as a page.

use std::fmt::Write;

use super::{Contender, Curve, Report, Settings};
use crate::report::{self, Axis, Line, LinePlot, Page, Table};

impl Report {
    /// The page.
    pub fn page(&self) -> Page {
        let mut page = Page::new(&format!("Rate and distortion: {}", self.data), &self.lead());
        page.section("Quality by bytes").plots(&self.plots());
        page.table(&self.psnr_table()).table(&self.gain_table()).list(&self.verdict());
        page.section("What was compared").list(&self.about()).table(&self.effort_table());
        page.data(self);
        page
    }

    fn lead(&self) -> String {
        let Settings { data, preset, decoder, train_epochs, tune_epochs, .. } = &self.settings;
        let ([train, test], seeds) = (self.items, self.seeds());
        let part = data.limit.map_or(String::new(), |_| " (a part of the training set)".into());
        let seeds = if seeds == 1 { "seed 0".into() } else { format!("means over {seeds} seeds from 0") };
        let devices = report::each_once(self.curves.iter().map(|curve| curve.device.as_str()));
        format!(
            "All {test} test items in bare packets, every byte of them counted. All networks are {preset} with the {decoder} decoder in f32, trained on \
             {train} items{part} for {} epochs (ours: {train_epochs} and {tune_epochs} of tuning); all codes have the same quantiser and \
             entropy coder. {seeds}; {}.",
            self.settings.epochs(),
            devices
        )
    }

    /// PSNR, and how far it is above that of PCA.
    fn plots(&self) -> Vec<LinePlot> {
        let (used, allowed) = (Axis::octaves("bytes an item, on average"), Axis::octaves("bytes a packet, at most"));
        let mut all = LinePlot::new("PSNR", used, Axis::linear("PSNR, dB"));
        let mut above = LinePlot::new("PSNR above that of PCA in such packets", allowed, Axis::linear("dB"));
        for method in self.methods() {
            let spreads = || self.settings.bytes.iter().filter_map(|&bytes| Some((bytes, self.psnr(method, bytes)?)));
            all.lines.push(Line::new(method, spreads().map(|(_, psnr)| (psnr.bytes_per_item, psnr.mean_db))));
            let over_pca = |(bytes, psnr): (usize, super::Spread)| {
                Some((bytes as f64, psnr.mean_db - self.psnr("pca", bytes)?.mean_db))
            };
            above.lines.push(Line::new(method, spreads().filter_map(over_pca)));
        }
        let seeds = match self.seeds() {
            1 => "seed 0".into(),
            count => format!("seeds 0 to {}", count - 1),
        };
        let note = format!("{} epochs, {seeds}.", self.settings.epochs());
        (all.note, above.note) = (note.clone(), note);
        if self.methods().contains(&"pca") { vec![all, above] } else { vec![all] }
    }

    fn psnr_table(&self) -> Table {
        let mut table = Table::new("PSNR in dB by largest packet size in bytes", self.columns());
        for method in self.methods() {
            let cell = |&bytes: &usize| {
                let Some(psnr) = self.psnr(method, bytes) else { return "-".into() };
                let spread = if self.seeds() > 1 { format!(" ± {:.2}", psnr.range_db / 2.0) } else { String::new() };
                format!("{:.2}{spread}", psnr.mean_db)
            };
            table.row([method.to_string()].into_iter().chain(self.settings.bytes.iter().map(cell)));
            if method == Contender::OURS.to_string() {
                table.mark();
            }
        }
        table
    }

    fn gain_table(&self) -> Table {
        let mut table = Table::new("By how many dB ours is ahead (a minus: behind)", self.columns());
        for method in self.methods().into_iter().filter(|&method| method != Contender::OURS.to_string()) {
            let gains = self.gains.iter().filter(|gain| gain.over == method);
            table.row([method.to_string()].into_iter().chain(gains.map(|gain| format!("{:+.2}", gain.gain_db))));
        }
        table
    }

    fn columns(&self) -> Vec<String> {
        ["method".to_string()].into_iter().chain(self.settings.bytes.iter().map(usize::to_string)).collect()
    }

    /// In plain words, by packet size.
    fn verdict(&self) -> Vec<String> {
        let of_size = |&bytes: &usize| {
            let gains = self.gains.iter().filter(|gain| gain.bytes == bytes);
            let mut sorted: Vec<_> = gains.collect();
            sorted.sort_by(|a, b| a.gain_db.total_cmp(&b.gain_db));
            let mut text = format!("At {bytes} bytes ");
            let ahead: Vec<String> = sorted
                .iter()
                .filter(|gain| gain.gain_db < 0.0)
                .map(|gain| format!("{} (by {:.2} dB)", gain.over, -gain.gain_db))
                .collect();
            match (sorted.first(), ahead.is_empty()) {
                (None, _) => text += "there is nothing to compare with.",
                (Some(next), true) => {
                    let _ = write!(text, "ours is ahead of all, of {} by {:.2} dB.", next.over, next.gain_db);
                }
                (Some(_), false) => {
                    let _ = write!(text, "ours is behind {}.", ahead.join(", "));
                }
            }
            text
        };
        self.settings.bytes.iter().map(of_size).collect()
    }

    fn about(&self) -> Vec<String> {
        let about = |method: &str| Some(format!("{method}: {}", method.parse::<Contender>().ok()?.kind.about()));
        self.methods().into_iter().filter_map(about).collect()
    }

    fn effort_table(&self) -> Table {
        let columns = ["method", "seed", "coefficients sent", "epochs", "seconds", "device"];
        let mut table = Table::new("Codes and effort", columns);
        for Curve { method, seed, rank, epochs, seconds, device, .. } in &self.curves {
            let cells = [
                method.clone(),
                seed.to_string(),
                rank.to_string(),
                epochs.to_string(),
                format!("{seconds:.0}"),
                device.clone(),
            ];
            table.row(cells);
        }
        table
    }
}
