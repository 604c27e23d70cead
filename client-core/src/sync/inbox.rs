//! The inbox: deliveries in mailbox order, each decrypted, placed and kept before the relay is
//! told to forget it.
//!
//! A delivery whose sender is not known yet holds back all that follow in the mailbox while the
//! relay is asked; the relay's window bounds how many that are.

use std::collections::{HashSet, VecDeque};

use rand_core::CryptoRng;
use susurro_protocol::codec;
use susurro_protocol::content::{Body, Content, TYPE_REPAIR, TYPE_RESENT};
use susurro_protocol::event::Deliver;
use susurro_protocol::limits::TEXT_MAX;
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, MailboxSeq, MessageId};

use super::engine::Engine;
use super::jobs::Job;
use super::order;
use crate::crypto::{DecryptError, PeerSessions, Received};
use crate::model::{Cause, ClientEvent, Delivery, Direction, MessageContent, MessageView, Trust};
use crate::store::port::Mutation;

pub(super) struct Inbox {
    /// The last position that is durable here, once the present step is.
    pub(super) cursor: MailboxSeq,
    /// Deliveries behind the cursor that wait for something to be fetched.
    pub(super) held: VecDeque<Deliver>,
    /// Dedup: what was taken in, by sending device.
    seen: HashSet<(DeviceId, MessageId)>,
}

/// Where a content came from.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) name: AccountName,
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) chat: ChatId,
    /// When the relay stored it.
    pub(super) stored_at: u64,
}

/// An envelope, as the relay delivered it or as it was kept.
pub(super) struct Envelope<'a> {
    pub(super) message: MessageId,
    pub(super) ciphertext: &'a [u8],
}

enum Taken {
    Done,
    /// Not before the answer to this.
    Wants(Job),
}

impl Inbox {
    pub(super) fn new(cursor: MailboxSeq, seen: Vec<(DeviceId, MessageId)>) -> Self {
        Self { cursor, held: VecDeque::new(), seen: seen.into_iter().collect() }
    }

