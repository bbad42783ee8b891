//! `cargo xtask firmware`: builds the firmware for each board, runs it in QEMU, and checks its exit status, its log, and
//! every byte that came out of its UART. Then runs the kernels' own tests there. [`stream`] feeds
//! recordings to the application of real boards.

mod board;
mod cases;
pub(crate) mod emulate;
mod error;
pub(crate) mod image;
pub(crate) mod real;
pub(crate) mod recording;
pub(crate) mod stream;

pub(crate) use board::{BOARDS, Board, find};
pub(crate) use cases::FILES;
pub(crate) use error::FirmwareError;

use crate::{
    env::Env,
    qemu::Qemu,
    setup::{self, Need},
};
use cases::Cases;
use image::Program;
use serde::Serialize;
use std::{fmt, path::Path, process::Command};

/// A board on which everything came out as it must.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// The board.
    pub(crate) board: &'static str,
    /// Its core.
    pub(crate) core: &'static str,
    /// The Rust target.
    pub(crate) target: &'static str,
    /// Cases that ran.
    pub(crate) cases: usize,
    /// Bytes that went over the wire, all of them those of the golden packets.
    pub(crate) sent_bytes: usize,
    /// Flash of the program, without models and windows.
    pub(crate) code_bytes: u64,
    /// Static RAM: buffers and the logger; without the stack.
    pub(crate) ram_bytes: u64,
    /// Time of the run on the host.
    pub(crate) seconds: f64,
}

/// What `--board` takes: every board's name, and `all`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BOARDS.iter().map(|board| board.name).chain(["all"])
}

/// The verb: runs the board of that name, or all of them, and prints a table.
///
/// # Errors
/// Where a board fails; the others run all the same.
pub(crate) fn run(env: &Env, name: &str, cases: &Path) -> Result<(), FirmwareError> {
    setup::ensure(env, &[Need::Rust, Need::Qemu])?;
    let boards: Vec<&Board> = BOARDS.iter().filter(|board| name == "all" || board.name == name).collect();
    let mut failed = Vec::new();
    println!("{}", row(["board", "core", "target", "result", "cases", "sent B", "code B", "RAM B", "s"]));
    for board in &boards {
        match run_on(env, board, cases).and_then(|report| check_kernels(env, board).map(|()| report)) {
            Ok(report) => println!("{report}"),
            Err(why) => {
                println!("{}", row([board.name, board.core, board.target, "FAILED", "", "", "", "", ""]));
                eprintln!("{why}");
                failed.push(board.name);
            }
        }
    }
    println!("{} passed, {} failed", boards.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(FirmwareError::Failed { boards: failed.join(", ") }) }
}

/// A line of the table.
fn row([board, core, target, result, cases, sent, code, ram, seconds]: [&str; 9]) -> String {
    format!("{board:<10} {core:<21} {target:<28} {result:<7} {cases:>5} {sent:>7} {code:>7} {ram:>7} {seconds:>6}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = [self.cases as u64, self.sent_bytes as u64, self.code_bytes, self.ram_bytes];
        let [cases, sent, code, ram] = figures.map(|figure| figure.to_string());
        let seconds = format!("{:.2}", self.seconds);
        f.write_str(&row([self.board, self.core, self.target, "passed", &cases, &sent, &code, &ram, &seconds]))
    }
}

/// Builds the firmware with a folder of cases and runs it on a board.
///
/// # Errors
/// Where it does not build or run, finds a difference, or sends other bytes than the golden packets.
pub(crate) fn run_on(env: &Env, board: &Board, cases: &Path) -> Result<Report, FirmwareError> {
    let qemu = Qemu::find(env).ok_or(FirmwareError::NoQemu)?;
    let cases = Cases::read(cases)?;
    let folder = env.root.join("target/firmware/boards").join(board.name);
    let image = image::build(env, board, Program::golden(&cases), &folder)?;
    let outcome = emulate::run(&qemu, board, &image.elf, &folder)?;
    check(board, &outcome, &cases)?;
    Ok(Report {
        board: board.name,
        core: board.core,
        target: board.target,
        cases: cases.names.len(),
        sent_bytes: outcome.sent.len(),
        code_bytes: image.sizes.flash.saturating_sub(cases.bytes),
        ram_bytes: image.sizes.ram,
        seconds: outcome.seconds,
    })
}

