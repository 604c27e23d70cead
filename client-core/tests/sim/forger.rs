//! A person whose program says what it wants, in genuine sessions: what an engine must not
//! believe although it is encrypted well.

use susurro_client_core::crypto::PeerSessions;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::Content;
use susurro_protocol::event::Deliver;
use susurro_protocol::{ChatId, MessageId, codec};

use crate::dice::Dice;
use crate::people::Person;
use crate::relay::Relay;

pub struct Forger<'a> {
    pub person: &'a Person,
    sessions: PeerSessions,
    dice: Dice,
    pub counter: u64,
}

impl<'a> Forger<'a> {
    pub fn new(person: &'a Person) -> Self {
        Self { person, sessions: PeerSessions::new(), dice: Dice::new(4711), counter: 0 }
    }

    /// Puts a content into a mailbox.
    pub fn send(&mut self, relay: &mut Relay, to: &Person, kind: u16, body: Vec<u8>, now: u64) -> MessageId {
        let message = MessageId::from_bytes(self.dice.id());
        let inside = self.content(to, message, kind, body, now);
        self.send_content(relay, to, message, &inside, now);
        message
    }

    pub fn content(&mut self, to: &Person, message: MessageId, kind: u16, body: Vec<u8>, now: u64) -> Content {
        self.counter += 1;
        Content {
            message,
            chat: ChatId::direct(&self.person.account(), &to.account()),
            counter: self.counter,
            parents: Vec::new(),
            sent_at: now,
            sender_list: Fixed(self.person.list.hash()),
            recipient_list: Fixed(to.list.hash()),
            kind,
            body: body.into(),
        }
    }

    /// As [`send`](Self::send), with any identifier outside.
    pub fn send_content(&mut self, relay: &mut Relay, to: &Person, outside: MessageId, inside: &Content, now: u64) {
        if !self.sessions.can_send() {
            self.start(relay, to, now);
        }
        let plaintext = codec::encode(inside);
        let (sessions, envelope) = self.sessions.encrypt(&plaintext, now / 1000, &mut self.dice).unwrap();
        self.sessions = sessions;
        self.deposit(relay, to, outside, envelope, now);
    }

    /// Begins a new session, whatever there was before.
    pub fn start(&mut self, relay: &mut Relay, to: &Person, now: u64) {
        let keys = &mut relay.devices.get_mut(&to.device_id()).unwrap().keys;
        let bundle = keys.claim(to.device_id()).read().unwrap();
        let certificate = to.device.certificate();
        let started = self.sessions.start(&self.person.device, certificate, &bundle, now / 1000, &mut self.dice);
        self.sessions = started.unwrap();
    }

    /// Puts any bytes into a mailbox under this person's name.
    pub fn deposit(&mut self, relay: &mut Relay, to: &Person, message: MessageId, bytes: Vec<u8>, now: u64) {
        let chat = ChatId::direct(&self.person.account(), &to.account());
        relay.chats.insert(chat, [self.person.account(), to.account()]);
        let device = relay.devices.get_mut(&to.device_id()).unwrap();
        device.head += 1;
        let delivery = Deliver {
            seq: device.head,
            message,
            chat,
            sender: self.person.account(),
            sender_device: self.person.device_id(),
            stored_at: now,
            ciphertext: bytes.into(),
        };
        device.mailbox.insert(delivery.seq, delivery);
    }
}