    /// Whether nothing was ever taken in.
    pub(super) fn is_fresh(&self) -> bool {
        self.seen.is_empty()
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn hold(&mut self, delivery: Deliver) {
        self.note_delivery();
        // One that is durable already is acknowledged again: the first time may have been lost.
        self.draft.ack = true;
        let last = self.inbox.held.back().map_or(self.inbox.cursor, |held| held.seq);
        if delivery.seq > last {
            self.inbox.held.push_back(delivery);
        }
    }

    /// Takes in what can be taken in, in order.
    pub(super) fn take_held(&mut self) {
        while let Some(delivery) = self.inbox.held.pop_front() {
            match self.take_in(&delivery) {
                Taken::Done => {
                    self.inbox.cursor = delivery.seq;
                    self.draft.cursor = true;
                    self.draft.ack = true;
                }
                Taken::Wants(job) => {
                    self.inbox.held.push_front(delivery);
                    return self.want(job);
                }
            }
        }
    }

    fn take_in(&mut self, delivery: &Deliver) -> Taken {
        let (sender, device) = (delivery.sender, delivery.sender_device);
        if self.inbox.seen.contains(&(device, delivery.message)) || sender == self.me.account {
            return Taken::Done;
        }
        let expected = ChatId::direct(&self.me.account, &sender);
        let name = match self.people.name_of(&sender).or_else(|| self.people.strangers.get(&sender)) {
            Some(name) => name.clone(),
            None if self.people.unknown.contains(&sender) || delivery.chat != expected => return Taken::Done,
            None => return Taken::Wants(Job::Chat(delivery.chat)),
        };
        let origin = Origin { name, account: sender, device, chat: expected, stored_at: delivery.stored_at };
        let envelope = Envelope { message: delivery.message, ciphertext: delivery.ciphertext.as_slice() };
        if delivery.chat != expected {
            self.keep_undecryptable(&origin, &envelope, Cause::Malformed);
            return Taken::Done;
        }
        let contact = self.people.contacts.get(&origin.name);
        if let Some(contact) = contact
            && contact.account != sender
        {
            if contact.trust == Trust::ChangedAfterVerification
                && contact.offered_key.is_some_and(|key| AccountId::of_account_key(&key) == sender)
            {
                // Not shown as the verified person's before somebody decided that it is.
                self.keep_undecryptable(&origin, &envelope, Cause::Tampered);
                return Taken::Done;
            }
            if !self.people.unknown.contains(&sender) {
                return Taken::Wants(Job::Devices(origin.name));
            }
        }
        if self.people.certificate(&sender, &device).is_none() {
            // A device that the list does not know may be new; one that the relay made up is not.
            if self.people.unknown.contains(&sender) {
                return Taken::Done;
            }
            if self.people.looked_for.insert(device) {
                self.people.refetch.insert(origin.name.clone());
            }
            if self.people.refetch.contains(&origin.name) {
                return Taken::Wants(Job::Devices(origin.name));
            }
            self.keep_undecryptable(&origin, &envelope, Cause::Tampered);
            return Taken::Done;
        }
        match self.decrypt(&origin, &envelope) {
            Ok((content, new_session)) => {
                self.take_content(&origin, content);
                if new_session {
                    self.retry_undecryptable(&origin.name, device);
                }
            }
            Err(cause) => self.keep_undecryptable(&origin, &envelope, cause),
        }
        Taken::Done
    }

    /// Decrypts an envelope and steps the session, when what is inside fits what is outside.
    /// Also says whether it started a session. On an error nothing has changed.
    pub(super) fn decrypt(&mut self, origin: &Origin, envelope: &Envelope<'_>) -> Result<(Content, bool), Cause> {
        let certificate = self.people.certificate(&origin.account, &origin.device).ok_or(Cause::Tampered)?;
        let none = PeerSessions::new();
        let sessions = self.sessions.get(&origin.device).unwrap_or(&none);
        let (local, prekeys, now) = (&self.me.device, &self.prekeys, self.now / 1000);
        let Received { sessions, content, prekeys, new_session } =
            sessions.decrypt(local, prekeys, certificate, envelope.ciphertext, now, &mut self.rng).map_err(cause_of)?;
        let content: Content = codec::decode(&content).map_err(|_| Cause::Malformed)?;
        if content.message != envelope.message || content.chat != origin.chat {
            return Err(Cause::Tampered);
        }
        self.sessions.insert(origin.device, sessions);
        self.draft.sessions.insert(origin.device);
        if let Some(prekeys) = prekeys {
            self.prekeys = prekeys;
            self.draft.prekeys = true;
        }
        Ok((content, new_session))
    }

    /// Acts on a genuine content, once.
    pub(super) fn take_content(&mut self, origin: &Origin, content: Content) {
        let message = content.message;
        if !self.inbox.seen.insert((origin.device, message)) {
            return self.placeholder_gone(origin, message);
        }
        self.draft.keep(Mutation::Seen(origin.device, message, self.now));
        let is_contact = self.people.name_of(&origin.account).is_some();
        match content.body() {
            Ok(Body::Text(text)) if !text.text.is_empty() && text.text.len() <= TEXT_MAX => {
                self.show(origin, &content, MessageContent::Text(text.text));
                self.draft.owed.entry(origin.name.clone()).or_default().push(message);
                return;
            }
            Ok(Body::Attachment(attachment)) if attachment.is_within_limits() => {
                self.show(origin, &content, MessageContent::Attachment(Box::new(attachment)));
                self.draft.owed.entry(origin.name.clone()).or_default().push(message);
                return;
            }
            Ok(Body::Unknown(kind)) => return self.show(origin, &content, MessageContent::Unknown(kind)),
            Err(_) | Ok(Body::Text(_) | Body::Attachment(_)) => {
                return self.show(origin, &content, MessageContent::Undecryptable(Cause::Malformed));
            }
            // A stranger has nothing of ours to receipt and nothing to repair.
            Ok(Body::Receipt(receipt)) if is_contact => self.take_receipt(&origin.name, &receipt),
            Ok(Body::Repair(repair)) if is_contact => self.take_repair(&origin.name, &repair),
            Ok(Body::Resent(resent)) if is_contact => self.take_resent(origin, resent.content.as_slice()),
            Ok(Body::Receipt(_) | Body::Repair(_) | Body::Resent(_)) => {}
        }
        if is_contact {
            // It counts like any other, or the next text would leave a place free for it.
            order::place(self.chat(origin.chat), origin.device, content.counter);
        }
        self.placeholder_gone(origin, message);
    }

    /// A message that comes again, wrapped: because this device asked for it, or because the relay may have
    /// lost it. One that is here already was confirmed by a receipt that did not arrive.
    fn take_resent(&mut self, origin: &Origin, bytes: &[u8]) {
        let inner: Result<Content, _> = codec::decode(bytes);
        if let Ok(inner) = inner
            && inner.chat == origin.chat
            && !matches!(inner.kind, TYPE_REPAIR | TYPE_RESENT)
        {
            let is_here = self.inbox.seen.contains(&(origin.device, inner.message));
            if is_here && matches!(inner.body(), Ok(Body::Text(_) | Body::Attachment(_))) {
                self.draft.owed.entry(origin.name.clone()).or_default().push(inner.message);
            }
            self.take_content(origin, inner);
        }
    }

    /// Puts a message of the other person into the timeline.
    fn show(&mut self, origin: &Origin, content: &Content, shown: MessageContent) {
        self.know_sender(origin);
        self.types_no_more(&origin.name);
        let state = self.chat(origin.chat);
        let position = order::place(state, origin.device, content.counter);
        order::follow(state, &content.parents, content.message);
        let view = MessageView {
            id: content.message,
            chat: origin.chat,
            peer: origin.name.clone(),
            direction: Direction::Incoming,
            position,
            content: shown,
            sent_at: content.sent_at,
            accepted_at: Some(origin.stored_at),
            stored_at: Some(self.now),
            read_at: None,
            delivery: Delivery::Stored,
        };
        self.draft.keep(Mutation::Message(view.clone()));
        if self.repairs.take(origin.device, content.message) {
            self.draft.keep(Mutation::UndecryptableDone(content.message));
            self.draft.emit(ClientEvent::Changed { peer: origin.name.clone(), message: content.message });
        } else {
            self.draft.emit(ClientEvent::Message(view));
        }
    }

    /// Makes a stranger who wrote a contact.
    pub(super) fn know_sender(&mut self, origin: &Origin) {
        if self.people.name_of(&origin.account).is_some() || self.people.contacts.contains_key(&origin.name) {
            return;
        }
        if let Some(list) = self.people.lists.get(&origin.account) {
            let key = list.body().account_key.0;
            self.add_contact(origin.name.clone(), origin.account, key);
        }
    }
}

/// What a placeholder says. A duplicate comes here only under an identifier that was never taken
/// in: the sender's state was set back and used its keys a second time.
fn cause_of(error: DecryptError) -> Cause {
    match error {
        DecryptError::NoSession | DecryptError::WrongRecipient => Cause::NoSession,
        DecryptError::Duplicate | DecryptError::OldKey | DecryptError::UnknownPrekey => Cause::OldKey,
        DecryptError::TooFarAhead => Cause::TooFarAhead,
        DecryptError::Tampered | DecryptError::WeakKey | DecryptError::WrongSender => Cause::Tampered,
        DecryptError::UnknownVersion => Cause::UnknownVersion,
        DecryptError::Malformed => Cause::Malformed,
    }
}
