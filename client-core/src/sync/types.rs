//! What goes into the engine and what comes out of it.

use bytes::Bytes;
use susurro_protocol::announcement::Notice;
use susurro_protocol::content::Attachment;
use susurro_protocol::rest::NewBlob;
use susurro_protocol::rest::{BlobState, Chat, ClaimResponse, KeyCount, PublishKeys, TokenResponse, UserDevices};
use susurro_protocol::{AccountId, AccountName, BlobId, ChatId, DeviceId, ErrorCode, MessageId};
use zeroize::Zeroizing;

use crate::model::{ClientEvent, Contact};
use crate::store::port::Transaction;

/// A snapshot that an engine cannot start from: the store is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored {what} cannot be read")]
pub struct EngineError {
    /// Which part.
    pub what: &'static str,
}

/// Numbers a socket: events of an earlier one are recognised and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// Numbers a request. Numbers of an engine before a restart do not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A token on its way to the relay.
pub struct Token(pub Zeroizing<String>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// What happens to an engine.
#[derive(Debug)]
pub enum Input {
    /// Connect, and stay so. Also tries again at once what is waiting or was blocked.
    GoOnline,
    /// Disconnect, and stay so.
    GoOffline,
    /// The time of the last `WakeAt` has come; ticks at other times do no harm.
    Tick,
    /// The WebSocket upgrade succeeded.
    SocketOpened(SocketId),
    /// It did not.
    SocketFailed(SocketId, ConnectFailure),
    /// The socket ended without being asked to; the close code as an [`ErrorCode`] where it is one.
    SocketClosed(SocketId, Option<ErrorCode>),
    /// Binary messages that came, in order. All of a batch become one commit; at most about 256.
    Frames(SocketId, Vec<Bytes>),
    /// A request ended. Every request ends in exactly one answer, also after `GoOffline`.
    Answered(RequestId, Result<Answer, RequestFailure>),
    /// A person or script wants something; [`Step::refused`] says whether it was taken.
    Command(Command),
}

/// What a face asks of an engine.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Queue a text. The name need not be known yet: it is resolved when there is a connection.
    Compose {
        /// For whom.
        peer: AccountName,
        /// 16 fresh random bytes. One that waits in the outbox already is taken for done.
        message: MessageId,
        /// 1 to `TEXT_MAX` bytes.
        text: String,
    },
    /// Queue a failed text again, under its old identifier. The caller has read the text from
    /// the store and made sure that it is `Failed`.
    Retry {
        /// For whom.
        peer: AccountName,
        /// The message.
        message: MessageId,
        /// Its text.
        text: String,
    },
    /// Queue a file that is encrypted in the profile already; the driver reads its bytes when they are uploaded.
    Attach {
        /// For whom.
        peer: AccountName,
        /// 16 fresh random bytes, or those of the message that failed.
        message: MessageId,
        /// The file.
        attachment: Attachment,
        /// Whether the message is in the timeline already, and failed.
        again: bool,
    },
    /// The attachment of an incoming message was saved.
    Saved {
        /// From whom it is.
        peer: AccountName,
        /// The message.
        message: MessageId,
    },
    /// Resolve a name and pin its key; ends in [`Effect::ChatStarted`]. Refused when offline.
    StartChat(AccountName),
    /// These incoming messages were shown: marks them and sends a receipt. The caller has chosen
    /// those that are not read yet from the store.
    MarkRead {
        /// The other person.
        peer: AccountName,
        /// Incoming messages of that person.
        messages: Vec<MessageId>,
    },
    /// The safety number was compared and is right.
    SetVerified(AccountName),
    /// The changed key of a contact is accepted (unverified): sending goes on.
    AcceptKey(AccountName),
    /// Somebody types for this person, or has taken away what was typed. May be given at every
    /// key: how often it is told, and whether at all, is the engine's affair.
    Typing {
        /// For whom.
        peer: AccountName,
        /// Whether there is something to be sent.
        typing: bool,
    },
    /// Whether typing is told to others, and theirs shown.
    SetTypingNotices(bool),
    /// The relay was asked, and these announcements are in force; each is believed as when it comes by itself.
    HearNotices(Vec<Notice>),
    /// Whether contacts are shown when this account is connected, and it when they are.
    SetPresence(bool),
    /// The account was logged out at the relay: forget the tokens and stay offline.
    LogOut,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Compose { peer, message, text } => write!(f, "Compose({peer}, {message}, {} bytes)", text.len()),
            Self::Retry { peer, message, text } => write!(f, "Retry({peer}, {message}, {} bytes)", text.len()),
            Self::Attach { peer, message, attachment, .. } => write!(f, "Attach({peer}, {message}, {attachment:?})"),
            Self::Saved { peer, message } => write!(f, "Saved({peer}, {message})"),
            Self::StartChat(peer) => write!(f, "StartChat({peer})"),
            Self::MarkRead { peer, messages } => write!(f, "MarkRead({peer}, {} messages)", messages.len()),
            Self::SetVerified(peer) => write!(f, "SetVerified({peer})"),
            Self::AcceptKey(peer) => write!(f, "AcceptKey({peer})"),
            Self::Typing { peer, typing } => write!(f, "Typing({peer}, {typing})"),
            Self::SetTypingNotices(enabled) => write!(f, "SetTypingNotices({enabled})"),
            Self::HearNotices(notices) => write!(f, "HearNotices({})", notices.len()),
            Self::SetPresence(enabled) => write!(f, "SetPresence({enabled})"),
            Self::LogOut => f.write_str("LogOut"),
        }
    }
}

