//! People: trust and conversations.

use susurro_protocol::{AccountId, AccountName, ChatId, MessageId};

use super::message::Delivery;

/// What is known of a person's account key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Pinned at first contact, compared by nobody.
    Unverified,
    /// The safety number was compared.
    Verified,
    /// The relay names another account key for this name than the pinned, unverified one, which
    /// was replaced: a note, sending goes on.
    Changed,
    /// As `Changed`, but the old key was verified: nothing is sent until the person decides.
    ChangedAfterVerification,
}

impl Trust {
    /// Whether messages may be sent.
    #[must_use]
    pub const fn may_send(self) -> bool {
        !matches!(self, Self::ChangedAfterVerification)
    }
}

/// A person whom this account talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name on the relay.
    pub name: AccountName,
    /// The pinned account.
    pub account: AccountId,
    /// The pinned account key.
    pub account_key: [u8; 32],
    /// The direct chat with the pinned account.
    pub chat: ChatId,
    /// What is known of the key.
    pub trust: Trust,
    /// With a changed key: the account key that the relay names now.
    pub offered_key: Option<[u8; 32]>,
}

/// One line of the list of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSummary {
    /// With whom.
    pub contact: Contact,
    /// Incoming messages that were not read.
    pub unread: u64,
    /// The newest message, when there is any.
    pub last: Option<LastMessage>,
}

/// The newest message of a conversation.
#[derive(Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Its identifier.
    pub id: MessageId,
    /// The beginning of its text.
    pub preview: String,
    /// When it was written (outgoing) or came (incoming), in milliseconds since 1970.
    pub at: u64,
    /// Its state, when it is ours.
    pub delivery: Option<Delivery>,
}

impl std::fmt::Debug for LastMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LastMessage({}, {} bytes)", self.id, self.preview.len())
    }
}
