//! The mailboxes port.

use susurro_protocol::{ChatId, DeviceId, MailboxSeq, MessageId};

use super::{MemoryStore, State, done};
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{Deposited, MESSAGE_ID_MEMORY_MS, NewMessage, Waiting};
use crate::ports::{Answer, MailboxState, Mailboxes, Receipt};

impl Mailboxes for MemoryStore {
    fn deposit(&self, message: NewMessage) -> Answer<'_, Receipt> {
        let mut state = MemoryStore::state(self);
        let (outcome, committed) = store(&mut state, self.bounds, message);
        // Still under the lock: the order of positions is the order in which others hear of them.
        if !committed.is_empty() {
            self.commits.committed(committed);
        }
        let receipt: Receipt = done(Ok(outcome));
        done(Ok(receipt))
    }

    fn acknowledge(&self, mailbox: DeviceId, cursor: MailboxSeq) {
        if let Some(mailbox) = MemoryStore::state(self).mailboxes.get_mut(&mailbox) {
            mailbox.waiting.retain(|seq, _| *seq > cursor);
        }
    }

    fn acknowledge_chat(&self, mailbox: DeviceId, chat: ChatId, cursor: MailboxSeq) -> Answer<'_, ()> {
        if let Some(mailbox) = MemoryStore::state(self).mailboxes.get_mut(&mailbox) {
            mailbox.waiting.retain(|seq, (message, _)| *seq > cursor || message.chat != chat);
        }
        done(Ok(()))
    }

    fn read(&self, mailbox: DeviceId, after: MailboxSeq, limit: u32, bytes: usize) -> Answer<'_, Vec<Waiting>> {
        let state = MemoryStore::state(self);
        let (mut read, mut size) = (Vec::new(), 0);
        let waiting = state.mailboxes.get(&mailbox).into_iter().flat_map(|mailbox| mailbox.waiting.values());
        for (message, _) in waiting.filter(|(message, _)| message.seq > after).take(limit as usize) {
            size += message.ciphertext.len();
            if size > bytes && !read.is_empty() {
                break;
            }
            read.push(message.clone());
        }
        done(Ok(read))
    }

    fn state(&self, mailbox: DeviceId) -> Answer<'_, Option<MailboxState>> {
        let state = MemoryStore::state(self);
        let found = state.mailboxes.get(&mailbox);
        done(Ok(found.map(|m| MailboxState { head: m.head, waiting: m.waiting.len() as u64 })))
    }

    fn recall(&self, sender: DeviceId, message: MessageId) -> Answer<'_, Option<([u8; 32], u64)>> {
        done(Ok(MemoryStore::state(self).sent.get(&(sender, message)).copied()))
    }

    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64> {
        let mut state = MemoryStore::state(self);
        let oldest = now.saturating_sub(MESSAGE_ID_MEMORY_MS);
        let is_over = |message: &Waiting, expires: Option<u64>| {
            message.stored_at <= oldest || expires.is_some_and(|expires| expires <= now)
        };
        let waiting = state.mailboxes.iter().flat_map(|(device, mailbox)| {
            let over = mailbox.waiting.iter().filter(|(_, (message, expires))| is_over(message, *expires));
            over.map(|(seq, _)| (*device, *seq))
        });
        let over: Vec<_> = waiting.take(batch as usize).collect();
        for (device, seq) in &over {
            if let Some(mailbox) = state.mailboxes.get_mut(device) {
                mailbox.waiting.remove(seq);
            }
        }
        let forgotten = state.sent.iter().filter(|(_, (_, stored_at))| *stored_at <= oldest).map(|(id, _)| *id);
        let forgotten: Vec<_> = forgotten.take(batch as usize).collect();
        state.sent.retain(|id, _| !forgotten.contains(id));
        done(Ok((over.len() + forgotten.len()) as u64))
    }

    fn ready(&self) -> Answer<'_, ()> {
        done(Ok(()))
    }

    fn bytes(&self) -> Answer<'_, u64> {
        let state = MemoryStore::state(self);
        let waiting = state.mailboxes.values().flat_map(|mailbox| mailbox.waiting.values());
        done(Ok(waiting.map(|(message, _)| message.ciphertext.len() as u64).sum()))
    }
}

fn store(state: &mut State, bounds: MailboxBounds, message: NewMessage) -> (Deposited, Vec<Waiting>) {
    let key = (message.sender_device, message.message);
    if !state.mailboxes.contains_key(&message.sender_device) {
        return (Deposited::NoMailbox, Vec::new());
    }
    if let Some((content, stored_at)) = state.sent.get(&key) {
        let again = if *content == message.content {
            Deposited::Repeated { stored_at: *stored_at }
        } else {
            Deposited::IdReused
        };
        return (again, Vec::new());
    }
    for (device, ciphertext) in &message.deposits {
        let Some(mailbox) = state.mailboxes.get(device) else { return (Deposited::NoMailbox, Vec::new()) };
        let bytes = mailbox.waiting.values().map(|(waiting, _)| waiting.ciphertext.len() as u64).sum();
        if !bounds.admit(mailbox.waiting.len() as u64, bytes, ciphertext.len()) {
            return (Deposited::MailboxFull, Vec::new());
        }
    }
    state.sent.insert(key, (message.content, message.stored_at));
    let mut committed = Vec::new();
    for (device, ciphertext) in message.deposits {
        let Some(mailbox) = state.mailboxes.get_mut(&device) else { continue };
        mailbox.head += 1;
        let waiting = Waiting {
            mailbox: device,
            seq: mailbox.head,
            message: message.message,
            chat: message.chat,
            sender: message.sender,
            sender_device: message.sender_device,
            stored_at: message.stored_at,
            ciphertext,
        };
        mailbox.waiting.insert(mailbox.head, (waiting.clone(), message.expires_at));
        committed.push(waiting);
    }
    (Deposited::Stored { stored_at: message.stored_at }, committed)
}
