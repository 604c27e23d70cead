//! What happens to the interface.

use std::collections::BTreeSet;

use crossterm::event::KeyEvent;
use susurro_client_core::Error;
use susurro_client_core::model::{Announcement, ChatSummary, ClientEvent, Connection, MessageView};
use susurro_client_core::profile::SafetyInfo;
use susurro_protocol::{AccountName, MessageId};

use super::model::Me;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted: never a command, never sent by itself.
    Paste(String),
    /// The area to draw in has this many columns and rows.
    Resize(u16, u16),
    /// The terminal window is looked at, or no longer.
    Focus(bool),
    /// The time, in milliseconds since 1970; comes about once a second.
    Tick(u64),
    /// Somebody outside asks the program to end.
    Terminate,
    /// Something the client tells.
    Client(ClientEvent),
    /// The state of the connection.
    Connection(Connection),
    /// Events of the client were lost since the interface was too slow: read again.
    Lagged,
    /// The profile is open.
    Opened(Me),
    /// Registering or unlocking did not work.
    OpenFailed(Error),
    /// The list of conversations.
    Chats(Vec<ChatSummary>),
    /// What the relay has announced, oldest first, each with whether somebody has looked at it.
    Announcements(Vec<(Announcement, bool)>),
    /// The contacts that are there, as the relay says.
    Present(BTreeSet<AccountName>),
    /// Presence was switched on or off.
    Presence(bool),
    /// How many messages wait in the outbox.
    Queued(u64),
    /// Messages before a position, oldest first.
    Window {
        /// With whom.
        peer: AccountName,
        /// As asked for.
        before: Option<i64>,
        /// Oldest first.
        messages: Vec<MessageView>,
        /// Whether there may be older ones.
        more: bool,
    },
    /// A message as it is now.
    Message(Box<MessageView>),
    /// A draft that was kept.
    Draft {
        /// With whom.
        peer: AccountName,
        /// What was typed.
        text: String,
    },
    /// A text is in the outbox for good.
    Sent {
        /// As given with the effect.
        ticket: u64,
        /// Its message.
        message: MessageId,
    },
    /// A text could not be put into the outbox.
    SendFailed {
        /// As given with the effect.
        ticket: u64,
        /// Why.
        error: Error,
    },
    /// A file was written here.
    Saved(String),
    /// A file was not fetched or not written.
    SaveFailed {
        /// Of which message.
        message: MessageId,
        /// Why.
        error: Error,
    },
    /// A file was not put into the outbox.
    AttachFailed {
        /// For whom it was.
        peer: AccountName,
        /// Its path, as it was typed.
        path: String,
        /// Why.
        error: Error,
    },
    /// A conversation can begin.
    ChatStarted(AccountName),
    /// A conversation cannot begin.
    StartFailed(Error),
    /// A safety number.
    Safety(SafetyInfo),
    /// Something asked for on the verification screen did not work.
    SafetyFailed(Error),
    /// Something else asked for did not work.
    Failed(Error),
}
