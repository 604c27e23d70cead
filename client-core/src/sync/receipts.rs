//! Receipts, both ways, and the short log of what was sent.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rand_core::CryptoRng;
use susurro_protocol::codec;
use susurro_protocol::content::{
    Attachment, Content, RECEIPT_MESSAGES_MAX, RECEIPT_READ, RECEIPT_SAVED, RECEIPT_STORED, Receipt, TYPE_ATTACHMENT,
    TYPE_RECEIPT, TYPE_REPAIR, TYPE_RESENT,
};
use susurro_protocol::{AccountName, MessageId};
use zeroize::Zeroizing;

use super::engine::Engine;
use super::types::{Effect, Refused};
use crate::model::{ClientEvent, Delivery};
use crate::store::port::{Mutation, OutboxEntry, SendLogEntry, SentMessage};

/// Messages kept for repair of each contact.
const LOG_MAX: usize = 200;
/// Milliseconds for which they are kept.
const LOG_FOR: u64 = 7 * 24 * 3600 * 1000;

/// What was sent, as far as it may still matter.
#[derive(Default)]
pub(super) struct Sent {
    /// Messages that a receipt may be about.
    open: HashMap<MessageId, (AccountName, Delivery)>,
    /// Contents kept for repair, oldest first.
    log: BTreeMap<AccountName, VecDeque<SendLogEntry>>,
}

impl Sent {
    pub(super) fn new(open: Vec<SentMessage>, log: Vec<SendLogEntry>) -> Self {
        let mut sent = Self::default();
        for SentMessage { message, peer, delivery } in open {
            sent.open.insert(message, (peer, delivery));
        }
        for entry in log {
            sent.log.entry(entry.peer.clone()).or_default().push_back(entry);
        }
        for log in sent.log.values_mut() {
            log.make_contiguous().sort_by_key(|entry| entry.sent_at);
        }
        sent
    }

    pub(super) fn knows(&self, message: &MessageId) -> bool {
        self.open.contains_key(message)
    }

    /// The content of a message that was sent to this contact.
    pub(super) fn logged(&self, peer: &AccountName, message: &MessageId) -> Option<&[u8]> {
        let entry = self.log.get(peer)?.iter().find(|entry| entry.message == *message)?;
        Some(&entry.content)
    }

    /// Messages of which nobody has said that they arrived: contact, identifier and content.
    pub(super) fn unconfirmed(&self) -> Vec<(AccountName, MessageId, Zeroizing<Vec<u8>>)> {
        let is_open = |entry: &&SendLogEntry| {
            self.open.get(&entry.message).is_some_and(|(_, delivery)| *delivery == Delivery::Accepted)
        };
        let entries = self.log.values().flatten().filter(is_open);
        entries.map(|entry| (entry.peer.clone(), entry.message, entry.content.clone())).collect()
    }

