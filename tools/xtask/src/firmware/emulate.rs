//! Runs a program on an emulated board: what it logged, what it sent, how it ended.

use super::{Board, FirmwareError};
use crate::qemu::Qemu;
use defmt_decoder::{DecodeError, Table};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// No set of cases takes a tenth of it; a program that is still running then hangs.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A program that ended by itself.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its exit status.
    pub(crate) status: i32,
    /// What it logged, then what it wrote on standard error.
    pub(crate) lines: Vec<String>,
    /// What came out of the board's UART.
    pub(super) sent: Vec<u8>,
    /// Time on the host.
    pub(super) seconds: f64,
}

/// Runs `elf`, which logs by defmt, on a board, and leaves what it wrote in `folder`.
pub(super) fn run(qemu: &Qemu, board: &Board, elf: &Path, folder: &Path) -> Result<Outcome, FirmwareError> {
    let program = fs::read(elf).map_err(FirmwareError::io(elf))?;
    execute(qemu, board, elf, folder, &[], |log| decode_log(&program, log))
}

/// Runs `elf`, which writes text on standard output, as [`run`] does, with more `options` for the emulator.
pub(crate) fn run_text(
    qemu: &Qemu,
    board: &Board,
    elf: &Path,
    folder: &Path,
    options: &[String],
) -> Result<Outcome, FirmwareError> {
    let lines = |log: &[u8]| Some(String::from_utf8(log.to_vec()).ok()?.lines().map(String::from).collect());
    execute(qemu, board, elf, folder, options, lines)
}

fn execute(
    qemu: &Qemu,
    board: &Board,
    elf: &Path,
    folder: &Path,
    options: &[String],
    decode: impl Fn(&[u8]) -> Option<Vec<String>>,
) -> Result<Outcome, FirmwareError> {
    let uart = folder.join("uart.bin");
    fs::write(&uart, []).map_err(FirmwareError::io(&uart))?;
    let serial = format!("file:{}", uart.display());
    let mut outcome = Running::start(qemu, board, elf, folder, &serial, options)?.finish(decode)?;
    outcome.sent = fs::read(&uart).map_err(FirmwareError::io(&uart))?;
    Ok(outcome)
}

/// A program that runs; it is stopped when this is dropped.
pub(super) struct Running<'b> {
    child: Child,
    board: &'b Board,
    elf: PathBuf,
    log: PathBuf,
    errors: PathBuf,
    start: Instant,
}

impl<'b> Running<'b> {
    /// Starts `elf` on a board whose UART leads to `serial`, as the emulator says it.
    pub(super) fn start(
        qemu: &Qemu,
        board: &'b Board,
        elf: &Path,
        folder: &Path,
        serial: &str,
        options: &[String],
    ) -> Result<Running<'b>, FirmwareError> {
        let [log, errors] = ["log.bin", "errors.txt"].map(|name| folder.join(name));
        let child = command(qemu, board, elf, serial)
            .args(options)
            .stdout(File::create(&log).map_err(FirmwareError::io(&log))?)
            .stderr(File::create(&errors).map_err(FirmwareError::io(&errors))?)
            .spawn()
            .map_err(FirmwareError::io(board.emulator))?;
        Ok(Running { child, board, elf: elf.to_path_buf(), log, errors, start: Instant::now() })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> Result<bool, FirmwareError> {
        let status = self.child.try_wait().map_err(FirmwareError::io(self.board.emulator))?;
        Ok(status.is_some())
    }

    /// Waits for its end. What it sent is not known here.
    fn finish(mut self, decode: impl Fn(&[u8]) -> Option<Vec<String>>) -> Result<Outcome, FirmwareError> {
        let board = self.board;
        let status = wait(&mut self.child, TIME_LIMIT).map_err(FirmwareError::io(board.emulator))?;
        let seconds = self.start.elapsed().as_secs_f64();
        let read = |path: &Path| fs::read(path).map_err(FirmwareError::io(path));
        let mut lines = decode(&read(&self.log)?).ok_or(FirmwareError::Log { board: board.name })?;
        lines.extend(String::from_utf8_lossy(&read(&self.errors)?).lines().map(String::from));
        let Some(status) = status else {
            let last_line = lines.pop().unwrap_or_else(|| "nothing".into());
            return Err(FirmwareError::Hangs { board: board.name, seconds: TIME_LIMIT.as_secs(), last_line });
        };
        // No code: a signal ended the emulator.
        Ok(Outcome { status: status.code().unwrap_or(-1), lines, sent: Vec::new(), seconds })
    }

    /// Waits for the end of a program that logs by defmt.
    pub(super) fn finish_logged(self) -> Result<Outcome, FirmwareError> {
        let program = fs::read(&self.elf).map_err(FirmwareError::io(&self.elf))?;
        self.finish(|log| decode_log(&program, log))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(qemu: &Qemu, board: &Board, elf: &Path, serial: &str) -> Command {
    let mut command = qemu.command(board.emulator);
    command.args(["-machine", board.machine, "-display", "none", "-monitor", "none"]);
    if board.machine == "virt" {
        // Otherwise OpenSBI would be loaded where the program starts.
        command.args(["-bios", "none"]);
    }
    command.args(["-serial", serial]);
    command.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(elf);
    command.stdin(Stdio::null());
    command
}

/// Waits for a child; kills it and returns nothing where it takes longer than `limit`.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// The messages of a log, by the strings that the program file holds; `None` where it is not a log of that program.
fn decode_log(elf: &[u8], log: &[u8]) -> Option<Vec<String>> {
    let table = Table::parse(elf).ok()??;
    let mut decoder = table.new_stream_decoder();
    decoder.received(log);
    let mut lines = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => lines.push(frame.display_message().to_string()),
            Err(DecodeError::UnexpectedEof) => return Some(lines),
            Err(DecodeError::Malformed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep(seconds: &str) -> Child {
        Command::new("sleep").arg(seconds).spawn().unwrap()
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        assert!(wait(&mut sleep("0"), Duration::from_secs(20)).unwrap().is_some_and(|status| status.success()));
        let mut hanging = sleep("60");
        assert!(wait(&mut hanging, Duration::from_millis(50)).unwrap().is_none());
        assert!(hanging.try_wait().unwrap().is_some());
    }

    #[test]
    fn bytes_that_are_not_a_program_have_no_log() {
        assert!(decode_log(b"not a program", b"").is_none());
    }
}
