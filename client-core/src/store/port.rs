//! The port between the sync engine and a store.
//!
//! The engine never reads while it runs: it starts from a [`Snapshot`], and each of its steps
//! yields one [`Transaction`] that a store makes durable as a whole or not at all. Effects of a
//! step (frames, events) happen only after its commit. When a commit fails, the engine is thrown
//! away and built again from a snapshot, just as after a crash.

use susurro_protocol::{AccountId, AccountName, AnnouncementId, ChatId, DeviceId, MailboxSeq, MessageId};
use zeroize::Zeroizing;

use crate::model::{Announcement, Cause, Contact, Delivery, MessageView, Trust};

/// What an engine needs to know when it starts.
pub struct Snapshot {
    /// This account's name.
    pub name: AccountName,
    /// The relay's address and pinned key.
    pub relay: Relay,
    /// Bytes of `crypto::AccountKey`.
    pub account_key: Zeroizing<[u8; 32]>,
    /// Bytes of `crypto::LocalDevice`.
    pub device: Zeroizing<Vec<u8>>,
    /// Bytes of `crypto::Prekeys`.
    pub prekeys: Zeroizing<Vec<u8>>,
    /// Tokens, unless logged out.
    pub tokens: Option<Tokens>,
    /// The last mailbox position that is durable here.
    pub cursor: MailboxSeq,
    /// All contacts.
    pub contacts: Vec<Contact>,
    /// The newest verified device list of each account, this one included, as msgpack of `SignedBytes`.
    pub device_lists: Vec<(AccountId, Vec<u8>)>,
    /// Bytes of `crypto::PeerSessions` for each remote device.
    pub sessions: Vec<(DeviceId, Zeroizing<Vec<u8>>)>,
    /// What waits to be sent, in the order in which it was queued.
    pub outbox: Vec<OutboxEntry>,
    /// Incoming message identifiers of the last 35 days, with the sending device.
    pub seen: Vec<(DeviceId, MessageId)>,
    /// For each chat its bookkeeping.
    pub chats: Vec<ChatState>,
    /// Ciphertexts that could not be decrypted yet.
    pub undecryptable: Vec<Undecryptable>,
    /// The last messages sent to each contact, kept for a short time to be sent again on repair.
    pub send_log: Vec<SendLogEntry>,
    /// Outgoing messages that are `Accepted` or `Stored`: those that a receipt may still be about.
    /// The newest 10,000 of each contact are enough.
    pub sent: Vec<SentMessage>,
    /// Whether typing is told and shown.
    pub typing_notices: bool,
    /// Whether contacts are shown when this account is connected, and it when they are.
    pub presence: bool,
    /// The announcements that are held, with the time at which each expires.
    pub announcements: Vec<(AnnouncementId, u64)>,
}

/// An outgoing message that a receipt may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The message.
    pub message: MessageId,
    /// The contact.
    pub peer: AccountName,
    /// `Accepted` or `Stored`.
    pub delivery: Delivery,
}

/// The relay of this account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// `http://` or `https://`, without a trailing slash.
    pub url: String,
    /// Ed25519 key, pinned at first contact.
    pub key: [u8; 32],
}

/// Tokens of this device.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For requests.
    pub access: Zeroizing<String>,
    /// When the access token expires, in milliseconds since 1970.
    pub access_expires: u64,
    /// Good once.
    pub refresh: Zeroizing<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(redacted)")
    }
}

/// Bookkeeping of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatState {
    /// The chat.
    pub chat: ChatId,
    /// The last counter this device has used in `Content::counter`.
    pub sent_counter: u64,
    /// The highest counter seen from each remote device.
    pub seen_counters: Vec<(DeviceId, u64)>,
    /// The highest `MessageView::position` in use.
    pub position: i64,
    /// The newest messages, which the next one names as its parents.
    pub heads: Vec<MessageId>,
    /// Places kept free for messages that were overtaken.
    pub gaps: Vec<Gap>,
}

/// Places in a timeline that are kept free for messages which have not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The sending device.
    pub device: DeviceId,
    /// The first missing counter.
    pub first: u64,
    /// The last missing counter.
    pub last: u64,
    /// The place of `first`; the others follow one by one.
    pub position: i64,
}

/// What is queued.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Order: strictly increasing, given by the engine.
    pub order: u64,
    /// The message.
    pub message: MessageId,
    /// For whom.
    pub peer: AccountName,
    /// The chat.
    pub chat: ChatId,
    /// Msgpack of `content::Content`, not yet encrypted.
    pub content: Zeroizing<Vec<u8>>,
    /// Whether it is shown in a timeline (a receipt is not).
    pub shown: bool,
    /// Msgpack of `command::Send` once it is encrypted: every try sends these bytes.
    pub wire: Option<Vec<u8>>,
}

impl std::fmt::Debug for OutboxEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutboxEntry({}, {}, encrypted: {})", self.order, self.message, self.wire.is_some())
    }
}

/// A ciphertext that is kept because it may be readable later.
#[derive(Clone, PartialEq, Eq)]
pub struct Undecryptable {
    /// The message, as the relay named it.
    pub message: MessageId,
    /// The chat, as the relay named it.
    pub chat: ChatId,
    /// The sender, as the relay named it.
    pub sender: AccountId,
    /// The sending device, as the relay named it.
    pub sender_device: DeviceId,
    /// Why.
    pub cause: Cause,
    /// When it came, in milliseconds since 1970.
    pub received_at: u64,
    /// The envelope.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for Undecryptable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Undecryptable({}, {:?}, {} bytes)", self.message, self.cause, self.ciphertext.len())
    }
}

