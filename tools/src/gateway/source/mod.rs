//! Where packets come from. Each source has a thread, which ends with its stream.

pub(crate) mod message;
pub(crate) mod stream;
pub(crate) mod uplink;

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::intake::{Event, Intake};
use crate::link::Framing;

/// Of a serial port, where none is given.
const BAUD_RATE: u32 = 115_200;
/// How long a read of a serial port waits for bytes.
const SERIAL_WAIT: Duration = Duration::from_millis(100);

/// Sources of this machine and its network; MQTT has a module of its own.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Sources {
    /// Serial port, with its baud rate unless that is 115200: /dev/ttyUSB0:9600
    #[arg(long, value_name = "PORT[:BAUD]", group = "source")]
    serial: Vec<String>,
    /// Connect to a node
    #[arg(long, value_name = "HOST:PORT", group = "source")]
    tcp: Vec<String>,
    /// Accept connections, each of which is a node
    #[arg(long, value_name = "ADDRESS:PORT", group = "source")]
    listen: Vec<String>,
    /// Take datagrams, whose senders are nodes
    #[arg(long, value_name = "ADDRESS:PORT", group = "source")]
    udp: Vec<String>,
    /// Read a file of packets, or - for standard input
    #[arg(long, value_name = "FILE", group = "source")]
    file: Vec<PathBuf>,
}

impl Sources {
    /// Opens all of them and starts their threads.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub(crate) fn start(&self, framing: Framing, f_port: Option<u8>, intake: &Intake) -> Result<()> {
        for port in &self.serial {
            let (path, baud_rate) = split_baud_rate(port);
            let open = || serialport::new(path, baud_rate).timeout(SERIAL_WAIT).open();
            let serial = open().with_context(|| format!("cannot open the serial port {path}"))?;
            eprintln!("reading {path} at {baud_rate} baud");
            spawn(path.rsplit('/').next().unwrap_or(path), serial, framing, intake);
        }
        for address in &self.tcp {
            let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
            spawn(address, stream, framing, intake);
        }
        for address in &self.listen {
            let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
            eprintln!("listening on {}", listener.local_addr()?);
            let intake = intake.clone();
            thread::spawn(move || accept(&listener, framing, &intake));
        }
        for address in &self.udp {
            let socket = UdpSocket::bind(address).with_context(|| format!("cannot take datagrams on {address}"))?;
            eprintln!("taking datagrams on {}", socket.local_addr()?);
            let intake = intake.clone();
            thread::spawn(move || message::receive(&socket, f_port, &intake));
        }
        for path in &self.file {
            if path == Path::new("-") {
                spawn("stdin", std::io::stdin(), framing, intake);
            } else {
                let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                let name = path.file_stem().unwrap_or(path.as_os_str());
                spawn(&name.to_string_lossy(), file, framing, intake);
            }
        }
        Ok(())
    }
}

/// The port's name and its baud rate; a name may have colons of its own.
fn split_baud_rate(port: &str) -> (&str, u32) {
    let split = port.rsplit_once(':').and_then(|(path, rate)| Some((path, rate.parse().ok()?)));
    split.unwrap_or((port, BAUD_RATE))
}

fn accept(listener: &TcpListener, framing: Framing, intake: &Intake) {
    for stream in listener.incoming() {
        // A connection that broke before it was accepted is its node's loss alone.
        let Ok(stream) = stream else { continue };
        if let Ok(peer) = stream.peer_addr() {
            spawn(&peer.to_string(), stream, framing, intake);
        }
    }
}

/// Reads a node's stream in a thread of its own. Where it breaks, the gateway goes on without it.
fn spawn(node: &str, input: impl Read + Send + 'static, framing: Framing, intake: &Intake) {
    let (node, intake) = (Arc::<str>::from(node), intake.clone());
    thread::spawn(move || {
        if let Err(error) = stream::read(&node, input, framing, &intake) {
            eprintln!("warning: {node}: {error}");
        }
        // Nobody is there to hear it where the gateway has stopped.
        let _ = intake.send(Event::Ended { node });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_name_its_baud_rate() {
        assert_eq!(split_baud_rate("/dev/ttyACM0:9600"), ("/dev/ttyACM0", 9600));
        assert_eq!(split_baud_rate("COM3"), ("COM3", BAUD_RATE));
        assert_eq!(split_baud_rate("/dev/serial/by-path/a:1.0"), ("/dev/serial/by-path/a:1.0", BAUD_RATE));
    }
}
