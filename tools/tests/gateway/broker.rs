//! A real broker, and clients of it.

use std::env::{split_paths, var_os};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{Client, Event, MqttOptions};
use tempfile::TempDir;

use crate::support::{PATIENCE, wait_for};

/// Messages larger than any window.
const MESSAGE_LEN: u32 = 1 << 20;

/// Mosquitto on a port of its own; it is killed with the test.
pub(crate) struct Broker {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = folder.path().join("mosquitto.conf");
        // All that is accepted is kept; without a limit, what a dead gateway would get does not push out anything.
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nuser root\n");
        fs::write(&settings, text).unwrap();
        let child = Command::new(mosquitto()).arg("-c").arg(&settings).stderr(Stdio::null()).spawn();
        let broker = Self { child: child.expect("mosquitto starts"), port, _folder: folder };
        wait_for("the broker", || TcpStream::connect(("127.0.0.1", port)).ok());
        broker
    }

    pub(crate) fn url(&self, topic: &str) -> String {
        format!("mqtt://127.0.0.1:{}/{topic}", self.port)
    }

    fn options(&self, name: &str) -> MqttOptions {
        let mut options = MqttOptions::new(name, "127.0.0.1", self.port);
        options.set_max_packet_size(Some(MESSAGE_LEN));
        options
    }

    /// All that is published under a filter from now on, and what is retained there.
    pub(crate) fn subscribe(&self, filter: &str) -> Receiver<Publish> {
        let (client, mut connection) = Client::new(self.options(&format!("test-{}", filter.replace('/', "-"))), 16);
        client.subscribe(filter, QoS::AtLeastOnce).unwrap();
        let (messages, received) = channel();
        let (ready, is_ready) = channel();
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::SubAck(_))) => ready.send(()).unwrap(),
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        if messages.send(publish).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        is_ready.recv_timeout(PATIENCE).expect("a subscription");
        received
    }

    /// Publishes messages in a thread of its own, whose end says that the broker has accepted them all.
    pub(crate) fn publish(&self, name: &str, messages: Vec<(String, Vec<u8>)>) -> Receiver<()> {
        let (client, mut connection) = Client::new(self.options(name), 16);
        let (done, is_done) = channel();
        let (count, sender) = (messages.len(), client.clone());
        thread::spawn(move || {
            for (topic, payload) in messages {
                sender.publish(topic, QoS::AtLeastOnce, false, payload).unwrap();
            }
        });
        thread::spawn(move || {
            let is_ack = |event: &Event| matches!(event, Event::Incoming(Packet::PubAck(_)));
            let acks = connection.iter().map_while(Result::ok).filter(is_ack).take(count).count();
            assert_eq!(acks, count, "the broker accepts all");
            done.send(()).unwrap();
            // The connection stands as long as there is a client.
            drop(client);
        });
        is_done
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The broker's program: the system's, or the copy that set-up keeps in its cache.
fn mosquitto() -> PathBuf {
    let path = var_os("PATH").unwrap_or_default();
    let installed = split_paths(&path).chain(["/usr/sbin".into()]).map(|folder| folder.join("mosquitto"));
    let set = |name: &str| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("IRMAE_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("irmae")))
        .or_else(|| Some(set("HOME")?.join(".cache/irmae")));
    installed
        .chain(cache.map(|cache| cache.join("mosquitto/run")))
        .find(|program| program.is_file())
        .expect("there is no mosquitto: run `cargo xtask setup`, or install it")
}
