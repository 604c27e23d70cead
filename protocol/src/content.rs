//! What is inside a ciphertext (`docs/protocol.md`, section 13). The relay never sees any of it.

use serde::{Deserialize, Serialize};

use crate::bytes::{Bin, Fixed};
use crate::codec::{self, Malformed, structures};
use crate::ids::{BlobId, ChatId, MessageId};
use crate::limits::ATTACHMENT_MAX;

/// The type number of a text.
pub const TYPE_TEXT: u16 = 1;
/// The type number of a receipt.
pub const TYPE_RECEIPT: u16 = 2;

/// The type number of a request to send messages again.
pub const TYPE_REPAIR: u16 = 3;
/// The type number of a message that is sent again.
pub const TYPE_RESENT: u16 = 4;
/// The type number of a file.
pub const TYPE_ATTACHMENT: u16 = 5;

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
    /// [`TYPE_TEXT`], [`TYPE_RECEIPT`], [`TYPE_REPAIR`], [`TYPE_RESENT`], [`TYPE_ATTACHMENT`] or one of a later version.
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
    /// [`RECEIPT_STORED`], [`RECEIPT_READ`] or [`RECEIPT_SAVED`].
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

/// The body of [`TYPE_ATTACHMENT`]: a file, of which the relay has the encrypted bytes as a blob (section 13.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What the sender calls the file: 1 to [`NAME_MAX`] bytes. Not to be trusted with anything but being shown.
    #[serde(deserialize_with = "crate::bytes::text")]
    pub name: String,
    /// Media type as the sender knows it, at most [`MEDIA_TYPE_MAX`] bytes.
    #[serde(deserialize_with = "crate::bytes::text")]
    pub media_type: String,
    /// Bytes of the file, at most `ATTACHMENT_MAX`.
    pub size: u64,
    /// Where the encrypted bytes are.
    pub blob: BlobId,
    /// Key of this attachment and of nothing else.
    pub key: Fixed<32>,
    /// SHA-256 of the whole blob.
    pub hash: Fixed<32>,
}

impl Attachment {
    /// Whether its name, type and size are within their limits.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        (1..=NAME_MAX).contains(&self.name.len())
            && self.media_type.len() <= MEDIA_TYPE_MAX
            && self.size <= ATTACHMENT_MAX
    }
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({} bytes)", self.size)
    }
}

/// Bytes of an attachment's name: as many as a file system takes.
pub const NAME_MAX: usize = 255;
/// Bytes of a media type: as many as a registered one has (RFC 6838, section 4.2).
pub const MEDIA_TYPE_MAX: usize = 255;

/// Messages of one repair request: as many as a sender keeps.
pub const REPAIR_MESSAGES_MAX: usize = 200;

/// The messages were decrypted and are durable on the recipient's device.
pub const RECEIPT_STORED: u8 = 1;
/// The messages were shown.
pub const RECEIPT_READ: u8 = 2;
/// The attachments of the messages were saved: the relay need not keep them for this device.
pub const RECEIPT_SAVED: u8 = 3;
/// Messages of one receipt: keeps it within one padding bucket below a ciphertext's limit.
pub const RECEIPT_MESSAGES_MAX: usize = 1000;

structures!(Content, Text, Receipt, Repair, Resent, Attachment);

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
    /// A file.
    Attachment(Attachment),
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
            TYPE_ATTACHMENT => codec::decode(self.body.as_slice()).map(Body::Attachment),
            other => Ok(Body::Unknown(other)),
        }
    }
}
