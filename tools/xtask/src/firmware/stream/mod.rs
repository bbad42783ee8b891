//! `cargo xtask stream`: recorded windows go in over a board's UART, sample by sample; the application of real boards encodes them
//! as they arrive, and its frames come back on the same UART. They must be those that the host makes of whole windows.

pub(crate) mod check;

use irmae_infer::packet::{MAX_PACKET_LEN, Profile};
use irmae_node::sensor::stream::Header;
use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{
    Board, FirmwareError, check_status, check_wire,
    emulate::Running,
    find,
    image::{self, Image, Program},
    names,
    recording::Recording,
};
use crate::{
    env::Env,
    qemu::Qemu,
    setup::{self, Need},
};
use clap::builder::PossibleValuesParser;

/// A byte of code in its envelope.
const LEAST_BYTES: i64 = Profile::Full.overhead_len() as i64 + 1;
/// How often a program that has not connected yet is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a board may send nothing, beyond what the pace of the rows asks for.
const SILENCE: Duration = Duration::from_secs(120);

/// What `cargo xtask stream` is asked for. Without a model, all golden cases that are signals go through each core of a real board.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The board.
    #[arg(long, default_value = "an386", requires = "model", value_parser = PossibleValuesParser::new(names().filter(|name| *name != "all")))]
    board: String,
    /// The folder of golden cases; tests/golden if none is given.
    #[arg(long, conflicts_with = "model")]
    cases: Option<PathBuf>,
    /// The encoder; it is put into the board's flash beside the program.
    #[arg(long, requires = "windows")]
    model: Option<PathBuf>,
    /// Windows as .npy: (N, channels, samples), of the type that the model takes.
    #[arg(long, requires = "model")]
    windows: Option<PathBuf>,
    /// Bytes that a packet may have, its envelope of 6 included [default: all of the code]
    #[arg(long, requires = "model", value_parser = clap::value_parser!(u16).range(LEAST_BYTES..))]
    bytes: Option<u16>,
    /// Rows a second; as fast as the board takes them if none is given.
    #[arg(long, requires = "model", value_parser = positive)]
    rate: Option<f64>,
    /// File for the frames.
    #[arg(long, requires = "model")]
    out: Option<PathBuf>,
    /// Wait for a gateway to connect (`irmae gateway --tcp ADDRESS:PORT`), and send it the frames as they come.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "model")]
    listen: Option<SocketAddr>,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|&rate: &f64| rate >= 1e-3 && rate.is_finite())
        .ok_or_else(|| "0.001 or more is needed".into())
}

/// A recording on its way through a board.
pub(crate) struct Stream<'a> {
    /// The board.
    pub(crate) board: &'a Board,
    /// Model and windows.
    pub(crate) recording: &'a Recording,
    /// Bytes of a packet, at most.
    pub(crate) max_packet_len: u16,
    /// Rows a second; as fast as the board takes them if there is none.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
pub(crate) struct Streamed {
    /// All frames, equal to the host's.
    pub(crate) frames: Vec<u8>,
    /// What the board logged.
    pub(crate) lines: Vec<String>,
    /// Time on the host.
    pub(crate) seconds: f64,
}

/// The verb.
///
/// # Errors
/// Where something cannot be read or run, or the frames are not those that the host makes.
pub(crate) fn run(env: &Env, options: &Options) -> Result<(), FirmwareError> {
    setup::ensure(env, &[Need::Rust, Need::Qemu])?;
    let (Some(model), Some(windows)) = (&options.model, &options.windows) else {
        return check::run(env, options.cases.as_deref().unwrap_or(&env.root.join("tests/golden")));
    };
    let board = find(&options.board).ok_or(FirmwareError::NoQemu)?;
    let recording = Recording::read(model, windows)?;
    let max_packet_len = options.bytes.unwrap_or(MAX_PACKET_LEN as u16);
    let image = build(env, board)?;
    let mut sinks: Vec<Box<dyn Write>> = Vec::new();
    if let Some(path) = &options.out {
        sinks.push(Box::new(fs::File::create(path).map_err(FirmwareError::io(path))?));
    }
    if let Some(address) = options.listen {
        sinks.push(Box::new(wait_for_gateway(address).map_err(FirmwareError::io(address.to_string()))?));
    }
    let stream = Stream { board, recording: &recording, max_packet_len, rate: options.rate };
    let streamed = stream.through(env, &image, &mut sinks)?;
    streamed.lines.iter().for_each(|line| println!("{line}"));
    println!(
        "{}: {} bytes of samples in, {} bytes of frames out, in {:.1} s; equal to the host's",
        board.name,
        recording.samples.len(),
        streamed.frames.len(),
        streamed.seconds
    );
    Ok(())
}

fn wait_for_gateway(address: SocketAddr) -> io::Result<TcpStream> {
    let listener = TcpListener::bind(address)?;
    eprintln!("waiting for a gateway: irmae gateway --tcp {}", listener.local_addr()?);
    Ok(listener.accept()?.0)
}

