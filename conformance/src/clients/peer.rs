//! The person at the other end: keys and sessions in this process, so that they can say what no client says.

use std::collections::BTreeMap;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use susurro_client_core::crypto::{AccountKey, LocalDevice, PeerSessions, Prekeys};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::content::{Body, Content, RECEIPT_STORED, Receipt, Resent, TYPE_RECEIPT, TYPE_TEXT, Text};
use susurro_protocol::event::{Deliver, Whispered};
use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::rest::{AUTH_SCHEME, PublishKeys, StretchParams};
use susurro_protocol::signal::Signal;
use susurro_protocol::{AccountId, ChatId, DeviceId, MessageId, codec};

use super::relay::{Relay, World, now};
use super::{fault, random};
use crate::suite::Stop;

/// A person with an account, one device and sessions.
pub struct Peer {
    /// Their name.
    pub name: String,
    /// Their account key.
    pub account_key: AccountKey,
    /// Their device.
    pub device: LocalDevice,
    /// Their device list, as they know it.
    pub list: DeviceList,
    prekeys: Prekeys,
    sessions: BTreeMap<DeviceId, PeerSessions>,
    counter: u64,
    /// What they could read, in the order in which it came.
    pub read: Vec<Content>,
    /// Messages that they could not read.
    pub unreadable: Vec<MessageId>,
}

/// The system's randomness.
pub fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

impl Peer {
    /// A new person whom nobody knows.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let seconds = now() / 1000;
        let account_key = AccountKey::generate(&mut rng());
        let device = LocalDevice::generate(&account_key, seconds, &mut rng());
        let list = account_key.issue_list(None, seconds, vec![device.certificate().clone()]);
        let prekeys = Prekeys::generate(&device, seconds, &mut rng());
        Self {
            name: name.to_owned(),
            account_key,
            device,
            list,
            prekeys,
            sessions: BTreeMap::new(),
            counter: 0,
            read: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Registers with a relay under their name, in place of whoever has it.
    pub fn join(&mut self, world: &mut World) {
        let stretch = StretchParams {
            scheme: AUTH_SCHEME.to_owned(),
            salt: Fixed([2; 16]),
            memory_kib: 65536,
            passes: 3,
            lanes: 1,
        };
        world.add(&self.name, self.list.clone(), stretch, random());
        world.publish(self.device.device(), &self.prekeys.publication(&self.device));
        self.prekeys = self.prekeys.mark_published();
    }

    /// The same person with the same state, for a world that is a copy, too.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when the state cannot be read back, which would be a fault of the library.
    pub fn copy(&self) -> Result<Self, Stop> {
        let sessions = self
            .sessions
            .iter()
            .map(|(device, sessions)| Ok((*device, PeerSessions::from_bytes(&sessions.to_bytes()).map_err(fault)?)));
        Ok(Self {
            name: self.name.clone(),
            account_key: AccountKey::from_bytes(&self.account_key.to_bytes()),
            device: LocalDevice::from_bytes(&self.device.to_bytes()).map_err(fault)?,
            list: self.list.clone(),
            prekeys: Prekeys::from_bytes(&self.prekeys.to_bytes()).map_err(fault)?,
            sessions: sessions.collect::<Result<_, Stop>>()?,
            counter: self.counter,
            read: self.read.clone(),
            unreadable: self.unreadable.clone(),
        })
    }

    /// Their public prekeys, the last-resort one and the signed one among them.
    #[must_use]
    pub fn publication(&self) -> PublishKeys {
        self.prekeys.publication(&self.device)
    }

    /// Their account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.device.account()
    }

