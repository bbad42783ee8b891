//! Gateways at a broker: a fleet, and what becomes of its packets when gateways die.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread::sleep;
use std::time::{Duration, Instant};

use irmae_infer::Profile;
use rumqttc::v5::mqttbytes::v5::Publish;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::links::chirpstack;
use crate::support::{Case, Gateway, PATIENCE, Record, Sent, counts, wait_for};

const NODES: usize = 100;
const PACKETS_EACH: usize = 100;

/// Windows that were published, without those that came before.
#[derive(Default)]
struct Windows {
    by_packet: HashMap<(String, u64), Vec<f32>>,
    repeated: usize,
}

impl Windows {
    /// Takes what comes until there are `count`.
    fn take(&mut self, messages: &Receiver<Publish>, count: usize) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while self.by_packet.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(message) = messages.recv_timeout(left) else {
                panic!("{} windows of {count}, {} repeated", self.by_packet.len(), self.repeated)
            };
            self.put(&message);
        }
    }

    fn put(&mut self, message: &Publish) {
        let record = Record::parse(&message.payload);
        assert_eq!(message.topic, format!("windows/{}", record.node));
        let packet = (record.node, record.sequence.expect("a number"));
        match self.by_packet.get(&packet) {
            Some(window) => {
                assert!(*window == record.window, "the same packet, another window");
                self.repeated += 1;
            }
            None => drop(self.by_packet.insert(packet, record.window)),
        }
    }
}

/// Packets of each node in turn, each with its topic.
fn messages(fleet: &[Vec<Sent>], range: std::ops::Range<usize>) -> Vec<(String, Vec<u8>)> {
    let turn = |i: usize| fleet.iter().enumerate().map(move |(node, sent)| (topic(node), sent[i].packet.clone()));
    range.flat_map(turn).collect()
}

fn topic(node: usize) -> String {
    format!("fleet/n{node}/up")
}

#[test]
fn nothing_is_lost_when_a_gateway_of_a_group_is_killed() {
    let (case, broker) = (Case::named("signal-i8"), Broker::start());
    let fleet: Vec<_> = (0..NODES).map(|node| case.send(Profile::Full, node, PACKETS_EACH)).collect();
    let start = || {
        let url = broker.url("fleet/+/up");
        let decoder = case.decoder_path();
        Gateway::start(&["--model", &decoder, "--mqtt", &url, "--group", "g", "--publish", "windows", "--json"])
    };
    let [killed, stopped, last] = [start(), start(), start()];
    for gateway in [&killed, &stopped, &last] {
        gateway.says("subscribed to $share/g/fleet/+/up");
    }
    let received = broker.subscribe("windows/#");
    let mut windows = Windows::default();

    let is_accepted = broker.publish("first", messages(&fleet, 0..80));
    windows.take(&received, 1000);
    // Packets pile up under its name, unsigned.
    killed.signal("-STOP");
    sleep(Duration::from_millis(100));
    killed.signal("-KILL");
    is_accepted.recv_timeout(PATIENCE).expect("all are accepted");
    windows.take(&received, NODES * 80);
    // One that stops leaves nothing behind.
    let report = stopped.stop();
    assert!(counts(&report, ["windows"])[0] > 0 && report["lost"].is_null(), "{report}");
    broker.publish("second", messages(&fleet, 80..PACKETS_EACH)).recv_timeout(PATIENCE).expect("all are accepted");
    windows.take(&received, NODES * PACKETS_EACH);
    wait_for("every session is taken care of", || {
        let orphans = broker.subscribe("irmae/g/orphans/+");
        orphans.recv_timeout(Duration::from_millis(200)).is_err().then_some(())
    });
    assert_eq!(counts(&last.stop(), ["damaged", "foreign"]), [0, 0]);
    received.try_iter().for_each(|message| windows.put(&message));

    println!("{} windows, {} of them repeated", windows.by_packet.len() + windows.repeated, windows.repeated);
    assert_eq!(windows.by_packet.len(), NODES * PACKETS_EACH);
    for (node, sent) in fleet.iter().enumerate() {
        for sent in sent {
            let window = &windows.by_packet[&(format!("n{node}"), sent.sequence.into())];
            assert!(*window == sent.window, "node {node}, packet {}", sent.sequence);
        }
    }
}

