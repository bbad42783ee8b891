//! What became of all packets.

use std::time::{Duration, Instant};

use serde_json::json;

use super::core::Gateway;
use crate::link::Tally;

/// The end of a run, in words and figures.
pub(crate) struct Report {
    start: Instant,
    /// Time spent on packets, and not on waiting for them.
    pub(crate) busy: Duration,
}

/// Sums over all nodes.
#[derive(Default)]
struct Total {
    nodes: usize,
    windows: usize,
    bytes: usize,
    foreign: usize,
    tally: Tally,
}

impl Report {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), busy: Duration::ZERO }
    }

    /// To standard output as JSON, or in words to standard error.
    pub(crate) fn print(&self, gateway: &Gateway<'_>, as_json: bool) {
        let total = total(gateway);
        if let Some(refusal) = &gateway.first_refusal {
            eprintln!("warning: {} packets refused; the first one: {refusal}", total.foreign + total.tally.damaged);
        }
        if let Some(warning) = total.tally.warning() {
            eprintln!("warning: {warning}");
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = total.windows as f64 / self.busy.as_secs_f64().max(1e-9);
        if as_json {
            let report = json!({
                "nodes": total.nodes,
                "windows": total.windows,
                "bytes": total.bytes,
                "lost": (!gateway.is_shared).then_some(total.tally.lost),
                "replayed": total.tally.replayed,
                "out_of_order": total.tally.out_of_order,
                "damaged": total.tally.damaged,
                "foreign": total.foreign,
                "seconds": seconds,
                "windows_per_busy_second": rate,
            });
            println!("{report}");
        } else {
            eprintln!(
                "{} windows of {} nodes, {:.3} bytes each, in {seconds:.1} s; {rate:.0} a second of work",
                total.windows,
                total.nodes,
                total.bytes as f64 / total.windows.max(1) as f64
            );
        }
    }
}

fn total(gateway: &Gateway<'_>) -> Total {
    let mut total = Total::default();
    for (_, link) in gateway.links() {
        total.nodes += 1;
        total.windows += link.windows;
        total.bytes += link.bytes;
        total.foreign += link.foreign;
        if !gateway.is_shared {
            total.tally.lost += link.tally.lost;
        }
        total.tally.replayed += link.tally.replayed;
        total.tally.out_of_order += link.tally.out_of_order;
        total.tally.damaged += link.tally.damaged;
    }
    total
}
