//! What is inside a ciphertext (`docs/protocol.md`, section 13). The relay never sees any of it.

use serde::{Deserialize, Serialize};

use crate::bytes::{Bin, Fixed};
use crate::codec::{self, Malformed, structures};
use crate::ids::{ChatId, MessageId};

/// The type number of a text.
pub const TYPE_TEXT: u16 = 1;
/// The type number of a receipt.
pub const TYPE_RECEIPT: u16 = 2;

/// The type number of a request to send messages again.
pub const TYPE_REPAIR: u16 = 3;
/// The type number of a message that is sent again.
pub const TYPE_RESENT: u16 = 4;

/// What is encrypted, before padding: the same fields for every type, so that a client can place
/// and keep a message whose type it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The message; a client refuses one whose envelope named another.
    pub message: MessageId,
    /// The chat; likewise.
    pub chat: ChatId,
    /// Counts the sender's messages of this chat from 1: shows gaps, orders without a clock.
    pub counter: u64,
    /// The newest messages of the chat that the sender had seen: display order follows them.
    pub parents: Vec<MessageId>,
    /// When it was written, in milliseconds since 1970 by the sender's clock: shown, never sorted by.
    pub sent_at: u64,
    /// Hash of the sender's device list, as the sender knows it.
    pub sender_list: Fixed<32>,
    /// Hash of the recipient's device list, as the sender knows it.
    pub recipient_list: Fixed<32>,
    /// [`TYPE_TEXT`], [`TYPE_RECEIPT`], [`TYPE_REPAIR`], [`TYPE_RESENT`] or one of a later version.
    pub kind: u16,
    /// The structure of that type.
    pub body: Bin,
}

/// The body of [`TYPE_TEXT`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// UTF-8, at most [`crate::limits::TEXT_MAX`] bytes, not empty.
    #[serde(deserialize_with = "crate::bytes::text")]
    pub text: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.text.len())
    }
}

/// The body of [`TYPE_RECEIPT`]. A receipt is never answered with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_STORED`] or [`RECEIPT_READ`].
    pub state: u8,
    /// The messages it is about, at most 1,000.
    pub messages: Vec<MessageId>,
    /// When, in milliseconds since 1970 by the clock of the receipt's sender.
    pub at: u64,
}

/// The body of [`TYPE_REPAIR`]: messages that came but could not be decrypted. It travels in a
/// session made anew; who gets it answers with [`Resent`] for those that it still has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// At most [`REPAIR_MESSAGES_MAX`].
    pub messages: Vec<MessageId>,
}

/// The body of [`TYPE_RESENT`]. The outer message is new to the relay; the inner one is what the
/// recipient missed and is deduplicated by its own identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resent {
    /// [`Content`] of the first time, of the same chat and neither [`TYPE_REPAIR`] nor [`TYPE_RESENT`].
    pub content: Bin,
}

/// Messages of one repair request: as many as a sender keeps.
pub const REPAIR_MESSAGES_MAX: usize = 200;

/// The messages were decrypted and are durable on the recipient's device.
pub const RECEIPT_STORED: u8 = 1;
/// The messages were shown.
pub const RECEIPT_READ: u8 = 2;
/// Messages of one receipt: keeps it within one padding bucket below a ciphertext's limit.
pub const RECEIPT_MESSAGES_MAX: usize = 1000;

structures!(Content, Text, Receipt, Repair, Resent);

/// A content's body by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text(Text),
    /// A receipt.
    Receipt(Receipt),
    /// A request to send messages again.
    Repair(Repair),
    /// A message that is sent again.
    Resent(Resent),
    /// A type of a later version: kept and shown as such.
    Unknown(u16),
}

impl Content {
    /// Reads the body by its type.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when a known type has another structure.
    pub fn body(&self) -> Result<Body, Malformed> {
        match self.kind {
            TYPE_TEXT => codec::decode(self.body.as_slice()).map(Body::Text),
            TYPE_RECEIPT => codec::decode(self.body.as_slice()).map(Body::Receipt),
            TYPE_REPAIR => codec::decode(self.body.as_slice()).map(Body::Repair),
            TYPE_RESENT => codec::decode(self.body.as_slice()).map(Body::Resent),
            other => Ok(Body::Unknown(other)),
        }
    }
}