#[test]
fn a_gateway_that_comes_back_gets_what_it_missed() {
    let (case, broker, folder) = (Case::named("signal-i8"), Broker::start(), TempDir::new().unwrap());
    let fleet = [case.send(Profile::Full, 1, 240)];
    let outputs = [0, 1, 2].map(|i| folder.path().join(format!("{i}.jsonl")));
    let start = |output: &Path| {
        let [url, decoder] = [broker.url("fleet/+/up"), case.decoder_path()];
        let files = ["--model", &decoder, "--jsonl", output.to_str().unwrap(), "--json"];
        // Beside a source that never ends.
        let sources = ["--mqtt", &url, "--client-id", "hall", "--udp", "127.0.0.1:0"];
        let gateway = Gateway::start(&[&files[..], &sources].concat());
        gateway.says("subscribed to fleet/+/up");
        gateway
    };
    for (output, (end, range)) in outputs.iter().zip([("-KILL", 0..80), ("-INT", 80..160), ("-INT", 160..240)]) {
        let gateway = start(output);
        let last = range.end as u64 - 41;
        broker.publish("here", messages(&fleet, range.start..range.end - 40)).recv_timeout(PATIENCE).unwrap();
        wait_for("windows", || Record::read(output).iter().any(|record| record.sequence == Some(last)).then_some(()));
        gateway.signal(end);
        if end == "-INT" {
            gateway.end();
        } else {
            drop(gateway);
        }
        broker.publish("away", messages(&fleet, range.end - 40..range.end)).recv_timeout(PATIENCE).unwrap();
    }
    let output = folder.path().join("last.jsonl");
    let gateway = start(&output);
    wait_for("windows", || Record::read(&output).iter().any(|record| record.sequence == Some(239)).then_some(()));
    gateway.stop();
    let records = outputs.iter().chain([&output]).flat_map(|path| Record::read(path));
    let windows: HashMap<_, _> = records.map(|record| (record.sequence.unwrap(), record.window)).collect();
    assert!((0..240).all(|i| windows[&(i as u64)] == fleet[0][i].window));
}

#[test]
fn a_network_servers_uplinks_come_by_mqtt() {
    let (case, broker, folder) = (Case::named("signal-i8"), Broker::start(), TempDir::new().unwrap());
    let sent = case.send(Profile::Bare, 1, 3);
    let (output, url) = (folder.path().join("y.jsonl"), broker.url("application/+/device/+/event/up"));
    let files = ["--model", &case.decoder_path(), "--profile", "bare", "--jsonl", output.to_str().unwrap(), "--json"];
    let gateway = Gateway::start(&[&files[..], &["--mqtt", &url]].concat());
    gateway.says("subscribed to ");
    let uplink = |counter: usize, sent: &Sent| {
        let message = chirpstack("0101010101010101", counter as u32, 1, &sent.packet);
        ("application/a1/device/0101010101010101/event/up".to_string(), message.to_string().into_bytes())
    };
    // The second one twice; one is missing.
    let messages = [(7, 0), (8, 1), (8, 1), (10, 2)].map(|(counter, i)| uplink(counter, &sent[i])).to_vec();
    broker.publish("server", messages).recv_timeout(PATIENCE).unwrap();
    let records = wait_for("windows", || Some(Record::read(&output)).filter(|records| records.len() == 3));
    let identity = |record: &Record| (record.node.clone(), record.sequence.unwrap());
    assert_eq!(
        records.iter().map(identity).collect::<Vec<_>>(),
        [7, 8, 10].map(|n| ("0101010101010101".to_string(), n))
    );
    assert!(records.iter().map(|record| &record.window).eq(sent.iter().map(|sent| &sent.window)));
    assert_eq!(counts(&gateway.stop(), ["windows", "lost", "replayed", "damaged"]), [3, 1, 1, 0]);
}