    fn forget(&mut self, peer: &AccountName, message: &MessageId) -> bool {
        let Some(log) = self.log.get_mut(peer) else { return false };
        let before = log.len();
        log.retain(|entry| entry.message != *message);
        log.len() < before
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Keeps what the relay has accepted until the peer's device has it too.
    pub(super) fn remember_sent(&mut self, entry: OutboxEntry) {
        let OutboxEntry { message, peer, content, shown, .. } = entry;
        if shown {
            self.sent.open.insert(message, (peer.clone(), Delivery::Accepted));
        }
        let decoded = codec::decode::<Content>(&content);
        if let Ok(sent) = &decoded
            && sent.kind == TYPE_ATTACHMENT
            && let Ok(attachment) = codec::decode::<Attachment>(sent.body.as_slice())
        {
            self.uploads.forget(&message);
            self.draft.effects.push(Effect::Uploaded(attachment.blob));
        }
        let kind = decoded.map(|content| content.kind);
        // Repair is not repaired: the next request replaces a lost one.
        if matches!(kind, Ok(TYPE_REPAIR | TYPE_RESENT) | Err(_)) {
            return;
        }
        let entry = SendLogEntry { message, peer: peer.clone(), content, sent_at: self.now };
        self.draft.keep(Mutation::SendLog(entry.clone()));
        let log = self.sent.log.entry(peer).or_default();
        log.push_back(entry);
        while log.len() > LOG_MAX {
            if let Some(oldest) = log.pop_front() {
                self.draft.keep(Mutation::SendLogDone(oldest.message));
            }
        }
    }

    pub(super) fn expire_send_log(&mut self) {
        let before = self.now.saturating_sub(LOG_FOR);
        for log in self.sent.log.values_mut() {
            while log.front().is_some_and(|entry| entry.sent_at < before) {
                if let Some(oldest) = log.pop_front() {
                    self.draft.keep(Mutation::SendLogDone(oldest.message));
                }
            }
        }
    }

    /// A receipt counts only for messages that went to the very contact it comes from.
    pub(super) fn take_receipt(&mut self, from: &AccountName, receipt: &Receipt) {
        let delivery = match receipt.state {
            RECEIPT_STORED => Delivery::Stored,
            RECEIPT_READ => Delivery::Read,
            RECEIPT_SAVED => {
                let messages = &receipt.messages[..receipt.messages.len().min(RECEIPT_MESSAGES_MAX)];
                return self.attachment_saved(from, messages);
            }
            _ => return,
        };
        for message in receipt.messages.iter().take(RECEIPT_MESSAGES_MAX) {
            // The relay's word may have been lost, or come later.
            if self.is_queued_for(from, message) {
                self.accepted(*message);
            }
            match self.sent.open.get_mut(message) {
                Some((peer, known)) if peer == from && *known < delivery => *known = delivery,
                _ => continue,
            }
            if delivery == Delivery::Read {
                self.sent.open.remove(message);
            }
            if self.sent.forget(from, message) {
                self.draft.keep(Mutation::SendLogDone(*message));
            }
            self.draft.keep(Mutation::Delivery(*message, delivery, self.now));
            self.draft.emit(ClientEvent::Delivery { peer: from.clone(), message: *message, delivery });
        }
    }

    /// One receipt a contact for all texts of this step.
    pub(super) fn queue_receipts(&mut self) {
        for (peer, messages) in std::mem::take(&mut self.draft.owed) {
            self.queue_receipt(&peer, RECEIPT_STORED, messages);
        }
    }

    pub(super) fn mark_read(&mut self, peer: &AccountName, messages: Vec<MessageId>) -> Result<(), Refused> {
        if !self.people.contacts.contains_key(peer) {
            return Err(Refused::UnknownContact(peer.clone()));
        }
        for message in &messages {
            self.draft.keep(Mutation::Delivery(*message, Delivery::Read, self.now));
        }
        self.queue_receipt(peer, RECEIPT_READ, messages);
        Ok(())
    }

    /// Adds to the receipt that waits at the end of the queue, or queues another.
    pub(super) fn queue_receipt(&mut self, peer: &AccountName, state: u8, mut messages: Vec<MessageId>) {
        if let Some(entry) = self.outbox.open_tail(peer)
            && let Ok(mut content) = codec::decode::<Content>(&entry.content)
            && content.kind == TYPE_RECEIPT
            && let Ok(mut receipt) = codec::decode::<Receipt>(content.body.as_slice())
            && receipt.state == state
        {
            let room = RECEIPT_MESSAGES_MAX.saturating_sub(receipt.messages.len()).min(messages.len());
            receipt.messages.extend(messages.drain(..room));
            content.body = codec::encode(&receipt).into();
            entry.content = Zeroizing::new(codec::encode(&content));
            let entry = entry.clone();
            self.draft.keep(Mutation::Outbox(entry));
        }
        for messages in messages.chunks(RECEIPT_MESSAGES_MAX) {
            let receipt = Receipt { state, messages: messages.to_vec(), at: self.now };
            let id = self.fresh_message_id();
            self.queue(peer.clone(), id, TYPE_RECEIPT, codec::encode(&receipt), false);
        }
    }

    pub(super) fn fresh_message_id(&mut self) -> MessageId {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        MessageId::from_bytes(id)
    }
}
