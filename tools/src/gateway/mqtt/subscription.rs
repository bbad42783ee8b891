//! What a gateway asks of a broker.

use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, LastWillProperties};

use super::Address;

/// How long a broker keeps an orphan.
const SESSION_EXPIRY_S: u32 = 24 * 3600;
/// How long a gateway may be out of sight before its session counts as one.
const WILL_DELAY_S: u32 = 2;
/// Messages under way at a time.
const RECEIVE_MAX: u16 = 128;

/// What is subscribed to.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) address: Address,
    /// The gateways that share it.
    pub(crate) group: Option<String>,
    /// A name that a gateway keeps from run to run, and its session with it.
    pub(crate) client_id: Option<String>,
    /// Port of the LoRaWAN uplinks that hold packets.
    pub(crate) f_port: Option<u8>,
}

impl Subscription {
    pub(super) fn filter(&self) -> String {
        match &self.group {
            Some(group) => format!("$share/{group}/{}", self.address.topic),
            None => self.address.topic.clone(),
        }
    }

    /// Where wills say that the session of `client_id` is an orphan, if anyone asks for that.
    pub(super) fn orphan_topic(&self, client_id: &str) -> Option<String> {
        Some(format!("irmae/{}/orphans/{client_id}", self.group.as_ref()?))
    }

    /// Whose session a message of that topic is about.
    pub(super) fn orphan<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(&self.orphan_topic("")?)
    }

    pub(super) fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = self.address.options(client_id);
        options.set_manual_acks(true).set_receive_maximum(Some(RECEIVE_MAX));
        if self.outlives_gateway() {
            options.set_clean_start(false).set_session_expiry_interval(Some(SESSION_EXPIRY_S));
        }
        if let Some(topic) = self.orphan_topic(client_id) {
            let properties = LastWillProperties {
                delay_interval: Some(WILL_DELAY_S),
                payload_format_indicator: None,
                message_expiry_interval: Some(SESSION_EXPIRY_S),
                content_type: None,
                response_topic: None,
                correlation_data: None,
                user_properties: Vec::new(),
            };
            options.set_last_will(LastWill::new(topic, client_id, QoS::AtLeastOnce, true, Some(properties)));
        }
        options
    }

    /// Whether the session stays when the gateway has gone.
    fn outlives_gateway(&self) -> bool {
        self.group.is_some() || self.client_id.is_some()
    }

    /// Whether a gateway that stops leaves its session behind, for its own return.
    pub(super) fn waits(&self) -> bool {
        self.group.is_none() && self.client_id.is_some()
    }

    /// The node that sent a message: what the filter's wildcards stand for, or the whole topic if there are none.
    pub(super) fn node(&self, topic: &str) -> String {
        node_name(&self.address.topic, topic)
    }
}

fn node_name(filter: &str, topic: &str) -> String {
    let mut levels = topic.split('/');
    let mut name = Vec::new();
    for level in filter.split('/') {
        match level {
            "#" => name.extend(levels.by_ref()),
            "+" => name.extend(levels.next()),
            _ => drop(levels.next()),
        }
    }
    if name.is_empty() { topic.into() } else { name.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_what_the_wildcards_stand_for() {
        assert_eq!(node_name("fleet/+/up", "fleet/n7/up"), "n7");
        assert_eq!(node_name("fleet/+/+", "fleet/hall/n7"), "hall/n7");
        assert_eq!(node_name("fleet/#", "fleet/hall/n7/up"), "hall/n7/up");
        assert_eq!(node_name("fleet/up", "fleet/up"), "fleet/up");
    }
}
