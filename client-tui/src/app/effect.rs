//! What [`update`](super::update()) asks for.

use susurro_protocol::{AccountName, AnnouncementId, MessageId};

use super::field::Hidden;

/// Something to do outside. Those of one conversation are performed in the order in which they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave, after everything asked for before is done.
    Quit,
    /// Draw everything anew.
    Redraw,
    /// Make an account and a profile.
    Register {
        /// Address of the relay.
        relay: String,
        /// Name of the account.
        name: String,
        /// What the relay's operator gave; empty for none.
        invite: Hidden,
        /// For the relay.
        password: Hidden,
        /// For the local store.
        passphrase: Hidden,
    },
    /// Open the profile.
    Unlock {
        /// For the local store.
        passphrase: Hidden,
    },
    /// Try to connect now.
    GoOnline,
    /// Read the list of conversations.
    LoadChats,
    /// Read the newest messages before a position; the newest of all without one.
    LoadWindow {
        /// With whom.
        peer: AccountName,
        /// Position of the oldest message that is there already.
        before: Option<i64>,
    },
    /// Read one message again.
    LoadMessage(MessageId),
    /// Read a draft.
    LoadDraft(AccountName),
    /// Keep a draft.
    SaveDraft {
        /// With whom.
        peer: AccountName,
        /// What was typed.
        text: String,
    },
    /// Put a text into the outbox.
    Send {
        /// To whom.
        peer: AccountName,
        /// What.
        text: String,
        /// Comes back with the answer.
        ticket: u64,
    },
    /// Something is typed for a person, or was taken away.
    Typing {
        /// For whom.
        peer: AccountName,
        /// Whether there is something to be sent.
        typing: bool,
    },
    /// Put a file into the outbox.
    Attach {
        /// To whom.
        peer: AccountName,
        /// Where it is; `~/` stands for the home directory.
        path: String,
    },
    /// Fetch the file of a message and write it to a new file.
    Save {
        /// The message.
        message: MessageId,
        /// A new file or a directory; the directory of the program when it is empty.
        to: String,
    },
    /// Queue a failed message again.
    Retry(MessageId),
    /// Messages up to a position were shown.
    MarkRead {
        /// With whom.
        peer: AccountName,
        /// Position of the newest one.
        up_to: i64,
    },
    /// Show contacts when this account is connected, or no longer; without a value the other way round than now.
    SetPresence(Option<bool>),
    /// Read what the relay has announced.
    LoadAnnouncements,
    /// These announcements were looked at.
    MarkTold(Vec<AnnouncementId>),
    /// Look somebody up and begin a conversation.
    StartChat(String),
    /// Compute a safety number.
    LoadSafety(AccountName),
    /// The safety number was compared and is the same.
    SetVerified {
        /// Whose.
        peer: AccountName,
        /// The number that was on the screen: nothing is done if it is another one by now.
        groups: Vec<String>,
    },
    /// Go on with a changed key without comparing.
    AcceptKey {
        /// Whose.
        peer: AccountName,
        /// The number that was on the screen: nothing is done if it is another one by now.
        groups: Vec<String>,
    },
}
