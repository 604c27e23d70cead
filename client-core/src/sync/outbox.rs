//! The outbox: strictly first in, first out for each conversation, several conversations at once.
//!
//! A message is encrypted when its turn comes. The stepped ratchet and the bytes to send are made
//! durable together before the first byte leaves, and every try sends the same bytes, so the
//! relay recognises a repetition and no key ever encrypts twice.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::command::{Deposit, ListVersion, Send};
use susurro_protocol::content::{Attachment, Content, TYPE_ATTACHMENT, TYPE_TEXT, Text};
use susurro_protocol::event::{Rejected, Stored};
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::TEXT_MAX;
use susurro_protocol::{AccountName, ChatId, DeviceId, ErrorCode, MessageId};
use zeroize::Zeroizing;

use super::backoff;
use super::engine::Engine;
use super::jobs::{Job, RETRY_AFTER_MAX, is_about_token};
use super::order;
use super::types::Refused;
use crate::crypto::CryptoError;
use crate::model::{ClientEvent, Delivery, Direction, MessageContent, MessageView};
use crate::store::port::{ChatState, Mutation, OutboxEntry};

/// Messages on their way at once, one of each conversation: bounds what a reconnect repeats.
const IN_FLIGHT_MAX: usize = 64;

/// What waits to be sent.
pub(super) struct Outbox {
    entries: BTreeMap<u64, Queued>,
    queues: BTreeMap<AccountName, VecDeque<u64>>,
    by_message: HashMap<MessageId, u64>,
    next_order: u64,
}

struct Queued {
    entry: OutboxEntry,
    in_flight: bool,
    attempts: u32,
    retry_at: u64,
}

impl Outbox {
    pub(super) fn new(entries: Vec<OutboxEntry>) -> Self {
        let mut outbox =
            Self { entries: BTreeMap::new(), queues: BTreeMap::new(), by_message: HashMap::new(), next_order: 1 };
        for entry in entries {
            outbox.put(entry);
        }
        outbox
    }

    fn put(&mut self, entry: OutboxEntry) {
        self.next_order = self.next_order.max(entry.order + 1);
        self.queues.entry(entry.peer.clone()).or_default().push_back(entry.order);
        self.by_message.insert(entry.message, entry.order);
        self.entries.insert(entry.order, Queued { entry, in_flight: false, attempts: 0, retry_at: 0 });
    }

    fn take(&mut self, order: u64) -> Option<OutboxEntry> {
        let entry = self.entries.remove(&order)?.entry;
        self.by_message.remove(&entry.message);
        if let Some(queue) = self.queues.get_mut(&entry.peer) {
            queue.retain(|other| *other != order);
            if queue.is_empty() {
                self.queues.remove(&entry.peer);
            }
        }
        Some(entry)
    }

    /// How many messages wait that a person wrote.
    pub(super) fn shown(&self) -> u64 {
        self.entries.values().filter(|queued| queued.entry.shown).count() as u64
    }

    /// The session with the relay is over: what it has not answered is sent again in the next.
    pub(super) fn forget_in_flight(&mut self) {
        for queued in self.entries.values_mut() {
            queued.in_flight = false;
            queued.retry_at = 0;
        }
    }

    pub(super) fn next_wake(&self, now: u64) -> Option<u64> {
        let heads = self.queues.values().filter_map(|queue| self.entries.get(queue.front()?));
        heads.filter(|head| !head.in_flight).map(|head| head.retry_at).filter(|at| *at > now).min()
    }

