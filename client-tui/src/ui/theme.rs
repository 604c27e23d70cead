//! How things are set apart. Colour only ever adds to a sign, a word or an attribute.

use ratatui::style::{Color, Modifier, Style};

use crate::app::model::Look;
use crate::app::words::Weight;

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Text.
    Plain,
    /// Less important than text.
    Quiet,
    /// More important than text.
    Strong,
    /// A title.
    Title,
    /// A key to press.
    Key,
    /// The line with the cursor.
    Selected,
    /// The name of this account.
    Own,
    /// The name of somebody else.
    Other,
    /// As it should be.
    Good,
    /// Look at it.
    Warning,
    /// Something has to be done.
    Bad,
}

/// Styles, for one look. Only the sixteen colours that a terminal lets people choose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    look: Look,
}

impl Theme {
    /// Of this look.
    pub(super) const fn new(look: Look) -> Self {
        Self { look }
    }

    /// The style of a role.
    pub(super) fn style(self, role: Role) -> Style {
        let style = Style::new();
        let style = match role {
            Role::Plain => style,
            Role::Quiet => style.add_modifier(Modifier::DIM),
            Role::Strong | Role::Title | Role::Own | Role::Other => style.add_modifier(Modifier::BOLD),
            Role::Key | Role::Selected => style.add_modifier(Modifier::REVERSED),
            Role::Good => style,
            Role::Warning => style.add_modifier(Modifier::UNDERLINED),
            Role::Bad => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        };
        if self.look == Look::Mono {
            return style;
        }
        match role {
            Role::Own => style.fg(Color::Cyan),
            Role::Other => style.fg(Color::Magenta),
            Role::Good => style.fg(Color::Green),
            Role::Warning => style.remove_modifier(Modifier::UNDERLINED).fg(Color::Yellow),
            Role::Bad => style.remove_modifier(Modifier::UNDERLINED).fg(Color::Red),
            _ => style,
        }
    }

    /// The style of a state.
    pub(super) fn weight(self, weight: Weight) -> Style {
        self.style(match weight {
            Weight::Good => Role::Good,
            Weight::Plain => Role::Quiet,
            Weight::Warning => Role::Warning,
            Weight::Bad => Role::Bad,
        })
    }

    /// Modules of a QR code: black on white whatever the terminal's colours are, since cameras do not read inverted codes.
    pub(super) const fn code() -> Style {
        Style::new().fg(Color::Black).bg(Color::White)
    }
}
