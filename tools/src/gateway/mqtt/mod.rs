//! MQTT 5: packets from a broker, windows to a broker.
//!
//! What a gateway has taken over from the broker and not yet brought to safety stays with the broker, in the gateway's session. If
//! the gateway dies, another one of its group takes that session over; see [`session`].

mod publisher;
mod session;
mod subscription;

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use rumqttc::matches;
use rumqttc::v5::mqttbytes::{valid_filter, valid_topic};
use rumqttc::v5::{Connection, MqttOptions};

pub(crate) use publisher::Publisher;
pub(crate) use session::{Leaving, Subscriber};
pub(crate) use subscription::Subscription;

const PORT: u16 = 1883;
/// A broker notices after one and a half of this that a machine has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Between attempts to reach a broker again.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of a message, at most. Network servers say much about one packet.
const MESSAGE_LEN: u32 = 1 << 20;
/// Requests that may wait for a connection. More than a session has messages under way, so that signing never waits.
const REQUESTS: usize = 1024;

/// `mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Address {
    login: Option<(String, String)>,
    host: String,
    port: u16,
    pub(crate) topic: String,
}

/// Why text is no [`Address`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(crate) enum AddressError {
    /// The scheme is another one.
    #[error("it should read mqtt://HOST:PORT/TOPIC (for TLS, run a proxy such as stunnel beside the gateway)")]
    Scheme,
    /// The topic is missing.
    #[error("the topic is missing: mqtt://HOST:PORT/TOPIC")]
    NoTopic,
    /// The host is missing, or the port is no number.
    #[error("host or port cannot be read: mqtt://HOST:PORT/TOPIC")]
    Host,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("mqtt://").ok_or(AddressError::Scheme)?;
        let (authority, topic) =
            rest.split_once('/').filter(|(_, topic)| !topic.is_empty()).ok_or(AddressError::NoTopic)?;
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some((user.into(), password.into())), place)
            }
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':').filter(|_| !place.ends_with(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| AddressError::Host)?),
            None => (place, PORT),
        };
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        Ok(Self { login, host: host.into(), port, topic: topic.into() })
    }
}

impl Address {
    /// The same broker, another topic.
    pub(crate) fn with_topic(&self, topic: &str) -> Self {
        Self { topic: topic.into(), ..self.clone() }
    }

    /// Whether messages can be sent there.
    pub(crate) fn is_topic(&self) -> bool {
        valid_topic(&self.topic)
    }

    /// Whether this filter takes in what is published under that topic.
    pub(crate) fn hears(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port) && matches(&format!("{}/n", other.topic), &self.topic)
    }

    /// Whether messages can be asked for by it.
    pub(crate) fn is_filter(&self) -> bool {
        valid_filter(&self.topic)
    }

    /// Waits until a connection to the broker stands.
    fn wait_for(&self, connection: &mut Connection) -> Result<()> {
        let first = connection.iter().next().transpose();
        first.with_context(|| format!("cannot connect to the broker {}:{}", self.host, self.port))?;
        Ok(())
    }

    fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, &self.host, self.port);
        options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(Some(MESSAGE_LEN));
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password);
        }
        options
    }
}

/// A client id that no other client has.
fn new_client_id() -> String {
    format!("irmae-{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let address: Address = "mqtt://me:secret@[::1]:2883/fleet/+/up".parse().unwrap();
        let login = Some(("me".into(), "secret".into()));
        assert_eq!(address, Address { login, host: "[::1]".into(), port: 2883, topic: "fleet/+/up".into() });
        assert!(address.is_filter() && !address.is_topic() && address.with_topic("out").is_topic());
        let all = address.with_topic("fleet/#");
        assert!(all.hears(&all.with_topic("fleet/windows")) && !address.hears(&all.with_topic("windows")));
        let plain: Address = "mqtt://broker/a".parse().unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.login), ("broker", PORT, None));
        for (text, error) in [
            ("tcp://broker/a", AddressError::Scheme),
            ("mqtt://broker", AddressError::NoTopic),
            ("mqtt://broker/", AddressError::NoTopic),
            ("mqtt://:1883/a", AddressError::Host),
            ("mqtt://broker:x/a", AddressError::Host),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }
}
