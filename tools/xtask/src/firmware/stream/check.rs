//! Golden cases that are signals, through the cores of real boards and `irmae gateway`.

use irmae_infer::packet::MAX_PACKET_LEN;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::{
    super::{Board, FirmwareError, check_wire, find, image::Image, recording::Recording},
    Stream, accept, build,
};
use crate::env::Env;

/// Boards whose cores are those of the real boards: RP2040, then nRF52840 and STM32F4, then ESP32-C3.
const CORES: [&str; 3] = ["an385-m0", "an386", "virt-imc"];

/// Streams a folder of golden cases through each core of a real board.
///
/// # Errors
/// Where a board fails; the others run all the same.
pub(super) fn run(env: &Env, cases: &Path) -> Result<(), FirmwareError> {
    let irmae = build_irmae(env)?;
    let mut failed = Vec::new();
    for board in CORES.iter().filter_map(|name| find(name)) {
        match check(env, &irmae, board, cases) {
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

fn build_irmae(env: &Env) -> Result<PathBuf, FirmwareError> {
    let mut cargo = env.cargo();
    cargo.args(["build", "--quiet", "--release", "--package", "irmae-tools"]);
    if cargo.status().map_err(FirmwareError::io("cargo"))?.success() {
        Ok(env.target_dir().join("release/irmae"))
    } else {
        Err(FirmwareError::Receiver { why: "it does not build (see above)".into() })
    }
}

/// Streams every golden case that is a signal through a board to a gateway, whole and with a small budget. What arrives must be what
/// `irmae decode` makes of the host's own frames. Returns how many windows that were.
fn check(env: &Env, irmae: &Path, board: &Board, cases: &Path) -> Result<usize, FirmwareError> {
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
            let expected = decode(irmae, &case, &recording.host_frames(max_packet_len.into())?)?;
            check_wire(board, &through_gateway(env, irmae, &image, &stream, &case)?, &expected)?;
            windows += recording.windows();
        }
        recording.damage_model();
        check_refusal(env, board, &image, &recording)?;
    }
    if windows == 0 { Err(FirmwareError::NoCases { root: cases.to_path_buf() }) } else { Ok(windows) }
}

/// Sends what comes from a board to `irmae gateway --tcp` with the decoder in `case`, and gives the windows that this writes.
///
/// # Errors
/// As [`Stream::through`], and where the gateway fails.
pub(crate) fn through_gateway(
    env: &Env,
    irmae: &Path,
    image: &Image,
    stream: &Stream<'_>,
    case: &Path,
) -> Result<Vec<u8>, FirmwareError> {
    let folder = tempfile::tempdir().map_err(FirmwareError::io("a temporary folder"))?;
    let windows = folder.path().join("windows.npy");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(FirmwareError::io("a socket"))?;
    let address = listener.local_addr().map_err(FirmwareError::io("a socket"))?.to_string();
    let mut command = Command::new(irmae);
    command.args(["gateway", "--tcp", &address, "--model"]).arg(case.join("decoder.irmae")).arg("--npy").arg(&windows);
    let gateway = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut gateway = gateway.map_err(FirmwareError::io(irmae))?;
    let has_ended = || Ok(gateway.try_wait().map_err(FirmwareError::io(irmae))?.is_some());
    let streamed = match accept(&listener, has_ended)? {
        // The gateway ends when this end of the connection is closed.
        Some(connection) => stream.through(env, image, &mut [Box::new(connection)]).map(|_| ()),
        None => Ok(()),
    };
    let output = gateway.wait_with_output().map_err(FirmwareError::io(irmae))?;
    streamed?;
    read_windows(&output, &windows, case)
}

/// The windows that `irmae decode` makes of frames.
fn decode(irmae: &Path, case: &Path, frames: &[u8]) -> Result<Vec<u8>, FirmwareError> {
    let folder = tempfile::tempdir().map_err(FirmwareError::io("a temporary folder"))?;
    let [input, windows] = ["frames.irp", "windows.npy"].map(|name| folder.path().join(name));
    fs::write(&input, frames).map_err(FirmwareError::io(&input))?;
    let mut command = Command::new(irmae);
    command.args(["decode", "--profile", "full", "--framing", "cobs", "--model"]).arg(case.join("decoder.irmae"));
    command.arg("--input").arg(&input).arg("--output").arg(&windows);
    read_windows(&command.output().map_err(FirmwareError::io(irmae))?, &windows, case)
}

/// The windows that a call of `irmae` wrote, if that succeeded.
fn read_windows(output: &Output, file: &Path, case: &Path) -> Result<Vec<u8>, FirmwareError> {
    if !output.status.success() {
        return Err(FirmwareError::Receiver { why: String::from_utf8_lossy(&output.stderr).trim().to_string() });
    }
    Ok(Recording::read(&case.join("encoder.irmae"), file)?.samples)
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
