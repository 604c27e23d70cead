//! The open conversation: a window of its messages, and what is being written.

use susurro_client_core::model::{Delivery, Direction, MessageView};
use susurro_protocol::{AccountName, MessageId};

use super::Composer;

/// Messages of one read from the store: a few screens.
pub const WINDOW: u32 = 60;

/// Messages kept in memory: scrolling further lets go of the other end.
const WINDOW_MAX: usize = 600;

/// What is known of the messages before the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// There may be some.
    Maybe,
    /// They are being read.
    Loading,
    /// There are none.
    None,
}

/// Where the timeline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// At the newest message, and stays there when more come.
    Bottom,
    /// The last line on the screen is `hidden` lines above the end of this message, whatever comes or goes elsewhere.
    At {
        /// The lowest message on the screen.
        message: MessageId,
        /// Its lines below the screen.
        hidden: usize,
    },
}

/// The open conversation.
#[derive(Debug)]
pub struct Conversation {
    /// With whom.
    pub peer: AccountName,
    /// By position.
    pub messages: Vec<MessageView>,
    /// Whether the first read is done.
    pub loaded: bool,
    /// Before the window.
    pub older: Older,
    /// Whether newer messages than the window holds were let go of.
    pub detached: bool,
    /// Where the timeline stands.
    pub scroll: Scroll,
    /// The message with the cursor, while the timeline has the keys.
    pub cursor: Option<MessageId>,
    /// The marker of new messages stands before this one.
    pub first_new: Option<MessageId>,
    /// Unread when it was opened, until the marker is set.
    pub unread_at_open: u64,
    /// What is being written.
    pub composer: Composer,
    /// The newest position told as read.
    pub read_up_to: i64,
}

impl Conversation {
    /// Before anything is read.
    #[must_use]
    pub fn new(peer: AccountName, unread: u64, draft: &str) -> Self {
        Self {
            peer,
            messages: Vec::new(),
            loaded: false,
            older: Older::Loading,
            detached: false,
            scroll: Scroll::Bottom,
            cursor: None,
            first_new: None,
            unread_at_open: unread,
            composer: Composer::new(draft),
            read_up_to: i64::MIN,
        }
    }

    /// Index of a message in the window.
    #[must_use]
    pub fn index(&self, id: MessageId) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == id)
    }

    /// A message of the window.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&MessageView> {
        self.index(id).map(|index| &self.messages[index])
    }

    /// Takes in messages read from the store; those before `before`, or the newest ones.
    pub fn take_window(&mut self, before: Option<i64>, messages: Vec<MessageView>, more: bool) {
        if before.is_none() {
            // Events may have been faster than the read: they are newer, keep them.
            let newest = messages.last().map_or(i64::MIN, |message| message.position);
            let mut late: Vec<_> = self.messages.drain(..).filter(|message| message.position > newest).collect();
            self.messages = messages;
            if !self.detached {
                self.messages.append(&mut late);
            }
            self.detached = false;
            self.scroll = if self.loaded { self.scroll } else { Scroll::Bottom };
        } else if before == self.messages.first().map(|message| message.position) {
            let mut all = messages;
            all.append(&mut self.messages);
            self.messages = all;
            if self.messages.len() > WINDOW_MAX {
                self.messages.truncate(WINDOW_MAX);
                self.detached = true;
            }
        } else {
            return;
        }
        self.older = if more { Older::Maybe } else { Older::None };
        self.mark_new();
        self.loaded = true;
        self.forget_lost_anchors();
    }

    /// Takes in one message; gives whether it was not there before.
    pub fn take(&mut self, message: MessageView) -> bool {
        if let Some(index) = self.index(message.id) {
            let moved = self.messages[index].position != message.position;
            self.messages[index] = message;
            if moved {
                self.messages.sort_by_key(|message| message.position);
            }
            return false;
        }
        let after_window = self.messages.last().is_none_or(|last| last.position < message.position);
        let before_window = self.messages.first().is_some_and(|first| first.position > message.position);
        if (self.detached && after_window) || (before_window && self.older != Older::None) {
            return true;
        }
        let at = self.messages.partition_point(|m| m.position < message.position);
        self.messages.insert(at, message);
        if self.messages.len() > WINDOW_MAX && self.scroll == Scroll::Bottom {
            self.messages.drain(..self.messages.len() - WINDOW_MAX);
            self.older = Older::Maybe;
            self.forget_lost_anchors();
        }
        true
    }

    /// A message of ours came further; gives whether it is in the window.
    pub fn deliver(&mut self, id: MessageId, delivery: Delivery) -> bool {
        let Some(index) = self.index(id) else { return false };
        self.messages[index].delivery = delivery;
        true
    }

    /// Position of the newest message from the other side.
    #[must_use]
    pub fn newest_incoming(&self) -> Option<i64> {
        self.messages.iter().rev().find(|m| m.direction == Direction::Incoming).map(|m| m.position)
    }

    /// The marker goes before the oldest of the messages that were unread when the conversation was opened.
    fn mark_new(&mut self) {
        if self.loaded || self.unread_at_open == 0 {
            return;
        }
        let unread = usize::try_from(self.unread_at_open).unwrap_or(usize::MAX);
        let incoming = self.messages.iter().rev().filter(|m| m.direction == Direction::Incoming);
        self.first_new = incoming.take(unread).last().map(|message| message.id);
    }

    fn forget_lost_anchors(&mut self) {
        if let Scroll::At { message, .. } = self.scroll
            && self.index(message).is_none()
        {
            self.scroll = Scroll::Bottom;
        }
        self.cursor = self.cursor.filter(|id| self.index(*id).is_some());
    }
}
