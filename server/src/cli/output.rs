//! What commands say: data on stdout, talk on stderr, both as JSON when asked for.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::exit::{Exit, Failure};

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// One JSON object a line in place of text for people.
    pub(super) json: bool,
}

impl Output {
    /// Says one thing: `value` as a line of JSON, or `text`.
    pub(super) fn say(self, value: &impl Serialize, text: impl Display) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(value).map_err(|error| Failure::new(Exit::Failed, error))?
        } else {
            text.to_string()
        };
        print(format_args!("{line}\n")).map_err(|error| Failure::new(Exit::Failed, error))
    }

    /// Says why a command failed.
    pub(super) fn complain(self, failure: &Failure) -> ExitCode {
        let mut stderr = io::stderr();
        let _ = if self.json {
            let error = json!({ "exit": failure.exit as u8, "message": failure.message });
            writeln!(stderr, "{}", json!({ "error": error }))
        } else {
            writeln!(stderr, "susurro-server: {}", failure.message)
        };
        failure.exit.into()
    }
}

/// Writes to stdout at once.
pub(super) fn print(text: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout();
    write!(stdout, "{text}").and_then(|()| stdout.flush())
}
