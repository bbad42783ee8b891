//! Datagrams, uplinks of network servers, and what the user gets wrong.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use irmae_infer::Profile;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Case, Gateway, Record, Sent, counts, wait_for};

/// A gateway that takes datagrams, and where it writes.
struct Udp {
    gateway: Gateway,
    socket: UdpSocket,
    output: PathBuf,
    _folder: TempDir,
}

impl Udp {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let output = folder.path().join("y.jsonl");
        let own = ["--udp", "127.0.0.1:0", "--jsonl", output.to_str().unwrap(), "--json"];
        let gateway = Gateway::start(&[&own[..], arguments].concat());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(gateway.says("taking datagrams on ")).unwrap();
        Self { gateway, socket, output, _folder: folder }
    }

    fn records(&self, count: usize) -> Vec<Record> {
        wait_for("windows", || Some(Record::read(&self.output)).filter(|records| records.len() >= count))
    }
}

#[test]
fn a_datagram_is_a_packet_and_its_sender_a_node() {
    let case = Case::named("signal-i8");
    let sent = case.send(Profile::Full, 1, 20);
    let udp = Udp::start(&["--model", &case.decoder_path()]);
    udp.socket.send(b"no packet").unwrap();
    for sent in &sent {
        udp.socket.send(&sent.packet).unwrap();
    }
    let records = udp.records(20);
    let node = udp.socket.local_addr().unwrap().to_string();
    assert!(records.iter().all(|record| record.node == node));
    assert!(records.iter().map(|record| &record.window).eq(sent.iter().map(|sent| &sent.window)));
    assert_eq!(counts(&udp.gateway.stop(), ["nodes", "windows", "lost", "damaged"]), [1, 20, 0, 1]);
}

