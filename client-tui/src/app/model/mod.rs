//! What the interface knows.

pub mod composer;
mod context;
pub mod conversation;
pub mod home;
pub mod overlay;
pub mod wizard;

use std::sync::Arc;

use jiff::tz::TimeZone;
use susurro_protocol::{AccountName, MessageId};

pub use composer::Composer;
pub use conversation::{Conversation, Older, Scroll};
pub use home::{Focus, Home};
pub use overlay::Overlay;
pub use wizard::{Step, Unlock, Wizard};

use crate::i18n::{Argument, Key, Texts};
use crate::input::Keymap;

/// Everything that is drawn.
#[derive(Debug)]
pub struct Model {
    /// The words.
    pub texts: Arc<Texts>,
    /// With colours or without.
    pub look: Look,
    /// What keys do.
    pub keymap: Arc<Keymap>,
    /// For showing times.
    pub zone: TimeZone,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Columns and rows to draw in.
    pub size: (u16, u16),
    /// Whether the window is looked at: only then messages count as read.
    pub focused: bool,
    /// What fills the screen.
    pub screen: Screen,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// One line that answers what was done last.
    pub notice: Option<Notice>,
    /// Whether the program is about to end.
    pub quitting: bool,
}

/// What fills the screen.
#[derive(Debug)]
pub enum Screen {
    /// First start.
    Wizard(Box<Wizard>),
    /// A profile that is there and locked.
    Unlock(Unlock),
    /// Conversations.
    Home(Box<Home>),
}

/// How things are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The sixteen colours of the terminal.
    Color,
    /// Bold, dim, underlined and reversed only.
    Mono,
}

/// Whose program this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Name on the relay.
    pub name: AccountName,
    /// Address of the relay.
    pub relay: String,
}

/// An answer to what was done last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether something did not work.
    pub bad: bool,
    /// The text.
    pub text: String,
}

impl Model {
    /// An interface that begins with this screen. `now` in milliseconds since 1970.
    #[must_use]
    pub fn new(texts: Arc<Texts>, look: Look, zone: TimeZone, now: u64, screen: Screen) -> Self {
        Self {
            texts,
            look,
            keymap: Arc::new(Keymap::default()),
            zone,
            now,
            size: (80, 24),
            focused: true,
            screen,
            overlay: None,
            notice: None,
            quitting: false,
        }
    }

    /// A text without arguments.
    #[must_use]
    pub fn text(&self, key: Key) -> String {
        self.texts.get(key)
    }

    /// A text with arguments.
    #[must_use]
    pub fn text_with(&self, key: Key, arguments: &[(&'static str, Argument)]) -> String {
        self.texts.with(key, arguments)
    }

    /// The conversations, when they are on the screen.
    #[must_use]
    pub fn home(&self) -> Option<&Home> {
        match &self.screen {
            Screen::Home(home) => Some(home),
            _ => None,
        }
    }

    /// The conversations, to change them.
    pub fn home_mut(&mut self) -> Option<&mut Home> {
        match &mut self.screen {
            Screen::Home(home) => Some(home),
            _ => None,
        }
    }

    /// The conversation that is open.
    #[must_use]
    pub fn conversation(&self) -> Option<&Conversation> {
        self.home()?.open.as_ref()
    }

    /// The message under the cursor of the timeline.
    #[must_use]
    pub fn selected_message(&self) -> Option<MessageId> {
        self.conversation()?.cursor
    }
}
