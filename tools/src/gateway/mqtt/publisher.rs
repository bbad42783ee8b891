//! Windows to a broker, as the JSON objects of [`jsonl`](crate::gateway::sink::jsonl).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, PubAck, PubAckReason};
use rumqttc::v5::{Client, Connection, Event};

use super::{Address, PAUSE, REQUESTS, new_client_id};
use crate::gateway::intake::Receipt;
use crate::gateway::sink::{Record, Sink};

/// How long a broker keeps what a gateway that it lost sight of has under way.
const SESSION_EXPIRY_S: u32 = 3600;

/// Publishes each window under the topic and its node, QoS 1.
pub(crate) struct Publisher {
    topic: String,
    client: Client,
    outbox: Arc<Outbox>,
    thread: JoinHandle<()>,
}

/// What the broker has not confirmed.
#[derive(Default)]
struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Handed to the client, in this order; packets whose windows need no receipt have none.
    waiting: VecDeque<Option<Receipt>>,
    /// On the way, by packet id.
    sent: HashMap<u16, Option<Receipt>>,
    failure: Option<String>,
}

impl Publisher {
    /// Connects to the broker.
    ///
    /// # Errors
    /// Where that fails.
    pub(crate) fn connect(address: &Address) -> Result<Self> {
        let mut options = address.options(&new_client_id());
        // So that what is under way when the connection breaks is sent again.
        options.set_clean_start(false).set_session_expiry_interval(Some(SESSION_EXPIRY_S));
        let (client, mut connection) = Client::new(options, REQUESTS);
        address.wait_for(&mut connection)?;
        let outbox = Arc::new(Outbox::default());
        let shared = outbox.clone();
        let thread = thread::spawn(move || shared.serve(connection));
        Ok(Self { topic: address.topic.clone(), client, outbox, thread })
    }
}

impl Sink for Publisher {
    fn put(&mut self, record: &Record<'_>, receipt: Option<&Receipt>) -> Result<()> {
        let payload = serde_json::to_vec(record)?;
        // Before it is handed over, as it may be sent at once.
        self.outbox.lock().waiting.push_back(receipt.map(Receipt::share));
        let topic = format!("{}/{}", self.topic, topic_level(record.node));
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).context("cannot publish")
    }

    fn flush(&mut self) -> Result<()> {
        match &self.outbox.lock().failure {
            Some(failure) => bail!("cannot publish: {failure}"),
            None => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let is_busy =
            |state: &mut State| state.failure.is_none() && !(state.waiting.is_empty() && state.sent.is_empty());
        drop(self.outbox.changed.wait_while(self.outbox.lock(), is_busy));
        self.flush()?;
        self.client.disconnect()?;
        let _ = self.thread.join();
        Ok(())
    }

    fn takes_repeats(&self) -> bool {
        true
    }
}

/// A node's name where a level of a topic must not have wildcards.
fn topic_level(node: &str) -> String {
    node.replace(['+', '#'], "_")
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the connection until it is closed.
    fn serve(&self, mut connection: Connection) {
        for event in connection.iter() {
            match event {
                Ok(Event::Outgoing(Outgoing::Publish(id))) => {
                    let mut state = self.lock();
                    // What is sent again after the connection broke has its id already.
                    if !state.sent.contains_key(&id)
                        && let Some(receipt) = state.waiting.pop_front()
                    {
                        state.sent.insert(id, receipt);
                    }
                }
                Ok(Event::Incoming(Packet::PubAck(ack))) => self.confirm(&ack),
                Ok(Event::Incoming(Packet::ConnAck(ConnAck { session_present: false, .. }))) => self.fail_if_busy(),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
                Ok(_) => {}
                Err(error) => {
                    eprintln!("warning: publishing: {error}; trying again");
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn confirm(&self, ack: &PubAck) {
        let mut state = self.lock();
        match (state.sent.remove(&ack.pkid), ack.reason) {
            (Some(receipt), PubAckReason::Success | PubAckReason::NoMatchingSubscribers) => {
                drop(state);
                receipt.into_iter().for_each(Receipt::sign);
            }
            (_, reason) => state.failure = Some(format!("the broker refused a window: {reason:?}")),
        }
        self.changed.notify_all();
    }

    /// A broker that has lost its memory has lost what was under way, too, and the client does not send it again.
    fn fail_if_busy(&self) {
        let mut state = self.lock();
        if !state.sent.is_empty() || !state.waiting.is_empty() {
            state.failure = Some("the broker was restarted, and windows are lost that it had not confirmed".into());
            self.changed.notify_all();
        }
    }
}
