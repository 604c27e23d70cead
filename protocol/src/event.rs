//! Frames from relay to client (`docs/protocol.md`, section 12).

use serde::{Deserialize, Serialize};

use crate::bytes::Bin;
use crate::codec::structures;
use crate::error::ErrorCode;
use crate::ids::{AccountId, ChatId, DeviceId, MailboxSeq, MessageId};

/// The message is durable at the relay: it survives a crash and a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The message.
    pub message: MessageId,
    /// When it was stored, in milliseconds since 1970 by the relay's clock.
    pub stored_at: u64,
}

/// The message was not taken; nothing of it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The message.
    pub message: MessageId,
    /// Why.
    pub code: ErrorCode,
    /// With [`ErrorCode::StaleDeviceList`]: the accounts whose lists are other than the sender
    /// thinks, to be fetched again.
    pub stale: Vec<AccountId>,
    /// Devices for which a ciphertext is missing.
    pub missing: Vec<DeviceId>,
    /// Devices for which there is one too many.
    pub extra: Vec<DeviceId>,
    /// Milliseconds to wait before another try; 0 when trying again is of no use.
    pub retry_after: u32,
}

/// A message for this device. It comes again on each connection until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deliver {
    /// Its position in this mailbox.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub seq: MailboxSeq,
    /// The message.
    pub message: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// Who sent it, as the relay says: proven only by the ciphertext.
    pub sender: AccountId,
    /// The device that sent it, as the relay says.
    pub sender_device: DeviceId,
    /// When it was stored, in milliseconds since 1970 by the relay's clock.
    pub stored_at: u64,
    /// What only this device can read.
    pub ciphertext: Bin,
}

/// The answer to `Ping`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The nonce of the ping.
    pub nonce: u64,
}

/// An account's device list changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesChanged {
    /// The account.
    pub account: AccountId,
    /// The new version.
    pub version: u64,
}

/// One-time prekeys run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrekeysLow {
    /// X25519 keys left.
    pub one_time: u32,
    /// ML-KEM keys left.
    pub pq_one_time: u32,
}

/// The relay closes the connection in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoingAway {
    /// Milliseconds to wait before connecting again; another number for each client, so that
    /// they do not all come at once.
    pub retry_after: u32,
}

/// Something was wrong. In a session the connection survives only [`ErrorCode::UnknownKind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNotice {
    /// What.
    pub code: ErrorCode,
    /// The kind of the frame that it is about; 0 for none.
    pub about: u16,
    /// One English sentence for a log.
    #[serde(deserialize_with = "crate::bytes::text")]
    pub text: String,
}

impl ErrorNotice {
    /// The notice of a code, about no frame in particular.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self { code, about: 0, text: code.text().to_owned() }
    }
}

/// A signal that another device sends right now. It was never stored and does not come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whispered {
    /// The chat.
    pub chat: ChatId,
    /// Who sent it, as the relay says: proven only by the ciphertext.
    pub sender: AccountId,
    /// The device that sent it, as the relay says.
    pub sender_device: DeviceId,
    /// What only this device can read.
    pub ciphertext: Bin,
}

/// Of the accounts that the connection watches, those that came and those that went since it was
/// told last. Both at once for one account never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChanged {
    /// Accounts that are present now.
    pub joined: Vec<AccountId>,
    /// Accounts that no longer are, or no longer let this account know.
    pub left: Vec<AccountId>,
}

structures!(Stored, Rejected, Pong, DevicesChanged, PrekeysLow, GoingAway, ErrorNotice, Whispered, PresenceChanged);

impl crate::codec::Structure for Deliver {
    const NAME: &'static str = "Deliver";

    fn size(&self) -> usize {
        self.ciphertext.len() + 112
    }
}
