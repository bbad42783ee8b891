//! Lines on common axes as inline SVG that scales with the page, with a legend in HTML that wraps.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::escape;
use crate::plot::{DrawResult, FAINT, INK, text};

/// Steps of the drawing in what a telephone shows as about a pixel: coordinates are whole numbers.
const FINE: u32 = 4;
/// Size of the drawing; the page scales it, and its text with it.
const SIZE: (u32, u32) = (440 * FINE, 310 * FINE);
const TEXT: i32 = 16 * FINE as i32;
/// Told apart by the colour-blind too (Okabe and Ito, with a gray for their black).
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 98, 108),
    RGBColor(150, 120, 20),
];
/// Lines of at most so many points show them.
const DOTTED: usize = 24;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Points from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A line through `points`.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Line { name: name.into(), points: points.into_iter().collect() }
    }
}

/// What an axis shows.
#[derive(Clone, Debug)]
pub struct Axis {
    name: String,
    is_log: bool,
    /// Values are drawn at their logarithm to base 2, and labels are powers of it.
    in_octaves: bool,
}

impl Axis {
    /// An axis with even steps.
    pub fn linear(name: impl Into<String>) -> Self {
        Axis { name: name.into(), is_log: false, in_octaves: false }
    }

    /// A logarithmic axis with labels at powers of 2; values of 0 and less are not drawn.
    pub fn octaves(name: impl Into<String>) -> Self {
        Axis { in_octaves: true, ..Axis::linear(name) }
    }

    /// A logarithmic axis; values of 0 and less are not drawn.
    pub fn log(name: impl Into<String>) -> Self {
        Axis { is_log: true, ..Axis::linear(name) }
    }

    fn draws(&self, value: f64) -> bool {
        value.is_finite() && !((self.is_log || self.in_octaves) && value <= 0.0)
    }

    /// Where a value lies on plotters' axis.
    fn place(&self, value: f64) -> f64 {
        if self.in_octaves { value.log2() } else { value }
    }

    /// The text at a place of plotters' axis.
    fn label(&self, place: f64) -> String {
        match place {
            _ if !self.in_octaves => label(place),
            _ if (place - place.round()).abs() < 1e-6 => label(place.round().exp2()),
            _ => String::new(),
        }
    }

    /// The range of `values` with some room around.
    fn range(&self, values: impl Iterator<Item = f64>) -> Range<f64> {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return if self.is_log { 0.1..1.0 } else { 0.0..1.0 };
        }
        if self.is_log {
            // Half a decade where all values are one.
            let room = (high / low).powf(0.04).max(if high > low { 1.0 } else { 1.8 });
            return low / room..high * room;
        }
        let room = if high > low { 0.04 * (high - low) } else { 0.5 * high.abs().max(1.0) };
        low - room..high + room
    }
}

/// Lines on common axes.
#[derive(Clone, Debug)]
pub struct LinePlot {
    title: String,
    x: Axis,
    y: Axis,
    /// The lines, in the order of the legend.
    pub lines: Vec<Line>,
    /// Places on the x axis that a thin line marks, and what they are.
    pub marks: Vec<(f64, String)>,
    /// A sentence under the plot, such as seed, epochs and device.
    pub note: String,
}

