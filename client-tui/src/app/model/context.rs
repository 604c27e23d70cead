//! Which part of the screen has the keys.

use super::{Focus, Home, Model, Overlay, Screen};
use crate::input::Context;

impl Model {
    /// Where keys go now.
    #[must_use]
    pub fn context(&self) -> Context {
        match (&self.overlay, &self.screen) {
            (Some(Overlay::Help { .. } | Overlay::Info(_) | Overlay::Announcements { .. }), _) => Context::Window,
            (Some(Overlay::Palette { .. }), _) => Context::Palette,
            (Some(Overlay::NewChat { .. }), _) => Context::Prompt,
            (Some(Overlay::Verify(_)), _) => Context::Verify,
            (None, Screen::Wizard(_) | Screen::Unlock(_)) => Context::Prompt,
            (None, Screen::Home(home)) => place(home),
        }
    }
}

/// The part of the conversations that has the keys.
fn place(home: &Home) -> Context {
    match home.focus {
        Focus::List => Context::List,
        Focus::Timeline => Context::Timeline,
        Focus::Composer => Context::Composer,
    }
}
