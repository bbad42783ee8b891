//! Golden cases that are signals, through the cores of real boards.

use irmae_infer::packet::MAX_PACKET_LEN;
use std::{fs, path::Path};

use super::{
    super::{
        Board, FirmwareError, check_wire, find,
        image::Image,
        recording::{self, Recording},
    },
    Stream, build,
};
use crate::env::Env;

/// Boards whose cores are those of the real boards: RP2040, then nRF52840 and STM32F4, then ESP32-C3.
const CORES: [&str; 3] = ["an385-m0", "an386", "virt-imc"];

/// Streams a folder of golden cases through each core of a real board.
///
/// # Errors
/// Where a board fails; the others run all the same.
pub(super) fn run(env: &Env, cases: &Path) -> Result<(), FirmwareError> {
    let mut failed = Vec::new();
    for board in CORES.iter().filter_map(|name| find(name)) {
        match check(env, board, cases) {
            Ok(windows) => println!("{}, {}: {windows} windows came back as the host's frames", board.name, board.core),
            Err(why) => {
                eprintln!("{why}");
                failed.push(board.name);
            }
        }
    }
    println!("{} passed, {} failed", CORES.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(FirmwareError::Failed { boards: failed.join(", ") }) }
}

/// Streams every golden case that is a signal through a board, whole and with a small budget, and compares what a receiver makes of
/// it with the golden windows. Returns how many windows that were.
fn check(env: &Env, board: &Board, cases: &Path) -> Result<usize, FirmwareError> {
    let image = build(env, board)?;
    let entries = fs::read_dir(cases).map_err(FirmwareError::io(cases))?.flatten();
    let folders = entries.map(|entry| entry.path()).filter(|case| case.join("encoder.irmae").is_file());
    let mut windows = 0;
    for case in folders {
        let mut recording = Recording::golden(&case)?;
        if recording.frame.width > 1 {
            continue;
        }
        for max_packet_len in [MAX_PACKET_LEN as u16, 8] {
            let stream = Stream { board, recording: &recording, max_packet_len, rate: None };
            let frames = stream.through(env, &image, &mut [])?.frames;
            let decoded = recording::decode(&case.join("decoder.irmae"), &frames)?;
            let output = case.join("output.bin");
            if usize::from(max_packet_len) == MAX_PACKET_LEN {
                check_wire(board, &decoded, &fs::read(&output).map_err(FirmwareError::io(&output))?)?;
            }
            windows += recording.windows();
        }
        recording.damage_model();
        check_refusal(env, board, &image, &recording)?;
    }
    if windows == 0 { Err(FirmwareError::NoCases { root: cases.to_path_buf() }) } else { Ok(windows) }
}

/// That a damaged model ends the program, with a line that says so.
fn check_refusal(env: &Env, board: &Board, image: &Image, damaged: &Recording) -> Result<(), FirmwareError> {
    let stream = Stream { board, recording: damaged, max_packet_len: MAX_PACKET_LEN as u16, rate: None };
    match stream.through(env, image, &mut []) {
        Err(FirmwareError::Exit { status: 1, lines, .. })
            if lines.iter().any(|line| line.starts_with("no model to run at 0x") && line.contains("Checksum")) =>
        {
            Ok(())
        }
        Err(other) => Err(other),
        Ok(_) => Err(FirmwareError::Accepted { board: board.name }),
    }
}
