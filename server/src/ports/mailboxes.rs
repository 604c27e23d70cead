//! Messages on their way.

use susurro_protocol::{ChatId, DeviceId, MailboxSeq, MessageId};

use super::Answer;
use crate::domain::message::{Deposited, NewMessage, Waiting};

/// A durable answer that is still to come.
pub type Receipt = Answer<'static, Deposited>;

/// One mailbox in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailboxState {
    /// The last position given out, also when it is deleted by now.
    pub head: MailboxSeq,
    /// How many messages wait.
    pub waiting: u64,
}

/// A mailbox for each device.
///
/// Positions rise by one from 1, in the order of commits, and are never given out again.
pub trait Mailboxes: Send + Sync {
    /// Takes a message. This future ends when the message has its place in the queue of the
    /// store, in the order of the calls; the receipt ends when it is durable or refused. Either
    /// every recipient gets it or none.
    fn deposit(&self, message: NewMessage) -> Answer<'_, Receipt>;

    /// Forgets everything up to a position. Not durable at once: what is not forgotten in time
    /// is delivered again.
    fn acknowledge(&self, mailbox: DeviceId, cursor: MailboxSeq);

    /// Forgets what waits in one chat up to a position, and nothing else. Durable when it answers.
    fn acknowledge_chat(&self, mailbox: DeviceId, chat: ChatId, cursor: MailboxSeq) -> Answer<'_, ()>;

    /// The oldest messages behind `after`: at most `limit`, and no more than `bytes` of
    /// ciphertext unless the first alone is larger.
    fn read(&self, mailbox: DeviceId, after: MailboxSeq, limit: u32, bytes: usize) -> Answer<'_, Vec<Waiting>>;

    /// A mailbox in numbers; `None` for a device that does not exist.
    fn state(&self, mailbox: DeviceId) -> Answer<'_, Option<MailboxState>>;

    /// What was stored under a message id of a device: the hash of its contents and when.
    fn recall(&self, sender: DeviceId, message: MessageId) -> Answer<'_, Option<([u8; 32], u64)>>;

    /// Drops at most `batch` messages whose time is over, and at most as many message ids that
    /// need not be remembered any longer. Says how many went.
    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64>;

    /// Whether the store takes anything.
    fn ready(&self) -> Answer<'_, ()>;

    /// How large the database is, in bytes, without logs that are written over again.
    fn bytes(&self) -> Answer<'_, u64>;
}

/// Hears of messages right after they became durable, in the order of their positions.
pub trait Commits: Send + Sync {
    /// These were stored by one commit. Must not block.
    fn committed(&self, messages: Vec<Waiting>);
}
