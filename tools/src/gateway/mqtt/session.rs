//! A subscription, and sessions that outlive their gateways.
//!
//! Each gateway of a group has a session of its own at the broker, which keeps what the gateway has not signed for. MQTT leaves it
//! open what becomes of that when a gateway dies, and some brokers throw it away with the session. So sessions are made to outlive
//! their connections, and a gateway's last will, a retained message, says that its session is an orphan. After a pause, which is
//! another one for each, one of the others connects under its name and takes that message back; its own will would bring it again.
//! It leaves the shared subscription, so that nothing new comes, and sends itself a message: when that arrives, all that lay there
//! before it has. Then it ends the session. A gateway that stops ends its own in the same way.
//!
//! Should two take over the same session, the broker lets the last one have it, and what the first one had not signed for comes again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{DisconnectReasonCode, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{Client, Connection, ConnectionError, Event, StateError};

use super::{PAUSE, REQUESTS, Subscription, new_client_id};
use crate::gateway::intake::{self, Intake, Receipt};
use crate::gateway::source::message;

/// How long to wait for another gateway to take over an orphan, at most.
const ADOPTION_PAUSE_MS: u64 = 1000;

/// A gateway's own session, and those that it takes over.
pub(crate) struct Subscriber {
    session: Arc<Session>,
}

impl Subscriber {
    /// Connects, and subscribes in a thread of its own.
    ///
    /// # Errors
    /// Where the broker cannot be reached, or refuses.
    pub(crate) fn start(subscription: Subscription, intake: Intake) -> Result<Self> {
        let client_id = subscription.client_id.clone().unwrap_or_else(new_client_id);
        let address = subscription.address.clone();
        let group = Arc::new(Group { subscription, intake, orphans: Mutex::default() });
        let (session, mut connection) = Session::new(group, client_id, Role::Own);
        address.wait_for(&mut connection)?;
        session.greet()?;
        let shared = session.clone();
        thread::spawn(move || shared.serve(connection));
        Ok(Self { session })
    }

    /// Takes what is under way, and ends the session; or leaves it behind where it is to wait for the gateway's return.
    ///
    /// # Errors
    /// Where the session has ended already.
    pub(crate) fn stop(self) -> Result<Leaving> {
        let Self { session } = self;
        session.lock().is_leaving = true;
        if session.group.subscription.waits() {
            session.client.disconnect()?
        } else {
            session.leave()?
        }
        Ok(Leaving(Arc::downgrade(&session.group)))
    }
}

/// A subscription that is coming to its end.
pub(crate) struct Leaving(Weak<Group>);

impl Leaving {
    /// Whether all that was under way has been signed for, or given up.
    pub(crate) fn is_done(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// What a gateway's sessions have in common.
struct Group {
    subscription: Subscription,
    intake: Intake,
    /// Names of the sessions that nobody has taken over.
    orphans: Mutex<HashSet<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Own,
    Adopted,
}

/// A session with its connection.
struct Session {
    group: Arc<Group>,
    client_id: String,
    role: Role,
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections so far; what came by an earlier one comes again.
    connection: usize,
    /// Messages of this one that are not signed for.
    unsigned: usize,
    is_leaving: bool,
    /// All that lay in the session when it was left has come.
    has_all: bool,
}

impl Session {
    fn new(group: Arc<Group>, client_id: String, role: Role) -> (Arc<Self>, Connection) {
        let (client, connection) = Client::new(group.subscription.options(&client_id), REQUESTS);
        let state = Mutex::new(State { is_leaving: role == Role::Adopted, ..State::default() });
        (Arc::new(Self { group, client_id, role, client, state }), connection)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to ask of the broker at the start of each connection.
    fn greet(&self) -> Result<()> {
        let subscription = &self.group.subscription;
        if let Some(topic) = subscription.orphan_topic(&self.client_id) {
            self.client.publish(topic, QoS::AtLeastOnce, true, "")?;
        }
        if self.lock().is_leaving {
            return self.leave();
        }
        self.client.subscribe(subscription.filter(), QoS::AtLeastOnce)?;
        if let Some(topic) = subscription.orphan_topic("+") {
            self.client.subscribe(topic, QoS::AtLeastOnce)?;
        }
        Ok(())
    }

    fn leave(&self) -> Result<()> {
        let end = self.end_topic();
        self.client.unsubscribe(self.group.subscription.filter())?;
        self.client.subscribe(&end, QoS::AtLeastOnce)?;
        Ok(self.client.publish(end, QoS::AtLeastOnce, false, "end")?)
    }

    /// Where the session sends itself the message behind all others.
    fn end_topic(&self) -> String {
        format!("irmae/sessions/{}", self.client_id)
    }

    /// Runs the session to its end.
    fn serve(self: &Arc<Self>, connection: Connection) {
        if let Err(error) = self.run(connection) {
            match self.role {
                // Nobody hears it where the gateway has stopped.
                Role::Own => drop(self.group.intake.send(intake::Event::Failed(error))),
                Role::Adopted => eprintln!("warning: session {}: {error:#}", self.client_id),
            }
        }
    }

    fn run(self: &Arc<Self>, mut connection: Connection) -> Result<()> {
        let mut is_announced = self.role == Role::Adopted;
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => self.greet()?,
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(&publish)?,
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    check_subscription(&ack)?;
                    if !std::mem::replace(&mut is_announced, true) {
                        eprintln!("subscribed to {}", self.group.subscription.filter());
                    }
                }
                Ok(Event::Outgoing(Outgoing::Disconnect)) if self.group.subscription.waits() => return Ok(()),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return self.end(),
                Ok(_) => {}
                Err(error) if self.is_taken_over(&error) => return Ok(()),
                Err(error) => self.lose(&error)?,
            }
            let mut state = self.lock();
            if state.has_all && state.unsigned == 0 {
                state.has_all = false;
                drop(state);
                self.client.disconnect()?;
            }
        }
        Ok(())
    }