/// Why a socket did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// No connection, or none in time.
    Unreachable,
    /// Something answered that is no relay.
    NotARelay,
    /// The relay refused the upgrade (`application/problem+json`).
    Refused {
        /// Why.
        code: ErrorCode,
        /// `Retry-After`, in milliseconds.
        retry_after: Option<u64>,
    },
}

/// Why a request was not answered with what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFailure {
    /// No connection, or no answer in time. The relay may have acted on it.
    Unreachable,
    /// Something answered that is no relay, or not in the documented shape.
    NotARelay,
    /// The relay refused.
    Refused {
        /// Why.
        code: ErrorCode,
        /// `Retry-After`, in milliseconds.
        retry_after: Option<u64>,
    },
}

/// A REST request (`docs/protocol.md`, section 15). The driver gives each a deadline.
#[derive(Debug)]
pub enum Request {
    /// `POST /auth/refresh`, answered by [`Answer::Tokens`]. The only one without an access token.
    Refresh {
        /// Good once.
        refresh_token: Token,
    },
    /// `GET /users/{name}/devices`, answered by [`Answer::Devices`].
    FetchDevices(AccountName),
    /// `POST /keys/claim`, answered by [`Answer::Bundles`].
    Claim {
        /// Whose.
        account: AccountId,
        /// Which.
        devices: Vec<DeviceId>,
    },
    /// `POST /chats`, answered by [`Answer::Chat`].
    OpenChat(AccountName),
    /// `GET /chats/{id}`, answered by [`Answer::Chat`].
    FetchChat(ChatId),
    /// `PUT /keys`, answered by [`Answer::Keys`].
    PublishKeys(Box<PublishKeys>),
    /// `GET /keys/count`, answered by [`Answer::Keys`].
    CountKeys,
    /// `POST /blobs`, answered by [`Answer::Blob`].
    BeginBlob(NewBlob),
    /// `PUT /blobs/{blob}`, answered by [`Answer::Blob`].
    PutBlob {
        /// Which.
        blob: BlobId,
        /// Where the chunk begins.
        offset: u64,
        /// Bytes of the blob in whole.
        size: u64,
        /// The chunk: empty from the engine, which has no files; the driver reads it from the profile.
        bytes: Bytes,
    },
}

/// A relay's answer.
#[derive(Debug)]
pub enum Answer {
    /// To `Refresh`.
    Tokens(TokenResponse),
    /// To `FetchDevices`.
    Devices(UserDevices),
    /// To `Claim`.
    Bundles(ClaimResponse),
    /// To `OpenChat` and `FetchChat`.
    Chat(Chat),
    /// To `PublishKeys` and `CountKeys`.
    Keys(KeyCount),
    /// To `BeginBlob` and `PutBlob`.
    Blob(BlobState),
}

/// What is to be done after the commit of a step, in order.
#[derive(Debug)]
pub enum Effect {
    /// Open a WebSocket; ends in `SocketOpened` or `SocketFailed`.
    OpenSocket {
        /// Its number. There is never more than one: an earlier one is closed before.
        socket: SocketId,
        /// For the `Authorization` header.
        access_token: Token,
    },
    /// Send one binary message over the open socket; dropped when it has ended meanwhile.
    Transmit(Vec<u8>),
    /// Close the socket, also one that is still opening. No event follows.
    CloseSocket {
        /// Its number.
        socket: SocketId,
        /// For the close frame; `None` when nothing was wrong with what the relay sent.
        code: Option<ErrorCode>,
    },
    /// Make a request.
    Request {
        /// Comes back in `Answered`.
        id: RequestId,
        /// What.
        request: Request,
        /// For the `Authorization` header; `None` only for `Refresh`.
        access_token: Option<Token>,
    },
    /// Give a `Tick` at this time, in milliseconds since 1970. There is one timer; the last wins.
    WakeAt(u64),
    /// Tell the faces.
    Emit(ClientEvent),
    /// The relay has an attachment and its message: the encrypted copy in the profile is of no use any more.
    Uploaded(BlobId),
    /// Delete the blob of a message of ours to this person at the relay, if that is an attachment. Nobody waits for
    /// it: otherwise its time ends it.
    DropBlob {
        /// To whom it was sent.
        peer: AccountName,
        /// The message.
        message: MessageId,
        /// For the `Authorization` header.
        access_token: Token,
    },
    /// `StartChat` ended.
    ChatStarted {
        /// The name.
        peer: AccountName,
        /// The contact, or why there is none.
        outcome: Result<Contact, RequestFailure>,
    },
}

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An empty text.
    #[error("a message cannot be empty")]
    EmptyText,
    /// A text over the limit.
    #[error("a message has at most {max} bytes, this one has {bytes}")]
    TooLong {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// This account's own name.
    #[error("a message to oneself")]
    Yourself,
    /// The key of a verified contact changed and nobody decided yet.
    #[error("the key of {0} changed after it was verified")]
    KeyChanged(AccountName),
    /// No such contact.
    #[error("no contact {0}")]
    UnknownContact(AccountName),
    /// It needs a connection.
    #[error("not connected")]
    Offline,
}

/// What one input led to.
#[must_use = "the commit has to be made durable and the effects performed"]
#[derive(Default)]
pub struct Step {
    /// To be made durable first, as a whole; when that fails the engine is thrown away together
    /// with the effects. Empty when there is nothing to keep.
    pub commit: Transaction,
    /// To be performed after the commit, in order.
    pub effects: Vec<Effect>,
    /// For a command: why it was refused.
    pub refused: Option<Refused>,
}
