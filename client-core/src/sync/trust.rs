//! Trust in a contact's key: pinned, verified, changed. Nothing is accepted by itself once a
//! person has verified a key.

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use susurro_protocol::keys::DeviceList;
use susurro_protocol::{AccountId, AccountName, ChatId};

use super::engine::Engine;
use super::order;
use super::types::Refused;
use crate::model::{ClientEvent, Contact, Delivery, Direction, MessageContent, MessageView, Trust};
use crate::store::port::Mutation;

/// The relay names another key for an unverified contact: it was replaced, sending goes on.
pub const NOTE_KEY_CHANGED: &str = "key-changed";
/// The relay names another key for a verified contact: sending stopped.
pub const NOTE_KEY_CHANGED_AFTER_VERIFICATION: &str = "key-changed-after-verification";
/// The relay names the verified key again: sending goes on.
pub const NOTE_KEY_RESTORED: &str = "key-restored";
/// A person accepted the changed key.
pub const NOTE_KEY_ACCEPTED: &str = "key-accepted";
/// A person verified the key.
pub const NOTE_KEY_VERIFIED: &str = "key-verified";
/// The relay showed a device list that is older than the known one or contradicts it; refused.
pub const NOTE_DEVICE_LIST_REFUSED: &str = "device-list-refused";

impl<R: CryptoRng> Engine<R> {
    pub(super) fn set_verified(&mut self, peer: &AccountName) -> Result<(), Refused> {
        let contact = self.people.contacts.get(peer).ok_or_else(|| Refused::UnknownContact(peer.clone()))?;
        match contact.trust {
            Trust::ChangedAfterVerification => return Err(Refused::KeyChanged(peer.clone())),
            Trust::Verified => return Ok(()),
            Trust::Unverified | Trust::Changed => {}
        }
        self.set_trust(Contact { trust: Trust::Verified, offered_key: None, ..contact.clone() });
        self.note(peer, NOTE_KEY_VERIFIED);
        Ok(())
    }

    pub(super) fn accept_key(&mut self, peer: &AccountName) -> Result<(), Refused> {
        let contact = self.people.contacts.get(peer).ok_or_else(|| Refused::UnknownContact(peer.clone()))?;
        match (contact.trust, contact.offered_key) {
            (Trust::ChangedAfterVerification, Some(offered)) => {
                let contact = contact.clone();
                self.replace_key(contact, offered, Trust::Unverified);
            }
            (Trust::Changed | Trust::ChangedAfterVerification, _) => {
                self.set_trust(Contact { trust: Trust::Unverified, offered_key: None, ..contact.clone() });
            }
            (Trust::Unverified | Trust::Verified, _) => return Ok(()),
        }
        self.note(peer, NOTE_KEY_ACCEPTED);
        self.retry_undecryptable_of(peer);
        Ok(())
    }

    /// The relay names an account for a contact that is not the pinned one.
    pub(super) fn key_changed(&mut self, peer: &AccountName, list: DeviceList) {
        let offered = list.body().account_key.0;
        if !self.learn_list(list) {
            return;
        }
        let Some(contact) = self.people.contacts.get(peer).cloned() else { return };
        match contact.trust {
            Trust::Unverified | Trust::Changed => {
                self.replace_key(contact, offered, Trust::Changed);
                self.note(peer, NOTE_KEY_CHANGED);
            }
            Trust::ChangedAfterVerification if contact.offered_key == Some(offered) => {}
            Trust::Verified | Trust::ChangedAfterVerification => {
                let trust = Trust::ChangedAfterVerification;
                self.set_trust(Contact { trust, offered_key: Some(offered), ..contact });
                self.note(peer, NOTE_KEY_CHANGED_AFTER_VERIFICATION);
            }
        }
    }

    /// The relay names the pinned account of a contact: a change that nobody decided on is over.
    pub(super) fn key_confirmed(&mut self, peer: &AccountName) {
        let contact = self.people.contacts.get(peer).filter(|c| c.trust == Trust::ChangedAfterVerification);
        if let Some(contact) = contact.cloned() {
            self.set_trust(Contact { trust: Trust::Verified, offered_key: None, ..contact });
            self.note(peer, NOTE_KEY_RESTORED);
        }
    }

    /// Another account stands behind the name from now on: another chat, the same timeline.
    fn replace_key(&mut self, contact: Contact, key: [u8; 32], trust: Trust) {
        let account = AccountId::of_account_key(&key);
        let chat = ChatId::direct(&self.me.account, &account);
        let position = self.chats.get(&contact.chat).map_or(0, |state| state.position);
        let state = self.chats.entry(chat).or_insert_with(|| order::new_chat(chat, position));
        state.position = state.position.max(position);
        self.draft.chats.insert(chat);
        let name = contact.name.clone();
        self.set_trust(Contact { account, account_key: key, chat, trust, offered_key: None, ..contact });
        self.move_queue(&name, chat);
        self.people.reopen.insert(name);
    }

    fn set_trust(&mut self, contact: Contact) {
        let (peer, trust) = (contact.name.clone(), contact.trust);
        self.draft.keep(Mutation::Contact(contact.clone()));
        self.people.put(contact);
        self.draft.emit(ClientEvent::Trust { peer, trust });
    }

    /// Notes a refused list once.
    pub(super) fn note_refused_list(&mut self, peer: &AccountName, list: &[u8]) {
        if self.people.noted.insert(Sha256::digest(list).into()) {
            self.note(peer, NOTE_DEVICE_LIST_REFUSED);
        }
    }

    /// A line of the program's own in a conversation.
    fn note(&mut self, peer: &AccountName, key: &str) {
        let Some(chat) = self.people.contacts.get(peer).map(|contact| contact.chat) else { return };
        let view = MessageView {
            id: self.fresh_message_id(),
            chat,
            peer: peer.clone(),
            direction: Direction::Incoming,
            position: order::next_position(self.chat(chat)),
            content: MessageContent::Note(key.to_owned()),
            sent_at: self.now,
            accepted_at: None,
            stored_at: Some(self.now),
            read_at: Some(self.now),
            delivery: Delivery::Read,
        };
        self.draft.keep(Mutation::Message(view.clone()));
        self.draft.emit(ClientEvent::Message(view));
    }
}
