//! Nodes, links and signals on a terminal.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Row, Table, TableState};
use ratatui::{DefaultTerminal, Frame};

use super::core::Gateway;
use super::intake::Receipt;
use super::node::LinkQuality;
use super::sink::{Record, Sink, in_file_order, with_values};

/// Between two pictures.
const INTERVAL: Duration = Duration::from_millis(100);
/// Of channels.
const COLOURS: [Color; 6] = [Color::Green, Color::Cyan, Color::Yellow, Color::Magenta, Color::Blue, Color::Red];

/// The last window of a node.
struct Signal {
    /// Samples of a channel.
    len: usize,
    /// Channels one after the other.
    values: Vec<f64>,
}

type Signals = Rc<RefCell<BTreeMap<String, Signal>>>;

/// The terminal, as long as the gateway runs.
pub(crate) struct Live {
    terminal: DefaultTerminal,
    view: View,
    last: Option<Instant>,
}

impl Live {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn start() -> Result<Self> {
        if !std::io::stdout().is_terminal() {
            bail!("--live needs a terminal, and standard output is none");
        }
        Ok(Self { terminal: ratatui::try_init()?, view: View::default(), last: None })
    }

    /// Where the view gets its windows from.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Watcher(self.view.signals.clone()))
    }

    /// Draws, if it is time, and takes keys; true where the user wants to stop.
    ///
    /// # Errors
    /// Where the terminal fails.
    pub(crate) fn show(&mut self, gateway: &Gateway<'_>) -> Result<bool> {
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return Ok(false);
        }
        self.last = Some(Instant::now());
        let links: Vec<_> = gateway.links().collect();
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                match key.code {
                    KeyCode::Char('q') => return Ok(true),
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(true),
                    KeyCode::Down => self.view.table.select_next(),
                    KeyCode::Up => self.view.table.select_previous(),
                    _ => {}
                }
            }
        }
        self.terminal.draw(|frame| self.view.draw(frame, &links, gateway.is_shared))?;
        Ok(false)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Keeps each node's last window.
struct Watcher(Signals);

impl Sink for Watcher {
    fn put(&mut self, record: &Record<'_>, _receipt: Option<&Receipt>) -> Result<()> {
        let values: Vec<f64> =
            with_values!(record.samples, |values| in_file_order(values, record.frame).map(f64::from).collect());
        let len = values.len() / usize::from(record.frame.channels);
        self.0.borrow_mut().insert(record.node.into(), Signal { len, values });
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// What is on the screen.
#[derive(Default)]
struct View {
    signals: Signals,
    table: TableState,
}

impl View {
    fn draw(&mut self, frame: &mut Frame<'_>, links: &[(&str, &LinkQuality)], is_shared: bool) {
        if self.table.selected().is_none() && !links.is_empty() {
            self.table.select(Some(0));
        }
        let [nodes, signal] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(frame.area());
        let rows = links.iter().map(|(name, link)| row(name, link, is_shared));
        let widths = [Constraint::Fill(2)].into_iter().chain([Constraint::Fill(1); 6]);
        let names = ["node", "windows", "lost", "repeated", "refused", "bytes each", "age"];
        let title = " nodes: arrows choose, q stops ";
        let table = Table::new(rows, widths)
            .header(Row::new(names).bold())
            .block(Block::bordered().title(title))
            .row_highlight_style(Style::new().reversed());
        frame.render_stateful_widget(table, nodes, &mut self.table);

        let signals = self.signals.borrow();
        let chosen = self.table.selected().and_then(|at| links.get(at));
        if let Some((name, signal_of_node)) = chosen.and_then(|(name, _)| Some((*name, signals.get(*name)?))) {
            frame.render_widget(chart(name, signal_of_node, &points(signal_of_node)), signal);
        }
    }
}

fn row(name: &str, link: &LinkQuality, is_shared: bool) -> Row<'static> {
    let sent = link.windows + link.tally.lost;
    let lost = match is_shared {
        // Other gateways have them.
        true => "-".into(),
        false => format!("{:.1} %", 100.0 * link.tally.lost as f64 / sent.max(1) as f64),
    };
    let age = link.last.map_or("-".into(), |last| format!("{:.0} s", last.elapsed().as_secs_f64()));
    Row::new([
        name.to_string(),
        link.windows.to_string(),
        lost,
        link.tally.replayed.to_string(),
        (link.tally.damaged + link.foreign).to_string(),
        format!("{:.1}", link.bytes as f64 / link.windows.max(1) as f64),
        age,
    ])
}

/// Points of each channel's line.
fn points(signal: &Signal) -> Vec<Vec<(f64, f64)>> {
    let line = |values: &[f64]| values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
    signal.values.chunks(signal.len.max(1)).map(line).collect()
}

fn chart<'a>(name: &str, signal: &Signal, lines: &'a [Vec<(f64, f64)>]) -> Chart<'a> {
    let least = signal.values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = signal.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sets = lines.iter().zip(COLOURS.iter().cycle()).map(|(line, &colour)| {
        Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).style(colour).data(line)
    });
    Chart::new(sets.collect())
        .block(Block::bordered().title(format!(" {name}: last window ")))
        .x_axis(Axis::default().bounds([0.0, signal.len as f64]))
        .y_axis(Axis::default().bounds([least, largest]).labels([format!("{least:.3}"), format!("{largest:.3}")]))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn nodes_links_and_the_signal_are_on_the_screen() {
        let mut view = View::default();
        view.signals.borrow_mut().insert("n7".into(), Signal { len: 4, values: vec![0.0, 1.0, 2.0, 3.0] });
        let mut link = LinkQuality { windows: 3, bytes: 36, last: Some(Instant::now()), ..LinkQuality::default() };
        link.tally.lost = 1;
        let mut terminal = Terminal::new(TestBackend::new(80, 20)).unwrap();
        terminal.draw(|frame| view.draw(frame, &[("n7", &link)], false)).unwrap();
        let screen = terminal.backend().to_string();
        for text in ["n7", "25.0 %", "12.0", "0 s", "n7: last window", "3.000"] {
            assert!(screen.contains(text), "{text} in\n{screen}");
        }
    }
}
