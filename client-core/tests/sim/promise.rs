//! What the simulated world holds the engines to.

use susurro_client_core::crypto::PeerSessions;
use susurro_client_core::model::{Delivery, Direction, MessageContent};
use susurro_client_core::sync::{Engine, Input};
use susurro_protocol::MessageId;

use crate::faults::{Action, Faults};
use crate::people::people;
use crate::world::World;

impl World {
    /// What the relay was told to forget has to be durable at the one who told it.
    pub fn check_acknowledged(&mut self) {
        for (device, delivery) in std::mem::take(&mut self.relay.acknowledged) {
            let owner = self
                .clients
                .iter()
                .position(|client| people().iter().any(|p| p.name == client.store.name && p.device_id() == device));
            let Some(owner) = owner else { continue };
            if !self.clients[owner].taken.contains(&delivery.message) {
                self.complaints.push(format!("{} was acknowledged before it was durable", delivery.message));
            }
        }
        for message in std::mem::take(&mut self.relay.reused) {
            self.complaints.push(format!("{message} was sent again with other bytes"));
        }
    }

    /// Ends all faults, brings everybody back and lets the world come to rest.
    pub fn settle(&mut self) {
        self.faults = Faults::NONE;
        (self.relay.refusals, self.relay.duplicates) = (0, 0);
        self.relay_up = true;
        let awake = self.clients.iter().map(|client| client.asleep_until).max().unwrap_or(0);
        self.run(awake + 1, |_| false);
        for client in 0..self.clients.len() {
            self.clients[client].wants_online = true;
            if self.clients[client].engine.is_some() {
                self.feed(client, Input::GoOnline);
            }
        }
        let deadline = self.now + 3_600_000;
        let settled =
            self.run(deadline, |world| {
                world.clients.iter().all(|client| {
                    client.store.outbox.is_empty() && client.engine.as_ref().is_some_and(Engine::is_settled)
                }) && world.relay.devices.values().all(|device| device.mailbox.is_empty())
            });
        if !settled {
            self.complaints.push("the world does not come to rest".into());
        }
        // Whatever was told of typing is over by itself, and nothing else waits for it.
        self.rest(20_000);
        for client in self.clients.iter().filter(|client| !client.typing.is_empty()) {
            self.complaints.push(format!("{} still sees {:?} typing", client.store.name, client.typing));
        }
    }

    /// Once everybody has written to everybody in a world at rest, two devices send in the same
    /// session: else answers would bring no new keys.
    pub fn check_sessions(&mut self) {
        for from in 0..self.clients.len() {
            for to in (0..self.clients.len()).filter(|to| *to != from) {
                self.act(Action::Write { from, to });
            }
        }
        self.settle();
        for one in 0..self.clients.len() {
            for other in 0..one {
                let sends = [(one, other), (other, one)].map(|(of, with)| self.sends_with(of, with));
                if sends[0].is_none() || sends[0] != sends[1] {
                    self.complaints.push(format!("{one} and {other} send in different sessions"));
                }
            }
        }
    }

    /// Names the session with which a client sends to the other's device.
    pub fn sends_with(&self, client: usize, other: usize) -> Option<[u8; 32]> {
        let device = people().iter().find(|person| person.name == self.clients[other].store.name).unwrap().device_id();
        let bytes = self.clients[client].store.sessions.get(&device)?;
        PeerSessions::from_bytes(bytes).unwrap().sends_with()
    }

    /// The promise: what was written is shown once, whole, in order, and its writer knows.
    pub fn check(&mut self) {
        let mut complaints = Vec::new();
        for from in &self.clients {
            for (peer, written) in &from.written {
                let to = self.clients.iter().find(|client| client.store.name == *peer).unwrap();
                let shown = to.store.texts(&from.store.name, Direction::Incoming);
                if shown != *written {
                    complaints.push(format!(
                        "{peer} sees of {}: {:?}\nwritten: {:?}",
                        from.store.name,
                        shown.iter().map(|(_, text)| text).collect::<Vec<_>>(),
                        written.iter().map(|(_, text)| text).collect::<Vec<_>>()
                    ));
                }
                // Not only in its place: also at its time.
                let place = |message: &MessageId| written.iter().position(|(written, _)| written == message);
                let heard = to.heard.get(&from.store.name).into_iter().flatten();
                if !heard.map(place).is_sorted() {
                    complaints.push(format!("{peer} hears {} out of order", from.store.name));
                }
                for (message, _) in written {
                    let view = from.store.messages.values().find(|view| view.id == *message).unwrap();
                    if !matches!(view.delivery, Delivery::Stored | Delivery::Read) {
                        complaints.push(format!("{message} stays {:?}", view.delivery));
                    }
                }
                if from.store.texts(peer, Direction::Outgoing) != *written {
                    complaints.push(format!("{} sees other texts of its own than it wrote", from.store.name));
                }
            }
            if let Some((message, times)) = from.shown.iter().find(|(_, times)| **times > 1) {
                complaints.push(format!("{message} was shown {times} times"));
            }
            let bad = from
                .store
                .messages
                .values()
                .find(|view| matches!(view.content, MessageContent::Undecryptable(_) | MessageContent::Note(_)));
            if let Some(view) = bad {
                complaints.push(format!("{} sees {:?}", from.store.name, view));
            }
        }
        self.complaints.append(&mut complaints);
    }
}
