//! The counter: QEMU with the plugin of `tools/insn-plugin`.

use super::BenchError;
use crate::{
    env::Env,
    firmware::{Board, FirmwareError, emulate, image::Image},
    qemu::Qemu,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// QEMU, and the plugin for it.
pub(super) struct Counter {
    qemu: Qemu,
    plugin: PathBuf,
}

/// A region of a program that has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// What the program wrote after it.
    pub(super) words: Vec<String>,
    /// Instructions that were executed.
    pub(super) instructions: u64,
    /// The cycles that a Cortex-M4 would take, by a model.
    pub(super) cycles: u64,
    /// How far the stack reached down from its start.
    pub(super) stack_bytes: u64,
}

impl Counter {
    /// Builds the plugin.
    pub(super) fn new(env: &Env) -> Result<Counter, BenchError> {
        let qemu = Qemu::find(env).ok_or(FirmwareError::NoQemu)?;
        let mut cargo = env.cargo();
        cargo.args(["build", "--quiet", "--release", "-p", "insn-plugin"]);
        if !cargo.status().map_err(FirmwareError::io("cargo"))?.success() {
            return Err(BenchError::Plugin);
        }
        Ok(Counter { qemu, plugin: env.target_dir().join("release/libinsn_plugin.so") })
    }

    /// What the emulator says of its version.
    pub(super) fn version(&self) -> String {
        self.qemu.version("qemu-system-arm").unwrap_or_default()
    }

    /// Runs a program, and gives its regions in order.
    pub(super) fn run(&self, board: &Board, image: &Image, folder: &Path) -> Result<Vec<Region>, BenchError> {
        let counts = folder.join("counts.txt");
        let (plugin, stack) = (self.plugin.display(), &image.stack);
        let plugin = format!("{plugin},out={},stack={:x}-{:x}", counts.display(), stack.start, stack.end);
        let options = ["-plugin".to_string(), plugin];
        let outcome = emulate::run_text(&self.qemu, board, &image.elf, folder, &options)?;
        if outcome.status != 0 {
            let (board, status, lines) = (board.name, outcome.status, outcome.lines);
            return Err(FirmwareError::Exit { board, status, lines }.into());
        }
        let counts = fs::read_to_string(&counts).map_err(FirmwareError::io(&counts))?;
        regions(&outcome.lines, &counts).ok_or(BenchError::Counts { board: board.name })
    }
}

/// Joins what the program wrote with what the plugin did, a line for each region.
fn regions(lines: &[String], counts: &str) -> Option<Vec<Region>> {
    let counts: Vec<&str> = counts.lines().collect();
    if lines.len() != counts.len() {
        return None;
    }
    let region = |(line, counts): (&String, &&str)| {
        let mut numbers = counts.split(' ').map(str::parse);
        let mut number = || numbers.next()?.ok();
        let words = line.split(' ').map(String::from).collect();
        Some(Region { words, instructions: number()?, cycles: number()?, stack_bytes: number()? })
    };
    lines.iter().zip(&counts).map(region).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_program_and_plugin_are_joined_in_order() {
        let lines = ["empty".to_string(), "layer conv 64".to_string()];
        let joined = regions(&lines, "0 0 0\n201 399 16\n").unwrap();
        assert_eq!(joined[0], Region { words: vec!["empty".into()], instructions: 0, cycles: 0, stack_bytes: 0 });
        assert_eq!((joined[1].instructions, joined[1].cycles, joined[1].stack_bytes), (201, 399, 16));
        assert_eq!(regions(&lines, "0 0 0\n"), None);
        assert_eq!(regions(&lines, "0 0 0\n201 399\n"), None);
    }
}
