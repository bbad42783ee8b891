//! Packets in a file: how they are marked off, and what became of those that were sent.

use std::iter::once;

use anyhow::{Context, Result, bail};
use irmae_infer::Model;
use irmae_infer::code::PacketError;
use irmae_infer::framing::{self, FrameReader};
use irmae_infer::packet::{Arrival, MAX_PACKET_LEN, PacketDecoder};

/// What sender and receiver agree on.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Link {
    /// What a packet brings besides its payload
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: Profile,
    /// How packets are told apart
    #[arg(long, value_enum, default_value_t)]
    pub(crate) framing: Framing,
}

/// [`irmae_infer::Profile`], as an option.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Operating point and class: 1 byte
    #[default]
    Bare,
    /// Version, model, sequence number, operating point and class, and CRC: 6 bytes
    Full,
}

impl From<Profile> for irmae_infer::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Bare => Self::Bare,
            Profile::Full => Self::Full,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Framing {
    /// By a byte before each that counts it, outside of --bytes
    #[default]
    None,
    /// By zeros, as on a stream of bytes: 2 bytes more, outside of --bytes
    Cobs,
}

/// What became of the packets.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Missing in the sequence, and not come later.
    pub(crate) lost: usize,
    /// Left out: they had come before.
    pub(crate) replayed: usize,
    pub(crate) out_of_order: usize,
    /// Refused: packets, frames, or stretches of bytes.
    pub(crate) damaged: usize,
}

impl Tally {
    /// Counts a sound packet; false where it has come before.
    pub(crate) fn note(&mut self, arrival: Arrival) -> bool {
        match arrival {
            Arrival::InOrder => {}
            Arrival::AfterLoss { lost } => self.lost += usize::from(lost),
            Arrival::OutOfOrder => {
                self.out_of_order += 1;
                self.lost = self.lost.saturating_sub(1);
            }
            Arrival::Replayed => self.replayed += 1,
        }
        arrival != Arrival::Replayed
    }

    /// In words, unless all is well.
    pub(crate) fn warning(&self) -> Option<String> {
        let Self { lost, replayed, out_of_order, damaged } = self;
        let is_well = lost + replayed + out_of_order + damaged == 0;
        (!is_well).then(|| {
            format!(
                "packets: {lost} lost, {replayed} replayed and left out, {out_of_order} out of order, {damaged} damaged"
            )
        })
    }
}

/// Gives the code of each packet in `bytes` to `take`, in the order in which they came.
pub(crate) fn receive(
    link: Link,
    model: &Model<'_>,
    bytes: &[u8],
    take: impl FnMut(&[i16]) -> Result<()>,
) -> Result<Tally> {
    let mut receiver = Receiver {
        packets: PacketDecoder::new(model, link.profile.into()),
        code: vec![0; model.code_len()],
        tally: Tally::default(),
        count: 0,
        first_error: None,
        take,
    };
    match link {
        Link { framing: Framing::Cobs, .. } => receiver.read_frames(bytes)?,
        Link { profile: Profile::Bare, .. } => receiver.read_all(bytes)?,
        Link { profile: Profile::Full, .. } => receiver.search(bytes)?,
    }
    match receiver {
        Receiver { count: 0, first_error: Some(error), .. } => {
            Err(error).context("no packet of this model and these --profile and --framing; the first one")
        }
        Receiver { count: 0, tally: Tally { damaged: 1.., .. }, .. } => {
            bail!("no whole frame; was it made with --framing cobs?")
        }
        receiver => Ok(receiver.tally),
    }
}

struct Receiver<'m, F> {
    packets: PacketDecoder<'m>,
    code: Vec<i16>,
    tally: Tally,
    /// Sound packets.
    count: usize,
    first_error: Option<PacketError>,
    take: F,
}

impl<F: FnMut(&[i16]) -> Result<()>> Receiver<'_, F> {
    /// Packets that nothing marks off and nothing protects: the first damage is the end.
    fn read_all(&mut self, bytes: &[u8]) -> Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let received = self.packets.decode_first(&bytes[at..], &mut self.code);
            let received = received.with_context(|| format!("packet {} (from 0) at byte {at}", self.count))?;
            self.count(received.arrival)?;
            at += received.len;
        }
        Ok(())
    }

    /// Packets that their CRC tells from what lies between them.
    fn search(&mut self, bytes: &[u8]) -> Result<()> {
        let (mut at, mut is_sound) = (0, true);
        while at < bytes.len() {
            let received = self.packets.decode_first(&bytes[at..], &mut self.code);
            match received {
                Ok(received) => {
                    self.count(received.arrival)?;
                    at += received.len;
                }
                Err(error) => {
                    self.tally.damaged += usize::from(is_sound);
                    self.first_error.get_or_insert(error);
                    at += 1;
                }
            }
            is_sound = received.is_ok();
        }
        Ok(())
    }

    fn read_frames(&mut self, bytes: &[u8]) -> Result<()> {
        let mut buffer = [0; MAX_PACKET_LEN];
        let mut reader = FrameReader::new(&mut buffer);
        // Whatever the last frame is, it ends where the file does.
        for &byte in bytes.iter().chain(once(&framing::DELIMITER)) {
            let Some(packet) = reader.push(byte) else { continue };
            match self.packets.decode(packet, &mut self.code) {
                Ok(received) => self.count(received.arrival)?,
                Err(error) => {
                    self.tally.damaged += 1;
                    self.first_error.get_or_insert(error);
                }
            }
        }
        self.tally.damaged += reader.dropped() as usize;
        Ok(())
    }

    /// Counts a sound packet, and hands on its code unless that has come before.
    fn count(&mut self, arrival: Arrival) -> Result<()> {
        self.count += 1;
        if self.tally.note(arrival) { (self.take)(&self.code) } else { Ok(()) }
    }
}
