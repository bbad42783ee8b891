//! Messages, of which each is a packet or a network server's JSON: datagrams, and payloads of MQTT.

use std::net::UdpSocket;
use std::sync::Arc;

use super::uplink::{self, Uplink};
use crate::gateway::intake::{Event, Intake, Packet};

/// Bytes of a datagram, at most.
const DATAGRAM_LEN: usize = 1 << 16;

/// What a message of `node` holds for the gateway, if anything. A network server's message names its node itself.
pub(crate) fn event(node: Arc<str>, message: &[u8], f_port: Option<u8>) -> Option<Event> {
    let packet = |node, bytes, frame_counter| Packet { node, bytes, frame_counter, receipt: None };
    match uplink::open(message, f_port) {
        Uplink::None => Some(Event::Packet(packet(node, message.to_vec(), None))),
        Uplink::Packet { node, bytes, frame_counter } => Some(Event::Packet(packet(node, bytes, Some(frame_counter)))),
        Uplink::Damaged => Some(Event::Frames { node, packets: Vec::new(), damaged: 1 }),
        Uplink::Other => None,
    }
}

/// Takes datagrams until the gateway stops.
pub(crate) fn receive(socket: &UdpSocket, f_port: Option<u8>, intake: &Intake) {
    let mut buffer = vec![0; DATAGRAM_LEN];
    loop {
        // What a system reports here, such as that an answer of ours found nobody, concerns no later datagram.
        let Ok((len, sender)) = socket.recv_from(&mut buffer) else { continue };
        let Some(event) = event(sender.to_string().into(), &buffer[..len], f_port) else { continue };
        if intake.send(event).is_err() {
            return;
        }
    }
}