    /// Their device.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.device.device()
    }

    /// Sends a text; its identifier.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] when there is nobody to send it to.
    pub fn write(&mut self, relay: &Relay, to: &str, text: &str) -> Result<MessageId, Stop> {
        self.send(relay, to, TYPE_TEXT, codec::encode(&Text { text: text.to_owned() }))
    }

    /// Sends a content of any type.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn send(&mut self, relay: &Relay, to: &str, kind: u16, body: Vec<u8>) -> Result<MessageId, Stop> {
        let content = self.content(relay, to, kind, body)?;
        let delivery = self.seal(relay, to, &content)?;
        let message = content.message;
        relay.deliver(device_of(relay, to)?, delivery);
        Ok(message)
    }

    /// A content, counted as the next of the chat.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn content(&mut self, relay: &Relay, to: &str, kind: u16, body: Vec<u8>) -> Result<Content, Stop> {
        self.counter += 1;
        let certificate = certificate_of(relay, to)?;
        let list = relay.world().accounts.get(to).map(|account| account.list.hash()).unwrap_or_default();
        Ok(Content {
            message: MessageId::from_bytes(random()),
            chat: ChatId::direct(&self.account(), &certificate.body().account),
            counter: self.counter,
            parents: Vec::new(),
            sent_at: now(),
            sender_list: Fixed(self.list.hash()),
            recipient_list: Fixed(list),
            kind,
            body: body.into(),
        })
    }

    /// Encrypts a content as a delivery without a position, which can be changed before it goes.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn seal(&mut self, relay: &Relay, to: &str, content: &Content) -> Result<Deliver, Stop> {
        let certificate = certificate_of(relay, to)?;
        let (account, device) = (certificate.body().account, certificate.body().device);
        if !self.sessions.get(&device).is_some_and(PeerSessions::can_send) {
            self.start(relay, to)?;
        }
        let sessions = self.sessions.entry(device).or_default();
        let (next, envelope) = sessions.encrypt(&codec::encode(content), now() / 1000, &mut rng()).map_err(fault)?;
        *sessions = next;
        relay.world().open_chat(self.account(), account);
        Ok(self.delivery(content.message, content.chat, envelope))
    }

    /// Encrypts a signal as a whisper of this person, who has sent something before.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn whisper(&mut self, relay: &Relay, to: &str, signal: &Signal) -> Result<Whispered, Stop> {
        let certificate = certificate_of(relay, to)?;
        let chat = ChatId::direct(&self.account(), &certificate.body().account);
        let sessions = self.sessions.entry(certificate.body().device).or_default();
        let ciphertext = sessions.whisper_to(&certificate, &chat, signal, &mut rng()).map_err(fault)?;
        Ok(Whispered { chat, sender: self.account(), sender_device: self.id(), ciphertext: ciphertext.into() })
    }

    /// Any bytes as a delivery of this person, without a position.
    #[must_use]
    pub fn delivery(&self, message: MessageId, chat: ChatId, bytes: Vec<u8>) -> Deliver {
        Deliver {
            seq: 0,
            message,
            chat,
            sender: self.account(),
            sender_device: self.id(),
            stored_at: now(),
            ciphertext: bytes.into(),
        }
    }

    /// Begins a session anew, whatever there was before.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and when the other side has published nothing that can be used.
    pub fn start(&mut self, relay: &Relay, to: &str) -> Result<(), Stop> {
        let certificate = certificate_of(relay, to)?;
        let (account, device) = (certificate.body().account, certificate.body().device);
        let claimed = relay.world().claim(account, &[device]);
        let bundle = claimed.and_then(|claimed| claimed.bundles.into_iter().next());
        let bundle = bundle.ok_or_else(|| Stop::failed(format!("{to} has published prekeys"), "none"))?;
        let bundle = bundle.read().map_err(fault)?;
        let sessions = self.sessions.entry(device).or_default();
        *sessions = sessions.start(&self.device, &certificate, &bundle, now() / 1000, &mut rng()).map_err(fault)?;
        Ok(())
    }

    /// Reads everything in the mailbox, answers texts with a `stored` receipt as a client does, and empties it.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] for a sender that the relay does not know.
    pub fn fetch(&mut self, relay: &Relay) -> Result<(), Stop> {
        let mailbox = match relay.world().devices.get_mut(&self.id()) {
            Some(device) => std::mem::take(&mut device.mailbox),
            None => return Ok(()),
        };
        for delivery in mailbox {
            self.open(relay, &delivery)?;
        }
        Ok(())
    }

    fn open(&mut self, relay: &Relay, delivery: &Deliver) -> Result<(), Stop> {
        let (name, certificate) = {
            let world = relay.world();
            let sender = world.account(&delivery.sender);
            let found = sender.and_then(|(name, account)| {
                Some((name.clone(), account.list.certificate(&delivery.sender_device)?.clone()))
            });
            found.ok_or_else(|| Stop::failed("a sender that the relay knows", delivery.sender.to_string()))?
        };
        let sessions = self.sessions.entry(delivery.sender_device).or_default();
        let received = sessions.decrypt(
            &self.device,
            &self.prekeys,
            &certificate,
            delivery.ciphertext.as_slice(),
            now() / 1000,
            &mut rng(),
        );
        let content = received.ok().and_then(|received| {
            let content: Content = codec::decode(&received.content).ok()?;
            *sessions = received.sessions;
            if let Some(prekeys) = received.prekeys {
                self.prekeys = prekeys;
            }
            Some(content)
        });
        let Some(content) = content else {
            self.unreadable.push(delivery.message);
            return Ok(());
        };
        if content.message != delivery.message || content.chat != delivery.chat {
            relay.object("CON-1: inside a ciphertext is another message or chat than outside");
        }
        if content.kind == TYPE_TEXT && certificate.body().account != self.account() {
            let receipt = Receipt { state: RECEIPT_STORED, messages: vec![content.message], at: now() };
            self.read.push(content);
            self.send(relay, &name, TYPE_RECEIPT, codec::encode(&receipt))?;
        } else {
            self.read.push(content);
        }
        Ok(())
    }

    /// The texts that came, in their order, those that were sent again included.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.read.iter().filter_map(text_of).collect()
    }
}

/// The text in a content, also when it was sent again.
fn text_of(content: &Content) -> Option<String> {
    match content.body() {
        Ok(Body::Text(text)) => Some(text.text),
        Ok(Body::Resent(Resent { content })) => text_of(&codec::decode(content.as_slice()).ok()?),
        _ => None,
    }
}

/// The device of a name.
///
/// # Errors
///
/// [`Stop::Failed`] when nobody has it.
pub fn device_of(relay: &Relay, name: &str) -> Result<DeviceId, Stop> {
    relay.world().device_of(name).ok_or_else(|| Stop::failed(format!("{name} is registered"), "nobody of that name"))
}

fn certificate_of(relay: &Relay, name: &str) -> Result<DeviceCertificate, Stop> {
    let world = relay.world();
    let account = world.accounts.get(name);
    account
        .and_then(|account| account.list.certificates().first().cloned())
        .ok_or_else(|| Stop::failed(format!("{name} is registered"), "nobody of that name"))
}
