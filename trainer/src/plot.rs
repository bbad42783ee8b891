//! Plots of spectra as PNG: several named series over the index of the singular value, on a logarithmic axis.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use image::{ImageFormat, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::files::{self, FileError};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 760;
pub(crate) const INK: RGBColor = RGBColor(38, 44, 52);
pub(crate) const FAINT: RGBColor = RGBColor(226, 229, 234);
/// Told apart by the colour-blind too (Okabe and Ito).
pub(crate) const COLORS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];
/// Values below this share of the largest are drawn at it: they are rounding noise.
const FLOOR: f64 = 1e-9;

/// One line of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Singular values, descending.
    pub values: Vec<f64>,
    /// A rank to mark on the line, if any.
    pub rank: Option<usize>,
}

/// Draws `series`, each relative to its largest value, and writes the PNG to `path`.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn spectra(path: &Path, title: &str, series: &[Series]) -> Result<(), FileError> {
    let mut pixels = vec![0u8; (WIDTH * HEIGHT * 3) as usize];
    draw(&mut pixels, title, series).expect("drawing into memory");
    write_png(path, &RgbImage::from_raw(WIDTH, HEIGHT, pixels).expect("three bytes a pixel"))
}

/// Writes an image as PNG.
pub(crate) fn write_png(path: &Path, image: &RgbImage) -> Result<(), FileError> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).expect("encoding into memory");
    files::write_atomically(path, png.get_ref())
}

pub(crate) type DrawResult = Result<(), Box<dyn std::error::Error>>;

fn draw(pixels: &mut [u8], title: &str, series: &[Series]) -> DrawResult {
    register_fonts();
    let area = BitMapBackend::with_buffer(pixels, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let count = series.iter().map(|s| s.values.len()).max().unwrap_or(1).max(2);
    let shares: Vec<Vec<f64>> = series.iter().map(|s| shares(&s.values)).collect();
    let bottom = decade_below(shares.iter().flatten().copied().fold(0.1, f64::min));
    let mut chart = ChartBuilder::on(&area)
        .margin(24)
        .margin_right(40)
        .caption(title, text(34))
        .x_label_area_size(64)
        .y_label_area_size(96)
        .build_cartesian_2d(0.5..count as f64 + 0.5, (bottom..2.0).log_scale())?;
    chart
        .configure_mesh()
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(text(22))
        .axis_desc_style(text(24))
        .x_desc("index of the singular value")
        .y_desc("share of the largest")
        .x_labels(count.min(17))
        .x_label_formatter(&|index| format!("{index:.0}"))
        .y_label_formatter(&|share| format!("{share:.0e}").replace("1e0", "1"))
        .draw()?;
    for ((series, shares), color) in series.iter().zip(&shares).zip(COLORS.iter().cycle()) {
        let points = || shares.iter().enumerate().map(|(i, &share)| ((i + 1) as f64, share));
        chart
            .draw_series(LineSeries::new(points(), color.stroke_width(3)))?
            .label(&series.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 28, y)], color.stroke_width(4)));
        chart.draw_series(points().map(|point| Circle::new(point, 5, color.filled())))?;
        if let Some(rank) = series.rank.filter(|&rank| (1..=shares.len()).contains(&rank)) {
            let x = rank as f64 + 0.5;
            let dashes = [(x, bottom), (x, 2.0)];
            chart.draw_series(DashedLineSeries::new(dashes, 8, 6, color.stroke_width(2)))?;
            let style = text(20).color(color).pos(Pos::new(HPos::Left, VPos::Top));
            chart.draw_series([Text::new(format!("  rank {rank}"), (x, 1.7), style)])?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .margin(20)
        .legend_area_size(36)
        .label_font(text(22))
        .background_style(WHITE.mix(0.9))
        .border_style(FAINT)
        .draw()?;
    area.present()?;
    Ok(())
}

/// Dark text in the font that is compiled in.
pub(crate) fn text(size: i32) -> TextStyle<'static> {
    register_fonts();
    ("sans-serif", size).into_font().color(&INK)
}

/// Values relative to the largest, held above the floor.
fn shares(values: &[f64]) -> Vec<f64> {
    let largest = values.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    values.iter().map(|value| (value / largest).max(FLOOR)).collect()
}

fn decade_below(share: f64) -> f64 {
    10f64.powf((share * 0.8).log10().floor())
}

/// The font is compiled in: a machine without any draws the same picture.
fn register_fonts() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        register_font("sans-serif", FontStyle::Normal, font).unwrap_or_else(|_| unreachable!("a valid font"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_of_two_spectra_is_a_png() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spectrum.png");
        let series = |name: &str, decay: f64, rank| Series {
            name: name.into(),
            values: (0..32).map(|i| 40.0 * (-decay * f64::from(i)).exp()).collect(),
            rank,
        };
        spectra(&path, "Spectrum of the code", &[series("before", 0.2, None), series("after", 0.7, Some(12))]).unwrap();
        let image = image::open(&path).unwrap();
        assert_eq!((image.width(), image.height()), (WIDTH, HEIGHT));
        if let Some(keep) = std::env::var_os("KEEP_PLOT") {
            std::fs::copy(&path, keep).unwrap();
        }
    }

    #[test]
    fn zeros_and_empty_series_are_drawn_too() {
        let folder = tempfile::tempdir().unwrap();
        let flat = Series { name: "flat".into(), values: vec![0.0; 3], rank: Some(9) };
        spectra(&folder.path().join("a.png"), "t", &[flat, Series { name: "none".into(), values: vec![], rank: None }])
            .unwrap();
    }
}
