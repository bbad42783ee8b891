//! From events to windows: whose packet, of which model, and which one in the row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use irmae_infer::Profile;
use irmae_infer::code::PacketError;
use irmae_infer::packet::Received;

use super::bank::Bank;
use super::intake::{Event, Packet, Receipt};
use super::node::{LinkQuality, Node};
use super::sink::{Record, Sink};

/// Packets taken before outputs are made safe.
const BATCH: usize = 1024;

/// All nodes and models of a gateway, and where windows go.
pub(crate) struct Gateway<'m> {
    bank: Bank<'m>,
    profile: Profile,
    nodes: BTreeMap<Arc<str>, Node<'m>>,
    sinks: Vec<Box<dyn Sink>>,
    /// Whether other gateways take a part of the packets: then what is missing here is not lost, and a number that has come before
    /// may be another packet's.
    pub(crate) is_shared: bool,
    /// To be signed once the sinks have been flushed.
    receipts: Vec<Receipt>,
    /// Packets taken since then.
    unsettled: usize,
    /// Why the first of those that were refused was.
    pub(crate) first_refusal: Option<String>,
}

/// Why a packet gives no window.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Refusal {
    /// Every model is for another node.
    #[error("no model is for this node: give one by --model FILE or --model NODE=FILE")]
    NoModel,
    /// None of the models is the packet's.
    #[error("packet is of a model that was not given, whose id ends in {found:02x}")]
    Foreign {
        /// The id's last byte.
        found: u8,
    },
    /// It is damaged, or no packet.
    #[error("{0}")]
    Damaged(PacketError),
}

impl<'m> Gateway<'m> {
    /// A gateway that has heard of no node yet.
    pub(crate) fn new(bank: Bank<'m>, profile: Profile, sinks: Vec<Box<dyn Sink>>, is_shared: bool) -> Self {
        Self {
            bank,
            profile,
            nodes: BTreeMap::new(),
            sinks,
            is_shared,
            receipts: Vec::new(),
            unsettled: 0,
            first_refusal: None,
        }
    }