/// Builds the program, whatever the model.
pub(crate) fn build(env: &Env, board: &Board) -> Result<Image, FirmwareError> {
    let golden = env.root.join("tests/golden");
    let folder = env.root.join("target/firmware/boards").join(board.name);
    image::build(env, board, Program { name: "stream", cases: &golden, arguments: &[] }, &folder)
}

impl Stream<'_> {
    /// Runs the program with the model in its flash, and gives each of `sinks` the frames as they come.
    ///
    /// # Errors
    /// Where the board fails or says nothing for long, a sink takes nothing, or the frames are not those that the host makes.
    pub(crate) fn through(
        &self,
        env: &Env,
        image: &Image,
        sinks: &mut [Box<dyn Write>],
    ) -> Result<Streamed, FirmwareError> {
        let qemu = Qemu::find(env).ok_or(FirmwareError::NoQemu)?;
        let folder = tempfile::tempdir().map_err(FirmwareError::io("a temporary folder"))?;
        let model = folder.path().join("model.bin");
        fs::write(&model, self.recording.model.bytes.as_slice()).map_err(FirmwareError::io(&model))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(FirmwareError::io("a socket"))?;
        let port = listener.local_addr().map_err(FirmwareError::io("a socket"))?.port();
        let flash = format!("loader,file={},addr={:#x},force-raw=on", model.display(), image.model_address);
        let serial = format!("tcp:{}:{port}", Ipv4Addr::LOCALHOST);
        let options = ["-device".to_string(), flash];
        let mut running = Running::start(&qemu, self.board, &image.elf, folder.path(), &serial, &options)?;
        let frames = match accept(&listener, || running.has_ended())? {
            Some(uart) => self.exchange(&uart, sinks).map_err(FirmwareError::io("the board's UART"))?,
            None => Vec::new(),
        };
        let outcome = running.finish_logged()?;
        check_status(self.board, &outcome)?;
        check_wire(self.board, &frames, &self.recording.host_frames(self.max_packet_len.into())?)?;
        Ok(Streamed { frames, lines: outcome.lines, seconds: outcome.seconds })
    }

    /// Sends samples and takes frames at the same time, until the board's program ends.
    fn exchange(&self, uart: &TcpStream, sinks: &mut [Box<dyn Write>]) -> io::Result<Vec<u8>> {
        let period = self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        uart.set_nodelay(true)?;
        uart.set_read_timeout(Some(SILENCE + period.unwrap_or_default() * self.recording.rows() as u32))?;
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.send(uart, period));
            let received = receive(uart, sinks);
            // A sender that still has samples must not wait for a board that is gone.
            let _ = uart.shutdown(Shutdown::Both);
            let sent = sender.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()));
            let frames = received?;
            // The board's status says why where it took no more.
            sent.or_else(|why| if is_gone(&why) { Ok(()) } else { Err(why) })?;
            Ok(frames)
        })
    }

    fn send(&self, mut uart: &TcpStream, period: Option<Duration>) -> io::Result<()> {
        let header = Header { max_packet_len: self.max_packet_len, rows: self.recording.rows() as u32 };
        uart.write_all(&header.to_bytes())?;
        let Some(period) = period else { return uart.write_all(&self.recording.samples) };
        let start = Instant::now();
        for (index, row) in self.recording.samples.chunks_exact(self.recording.row_len).enumerate() {
            thread::sleep((period * index as u32).saturating_sub(start.elapsed()));
            uart.write_all(row)?;
        }
        Ok(())
    }
}

/// Whether the other end has closed.
fn is_gone(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected)
}

/// Takes frames until the other end closes.
fn receive(mut uart: &TcpStream, sinks: &mut [Box<dyn Write>]) -> io::Result<Vec<u8>> {
    let (mut frames, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let len = match uart.read(&mut bytes) {
            Ok(0) => return Ok(frames),
            // The emulator ends with samples unread where the board's program stops.
            Err(why) if is_gone(&why) => return Ok(frames),
            Ok(len) => len,
            Err(why) => return Err(why),
        };
        frames.extend_from_slice(&bytes[..len]);
        for sink in &mut *sinks {
            let taken = sink.write_all(&bytes[..len]).and_then(|()| sink.flush());
            taken.map_err(|why| io::Error::other(format!("who takes the frames is gone: {why}")))?;
        }
    }
}

/// The first connection; none where the program that should connect has ended.
fn accept(
    listener: &TcpListener,
    mut has_ended: impl FnMut() -> Result<bool, FirmwareError>,
) -> Result<Option<TcpStream>, FirmwareError> {
    listener.set_nonblocking(true).map_err(FirmwareError::io("a socket"))?;
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection.set_nonblocking(false).map_err(FirmwareError::io("a socket"))?;
                return Ok(Some(connection));
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => {
                if has_ended()? {
                    return Ok(None);
                }
                thread::sleep(POLL);
            }
            Err(why) => return Err(FirmwareError::io("a socket")(why)),
        }
    }
}
