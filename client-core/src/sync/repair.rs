//! Repair of what could not be decrypted: the ciphertext and a placeholder are kept, and the
//! sender is asked, in a session begun anew, to send it again.

use std::collections::{BTreeMap, HashMap};

use rand_core::CryptoRng;
use susurro_protocol::codec;
use susurro_protocol::content::{REPAIR_MESSAGES_MAX, Repair, Resent, TYPE_REPAIR, TYPE_RESENT};
use susurro_protocol::rest::ClaimResponse;
use susurro_protocol::{AccountId, AccountName, DeviceId, MessageId};

use super::engine::Engine;
use super::inbox::{Envelope, Origin};
use super::jobs::Job;
use super::order;
use crate::model::{Cause, ClientEvent, Delivery, Direction, MessageContent, MessageView};
use crate::store::port::{Mutation, Undecryptable};

/// Milliseconds between two repairs of one device: what a flood of garbage can cost.
const REPAIR_EVERY: u64 = 3600 * 1000;
/// Milliseconds for which a ciphertext is kept.
const KEPT_FOR: u64 = 30 * 24 * 3600 * 1000;
/// Ciphertexts kept in all: at most 64 MiB of garbage.
const KEPT_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Repairs {
    kept: BTreeMap<(DeviceId, MessageId), Kept>,
    /// When a device was last asked.
    asked: BTreeMap<DeviceId, u64>,
    /// When a message was last sent again.
    resent: HashMap<MessageId, u64>,
}

struct Kept {
    entry: Undecryptable,
    /// Its sender was asked for it.
    asked: bool,
}

impl Repairs {
    pub(super) fn new(kept: Vec<Undecryptable>) -> Self {
        let key = |entry: &Undecryptable| (entry.sender_device, entry.message);
        let kept = kept.into_iter().map(|entry| (key(&entry), Kept { entry, asked: false })).collect();
        Self { kept, ..Self::default() }
    }

    /// Stops keeping a message; says whether it was kept.
    pub(super) fn take(&mut self, device: DeviceId, message: MessageId) -> bool {
        self.kept.remove(&(device, message)).is_some()
    }