impl LinePlot {
    /// A plot without lines.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        LinePlot { title: title.into(), x, y, lines: Vec::new(), marks: Vec::new(), note: String::new() }
    }

    /// A figure: caption, drawing, legend and note.
    pub(super) fn to_html(&self) -> String {
        let title = escape(&self.title);
        let svg = self.svg().replacen("<svg ", &format!("<svg class=\"plot\" role=\"img\" aria-label=\"{title}\" "), 1);
        let entry = |(index, line): (usize, &Line)| {
            let RGBColor(r, g, b) = color(index);
            let dashes = if is_dashed(index) { " stroke-dasharray=\"6 4\"" } else { "" };
            format!(
                "<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path d=\"M0 4h24\" stroke=\"#{r:02x}{g:02x}{b:02x}\" \
                 stroke-width=\"3\"{dashes}/></svg>{}</li>",
                escape(&line.name)
            )
        };
        let legend: String = self.lines.iter().enumerate().map(entry).collect();
        let note =
            if self.note.is_empty() { String::new() } else { format!("<small>{}</small>\n", escape(&self.note)) };
        format!(
            "<figure>\n<figcaption>{title}</figcaption>\n{svg}\n<ul class=\"legend\">{legend}</ul>\n{note}</figure>\n"
        )
    }

    fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| self.places(line));
        let marks = self.marks.iter().map(|mark| self.x.place(mark.0));
        let x = self.x.range(points().map(|point| point.0).chain(marks));
        let y = self.y.range(points().map(|point| point.1));
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = match (self.x.is_log, self.y.is_log) {
            (false, false) => self.draw(&area, x, y.clone(), y),
            (false, true) => self.draw(&area, x, y.clone().log_scale(), y),
            (true, false) => self.draw(&area, x.log_scale(), y.clone(), y),
            (true, true) => self.draw(&area, x.log_scale(), y.clone().log_scale(), y),
        };
        drawn.and_then(|()| Ok(area.present()?)).expect("drawing into memory");
        drop(area);
        svg
    }

    fn draw<X, Y>(&self, area: &Area<'_>, x: X, y: Y, height: Range<f64>) -> DrawResult
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(area)
            .margin(6 * FINE)
            .margin_right(16 * FINE)
            .x_label_area_size(44 * FINE)
            .y_label_area_size(64 * FINE)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .bold_line_style(FAINT.stroke_width(FINE))
            .light_line_style(TRANSPARENT)
            .axis_style(INK.stroke_width(FINE))
            .label_style(text(TEXT))
            .axis_desc_style(text(TEXT))
            .x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|&place| self.x.label(place))
            .y_label_formatter(&|&place| self.y.label(place))
            .set_all_tick_mark_size(5 * FINE)
            .draw()?;
        for (x, name) in &self.marks {
            let x = self.x.place(*x);
            let ends = [(x, height.start), (x, height.end)];
            chart.draw_series([PathElement::new(ends, INK.mix(0.5).stroke_width(FINE))])?;
            // What falls from left to right leaves room at the foot.
            let style = text(TEXT).pos(Pos::new(HPos::Left, VPos::Bottom));
            chart.draw_series([Text::new(format!(" {name}"), ends[0], style)])?;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let points = || self.places(line);
            let style = color(index).stroke_width(2 * FINE);
            if is_dashed(index) {
                chart.draw_series(DashedLineSeries::new(points(), 6 * FINE, 4 * FINE, style))?;
            } else {
                chart.draw_series(LineSeries::new(points(), style))?;
            }
            if line.points.len() <= DOTTED {
                chart.draw_series(points().map(|point| Circle::new(point, 3 * FINE, color(index).filled())))?;
            }
        }
        Ok(())
    }

    /// Where the points of `line` lie that can be drawn.
    fn places(&self, line: &Line) -> impl Iterator<Item = (f64, f64)> + Clone {
        let drawn = line.points.iter().filter(|(x, y)| self.x.draws(*x) && self.y.draws(*y));
        drawn.map(|&(x, y)| (self.x.place(x), self.y.place(y)))
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// The second time that a colour comes, its line is dashed.
fn is_dashed(index: usize) -> bool {
    index / COLORS.len() % 2 == 1
}

/// A number on an axis, as short as it can be.
fn label(value: f64) -> String {
    let size = value.abs();
    if size >= 1e5 || (size > 0.0 && size < 1e-3) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(x: Axis, y: Axis, lines: Vec<Line>) -> String {
        let mut plot = LinePlot::new("a <plot>", x, y);
        plot.lines = lines;
        plot.marks = vec![(7.0, "true dimension".into())];
        plot.to_html()
    }

    #[test]
    fn every_line_is_drawn_and_named_on_either_kind_of_axis() {
        let line = |name: &str, factor: f64| Line::new(name, (1..6).map(|i| (f64::from(i), factor / f64::from(i))));
        for (x, y) in [(false, false), (false, true), (true, false), (true, true)] {
            let axis = |is_log: bool, name: &str| if is_log { Axis::log(name) } else { Axis::linear(name) };
            let html = plot(axis(x, "x"), axis(y, "y"), vec![line("one", 1.0), line("two & three", 20.0)]);
            assert!(html.contains("aria-label=\"a &lt;plot&gt;\"") && html.contains("two &amp; three"), "{html}");
            for color in ["#0072B2", "#D55E00"] {
                assert!(html.contains(&format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"{color}\"")), "{html}");
            }
        }
    }

    #[test]
    fn what_cannot_be_drawn_leaves_a_gap_and_not_a_panic() {
        let odd = [(1.0, 0.0), (2.0, f64::NAN), (3.0, 5.0), (4.0, f64::INFINITY), (5.0, 5.0)];
        plot(Axis::linear("x"), Axis::log("y"), vec![Line::new("odd", odd), Line::new("none", [])]);
        plot(Axis::log("x"), Axis::linear("y"), vec![]);
        plot(Axis::linear("x"), Axis::linear("y"), vec![Line::new("one", [(2.0, 3.0)])]);
    }

    #[test]
    fn the_ninth_line_is_dashed() {
        let lines = (0..9).map(|i| Line::new(format!("{i}"), [(0.0, f64::from(i)), (9.0, f64::from(i))])).collect();
        assert!(plot(Axis::linear("x"), Axis::linear("y"), lines).contains("stroke-dasharray"));
    }

    #[test]
    fn octaves_have_labels_at_powers_of_two() {
        let line = Line::new("one", [(0.0, 1.0), (3.9, 1.0), (7.9, 2.0), (31.0, 3.0)]);
        let html = plot(Axis::octaves("bytes"), Axis::linear("y"), vec![line]);
        let has = |text: &str| html.lines().any(|line| line.trim() == text);
        assert!(has("4") && has("8") && has("16") && !has("5.657"), "{html}");
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.0, 0.25, 12.0, 1e-6, 2e6].map(label), ["0", "0.25", "12", "1e-6", "2e6"]);
    }
}
