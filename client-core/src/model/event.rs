//! What a client tells its face. Everything is durable before it is told.

use susurro_protocol::{AccountName, MessageId};

use super::announcement::Announcement;
use super::connection::Connection;
use super::contact::Trust;
use super::message::{Delivery, MessageView};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The connection changed.
    Connection(Connection),
    /// A message came or was queued; also a placeholder or a note.
    Message(MessageView),
    /// A message of ours came further, or failed.
    Delivery {
        /// With whom.
        peer: AccountName,
        /// Which message.
        message: MessageId,
        /// How far.
        delivery: Delivery,
    },
    /// A placeholder could be decrypted after all, or a message changed otherwise: read it again.
    Changed {
        /// With whom.
        peer: AccountName,
        /// Which message.
        message: MessageId,
    },
    /// What is known of a person's key changed.
    Trust {
        /// Whose.
        peer: AccountName,
        /// What is known now.
        trust: Trust,
    },
    /// A contact is new.
    NewContact(AccountName),
    /// A person began to type, or does so no more. Nothing of it is kept.
    Typing {
        /// Who.
        peer: AccountName,
        /// Whether they type.
        typing: bool,
    },
    /// The file of a message came further on its way to the relay or from it. Nothing of it is kept.
    Transfer {
        /// With whom.
        peer: AccountName,
        /// Which message.
        message: MessageId,
        /// Bytes of the encrypted file that were uploaded, or fetched.
        done: u64,
        /// Bytes of the encrypted file in whole.
        size: u64,
    },
    /// The relay has announced something that is new here.
    Announcement(Announcement),
    /// How many messages wait in the outbox.
    Queued(u64),
    /// The local store failed: nothing after this is durable. The text says what to do.
    StoreFailed(String),
}