/// Runs the kernels' own tests on a board.
fn check_kernels(env: &Env, board: &Board) -> Result<(), FirmwareError> {
    let qemu = Qemu::find(env).ok_or(FirmwareError::NoQemu)?;
    let folder = env.root.join("target/firmware/boards").join(board.name);
    let golden = env.root.join("tests/golden");
    let program = Program { name: "conformance", cases: &golden, arguments: &["--features", "conformance"] };
    let image = image::build(env, board, program, &folder)?;
    let outcome = emulate::run_text(&qemu, board, &image.elf, &folder, &[])?;
    check_status(board, &outcome)
}

fn check_status(board: &Board, outcome: &emulate::Outcome) -> Result<(), FirmwareError> {
    if outcome.status == 0 {
        return Ok(());
    }
    Err(FirmwareError::Exit { board: board.name, status: outcome.status, lines: outcome.lines.clone() })
}

fn check(board: &Board, outcome: &emulate::Outcome, cases: &Cases) -> Result<(), FirmwareError> {
    check_status(board, outcome)?;
    check_wire(board, &outcome.sent, &cases.packets)
}

/// That what came from a board is what was expected.
pub(crate) fn check_wire(board: &Board, sent: &[u8], expected: &[u8]) -> Result<(), FirmwareError> {
    if sent == expected {
        return Ok(());
    }
    let byte = sent.iter().zip(expected).take_while(|(sent, expected)| sent == expected).count();
    Err(FirmwareError::Wire { board: board.name, sent: sent.len(), expected: expected.len(), byte })
}

/// Commands, each with a title, that check the firmware's source: formatting, and lints on one target of each kind.
pub(crate) fn lints(env: &Env) -> Vec<(String, Command)> {
    let mut format = image::cargo(env);
    format.args(["fmt", "--check"]);
    let mut lints = vec![("firmware's formatting".to_string(), format)];
    // The tests bring a heap, which no other program has.
    let kinds = [("programs", &[][..]), ("tests of kernels", &["--bin", "conformance", "--features", "conformance"])];
    for board in ["an386", "an547", "virt"].iter().filter_map(|name| find(name)) {
        for (kind, arguments) in kinds {
            let mut clippy = image::cargo(env);
            clippy.args(["clippy", "--quiet", "--release", "--target", board.target, "--features", board.feature]);
            clippy.args(arguments).args(["--", "-D", "warnings"]);
            lints.push((format!("firmware's clippy for {}: {kind}", board.name), clippy));
        }
    }
    lints
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Changes the middle byte of `part` in the program that carries it.
    fn damage(program: &[u8], part: &[u8]) -> Vec<u8> {
        let at = program.windows(part.len()).position(|window| window == part).unwrap();
        let mut damaged = program.to_vec();
        damaged[at + part.len() / 2] ^= 1;
        damaged
    }

    #[test]
    #[ignore = "needs QEMU: `cargo xtask test` runs it"]
    fn a_wrong_byte_in_a_case_is_caught() {
        let env = Env::detect().unwrap();
        let (qemu, board) = (Qemu::find(&env).unwrap(), find("an386").unwrap());
        let golden = env.root.join("tests/golden");
        let cases = Cases::read(&golden).unwrap();
        let name = cases.names.last().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let image = image::build(&env, board, Program::golden(&cases), folder.path()).unwrap();
        let program = fs::read(&image.elf).unwrap();
        for (file, part) in [("packets.irp", "packet"), ("output.bin", "decoded window")] {
            let content = fs::read(golden.join(name).join(file)).unwrap();
            fs::write(&image.elf, damage(&program, &content)).unwrap();
            let outcome = emulate::run(&qemu, board, &image.elf, folder.path()).unwrap();
            assert_eq!(outcome.status, 1, "{:?}", outcome.lines);
            let names_it = |line: &String| {
                line.starts_with(&format!("{name}: window ")) && line.contains(&format!(" of the {part} is 0x"))
            };
            assert_eq!(outcome.lines.iter().filter(|line| names_it(line)).count(), 1, "{:?}", outcome.lines);
            assert_eq!(outcome.lines.last(), Some(&format!("{} passed, 1 failed", cases.names.len() - 1)));
        }
    }
}