/// A message that was sent, kept to be sent again when the peer lost its session.
#[derive(Clone, PartialEq, Eq)]
pub struct SendLogEntry {
    /// The message.
    pub message: MessageId,
    /// The contact.
    pub peer: AccountName,
    /// Msgpack of `content::Content`.
    pub content: Zeroizing<Vec<u8>>,
    /// When, in milliseconds since 1970.
    pub sent_at: u64,
}

impl std::fmt::Debug for SendLogEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendLogEntry({}, {})", self.message, self.peer)
    }
}

/// One change.
#[derive(Clone)]
pub enum Mutation {
    /// New tokens, or none after logout.
    Tokens(Option<Tokens>),
    /// The mailbox is durable up to here. Lower than before only after a relay was restored.
    Cursor(MailboxSeq),
    /// New bytes of `crypto::Prekeys`.
    Prekeys(Zeroizing<Vec<u8>>),
    /// New bytes of `crypto::PeerSessions` of a device; `None` forgets them.
    Sessions(DeviceId, Option<Zeroizing<Vec<u8>>>),
    /// A newer verified device list.
    DeviceList(AccountId, Vec<u8>),
    /// A contact is new or changed.
    Contact(Contact),
    /// Trust of a contact changed.
    Trust(AccountName, Trust),
    /// Bookkeeping of a chat.
    Chat(ChatState),
    /// A message of a timeline. Where there is one with the same chat and identifier already:
    /// an `Undecryptable` placeholder takes over everything but its position, which stays; any
    /// other is left as it is (a peer must not be able to overwrite a message).
    Message(MessageView),
    /// An `Undecryptable` placeholder turned out to be nothing to show: takes it away.
    PlaceholderGone(ChatId, MessageId),
    /// Messages queued under a provisional chat (their name was not resolved yet) belong to a
    /// chat now: the first identifier becomes the second in every message and in the bookkeeping.
    ChatKnown(ChatId, ChatId),
    /// How far a message came, with the time in milliseconds since 1970. Never moves backwards
    /// (`Failed` and leaving `Failed` aside).
    Delivery(MessageId, Delivery, u64),
    /// An incoming message was taken in.
    Seen(DeviceId, MessageId, u64),
    /// Queued or encrypted; replaces one with the same order.
    Outbox(OutboxEntry),
    /// Done with, by order.
    OutboxDone(u64),
    /// Kept until it can be read or expires.
    Undecryptable(Undecryptable),
    /// Read after all, or expired.
    UndecryptableDone(MessageId),
    /// Kept for repair.
    SendLog(SendLogEntry),
    /// Repair is over for this message.
    SendLogDone(MessageId),
    /// Whether typing is told and shown.
    TypingNotices(bool),
    /// Whether contacts are shown when this account is connected, and it when they are.
    Presence(bool),
    /// The relay has announced this. One that is held already stays as it is.
    Announcement(Announcement),
    /// Drops announcements that expired before this time, in milliseconds since 1970.
    ForgetAnnouncements(u64),
    /// Drops dedup entries and send log before this time, in milliseconds since 1970.
    ForgetBefore(u64),
}

impl std::fmt::Debug for Mutation {
    // Names and identifiers only: keys, tokens and texts stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens(tokens) => write!(f, "Tokens({})", if tokens.is_some() { "new" } else { "none" }),
            Self::Cursor(cursor) => write!(f, "Cursor({cursor})"),
            Self::Prekeys(_) => f.write_str("Prekeys(redacted)"),
            Self::Sessions(device, _) => write!(f, "Sessions({device}, redacted)"),
            Self::DeviceList(account, _) => write!(f, "DeviceList({account})"),
            Self::Contact(contact) => write!(f, "{contact:?}"),
            Self::Trust(name, trust) => write!(f, "Trust({name}, {trust:?})"),
            Self::Chat(state) => write!(f, "{state:?}"),
            Self::Message(view) => write!(f, "{view:?}"),
            Self::PlaceholderGone(chat, message) => write!(f, "PlaceholderGone({chat}, {message})"),
            Self::ChatKnown(provisional, known) => write!(f, "ChatKnown({provisional}, {known})"),
            Self::Delivery(message, delivery, at) => write!(f, "Delivery({message}, {delivery:?}, {at})"),
            Self::Seen(device, message, at) => write!(f, "Seen({device}, {message}, {at})"),
            Self::Outbox(entry) => write!(f, "{entry:?}"),
            Self::OutboxDone(order) => write!(f, "OutboxDone({order})"),
            Self::Undecryptable(kept) => write!(f, "{kept:?}"),
            Self::UndecryptableDone(message) => write!(f, "UndecryptableDone({message})"),
            Self::SendLog(entry) => write!(f, "{entry:?}"),
            Self::SendLogDone(message) => write!(f, "SendLogDone({message})"),
            Self::Presence(enabled) => write!(f, "Presence({enabled})"),
            Self::TypingNotices(enabled) => write!(f, "TypingNotices({enabled})"),
            Self::Announcement(said) => write!(f, "Announcement({})", said.id),
            Self::ForgetAnnouncements(time) => write!(f, "ForgetAnnouncements({time})"),
            Self::ForgetBefore(time) => write!(f, "ForgetBefore({time})"),
        }
    }
}

/// Changes that become durable together.
pub type Transaction = Vec<Mutation>;