    /// Whether another gateway does what is to be done here. A gateway does not give away its own session.
    fn is_taken_over(&self, error: &ConnectionError) -> bool {
        let reason_code = match error {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => *reason_code,
            _ => return false,
        };
        self.role == Role::Adopted && reason_code == DisconnectReasonCode::SessionTakenOver
    }

    /// Gets over a broken connection.
    fn lose(&self, error: &ConnectionError) -> Result<()> {
        let mut state = self.lock();
        state.connection += 1;
        state.unsigned = 0;
        state.has_all = false;
        if let ConnectionError::ConnectionRefused(code) = error {
            bail!("the broker refuses the connection: {code:?}");
        }
        if state.is_leaving && self.role == Role::Own {
            bail!("the broker cannot be reached to end the session: {error}");
        }
        drop(state);
        eprintln!("warning: subscription: {error}; trying again");
        thread::sleep(PAUSE);
        Ok(())
    }

    fn take(self: &Arc<Self>, publish: &Publish) -> Result<()> {
        let topic = String::from_utf8_lossy(&publish.topic);
        if *topic == self.end_topic() {
            self.client.ack(publish)?;
            self.lock().has_all = true;
        } else if let Some(client_id) = self.group.subscription.orphan(&topic) {
            self.client.ack(publish)?;
            self.note_orphan(client_id, !publish.payload.is_empty());
        } else {
            self.hand_on(&topic, publish)?;
        }
        Ok(())
    }

    /// Takes over the session of another gateway, in a thread of its own, unless yet another one does.
    fn note_orphan(&self, client_id: &str, is_orphan: bool) {
        if !is_orphan {
            self.group.orphans().remove(client_id);
            return;
        }
        if client_id == self.client_id || self.lock().is_leaving || !self.group.orphans().insert(client_id.into()) {
            return;
        }
        let (group, client_id) = (self.group.clone(), client_id.to_string());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(rand::random_range(0..ADOPTION_PAUSE_MS)));
            if group.orphans().remove(&client_id) {
                eprintln!("taking over the session of {client_id}");
                let (session, connection) = Session::new(group, client_id, Role::Adopted);
                session.serve(connection);
            }
        });
    }

    fn hand_on(self: &Arc<Self>, topic: &str, publish: &Publish) -> Result<()> {
        let subscription = &self.group.subscription;
        let node = subscription.node(topic);
        let receipt = (publish.qos != QoS::AtMostOnce).then(|| self.receipt(publish.clone()));
        match message::event(node.into(), &publish.payload, subscription.f_port) {
            Some(intake::Event::Packet(mut packet)) => {
                packet.receipt = receipt;
                self.send(intake::Event::Packet(packet))
            }
            other => {
                receipt.into_iter().for_each(Receipt::sign);
                other.map_or(Ok(()), |event| self.send(event))
            }
        }
    }

    fn send(&self, event: intake::Event) -> Result<()> {
        self.group.intake.send(event).map_err(|_| anyhow!("the gateway has stopped"))
    }

    fn receipt(self: &Arc<Self>, publish: Publish) -> Receipt {
        let mut state = self.lock();
        state.unsigned += 1;
        let (session, connection) = (self.clone(), state.connection);
        Receipt::new(move || {
            let mut state = session.lock();
            if state.connection == connection {
                state.unsigned -= 1;
                // Where the connection has ended, the message comes again.
                let _ = session.client.ack(&publish);
            }
        })
    }

    /// Tells the broker that the session is not needed any more.
    fn end(&self) -> Result<()> {
        let mut options = self.group.subscription.address.options(&self.client_id);
        options.set_clean_start(true);
        let (client, mut connection) = Client::new(options, REQUESTS);
        client.disconnect()?;
        for event in connection.iter() {
            if matches!(event?, Event::Outgoing(Outgoing::Disconnect)) {
                break;
            }
        }
        Ok(())
    }
}

impl Group {
    fn orphans(&self) -> MutexGuard<'_, HashSet<String>> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_subscription(ack: &SubAck) -> Result<()> {
    match ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_))) {
        Some(code) => bail!("the broker refuses the subscription: {code:?}"),
        None => Ok(()),
    }
}
