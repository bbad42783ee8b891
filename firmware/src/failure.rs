//! Why a case failed, in a line that says where.

use defmt::Format;
use irmae_infer::code::PacketError;
use irmae_infer::{LoadError, RunError};

/// Why a case failed.
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// A model file is refused.
    Load(LoadError),
    /// An encoder or decoder cannot run.
    Run(RunError),
    /// The packet cannot be made or read.
    Packet(PacketError),
    /// The case's files hold different numbers of windows, or none.
    Windows,
    /// The busy pin refused.
    Pin(embedded_hal::digital::ErrorKind),
    /// The link refused.
    Link(embedded_io::ErrorKind),
    /// The device computes something else.
    Mismatch {
        /// Index of the window.
        window: usize,
        /// What differs.
        part: Part,
        /// Index of the first byte that does.
        byte: usize,
        /// That byte here, `None` where there is none.
        found: Option<u8>,
        /// That byte in the golden file, `None` where there is none.
        expected: Option<u8>,
    },
}

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The packet that the encoder made.
    Packet,
    /// The window that the decoder made.
    Output,
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<PacketError> for Failure {
    fn from(error: PacketError) -> Self {
        Self::Packet(error)
    }
}

impl Failure {
    /// From an error of an output pin.
    pub fn pin<E: embedded_hal::digital::Error>(error: E) -> Self {
        Self::Pin(error.kind())
    }

    /// From an error of a link.
    pub fn link<E: embedded_io::Error>(error: E) -> Self {
        Self::Link(error.kind())
    }

    /// That `found` equals `expected` to the byte.
    pub fn check(window: usize, part: Part, found: &[u8], expected: &[u8]) -> Result<(), Self> {
        if found == expected {
            return Ok(());
        }
        let common = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
        let (found, expected) = (found.get(common).copied(), expected.get(common).copied());
        Err(Self::Mismatch { window, part, byte: common, found, expected })
    }
}

impl Format for Failure {
    fn format(&self, f: defmt::Formatter<'_>) {
        match *self {
            Self::Load(error) => defmt::write!(f, "a model file is refused: {}", error),
            Self::Run(error) => defmt::write!(f, "the model does not run: {}", error),
            Self::Packet(error) => defmt::write!(f, "the packet is refused: {}", error),
            Self::Windows => defmt::write!(f, "its files hold no windows, or not the same number of them"),
            Self::Pin(kind) => defmt::write!(f, "the busy pin refused: {}", kind),
            Self::Link(kind) => defmt::write!(f, "the link refused: {}", kind),
            Self::Mismatch { window, part, byte, found, expected } => defmt::write!(
                f,
                "window {=usize}: byte {=usize} of the {} is {}, not {}",
                window,
                byte,
                part,
                Byte(found),
                Byte(expected)
            ),
        }
    }
}

impl Format for Part {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Packet => defmt::write!(f, "packet"),
            Self::Output => defmt::write!(f, "decoded window"),
        }
    }
}

/// A byte, or that there is none.
struct Byte(Option<u8>);

impl Format for Byte {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.0 {
            Some(byte) => defmt::write!(f, "{=u8:#04x}", byte),
            None => defmt::write!(f, "absent"),
        }
    }
}
