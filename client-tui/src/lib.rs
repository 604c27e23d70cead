//! Susurro in a terminal: the full-screen interface, and what it shares with the command line.
//!
//! `main → {cli, app}`; [`ui`] reads [`app`]'s model only; [`app::update()`] returns effects and
//! touches nothing; [`term`] owns the terminal and performs the effects.

pub mod app;
pub mod i18n;
pub mod input;
pub mod sanitize;
pub mod size;
pub mod term;
pub mod ui;
