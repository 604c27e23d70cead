//! Messages, as they are kept and shown.

use susurro_protocol::content::Attachment;
use susurro_protocol::{AccountName, ChatId, ErrorCode, MessageId};

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the other person.
    Incoming,
    /// From this account.
    Outgoing,
}

/// How far a message of ours came. States only move forward, `Failed` aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Delivery {
    /// Durable here, not yet at the relay.
    Queued,
    /// Durable at the relay.
    Accepted,
    /// Decrypted and durable on a device of the recipient.
    Stored,
    /// Shown to the recipient.
    Read,
    /// Given up: the code says why. A retry queues it again.
    Failed(ErrorCode),
}

/// Why a message cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No session with the sending device fits it.
    NoSession,
    /// It was made with a key that is gone.
    OldKey,
    /// Too many messages were skipped before it.
    TooFarAhead,
    /// Its bytes were changed, or it is not from whom the relay says.
    Tampered,
    /// It uses a version that this program does not know.
    UnknownVersion,
    /// It is not what it should be.
    Malformed,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
pub enum MessageContent {
    /// A text.
    Text(String),
    /// A file; its bytes are at the relay until they are saved.
    Attachment(Box<Attachment>),
    /// A type of a later version, by its number.
    Unknown(u16),
    /// Could not be decrypted; its ciphertext is kept.
    Undecryptable(Cause),
    /// A line of the program's own, by its stable key (`key-changed`, `key-verified`, …).
    Note(String),
}

impl std::fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Attachment(attachment) => write!(f, "{attachment:?}"),
            Self::Unknown(kind) => write!(f, "Unknown({kind})"),
            Self::Undecryptable(cause) => write!(f, "Undecryptable({cause:?})"),
            Self::Note(key) => write!(f, "Note({key})"),
        }
    }
}

/// A message in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its identifier.
    pub id: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// The other person of the conversation.
    pub peer: AccountName,
    /// Whose it is.
    pub direction: Direction,
    /// Place in the conversation: by cause and sequence, never by a clock. Unique in a chat.
    pub position: i64,
    /// What it says.
    pub content: MessageContent,
    /// When it was written, by the sender's clock, in milliseconds since 1970.
    pub sent_at: u64,
    /// When the relay stored it (incoming) or said so (outgoing); `None` while queued.
    pub accepted_at: Option<u64>,
    /// When it was stored on this device (incoming) or on the peer's (outgoing).
    pub stored_at: Option<u64>,
    /// When it was read.
    pub read_at: Option<u64>,
    /// How far it came; incoming messages are `Stored` or `Read`.
    pub delivery: Delivery,
}
