//! A store in memory that follows the rules of the port: a transaction happens whole or not at
//! all, and what it holds is all that survives a crash.

use std::collections::BTreeMap;

use susurro_client_core::model::{Announcement, Contact, Delivery, Direction, MessageContent, MessageView};
use susurro_client_core::store::port::{
    ChatState, Mutation, OutboxEntry, Relay, SendLogEntry, SentMessage, Snapshot, Tokens, Transaction, Undecryptable,
};
use susurro_protocol::{AccountId, AccountName, ChatId, DeviceId, MailboxSeq, MessageId};
use zeroize::Zeroizing;

#[derive(Clone)]
pub struct Store {
    pub name: AccountName,
    pub relay: Relay,
    pub account_key: Zeroizing<[u8; 32]>,
    pub device: Zeroizing<Vec<u8>>,
    pub prekeys: Zeroizing<Vec<u8>>,
    pub tokens: Option<Tokens>,
    pub cursor: MailboxSeq,
    pub contacts: BTreeMap<AccountName, Contact>,
    pub lists: BTreeMap<AccountId, Vec<u8>>,
    pub sessions: BTreeMap<DeviceId, Zeroizing<Vec<u8>>>,
    pub outbox: BTreeMap<u64, OutboxEntry>,
    pub seen: BTreeMap<(DeviceId, MessageId), u64>,
    pub chats: BTreeMap<ChatId, ChatState>,
    pub undecryptable: BTreeMap<MessageId, Undecryptable>,
    pub send_log: BTreeMap<MessageId, SendLogEntry>,
    pub messages: BTreeMap<(ChatId, MessageId), MessageView>,
    pub typing_notices: bool,
    pub presence: bool,
    pub announcements: Vec<Announcement>,
}

impl Store {
    pub fn snapshot(&self) -> Snapshot {
        let open = |view: &&MessageView| {
            view.direction == Direction::Outgoing && matches!(view.delivery, Delivery::Accepted | Delivery::Stored)
        };
        let sent = self.messages.values().filter(open).map(|view| SentMessage {
            message: view.id,
            peer: view.peer.clone(),
            delivery: view.delivery,
        });
        Snapshot {
            name: self.name.clone(),
            relay: self.relay.clone(),
            account_key: self.account_key.clone(),
            device: self.device.clone(),
            prekeys: self.prekeys.clone(),
            tokens: self.tokens.clone(),
            cursor: self.cursor,
            contacts: self.contacts.values().cloned().collect(),
            device_lists: self.lists.clone().into_iter().collect(),
            sessions: self.sessions.clone().into_iter().collect(),
            outbox: self.outbox.values().cloned().collect(),
            seen: self.seen.keys().copied().collect(),
            chats: self.chats.values().cloned().collect(),
            undecryptable: self.undecryptable.values().cloned().collect(),
            send_log: self.send_log.values().cloned().collect(),
            sent: sent.collect(),
            typing_notices: self.typing_notices,
            presence: self.presence,
            announcements: self.announcements.iter().map(|said| (said.id, said.expires)).collect(),
        }
    }

    pub fn commit(&mut self, transaction: Transaction) {
        for mutation in transaction {
            self.apply(mutation);
        }
    }

