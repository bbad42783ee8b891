//! Plots of signals as PNG: test windows, and what a model and PCA make of them.

use std::path::Path;

use image::RgbImage;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tch::{Kind, Tensor};

use crate::baseline::{Comparison, Method, OURS, Row};
use crate::files::FileError;
use crate::plot::{COLORS, DrawResult, FAINT, INK, text, write_png};

const WIDTH: u32 = 1800;
const HEADER: u32 = 100;
/// Height of a panel where windows lie side by side, and where they lie one below the other.
const PANEL: u32 = 210;
const WIDE_PANEL: u32 = 320;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// What the numbers of a data set mean.
struct Units {
    /// Samples a second; 1 where it is not known, and time is in samples.
    rate_hz: f64,
    /// What becomes 0.
    zero: f64,
    /// Raw units in one unit.
    scale: f64,
    /// Names of the channels with their units.
    channels: &'static [&'static str],
}

impl Units {
    fn of(data: &str) -> Self {
        match data {
            "ecg-mitbih208" => Self { rate_hz: 360.0, zero: 1024.0, scale: 200.0, channels: &["lead (mV)"] },
            "imu-watch" => Self {
                rate_hz: 50.0,
                zero: 0.0,
                scale: 1.0,
                channels: &[
                    "acc. x (g)",
                    "acc. y (g)",
                    "acc. z (g)",
                    "rate x (rad/s)",
                    "rate y (rad/s)",
                    "rate z (rad/s)",
                ],
            },
            _ => Self { rate_hz: 1.0, zero: 0.0, scale: 1.0, channels: &[] },
        }
    }

    fn channel(&self, index: usize) -> String {
        self.channels.get(index).map_or_else(|| format!("channel {index} (raw units)"), |name| (*name).into())
    }

    fn time(&self) -> &'static str {
        if self.rate_hz == 1.0 { "time (samples)" } else { "time (s)" }
    }

    /// Samples of window `window` in channel `channel`, beside their times.
    fn points(&self, windows: &Tensor, window: usize, channel: usize) -> Vec<(f64, f64)> {
        let values = windows.select(0, window as i64).select(0, channel as i64).to_kind(Kind::Double).contiguous();
        let values = Vec::<f64>::try_from(values).expect("a vector of f64");
        let point = |(t, value): (usize, f64)| (t as f64 / self.rate_hz, (value - self.zero) / self.scale);
        values.into_iter().enumerate().map(point).collect()
    }
}

/// A line of every panel.
struct Trace<'a> {
    name: String,
    windows: &'a Tensor,
    color: RGBColor,
    width: u32,
}

/// Draws the windows of `comparison` at packets of `max_bytes`, and writes the PNG to `path`.
///
/// # Panics
/// Where nothing was measured with packets of `max_bytes`.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn draw(path: &Path, comparison: &Comparison, max_bytes: usize) -> Result<(), FileError> {
    let (windows, channels, _) = comparison.shown.size3().expect("windows, channels, samples");
    // Windows of one channel lie below one another, others side by side.
    let (rows, columns, panel) = if channels == 1 { (windows, 1, WIDE_PANEL) } else { (channels, windows, PANEL) };
    let height = HEADER + rows as u32 * panel;
    let mut pixels = vec![0u8; (WIDTH * height * 3) as usize];
    draw_on(&mut pixels, height, [rows, columns].map(|n| n as usize), comparison, max_bytes)
        .expect("drawing into memory");
    write_png(path, &RgbImage::from_raw(WIDTH, height, pixels).expect("three bytes a pixel"))
}

fn draw_on(
    pixels: &mut [u8],
    height: u32,
    [rows, columns]: [usize; 2],
    comparison: &Comparison,
    max_bytes: usize,
) -> DrawResult {
    let area = BitMapBackend::with_buffer(pixels, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let (header, body) = area.split_vertically(HEADER);
    let traces = traces(comparison, max_bytes);
    draw_header(&header, comparison, max_bytes, &traces)?;
    let units = Units::of(&comparison.data);
    for (index, panel) in body.split_evenly((rows, columns)).iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let (window, channel) = if columns == 1 && comparison.shown.size()[1] == 1 { (row, 0) } else { (column, row) };
        let labels = [
            if column == 0 { units.channel(channel) } else { String::new() },
            if row + 1 == rows { units.time().into() } else { String::new() },
        ];
        draw_panel(panel, &units, &traces, [window, channel], &labels)?;
    }
    area.present()?;
    Ok(())
}

