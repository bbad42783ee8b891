//! Uplinks of LoRaWAN network servers as JSON: ChirpStack 4 and The Things Stack 3.
//!
//! Both leave out fields that are zero or empty.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// What a message turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Uplink {
    /// No JSON of a network server: the message is the packet.
    None,
    /// A packet.
    Packet { node: Arc<str>, bytes: Vec<u8>, frame_counter: u32 },
    /// A join, a status, or an uplink for another port.
    Other,
    /// A network server's uplink whose payload cannot be read.
    Damaged,
}

/// Either server's message.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    ChirpStack(ChirpStack),
    ThingsStack(ThingsStack),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChirpStack {
    device_info: DeviceInfo,
    #[serde(default)]
    f_cnt: u32,
    #[serde(default)]
    f_port: u8,
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    dev_eui: String,
}

#[derive(Deserialize)]
struct ThingsStack {
    end_device_ids: EndDeviceIds,
    uplink_message: Option<UplinkMessage>,
}

#[derive(Deserialize)]
struct EndDeviceIds {
    device_id: String,
}

#[derive(Deserialize)]
struct UplinkMessage {
    #[serde(default)]
    f_cnt: u32,
    #[serde(default)]
    f_port: u8,
    frm_payload: Option<String>,
}

/// Looks into a message. With `port`, uplinks for another one hold no packets.
pub(crate) fn open(message: &[u8], port: Option<u8>) -> Uplink {
    if message.first() != Some(&b'{') {
        return Uplink::None;
    }
    let (node, uplink) = match serde_json::from_slice(message) {
        Ok(Message::ChirpStack(ChirpStack { device_info, f_cnt, f_port, data })) => {
            (device_info.dev_eui, Some(UplinkMessage { f_cnt, f_port, frm_payload: data }))
        }
        Ok(Message::ThingsStack(ThingsStack { end_device_ids, uplink_message })) => {
            (end_device_ids.device_id, uplink_message)
        }
        // A packet may well start with that byte.
        Err(_) => return Uplink::None,
    };
    match uplink {
        Some(UplinkMessage { f_cnt, f_port, frm_payload: Some(payload) }) if port.is_none_or(|port| port == f_port) => {
            match BASE64_STANDARD.decode(payload) {
                Ok(bytes) => Uplink::Packet { node: node.into(), bytes, frame_counter: f_cnt },
                Err(_) => Uplink::Damaged,
            }
        }
        _ => Uplink::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHIRPSTACK: &str = r#"{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2026-07-18T09:34:15.775Z",
        "deviceInfo":{"tenantName":"t","applicationId":"17c82e96","deviceName":"watch","devEui":"0101010101010101","tags":{}},
        "devAddr":"00189440","adr":true,"dr":1,"fCnt":4,"fPort":5,"confirmed":false,"data":"EQID","rxInfo":[{"rssi":-48}]}"#;
    const THINGS_STACK: &str = r#"{"end_device_ids":{"device_id":"dev1","application_ids":{"application_id":"app1"},"dev_eui":"0004A30B001C0530"},
        "received_at":"2026-02-12T15:15:00Z","uplink_message":{"f_port":5,"frm_payload":"EQID","rx_metadata":[],"settings":{}}}"#;

    fn packet(node: &str, frame_counter: u32) -> Uplink {
        Uplink::Packet { node: node.into(), bytes: vec![0x11, 2, 3], frame_counter }
    }

    #[test]
    fn both_servers_messages_are_understood() {
        assert_eq!(open(CHIRPSTACK.as_bytes(), None), packet("0101010101010101", 4));
        assert_eq!(open(THINGS_STACK.as_bytes(), Some(5)), packet("dev1", 0));
        assert_eq!(open(THINGS_STACK.as_bytes(), Some(6)), Uplink::Other);
        let join = r#"{"end_device_ids":{"device_id":"dev1"},"join_accept":{"session_key_id":"AXBSH1Pk6Z0G166"}}"#;
        assert_eq!(open(join.as_bytes(), None), Uplink::Other);
        let status = r#"{"deviceInfo":{"devEui":"01"},"margin":10,"batteryLevel":75.5}"#;
        assert_eq!(open(status.as_bytes(), None), Uplink::Other);
    }

    #[test]
    fn other_bytes_are_packets() {
        assert_eq!(open(&[0x11, 2, 3], None), Uplink::None);
        assert_eq!(open(b"{", None), Uplink::None);
        assert_eq!(open(br#"{"temperature":20}"#, None), Uplink::None);
        assert_eq!(open(CHIRPSTACK.replace("EQID", "E").as_bytes(), None), Uplink::Damaged);
    }
}
