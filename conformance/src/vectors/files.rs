//! The vectors as they were when this program was built.

use super::case::File;

/// A file in `docs/vectors` that is not one of vectors.
#[derive(Debug, thiserror::Error)]
#[error("docs/vectors/{name}.json cannot be read: {why}")]
pub struct Unreadable {
    name: &'static str,
    why: serde_json::Error,
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../docs/vectors/", $name, ".json")))),+]
    };
}

/// Name and text of each file, in the order in which they are read best.
pub const TEXTS: &[(&str, &str)] = files!(
    "identifiers",
    "errors",
    "structures",
    "requests",
    "frames",
    "handshake",
    "signatures",
    "certificates",
    "device-lists",
    "prekeys",
    "announcements",
    "passwords",
    "pqxdh",
    "ratchet",
    "padding",
    "safety-numbers",
    "contents",
    "whispers",
    "attachments",
    "malformed",
);

/// Every file of `docs/vectors`.
///
/// # Errors
///
/// [`Unreadable`] names the file that cannot be read.
pub fn checked_in() -> Result<Vec<File>, Unreadable> {
    let read = |(name, text): &(&'static str, &str)| serde_json::from_str(text).map_err(|why| Unreadable { name, why });
    TEXTS.iter().map(read).collect()
}