fn traces(comparison: &Comparison, max_bytes: usize) -> [Trace<'_>; 3] {
    let row = |method: &str| {
        let found = comparison.rows.iter().find(|row| row.method == method && row.max_bytes == max_bytes);
        found.expect("a method that was measured")
    };
    let about = |row: &Row| {
        format!("{}: {:.1} bytes a window, PRDN {:.1} %", row.method, row.bytes_per_window, row.quality.prdn_percent)
    };
    let (ours, pca) = (row(OURS), row(Method::Pca.name()));
    let original =
        Trace { name: "signal".into(), windows: &comparison.shown, color: RGBColor(150, 156, 164), width: 4 };
    [
        original,
        Trace { name: about(pca), windows: &pca.shown, color: COLORS[1], width: 2 },
        Trace { name: about(ours), windows: &ours.shown, color: COLORS[0], width: 2 },
    ]
}

/// Title and legend.
fn draw_header(area: &Area<'_>, comparison: &Comparison, max_bytes: usize, traces: &[Trace<'_>]) -> DrawResult {
    let title = format!("{}: test windows in packets of at most {max_bytes} bytes", comparison.data);
    area.draw(&Text::new(title, (24, 14), text(32)))?;
    for (trace, x) in traces.iter().zip([24, 200, 800]) {
        area.draw(&PathElement::new([(x, 76), (x + 40, 76)], trace.color.stroke_width(trace.width + 1)))?;
        let style = text(24).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(trace.name.clone(), (x + 52, 76), style))?;
    }
    Ok(())
}

fn draw_panel(
    area: &Area<'_>,
    units: &Units,
    traces: &[Trace<'_>],
    [window, channel]: [usize; 2],
    [y_label, x_label]: &[String; 2],
) -> DrawResult {
    let lines: Vec<Vec<(f64, f64)>> = traces.iter().map(|trace| units.points(trace.windows, window, channel)).collect();
    let last = lines[0].last().map_or(1.0, |point| point.0).max(f64::MIN_POSITIVE);
    let (low, high) = bounds(lines.iter().flatten().map(|point| point.1));
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(20)
        .x_label_area_size(if x_label.is_empty() { 24 } else { 48 })
        .y_label_area_size(if y_label.is_empty() { 56 } else { 84 })
        .build_cartesian_2d(0.0..last, low..high)?;
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(FAINT).light_line_style(TRANSPARENT).axis_style(INK).label_style(text(16));
    mesh.axis_desc_style(text(20)).x_labels(6).y_labels(5);
    if !x_label.is_empty() {
        mesh.x_desc(x_label.as_str());
    }
    if !y_label.is_empty() {
        mesh.y_desc(y_label.as_str());
    }
    mesh.draw()?;
    for (trace, line) in traces.iter().zip(lines) {
        chart.draw_series(LineSeries::new(line, trace.color.stroke_width(trace.width)))?;
    }
    Ok(())
}

/// Least and largest value with some room around them.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let room = (0.06 * (high - low)).max(1e-6);
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecg_is_drawn_in_millivolts_and_seconds() {
        let counts = Tensor::from_slice(&[1024.0, 1224.0]).view([1, 1, 2]);
        assert_eq!(Units::of("ecg-mitbih208").points(&counts, 0, 0), [(0.0, 0.0), (1.0 / 360.0, 1.0)]);
        let unknown = Units::of("windows.npy");
        assert_eq!(unknown.points(&counts, 0, 0)[1], (1.0, 1224.0));
        assert_eq!((unknown.channel(1).as_str(), unknown.time()), ("channel 1 (raw units)", "time (samples)"));
    }

    #[test]
    fn a_flat_line_has_room() {
        assert_eq!(bounds([2.0, 2.0].into_iter()), (2.0 - 1e-6, 2.0 + 1e-6));
        assert_eq!(bounds([0.0, 100.0].into_iter()), (-6.0, 106.0));
    }
}
