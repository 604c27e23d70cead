//! Frames from client to relay (`docs/protocol.md`, section 11).

use serde::{Deserialize, Serialize};

use crate::bytes::Bin;
use crate::codec::structures;
use crate::ids::{AccountId, ChatId, DeviceId, MailboxSeq, MessageId};

/// Deposits a message. Idempotent: the same id with the same contents is answered again with
/// `Stored` and delivered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// Chosen by the sender.
    pub message: MessageId,
    /// The chat, of which the sender has to be a member.
    pub chat: ChatId,
    /// For each member of the chat, the sender included, the version of the device list that the
    /// sender has encrypted for.
    pub lists: Vec<ListVersion>,
    /// One ciphertext for each device of those lists except the sending one.
    pub deposits: Vec<Deposit>,
    /// Seconds until an undelivered ciphertext is dropped; 0 for the relay's longest.
    pub time_to_live: u32,
}

/// The version of an account's device list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListVersion {
    /// The account.
    pub account: AccountId,
    /// The version.
    pub version: u64,
}

/// A ciphertext for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deposit {
    /// The recipient.
    pub device: DeviceId,
    /// What only it can read.
    pub ciphertext: Bin,
}

/// Acknowledges every delivery up to a position: the relay forgets them.
///
/// The first `Ack` after the handshake also makes the connection the device's own and starts
/// delivery; it repeats the cursor of `Hello`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The last position that is durable at the client.
    pub cursor: MailboxSeq,
}

/// Asks for a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Comes back in `Pong`.
    pub nonce: u64,
}

/// A signal for the connected devices of a chat's members. The relay forwards it as
/// [`Whispered`](crate::event::Whispered), never stores it, and does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whisper {
    /// The chat, of which the sender has to be a member.
    pub chat: ChatId,
    /// A ciphertext of 1 to [`crate::limits::WHISPER_MAX`] bytes for each device that should get it.
    pub deposits: Vec<Deposit>,
}

/// To whom the account is shown as present while this connection is open, and of whom the connection
/// wants to know. Takes the place of what the connection said before. The relay does not answer; it
/// tells of changes with [`PresenceChanged`](crate::event::PresenceChanged).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Accounts that may know, at most [`crate::limits::PRESENCE_MAX`].
    pub shown_to: Vec<AccountId>,
    /// Accounts that it wants to know of, at most as many. They need not exist.
    pub watching: Vec<AccountId>,
}

structures!(ListVersion, Deposit, Ack, Ping, Whisper, Presence);

impl crate::codec::Structure for Send {
    const NAME: &'static str = "Send";

    fn size(&self) -> usize {
        self.deposits.iter().map(|deposit| deposit.ciphertext.len() + 24).sum::<usize>() + 32 * self.lists.len() + 64
    }
}