    /// The last entry of a queue, while it can still be changed.
    pub(super) fn open_tail(&mut self, peer: &AccountName) -> Option<&mut OutboxEntry> {
        let order = self.queues.get(peer)?.back()?;
        let queued = self.entries.get_mut(order)?;
        (queued.entry.wire.is_none() && !queued.entry.shown).then_some(&mut queued.entry)
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn compose(&mut self, peer: AccountName, message: MessageId, text: String) -> Result<(), Refused> {
        self.check_text(&peer, &text)?;
        if self.is_known(&message) {
            return Ok(());
        }
        self.show_own(&peer, message, MessageContent::Text(text.clone()));
        self.queue(peer, message, TYPE_TEXT, codec::encode(&Text { text }), true);
        Ok(())
    }

    /// Whether this message waits or was sent already.
    pub(super) fn is_known(&self, message: &MessageId) -> bool {
        self.outbox.by_message.contains_key(message) || self.sent.knows(message)
    }

    /// Puts a new message of ours into the timeline.
    pub(super) fn show_own(&mut self, peer: &AccountName, message: MessageId, content: MessageContent) {
        let chat = self.chat_of(peer);
        let position = order::next_position(self.chat(chat));
        let view = MessageView {
            id: message,
            chat,
            peer: peer.clone(),
            direction: Direction::Outgoing,
            position,
            content,
            sent_at: self.now,
            accepted_at: None,
            stored_at: None,
            read_at: None,
            delivery: Delivery::Queued,
        };
        self.draft.keep(Mutation::Message(view.clone()));
        self.draft.emit(ClientEvent::Message(view));
        self.whispers.wrote(peer);
    }

    pub(super) fn retry(&mut self, peer: AccountName, message: MessageId, text: String) -> Result<(), Refused> {
        self.check_text(&peer, &text)?;
        if self.is_known(&message) {
            return Ok(());
        }
        self.draft.keep(Mutation::Delivery(message, Delivery::Queued, self.now));
        self.draft.emit(ClientEvent::Delivery { peer: peer.clone(), message, delivery: Delivery::Queued });
        self.queue(peer, message, TYPE_TEXT, codec::encode(&Text { text }), true);
        Ok(())
    }

    fn check_text(&self, peer: &AccountName, text: &str) -> Result<(), Refused> {
        if text.is_empty() {
            return Err(Refused::EmptyText);
        }
        if text.len() > TEXT_MAX {
            return Err(Refused::TooLong { bytes: text.len(), max: TEXT_MAX });
        }
        self.check_peer(peer)
    }

    /// Whether anything may be queued for this person.
    pub(super) fn check_peer(&self, peer: &AccountName) -> Result<(), Refused> {
        if *peer == self.me.name {
            return Err(Refused::Yourself);
        }
        match self.people.contacts.get(peer) {
            Some(contact) if !contact.trust.may_send() => Err(Refused::KeyChanged(peer.clone())),
            _ => Ok(()),
        }
    }

    /// Puts a content at the end of a conversation's queue.
    pub(super) fn queue(&mut self, peer: AccountName, message: MessageId, kind: u16, body: Vec<u8>, shown: bool) {
        let (chat, sent_at) = (self.chat_of(&peer), self.now);
        let state = self.chat(chat);
        state.sent_counter += 1;
        let content = Content {
            message,
            chat,
            counter: state.sent_counter,
            parents: state.heads.clone(),
            sent_at,
            // Known when it is encrypted.
            sender_list: Fixed([0; 32]),
            recipient_list: Fixed([0; 32]),
            kind,
            body: body.into(),
        };
        if shown {
            order::follow(state, &content.parents, message);
        }
        let content = Zeroizing::new(codec::encode(&content));
        let order = self.outbox.next_order;
        let entry = OutboxEntry { order, message, peer, chat, content, shown, wire: None };
        self.draft.keep(Mutation::Outbox(entry.clone()));
        self.outbox.put(entry);
    }

    /// Sends the first of each conversation that is not on its way yet.
    pub(super) fn send_queued(&mut self) {
        let mut in_flight = self.outbox.entries.values().filter(|queued| queued.in_flight).count();
        let mut heads: VecDeque<u64> = self.outbox.queues.values().filter_map(|queue| queue.front().copied()).collect();
        while let Some(order) = heads.pop_front() {
            if in_flight >= IN_FLIGHT_MAX || !self.is_connected() {
                return;
            }
            let Some(queued) = self.outbox.entries.get(&order) else { continue };
            if queued.in_flight || !backoff::is_due(queued.retry_at, self.now, RETRY_AFTER_MAX) {
                continue;
            }
            let peer = queued.entry.peer.clone();
            if let Some(wire) = self.wire_of(order) {
                if self.relay_takes(&wire) && self.transmit_bytes(FrameKind::Send, &wire) {
                    in_flight += 1;
                    if let Some(queued) = self.outbox.entries.get_mut(&order) {
                        queued.in_flight = true;
                    }
                } else {
                    self.fail(order, ErrorCode::TooLarge);
                }
            }
            if !self.outbox.entries.contains_key(&order) {
                // Given up: the next of the conversation takes its turn.
                heads.extend(self.outbox.queues.get(&peer).and_then(|queue| queue.front().copied()));
            }
        }
    }

    /// Whether no ciphertext in a `Send` is larger than the relay takes (LIM-2).
    fn relay_takes(&self, wire: &[u8]) -> bool {
        // Each ciphertext is smaller than the whole: most are not looked at.
        self.takes_ciphertext_of(wire.len())
            || codec::decode(wire).is_ok_and(|send: Send| {
                send.deposits.iter().all(|deposit| self.takes_ciphertext_of(deposit.ciphertext.len()))
            })
    }

    /// The bytes of an entry's `Send`: those of the first time, or encrypted now. `None` while
    /// something is missing, which is asked for.
    fn wire_of(&mut self, order: u64) -> Option<Vec<u8>> {
        let entry = &self.outbox.entries.get(&order)?.entry;
        let (peer, message, chat) = (entry.peer.clone(), entry.message, entry.chat);
        let Some(contact) = self.people.contacts.get(&peer) else {
            self.resolve(&peer);
            self.want(Job::Devices(peer));
            return None;
        };
        let awaited = |name| self.people.refetch.contains(name) || self.people.reopen.contains(name);
        if !contact.trust.may_send() || awaited(&peer) || awaited(&self.me.name) {
            return None;
        }
        if let Some(wire) = &entry.wire {
            return Some(wire.clone());
        }
        let account = contact.account;
        let mut content: Content = codec::decode(&entry.content).ok()?;
        if content.kind == TYPE_ATTACHMENT
            && let Ok(attachment) = codec::decode::<Attachment>(content.body.as_slice())
            && !self.is_uploaded(&peer, message, &attachment)
        {
            return None;
        }
        let Some((theirs, ours)) = self.people.lists.get(&account).zip(self.people.lists.get(&self.me.account)) else {
            if !self.people.lists.contains_key(&account) {
                self.want(Job::Devices(peer));
            }
            return None;
        };
        let own_device = self.me.device.device();
        let devices = |list: &susurro_protocol::keys::DeviceList| -> Vec<_> {
            list.certificates().iter().map(|c| (c.body().account, c.body().device)).collect()
        };
        let targets: Vec<_> =
            devices(theirs).into_iter().chain(devices(ours)).filter(|(_, device)| *device != own_device).collect();
        let version = |list: &susurro_protocol::keys::DeviceList| ListVersion {
            account: list.body().account,
            version: list.body().version,
        };
        let lists = vec![version(ours), version(theirs)];
        content.chat = chat;
        content.sender_list = Fixed(ours.hash());
        content.recipient_list = Fixed(theirs.hash());
        let plaintext = Zeroizing::new(codec::encode(&content));

        let missing: Vec<_> =
            targets.iter().filter(|(account, device)| !self.can_send_to(account, device)).copied().collect();
        if !missing.is_empty() {
            for (account, device) in missing {
                self.want(Job::Claim(account, device));
            }
            return None;
        }
        match self.encrypt(&targets, &plaintext) {
            Ok(deposits) => {
                let send = Send { message, chat, lists, deposits, time_to_live: 0 };
                let wire = codec::encode(&send);
                let entry = &mut self.outbox.entries.get_mut(&order)?.entry;
                entry.wire = Some(wire.clone());
                // As it was encrypted, so that it can be sent again as the content of the first time.
                entry.content = plaintext;
                self.draft.keep(Mutation::Outbox(entry.clone()));
                Some(wire)
            }
            Err((_, CryptoError::TooLarge)) => {
                self.fail(order, ErrorCode::TooLarge);
                None
            }
            Err(((account, device), _)) => {
                // A chain at its end: the next claim begins a new session.
                self.want(Job::Repair(account, device));
                None
            }
        }
    }

    /// One ciphertext a device. Nothing changes unless all could be made.
    fn encrypt(
        &mut self,
        targets: &[(susurro_protocol::AccountId, DeviceId)],
        plaintext: &[u8],
    ) -> Result<Vec<Deposit>, ((susurro_protocol::AccountId, DeviceId), CryptoError)> {
        let mut stepped = Vec::with_capacity(targets.len());
        let mut deposits = Vec::with_capacity(targets.len());
        for (account, device) in targets {
            let failed = |error| ((*account, *device), error);
            let sessions = self.sessions.get(device).ok_or(failed(CryptoError::NoSession))?;
            let certificate = self.people.certificate(account, device).ok_or(failed(CryptoError::WrongRecipient))?;
            let (sessions, ciphertext) =
                sessions.encrypt_to(certificate, plaintext, self.now / 1000, &mut self.rng).map_err(failed)?;
            stepped.push((*device, sessions));
            deposits.push(Deposit { device: *device, ciphertext: ciphertext.into() });
        }
        for (device, sessions) in stepped {
            self.draft.sessions.insert(device);
            self.sessions.insert(device, sessions);
        }
        Ok(deposits)
    }

    /// The relay has it durably.
    pub(super) fn stored(&mut self, stored: &Stored) {
        self.accepted(stored.message);
    }

    /// Ends an entry that is durable at the relay. Says whether there was one.
    pub(super) fn accepted(&mut self, message: MessageId) -> bool {
        let encrypted = |queued: &Queued| queued.entry.wire.is_some();
        let order = self.outbox.by_message.get(&message).copied();
        let Some(order) = order.filter(|order| self.outbox.entries.get(order).is_some_and(encrypted)) else {
            return false;
        };
        let Some(entry) = self.outbox.take(order) else { return false };
        self.draft.keep(Mutation::OutboxDone(order));
        if entry.shown {
            self.draft.keep(Mutation::Delivery(message, Delivery::Accepted, self.now));
            let delivery = Delivery::Accepted;
            self.draft.emit(ClientEvent::Delivery { peer: entry.peer.clone(), message, delivery });
        }
        self.remember_sent(entry);
        true
    }

    pub(super) fn rejected(&mut self, rejected: &Rejected) {
        let Some(order) = self.outbox.by_message.get(&rejected.message).copied() else { return };
        let Some(queued) = self.outbox.entries.get_mut(&order) else { return };
        if !queued.in_flight {
            return;
        }
        queued.in_flight = false;
        let peer = queued.entry.peer.clone();
        let attempts = queued.attempts;
        queued.attempts = attempts.saturating_add(1);
        match rejected.code {
            ErrorCode::StaleDeviceList => {
                // Nothing of it was stored: it may be encrypted again, for the present devices.
                queued.entry.wire = None;
                self.draft.keep(Mutation::Outbox(queued.entry.clone()));
                let ours = rejected.stale.contains(&self.me.account);
                if ours {
                    self.people.refetch.insert(self.me.name.clone());
                }
                if !ours || rejected.stale.len() > 1 {
                    self.people.refetch.insert(peer);
                }
                // The first time at once; a relay that goes on refusing is not asked in a loop.
                let wait = if attempts == 0 { 0 } else { backoff::delay(attempts, &mut self.rng) };
                self.put_off(order, wait);
            }
            ErrorCode::UnknownChat if attempts == 0 => {
                // The chat was never opened, or another account has the name now.
                self.people.reopen.insert(peer.clone());
                self.people.refetch.insert(peer);
            }
            // As at any other place: another token, another session, the same bytes.
            code if is_about_token(code) => self.refused(code, 0),
            code if code.is_temporary() || rejected.retry_after > 0 => {
                let wait = backoff::delay(attempts, &mut self.rng);
                self.put_off(order, wait.max(u64::from(rejected.retry_after).min(RETRY_AFTER_MAX)));
            }
            code => self.fail(order, code),
        }
    }

    fn put_off(&mut self, order: u64, wait: u64) {
        if let Some(queued) = self.outbox.entries.get_mut(&order) {
            queued.retry_at = self.now + wait;
        }
    }

    /// Whether this message waits for this contact.
    pub(super) fn is_queued_for(&self, peer: &AccountName, message: &MessageId) -> bool {
        let order = self.outbox.by_message.get(message);
        order.and_then(|order| self.outbox.entries.get(order)).is_some_and(|queued| queued.entry.peer == *peer)
    }

    /// Gives an entry up, loudly; the next of its conversation go on.
    fn fail(&mut self, order: u64, code: ErrorCode) {
        let Some(entry) = self.outbox.take(order) else { return };
        // Its file stays in the profile: the person may try again.
        self.uploads.forget(&entry.message);
        self.draft.keep(Mutation::OutboxDone(order));
        if entry.shown {
            let (message, delivery) = (entry.message, Delivery::Failed(code));
            self.draft.keep(Mutation::Delivery(message, delivery, self.now));
            self.draft.emit(ClientEvent::Delivery { peer: entry.peer, message, delivery });
        }
    }

    /// Gives a message up whose file the relay does not take.
    pub(super) fn give_up(&mut self, message: &MessageId, code: ErrorCode) {
        if let Some(order) = self.outbox.by_message.get(message).copied() {
            self.fail(order, code);
        }
    }

    /// Gives up all that waits for a person who cannot be reached.
    pub(super) fn fail_queue(&mut self, peer: &AccountName, code: ErrorCode) {
        let orders: Vec<_> = self.outbox.queues.get(peer).into_iter().flatten().copied().collect();
        for order in orders {
            self.fail(order, code);
        }
    }

    /// What waits for a person goes to this chat: encrypted again for the devices of its account.
    pub(super) fn move_queue(&mut self, peer: &AccountName, chat: ChatId) {
        for order in self.outbox.queues.get(peer).into_iter().flatten() {
            if let Some(queued) = self.outbox.entries.get_mut(order)
                && queued.entry.chat != chat
            {
                queued.entry.chat = chat;
                queued.entry.wire = None;
                queued.in_flight = false;
                self.draft.keep(Mutation::Outbox(queued.entry.clone()));
            }
        }
    }

    /// Whether something waits that could be sent now or soon.
    pub(super) fn has_sendable(&self) -> bool {
        let may_send = |peer| self.people.contacts.get(peer).is_none_or(|contact| contact.trust.may_send());
        self.outbox.queues.keys().any(may_send)
    }

    /// The chat of a conversation; provisional until its name is resolved.
    fn chat_of(&self, peer: &AccountName) -> ChatId {
        self.people.contacts.get(peer).map_or_else(|| provisional_chat(peer), |contact| contact.chat)
    }

    /// The bookkeeping of a chat, which is going to change.
    pub(super) fn chat(&mut self, chat: ChatId) -> &mut ChatState {
        self.draft.chats.insert(chat);
        self.chats.entry(chat).or_insert_with(|| order::new_chat(chat, 0))
    }
}

/// Stands for the chat with a name that was not resolved yet.
pub(super) fn provisional_chat(peer: &AccountName) -> ChatId {
    let hash = Sha256::new().chain_update(b"susurro/v1/provisional-chat\0").chain_update(peer.as_str());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    ChatId::from_bytes(id)
}