/// An uplink as ChirpStack 4 publishes it.
pub(crate) fn chirpstack(device: &str, counter: u32, port: u8, packet: &[u8]) -> Value {
    let mut message = json!({
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2026-07-18T09:34:15.775023242+00:00",
        "deviceInfo": { "applicationName": "wearables", "deviceName": "watch", "devEui": device, "tags": {} },
        "devAddr": "00189440",
        "adr": true,
        "dr": 5,
        "fCnt": counter,
        "fPort": port,
        "confirmed": false,
        "data": BASE64_STANDARD.encode(packet),
        "rxInfo": [{ "gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5 }],
    });
    omit_zero(&mut message, "fCnt");
    message
}

fn things_stack(device: &str, counter: u32, port: u8, packet: &[u8]) -> Value {
    let mut uplink = json!({
        "f_port": port,
        "f_cnt": counter,
        "frm_payload": BASE64_STANDARD.encode(packet),
        "rx_metadata": [{ "gateway_ids": { "gateway_id": "gtw1" }, "rssi": -35, "snr": 5.2 }],
        "consumed_airtime": "0.056576s",
    });
    omit_zero(&mut uplink, "f_cnt");
    json!({
        "end_device_ids": { "device_id": device, "application_ids": { "application_id": "app1" }, "dev_eui": "0004A30B001C0530" },
        "received_at": "2026-02-12T15:15:00.000000000Z",
        "uplink_message": uplink,
    })
}

/// As both servers do.
fn omit_zero(message: &mut Value, key: &str) {
    if message[key] == 0 {
        message.as_object_mut().unwrap().remove(key);
    }
}

#[test]
fn uplinks_of_network_servers_are_packets_with_the_networks_numbers() {
    let case = Case::named("signal-i8");
    let sent = case.send(Profile::Bare, 2, 10);
    for (envelope, device) in
        [(chirpstack as fn(&str, u32, u8, &[u8]) -> Value, "0101010101010101"), (things_stack, "dev1")]
    {
        let udp = Udp::start(&["--model", &case.decoder_path(), "--profile", "bare", "--f-port", "7"]);
        let uplink = |counter: u32, port: u8, sent: &Sent| envelope(device, counter, port, &sent.packet).to_string();
        // From 0; one that comes twice, two that are lost, one for another port, one that is damaged.
        let counters = [0, 1, 2, 2, 5, 6];
        for (i, counter) in counters.into_iter().enumerate() {
            udp.socket.send(uplink(counter, 7, &sent[i]).as_bytes()).unwrap();
        }
        udp.socket.send(uplink(7, 8, &sent[6]).as_bytes()).unwrap();
        udp.socket.send(uplink(8, 7, &Sent { packet: vec![250; 3], ..sent[7].clone() }).as_bytes()).unwrap();
        let status = json!({ "deviceInfo": { "devEui": device }, "margin": 10, "batteryLevel": 75.5 });
        udp.socket.send(status.to_string().as_bytes()).unwrap();
        udp.socket.send(uplink(9, 7, &sent[9]).as_bytes()).unwrap();

        let records = udp.records(6);
        assert!(records.iter().all(|record| record.node == device), "{records:?}");
        let numbers: Vec<_> = records.iter().map(|record| record.sequence.unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2, 5, 6, 9]);
        let windows = [0, 1, 2, 4, 5, 9].map(|i: usize| &sent[i].window);
        assert!(records.iter().map(|record| &record.window).eq(windows));
        let report = udp.gateway.stop();
        assert_eq!(counts(&report, ["windows", "lost", "replayed", "damaged"]), [6, 4, 1, 1]);
    }
}

#[test]
fn a_node_may_have_a_model_of_its_own() {
    let [common, own] = ["signal-i8", "motion-i8"].map(Case::named);
    let [common_sent, own_sent] = [&common, &own].map(|case| case.send(Profile::Bare, 3, 1).remove(0));
    let own_model = format!("n7={}", own.decoder_path());
    let udp = Udp::start(&["--model", &common.decoder_path(), "--model", &own_model, "--profile", "bare"]);
    udp.socket.send(things_stack("n1", 1, 1, &common_sent.packet).to_string().as_bytes()).unwrap();
    udp.socket.send(things_stack("n7", 1, 1, &own_sent.packet).to_string().as_bytes()).unwrap();
    let records = udp.records(2);
    assert_eq!([&records[0].window, &records[1].window], [&common_sent.window, &own_sent.window]);
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let (case, folder) = (Case::named("signal-i8"), TempDir::new().unwrap());
    let (decoder, encoder) = (case.decoder_path(), case.encoder_path());
    let taken = folder.path().join("taken.npy");
    std::fs::write(&taken, "old").unwrap();
    let taken = taken.to_str().unwrap();
    let model = ["--model", &decoder];
    let cases: [(&[&str], &str); 14] = [
        (&["--model", &encoder, "--file", "-"], "this model file is an encoder, a decoder is needed"),
        (&["--model", "none.irmae", "--file", "-"], "cannot read none.irmae"),
        (&["--model", &decoder, "--model", &decoder, "--file", "-"], "have the same model id"),
        (&["--model", &decoder, "--model", &decoder, "--file", "-", "--profile", "bare"], "two models for every node"),
        (&[&model[..], &["--file", "none.bin"]].concat(), "cannot read none.bin"),
        (&[&model[..], &["--serial", "/dev/none"]].concat(), "cannot open the serial port /dev/none"),
        (&[&model[..], &["--tcp", "127.0.0.1:1"]].concat(), "cannot connect to 127.0.0.1:1"),
        (&[&model[..], &["--mqtt", "mqtt://127.0.0.1:1/a"]].concat(), "cannot connect to the broker 127.0.0.1:1"),
        (&[&model[..], &["--mqtt", "mqtt://127.0.0.1:1/a#"]].concat(), "a# is no topic filter"),
        (&[&model[..], &["--file", "-", "--npy", taken]].concat(), "taken.npy exists"),
        (&[&model[..], &["--file", "-", "--csv", taken]].concat(), "taken.npy exists"),
        (&[&model[..], &["--file", "-", "--jsonl", "-", "--json"]].concat(), "which only one can have"),
        (&[&model[..], &["--file", "-", "--publish", "a"]].concat(), "name a broker, mqtt://HOST:PORT/TOPIC"),
        (&[&model[..], &["--mqtt", "mqtt://b/fleet/#", "--publish", "fleet/w"]].concat(), "would come back as packets"),
    ];
    for (arguments, expected) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_irmae")).arg("gateway").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?} should fail");
        assert!(
            text.starts_with("error: ") && text.trim_end().lines().count() == 1 && text.contains(expected),
            "{text}"
        );
    }
    assert_eq!(std::fs::read(taken).unwrap(), b"old");
}
