//! What lies over the screen.

use susurro_client_core::model::Announcement;
use susurro_client_core::profile::SafetyInfo;
use susurro_protocol::{AccountName, MessageId};

use crate::app::failure::Failure;
use crate::app::field::Field;

/// A window over the screen; it takes the keys.
#[derive(Debug)]
pub enum Overlay {
    /// The keys of where one was.
    Help {
        /// Lines scrolled away.
        scroll: usize,
    },
    /// Conversations and commands, by a few letters.
    Palette {
        /// What is typed.
        query: Field,
        /// Line with the cursor.
        selected: usize,
    },
    /// Whom to write to.
    NewChat {
        /// The name.
        name: Field,
        /// What was wrong.
        failure: Option<Failure>,
        /// Whether the relay is being asked.
        busy: bool,
    },
    /// The safety number.
    Verify(Verify),
    /// The times of a message.
    Info(MessageId),
    /// What the relay has announced.
    Announcements {
        /// Oldest first; `None` until they are read.
        list: Option<Vec<Announcement>>,
        /// Lines scrolled away.
        scroll: usize,
    },
}

/// The verification screen.
#[derive(Debug)]
pub struct Verify {
    /// Whose key.
    pub peer: AccountName,
    /// What to compare; `None` while it is computed.
    pub safety: Option<SafetyInfo>,
    /// What was wrong.
    pub failure: Option<Failure>,
    /// Whether a decision is being kept.
    pub busy: bool,
    /// Lines scrolled away.
    pub scroll: usize,
}