    fn apply(&mut self, mutation: Mutation) {
        match mutation {
            Mutation::Tokens(tokens) => self.tokens = tokens,
            Mutation::Cursor(cursor) => self.cursor = cursor,
            Mutation::TypingNotices(enabled) => self.typing_notices = enabled,
            Mutation::Presence(enabled) => self.presence = enabled,
            Mutation::Announcement(said) => {
                assert!(self.announcements.iter().all(|held| held.id != said.id), "each once");
                self.announcements.push(said);
            }
            Mutation::ForgetAnnouncements(time) => self.announcements.retain(|said| said.expires >= time),
            Mutation::Prekeys(bytes) => self.prekeys = bytes,
            Mutation::Sessions(device, Some(bytes)) => drop(self.sessions.insert(device, bytes)),
            Mutation::Sessions(device, None) => drop(self.sessions.remove(&device)),
            Mutation::DeviceList(account, bytes) => drop(self.lists.insert(account, bytes)),
            Mutation::Contact(contact) => drop(self.contacts.insert(contact.name.clone(), contact)),
            Mutation::Trust(name, trust) => {
                if let Some(contact) = self.contacts.get_mut(&name) {
                    contact.trust = trust;
                }
            }
            Mutation::Chat(state) => drop(self.chats.insert(state.chat, state)),
            Mutation::Message(view) => self.message(view),
            Mutation::PlaceholderGone(chat, message) => {
                self.messages.retain(|_, view| {
                    let gone = (view.chat, view.id) == (chat, message);
                    !(gone && matches!(view.content, MessageContent::Undecryptable(_)))
                });
            }
            Mutation::ChatKnown(provisional, chat) => self.chat_known(provisional, chat),
            Mutation::Delivery(message, delivery, at) => self.delivery(message, delivery, at),
            Mutation::Seen(device, message, at) => drop(self.seen.insert((device, message), at)),
            Mutation::Outbox(entry) => drop(self.outbox.insert(entry.order, entry)),
            Mutation::OutboxDone(order) => drop(self.outbox.remove(&order)),
            Mutation::Undecryptable(entry) => drop(self.undecryptable.insert(entry.message, entry)),
            Mutation::UndecryptableDone(message) => drop(self.undecryptable.remove(&message)),
            Mutation::SendLog(entry) => drop(self.send_log.insert(entry.message, entry)),
            Mutation::SendLogDone(message) => drop(self.send_log.remove(&message)),
            Mutation::ForgetBefore(time) => {
                self.seen.retain(|_, at| *at >= time);
                self.send_log.retain(|_, entry| entry.sent_at >= time);
            }
        }
    }

    fn message(&mut self, view: MessageView) {
        let key = (view.chat, view.id);
        match self.messages.get_mut(&key) {
            None => drop(self.messages.insert(key, view)),
            Some(known) if matches!(known.content, MessageContent::Undecryptable(_)) => {
                let position = known.position;
                *known = MessageView { position, ..view };
            }
            Some(_) => {}
        }
    }

    fn chat_known(&mut self, provisional: ChatId, chat: ChatId) {
        self.chats.remove(&provisional);
        let moved: Vec<_> = self.messages.values().filter(|view| view.chat == provisional).cloned().collect();
        self.messages.retain(|_, view| view.chat != provisional);
        for view in moved {
            self.messages.insert((chat, view.id), MessageView { chat, ..view });
        }
    }

    fn delivery(&mut self, message: MessageId, delivery: Delivery, at: u64) {
        for view in self.messages.values_mut().filter(|view| view.id == message) {
            let known = view.delivery;
            let free = matches!(known, Delivery::Failed(_)) || matches!(delivery, Delivery::Failed(_));
            if !free && delivery <= known {
                continue;
            }
            view.delivery = delivery;
            match delivery {
                Delivery::Accepted => view.accepted_at = Some(at),
                Delivery::Stored => view.stored_at = Some(at),
                Delivery::Read => view.read_at = Some(at),
                Delivery::Queued | Delivery::Failed(_) => {}
            }
        }
    }

    /// The timeline with a person, in its order.
    pub fn timeline(&self, peer: &AccountName) -> Vec<&MessageView> {
        let mut views: Vec<_> = self.messages.values().filter(|view| view.peer == *peer).collect();
        views.sort_by_key(|view| view.position);
        views
    }

    /// Texts of a timeline in one direction, in its order.
    pub fn texts(&self, peer: &AccountName, direction: Direction) -> Vec<(MessageId, String)> {
        let views = self.timeline(peer).into_iter().filter(|view| view.direction == direction);
        views
            .filter_map(|view| match &view.content {
                MessageContent::Text(text) => Some((view.id, text.clone())),
                _ => None,
            })
            .collect()
    }
}
