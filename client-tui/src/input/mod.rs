//! From keys to named commands.

pub mod command;
pub mod keymap;
pub mod palette;
pub mod slash;

pub use command::Command;
pub use keymap::{Context, Keymap};
