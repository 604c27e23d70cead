//! `cargo xtask configuration`.

use crate::step::{self, Outcome};

/// Writes `docs/configuration.md`, `.env.example` and `susurro.example.toml` from the relay's table of settings.
///
/// # Errors
///
/// A line when they cannot be written.
pub fn run() -> Outcome {
    let test = "the_documents_are_what_the_table_says";
    let arguments = ["test", "--locked", "--workspace", "--test", "configuration", "--", test];
    let mut command = step::cargo(&arguments);
    step::run("write the reference of the settings", command.env("UPDATE_CONFIGURATION", "1"))
}
