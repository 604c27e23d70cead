//! Everything a key or the palette can do, by name.

use crate::i18n::Key;
use crate::key;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $text:literal;)+) => {
        /// A named action.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command {
            $($(#[$doc])* $name,)+
        }

        impl Command {
            /// All.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// What it does, in words.
            #[must_use]
            pub const fn text(self) -> Key {
                match self { $(Self::$name => key!($text),)+ }
            }
        }
    };
}

commands! {
    /// Leave the program.
    Quit = "quit", "command-quit";
    /// Show the keys of this place.
    Help = "help", "command-help";
    /// Conversations and commands, by a few letters.
    Palette = "palette", "command-palette";
    /// Write to somebody new.
    NewChat = "new", "command-new";
    /// Compare the safety number.
    Verify = "verify", "command-verify";
    /// What the relay has announced.
    Announcements = "announcements", "command-announcements";
    /// Show contacts when one is here, or no longer.
    Presence = "presence", "command-presence";
    /// Draw everything anew.
    Redraw = "redraw", "command-redraw";
    /// Try to connect now.
    Reconnect = "reconnect", "command-reconnect";
    /// Open the next conversation with unread messages.
    NextUnread = "next-unread", "command-next-unread";
    /// Open the next conversation of the list.
    NextChat = "next-chat", "command-next-chat";
    /// Open the previous conversation of the list.
    PreviousChat = "previous-chat", "command-previous-chat";
    /// Go to the next part of the screen.
    FocusNext = "focus-next", "command-focus-next";
    /// Go to the previous part of the screen.
    FocusPrevious = "focus-previous", "command-focus-previous";
    /// Close what is open, or go towards the list.
    Back = "back", "command-back";
    /// Send what is written.
    Send = "send", "command-send";
    /// Begin a new line.
    Newline = "newline", "command-newline";
    /// One line or message up.
    Up = "up", "command-up";
    /// One line or message down.
    Down = "down", "command-down";
    /// One page up.
    PageUp = "page-up", "command-page-up";
    /// One page down.
    PageDown = "page-down", "command-page-down";
    /// To the beginning.
    Top = "top", "command-top";
    /// To the end.
    Bottom = "bottom", "command-bottom";
    /// Open what is under the cursor.
    Open = "open", "command-open";
    /// Send a failed message again.
    Retry = "retry", "command-retry";
    /// Save the file of a message.
    Save = "save", "command-save";
    /// Send a file.
    Attach = "attach", "command-attach";
    /// The times of a message.
    Info = "info", "command-info";
    /// Say that the safety number is the same.
    Confirm = "confirm", "command-confirm";
    /// Go on with a changed key without comparing.
    Accept = "accept", "command-accept";
}

impl Command {
    /// What it does, in a word or two where there is one.
    #[must_use]
    pub const fn label(self) -> Key {
        match self {
            Self::Send => key!("label-send"),
            Self::Newline => key!("label-newline"),
            Self::Help => key!("label-help"),
            Self::Palette => key!("label-palette"),
            Self::NextUnread => key!("label-next-unread"),
            Self::NewChat => key!("label-new"),
            Self::Open => key!("label-open"),
            Self::Info => key!("label-info"),
            Self::Retry => key!("label-retry"),
            Self::Save => key!("label-save"),
            other => other.text(),
        }
    }

    /// Whether the palette and `/name` offer it: what makes sense without a place.
    #[must_use]
    pub const fn is_offered(self) -> bool {
        matches!(
            self,
            Self::Quit
                | Self::Help
                | Self::Palette
                | Self::NewChat
                | Self::Verify
                | Self::Announcements
                | Self::Presence
                | Self::Reconnect
                | Self::Redraw
                | Self::NextUnread
                | Self::Retry
                | Self::Save
                | Self::Attach
        )
    }
}