    pub(super) fn next_wake(&self, now: u64) -> Option<u64> {
        let waiting = self.kept.values().filter(|kept| !kept.asked && is_repairable(kept.entry.cause));
        let due = waiting.filter_map(|kept| self.asked.get(&kept.entry.sender_device)).map(|at| at + REPAIR_EVERY);
        due.filter(|at| *at > now).min()
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Keeps a ciphertext, and shows that something could not be read.
    pub(super) fn keep_undecryptable(&mut self, origin: &Origin, envelope: &Envelope<'_>, cause: Cause) {
        let (message, key) = (envelope.message, (origin.device, envelope.message));
        if self.repairs.kept.contains_key(&key) {
            return;
        }
        self.know_sender(origin);
        if self.repairs.kept.len() >= KEPT_MAX {
            let oldest = self.repairs.kept.values().min_by_key(|kept| kept.entry.received_at);
            if let Some((device, message)) = oldest.map(|kept| (kept.entry.sender_device, kept.entry.message)) {
                self.repairs.take(device, message);
                self.draft.keep(Mutation::UndecryptableDone(message));
            }
        }
        let entry = Undecryptable {
            message,
            chat: origin.chat,
            sender: origin.account,
            sender_device: origin.device,
            cause,
            received_at: self.now,
            ciphertext: envelope.ciphertext.to_vec(),
        };
        self.draft.keep(Mutation::Undecryptable(entry.clone()));
        self.repairs.kept.insert(key, Kept { entry, asked: false });
        let view = MessageView {
            id: message,
            chat: origin.chat,
            peer: origin.name.clone(),
            direction: Direction::Incoming,
            position: order::next_position(self.chat(origin.chat)),
            content: MessageContent::Undecryptable(cause),
            // Nothing inside can be read: the relay's time has to do.
            sent_at: origin.stored_at,
            accepted_at: Some(origin.stored_at),
            stored_at: Some(self.now),
            read_at: None,
            delivery: Delivery::Stored,
        };
        self.draft.keep(Mutation::Message(view.clone()));
        self.draft.emit(ClientEvent::Message(view));
    }

    /// What was kept as a message turned out to be nothing to show, or was shown already.
    pub(super) fn placeholder_gone(&mut self, origin: &Origin, message: MessageId) {
        if self.repairs.take(origin.device, message) {
            self.draft.keep(Mutation::UndecryptableDone(message));
            self.draft.keep(Mutation::PlaceholderGone(origin.chat, message));
            self.draft.emit(ClientEvent::Changed { peer: origin.name.clone(), message });
        }
    }

    /// Tries what was kept of a device again: its session came later than its messages.
    pub(super) fn retry_undecryptable(&mut self, name: &AccountName, device: DeviceId) {
        let kept: Vec<_> = self.repairs.kept.values().filter(|kept| kept.entry.sender_device == device).collect();
        let kept: Vec<Undecryptable> = kept.into_iter().map(|kept| kept.entry.clone()).collect();
        for entry in kept {
            let origin = Origin {
                name: name.clone(),
                account: entry.sender,
                device,
                chat: entry.chat,
                // Not kept with the ciphertext; close enough to be shown.
                stored_at: entry.received_at,
            };
            let envelope = Envelope { message: entry.message, ciphertext: &entry.ciphertext };
            if let Ok((content, _)) = self.decrypt(&origin, &envelope) {
                self.take_content(&origin, content);
            }
        }
    }

    /// Tries what was kept of a contact's account again.
    pub(super) fn retry_undecryptable_of(&mut self, name: &AccountName) {
        let Some(account) = self.people.contacts.get(name).map(|contact| contact.account) else { return };
        let kept = self.repairs.kept.values().filter(|kept| kept.entry.sender == account);
        let devices: std::collections::BTreeSet<_> = kept.map(|kept| kept.entry.sender_device).collect();
        for device in devices {
            self.retry_undecryptable(name, device);
        }
    }

    /// Claims a bundle for each device whose messages could not be decrypted.
    pub(super) fn ask_for_repair(&mut self) {
        if !self.prekey_state.is_settled() {
            // The answer may come in a session that the other side begins: with prekeys that this
            // device does not have any more it would be as unreadable.
            return;
        }
        let mut jobs = std::collections::BTreeSet::new();
        for kept in self.repairs.kept.values() {
            let device = kept.entry.sender_device;
            let may_send = self.people.name_of(&kept.entry.sender).and_then(|name| self.people.contacts.get(name));
            if !kept.asked
                && is_repairable(kept.entry.cause)
                && may_send.is_some_and(|contact| contact.trust.may_send())
                && self.people.certificate(&kept.entry.sender, &device).is_some()
                && self.repairs.asked.get(&device).is_none_or(|at| self.now.abs_diff(*at) >= REPAIR_EVERY)
            {
                jobs.insert(Job::Repair(kept.entry.sender, device));
            }
        }
        for job in jobs {
            self.want(job);
        }
    }

    /// A bundle came that was claimed for repair: asks for what is missing in a new session.
    pub(super) fn claimed_for_repair(&mut self, account: AccountId, device: DeviceId, claim: &ClaimResponse) {
        self.repairs.asked.insert(device, self.now);
        let Some(peer) = self.people.name_of(&account).cloned() else { return };
        let kept = self.repairs.kept.values().filter(|kept| kept.entry.sender_device == device);
        let claimed =
            kept.filter_map(|kept| crate::crypto::Envelope::read(&kept.entry.ciphertext).ok()?.claimed_generation());
        // Beyond the session that cannot be read, or the other side would go on to send in it.
        let beyond = claimed.max().unwrap_or(0);
        if !self.start_session(account, device, claim, beyond) {
            return;
        }
        let missing = self
            .repairs
            .kept
            .values_mut()
            .filter(|kept| kept.entry.sender_device == device && is_repairable(kept.entry.cause));
        let mut messages = Vec::new();
        for kept in missing.take(REPAIR_MESSAGES_MAX) {
            kept.asked = true;
            messages.push(kept.entry.message);
        }
        if !messages.is_empty() {
            let id = self.fresh_message_id();
            self.queue(peer, id, TYPE_REPAIR, codec::encode(&Repair { messages }), false);
        }
    }

    pub(super) fn repair_refused(&mut self, device: DeviceId) {
        self.repairs.asked.insert(device, self.now);
    }

    /// Sends again what a contact misses, each message at most once in a while.
    pub(super) fn take_repair(&mut self, peer: &AccountName, repair: &Repair) {
        for message in repair.messages.iter().take(REPAIR_MESSAGES_MAX) {
            let lately = self.repairs.resent.get(message).is_some_and(|at| self.now.abs_diff(*at) < REPAIR_EVERY);
            let Some(content) = self.sent.logged(peer, message).filter(|_| !lately) else { continue };
            let resent = Resent { content: content.into() };
            self.repairs.resent.insert(*message, self.now);
            let id = self.fresh_message_id();
            self.queue(peer.clone(), id, TYPE_RESENT, codec::encode(&resent), false);
        }
    }

    /// Sends again what was accepted and has no receipt: the relay was restored from a backup and may have
    /// lost it. What did arrive is recognised by its identifier.
    pub(super) fn send_unconfirmed_again(&mut self) {
        for (peer, message, content) in self.sent.unconfirmed() {
            let lately = self.repairs.resent.get(&message).is_some_and(|at| self.now.abs_diff(*at) < REPAIR_EVERY);
            if lately {
                continue;
            }
            self.repairs.resent.insert(message, self.now);
            let id = self.fresh_message_id();
            self.queue(peer, id, TYPE_RESENT, codec::encode(&Resent { content: content.as_slice().into() }), false);
        }
    }

    pub(super) fn expire_repairs(&mut self) {
        let before = self.now.saturating_sub(KEPT_FOR);
        let expired = self.repairs.kept.values().filter(|kept| kept.entry.received_at < before);
        let expired: Vec<_> = expired.map(|kept| (kept.entry.sender_device, kept.entry.message)).collect();
        for (device, message) in expired {
            self.repairs.take(device, message);
            self.draft.keep(Mutation::UndecryptableDone(message));
        }
        let now = self.now;
        self.repairs.resent.retain(|_, at| now.abs_diff(*at) < REPAIR_EVERY);
        self.repairs.asked.retain(|_, at| now.abs_diff(*at) < REPAIR_EVERY);
    }
}

/// Whether sending again can help: not when this program is too old to read it.
const fn is_repairable(cause: Cause) -> bool {
    !matches!(cause, Cause::UnknownVersion)
}
