//! What is inside a ciphertext (`docs/protocol.md`, section 13). The relay never sees any of it.

use serde::{Deserialize, Serialize};

use crate::bytes::{Bin, Fixed};
use crate::codec::{self, Malformed, structures};
use crate::ids::{ChatId, MessageId};

/// The type number of a text.
pub const TYPE_TEXT: u16 = 1;
/// The type number of a receipt.
pub const TYPE_RECEIPT: u16 = 2;

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
    /// [`TYPE_TEXT`], [`TYPE_RECEIPT`] or one of a later version.
    pub kind: u16,
    /// The structure of that type.
    pub body: Bin,
}

/// The body of [`TYPE_TEXT`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// UTF-8, at most [`crate::limits::TEXT_MAX`] bytes, not empty.
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

/// The messages were decrypted and are durable on the recipient's device.
pub const RECEIPT_STORED: u8 = 1;
/// The messages were shown.
pub const RECEIPT_READ: u8 = 2;
/// Messages of one receipt: keeps it within one padding bucket below a ciphertext's limit.
pub const RECEIPT_MESSAGES_MAX: usize = 1000;

structures!(Content, Text, Receipt);

/// A content's body by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text(Text),
    /// A receipt.
    Receipt(Receipt),
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
            other => Ok(Body::Unknown(other)),
        }
    }
}
