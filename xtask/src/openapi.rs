//! `cargo xtask openapi`.

use crate::step::{self, Outcome};

/// Writes `docs/openapi.json` as the relay serves it.
///
/// # Errors
///
/// A line when it cannot be written.
pub fn run() -> Outcome {
    let test = "openapi::the_copy_in_the_documents_is_what_the_relay_serves";
    let arguments = ["test", "--locked", "--package", "susurro-server", "--test", "relay", "--", test];
    let mut command = step::cargo(&arguments);
    step::run("write docs/openapi.json", command.env("UPDATE_OPENAPI", "1"))
}
