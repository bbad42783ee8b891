//! A report as tables.

use super::{
    host,
    measure::CORES,
    report::{Network, Report},
    table::{Table, grouped},
};

/// Everything that was counted and timed.
pub(super) fn tables(report: &Report) -> String {
    let Report { commit, rustc, opt_level, qemu, .. } = report;
    let mut text = format!("At {commit}; {rustc}, opt-level {opt_level}; {qemu}\n");
    let cores: Vec<&str> = CORES.iter().map(|core| core.name).filter(|name| has_core(report, name)).collect();
    if !report.layers.is_empty() {
        text += &format!("\nInstructions of a layer (per useful multiplication)\n\n{}", layers(report, &cores));
    }
    if !report.networks.is_empty() {
        text += &format!("\nInstructions to encode / to decode a window\n\n{}", networks(report, &cores));
        text +=
            &format!("\nInstructions of quantiser and entropy coder for a coefficient\n\n{}", coders(report, &cores));
        text +=
            &format!("\nA whole program, without models: bytes of code, and of stack at most\n\n{}", programs(report));
    }
    if let Some(host) = &report.host {
        text += &format!("\nMicroseconds on one thread of this machine (over ours)\n\n{}", host::table(host));
    }
    text
}

fn has_core(report: &Report, name: &str) -> bool {
    report.layers.iter().any(|layer| layer.core == name)
}

/// The first of each kind, in order.
fn distinct<'a>(keys: impl Iterator<Item = String> + 'a) -> Vec<String> {
    let mut distinct = Vec::new();
    for key in keys {
        if !distinct.contains(&key) {
            distinct.push(key);
        }
    }
    distinct
}

fn layers(report: &Report, cores: &[&str]) -> Table {
    let has_cycles = report.layers.iter().any(|layer| layer.modelled_cycles.is_some());
    let cycles = has_cycles.then_some("m4 cycles, modelled");
    let mut table = Table::new(["layer", "multiplications", "buffer B"].iter().chain(cores).copied().chain(cycles));
    for name in distinct(report.layers.iter().map(|layer| layer.layer.clone())) {
        let of_name = || report.layers.iter().filter(|layer| layer.layer == name);
        let Some(first) = of_name().next() else { continue };
        let mut row = vec![name.clone(), grouped(first.macs), grouped(first.buffer_bytes)];
        for core in cores {
            row.extend(of_name().find(|layer| layer.core == *core).map(|layer| {
                format!("{} ({:.2})", grouped(layer.instructions), layer.instructions as f64 / layer.macs as f64)
            }));
        }
        row.extend(of_name().find_map(|layer| layer.modelled_cycles).map(grouped));
        table.push(row);
    }
    table
}

fn networks(report: &Report, cores: &[&str]) -> Table {
    let mut table = Table::new(["network", "buffer B"].iter().chain(cores).copied());
    for name in distinct(report.networks.iter().map(Network::name)) {
        let of_name = || report.networks.iter().filter(|network| network.is_named(&name));
        let Some(first) = of_name().next() else { continue };
        let pair = |encode, decode| format!("{} / {}", grouped(encode), grouped(decode));
        let mut row = vec![name.clone(), pair(first.buffer_bytes, first.decoder_buffer_bytes)];
        for core in cores {
            let of_core = of_name().find(|network| network.core == *core);
            row.extend(of_core.map(|network| pair(network.encode_instructions, network.decode_instructions)));
        }
        table.push(row);
    }
    table
}

fn coders(report: &Report, cores: &[&str]) -> Table {
    let mut table = Table::new(["network", "coefficients"].iter().chain(cores).copied());
    for name in distinct(report.networks.iter().map(Network::name)) {
        let of_name = || report.networks.iter().filter(|network| network.is_named(&name));
        let Some(first) = of_name().next() else { continue };
        let mut row = vec![name.clone(), grouped(first.coefficients)];
        for core in cores {
            let of_core = of_name().find(|network| network.core == *core);
            row.extend(of_core.map(|network| {
                format!("{:.1}", network.code_instructions as f64 / network.coefficients.max(1) as f64)
            }));
        }
        table.push(row);
    }
    table
}

fn programs(report: &Report) -> Table {
    let mut table = Table::new(["core", "network", "encoder", "both", "stack to encode", "stack to decode"]);
    for network in &report.networks {
        if let (Some(encoder), Some(both)) = (network.code_bytes_encoder, network.code_bytes_both) {
            let figures = [encoder, both, network.peak_stack_bytes, network.decoder_peak_stack_bytes].map(grouped);
            table.push([network.core.into(), network.name()].into_iter().chain(figures));
        }
    }
    table
}