    /// How well each node is heard.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &LinkQuality)> {
        self.nodes.iter().map(|(name, node)| (&**name, &node.link))
    }

    /// Takes an event.
    ///
    /// # Errors
    /// Where a source or an output fails. A bad packet is no error: it is counted.
    pub(crate) fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Packet(packet) => self.take_packet(packet)?,
            Event::Bytes { node, bytes } => {
                self.node(&node).pending.extend_from_slice(&bytes);
                self.search(&node, false)?;
            }
            Event::Frames { node, packets, damaged } => {
                self.node(&node).link.tally.damaged += damaged as usize;
                for bytes in packets {
                    self.take_packet(Packet { node: node.clone(), bytes, frame_counter: None, receipt: None })?;
                }
            }
            Event::Ended { node } => self.search(&node, true)?,
            Event::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether enough was taken that it should be made safe.
    pub(crate) fn is_full(&self) -> bool {
        self.unsettled >= BATCH
    }

    /// Makes safe what was taken, and signs for it.
    ///
    /// # Errors
    /// Where an output fails; nothing is signed then.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.sinks.iter_mut().map(|sink| sink.flush()).fold(Ok(()), Result::and)?;
        self.receipts.drain(..).for_each(Receipt::sign);
        self.unsettled = 0;
        Ok(())
    }

    /// Ends all outputs.
    ///
    /// # Errors
    /// Where one fails.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let settled = self.settle();
        self.sinks.drain(..).map(Sink::finish).fold(settled, Result::and)
    }

    fn node(&mut self, name: &Arc<str>) -> &mut Node<'m> {
        node(&mut self.nodes, name, self.bank.entries.len())
    }

    fn take_packet(&mut self, packet: Packet) -> Result<()> {
        match self.decode(&packet.node, &packet.bytes, true) {
            Ok(decoded) => self.deliver(&packet, decoded)?,
            Err(refusal) => self.refuse(&packet.node, refusal),
        }
        self.receipts.extend(packet.receipt);
        Ok(())
    }

    /// Finds the packets in a node's stream, each after a byte that counts it: a full one by its CRC, a bare one behind the one before.
    fn search(&mut self, name: &Arc<str>, has_ended: bool) -> Result<()> {
        let bytes = std::mem::take(&mut self.node(name).pending);
        let (mut at, mut is_sound) = (0, true);
        while at < bytes.len() && !self.node(name).is_lost {
            match self.decode(name, &bytes[at..], false) {
                Ok(decoded) => {
                    let len = decoded.1.len;
                    let packet = Packet {
                        node: name.clone(),
                        bytes: bytes[at + 1..at + len].to_vec(),
                        frame_counter: None,
                        receipt: None,
                    };
                    self.deliver(&packet, decoded)?;
                    at += len;
                    is_sound = true;
                }
                Err(Refusal::Damaged(PacketError::Truncated)) if !has_ended => break,
                Err(refusal) => {
                    if is_sound {
                        self.refuse(name, refusal);
                    }
                    is_sound = false;
                    at += 1;
                    self.node(name).is_lost = self.profile == Profile::Bare;
                }
            }
        }
        let node = self.node(name);
        if !node.is_lost {
            node.pending = bytes[at..].to_vec();
        }
        Ok(())
    }

    /// Reads the packet at the start of `bytes`, or all of them, into the code of the model that it turns out to be of.
    fn decode(&mut self, name: &Arc<str>, bytes: &[u8], is_alone: bool) -> Result<(usize, Received), Refusal> {
        let node = node(&mut self.nodes, name, self.bank.entries.len());
        let mut refusal = Refusal::NoModel;
        for index in self.bank.candidates(name) {
            let entry = &mut self.bank.entries[index];
            let packets = node.decoder(index, entry.model, self.profile);
            let received = match is_alone {
                true => packets.decode(bytes, &mut entry.code),
                false => packets.decode_first(bytes, &mut entry.code),
            };
            match received {
                Ok(received) => return Ok((index, received)),
                // Of several models, the one that the packet names knows best what is wrong with it.
                Err(PacketError::Model { found, .. }) if !matches!(refusal, Refusal::Damaged(_)) => {
                    refusal = Refusal::Foreign { found };
                }
                Err(PacketError::Model { .. }) => {}
                Err(error) => refusal = Refusal::Damaged(error),
            }
        }
        Err(refusal)
    }

    fn refuse(&mut self, name: &Arc<str>, refusal: Refusal) {
        let link = &mut self.node(name).link;
        match refusal {
            Refusal::NoModel | Refusal::Foreign { .. } => link.foreign += 1,
            Refusal::Damaged(_) => link.tally.damaged += 1,
        }
        self.first_refusal.get_or_insert_with(|| format!("{name}: {refusal}"));
    }

    /// Decodes the code in the bank and gives its window to the sinks.
    fn deliver(&mut self, packet: &Packet, (index, received): (usize, Received)) -> Result<()> {
        let node = node(&mut self.nodes, &packet.node, self.bank.entries.len());
        let arrival = match (received.sequence, packet.frame_counter) {
            (None, Some(counter)) => node.note_counter(counter),
            _ => received.arrival,
        };
        node.link.last = Some(Instant::now());
        self.unsettled += 1;
        let is_new = node.link.tally.note(arrival) || self.is_shared;
        if is_new {
            node.link.windows += 1;
            node.link.bytes += packet.bytes.len();
        } else if packet.receipt.is_none() {
            return Ok(());
        }
        let entry = &mut self.bank.entries[index];
        entry.decode()?;
        let record = Record {
            time_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64()),
            node: &packet.node,
            model_id: entry.model.id(),
            sequence: received.sequence.map(u32::from).or(packet.frame_counter),
            arrival,
            bytes: packet.bytes.len(),
            frame: entry.model.frame(),
            samples: &entry.samples,
        };
        for sink in self.sinks.iter_mut().filter(|sink| is_new || sink.takes_repeats()) {
            sink.put(&record, packet.receipt.as_ref())?;
        }
        Ok(())
    }
}

/// The node called `name`. Apart from [`Gateway::node`], for where the bank is borrowed too.
fn node<'a, 'm>(nodes: &'a mut BTreeMap<Arc<str>, Node<'m>>, name: &Arc<str>, models: usize) -> &'a mut Node<'m> {
    nodes.entry(name.clone()).or_insert_with(|| Node::new(models))
}
