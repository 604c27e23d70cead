//! The list of conversations and what is open of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use susurro_client_core::model::{Announcement, ChatSummary, Connection, Trust};
use susurro_protocol::{AccountName, MessageId};

use super::{Conversation, Me};

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The list of conversations.
    List,
    /// The messages.
    Timeline,
    /// What is being written.
    Composer,
}

/// A text on its way into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Names it.
    pub ticket: u64,
    /// To whom.
    pub peer: AccountName,
    /// Comes back into the composer if it fails.
    pub text: String,
}

/// Conversations.
#[derive(Debug)]
pub struct Home {
    /// Whose.
    pub me: Me,
    /// How things stand with the relay.
    pub connection: Connection,
    /// Messages that wait in the outbox.
    pub queued: u64,
    /// Newest first; `None` until they are read.
    pub chats: Option<Vec<ChatSummary>>,
    /// The line of the list with the cursor.
    pub selected: Option<AccountName>,
    /// The open conversation.
    pub open: Option<Conversation>,
    /// Drafts of the others, as far as they were seen.
    pub drafts: HashMap<AccountName, String>,
    /// Where keys go.
    pub focus: Focus,
    /// Texts on their way into the outbox.
    pub pending: Vec<Pending>,
    /// The last ticket given to a text on its way to the outbox.
    pub tickets: u64,
    /// Files on their way, and how many percent of each are there.
    pub transfers: HashMap<MessageId, u64>,
    /// Who is typing.
    pub typing: HashSet<AccountName>,
    /// Contacts that are there, as the relay says.
    pub present: BTreeSet<AccountName>,
    /// Whom the client was last told that something is typed for, and when.
    pub told_typing: Option<(AccountName, u64)>,
    /// What the relay has announced and nobody has looked at, oldest first.
    pub announcements: Vec<Announcement>,
    /// The local store failed: what to do.
    pub store_failed: Option<String>,
}

impl Home {
    /// Before anything is read.
    #[must_use]
    pub fn new(me: Me) -> Self {
        Self {
            me,
            connection: Connection::Offline,
            queued: 0,
            chats: None,
            selected: None,
            open: None,
            drafts: HashMap::new(),
            focus: Focus::List,
            pending: Vec::new(),
            tickets: 0,
            transfers: HashMap::new(),
            typing: HashSet::new(),
            present: BTreeSet::new(),
            told_typing: None,
            announcements: Vec::new(),
            store_failed: None,
        }
    }

    /// The conversations, none while they are not read.
    #[must_use]
    pub fn list(&self) -> &[ChatSummary] {
        self.chats.as_deref().unwrap_or_default()
    }

    /// The line of a person in the list.
    #[must_use]
    pub fn chat(&self, peer: &AccountName) -> Option<&ChatSummary> {
        self.list().iter().find(|chat| chat.contact.name == *peer)
    }

    /// The line of a person in the list, to change it.
    pub fn chat_mut(&mut self, peer: &AccountName) -> Option<&mut ChatSummary> {
        self.chats.as_mut()?.iter_mut().find(|chat| chat.contact.name == *peer)
    }

    /// Whether a text to this person is on its way into the outbox.
    #[must_use]
    pub fn is_pending(&self, peer: &AccountName) -> bool {
        self.pending.iter().any(|pending| pending.peer == *peer)
    }

    /// What is known of a person's key.
    #[must_use]
    pub fn trust(&self, peer: &AccountName) -> Option<Trust> {
        self.chat(peer).map(|chat| chat.contact.trust)
    }

    /// Index of the line with the cursor.
    #[must_use]
    pub fn selected_index(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.list().iter().position(|chat| chat.contact.name == *selected)
    }

    /// Newest first, as lists of conversations are read; conversations without a message last, by name.
    pub fn sort(&mut self) {
        if let Some(chats) = &mut self.chats {
            chats.sort_by(|a, b| {
                let at = |chat: &ChatSummary| chat.last.as_ref().map_or(0, |last| last.at);
                at(b).cmp(&at(a)).then_with(|| a.contact.name.cmp(&b.contact.name))
            });
        }
    }
}
