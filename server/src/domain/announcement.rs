//! What the relay says to everybody.

use susurro_protocol::AnnouncementId;
use susurro_protocol::announcement::{self, Announcement, Notice};
use susurro_protocol::limits::{ANNOUNCEMENT_MAX, ANNOUNCEMENT_SECONDS_MAX};

use super::Error;

/// Seconds for which an announcement is told when nobody says for how long.
const USUAL_SECONDS: u32 = 7 * 24 * 3600;

/// An announcement as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What it is called.
    pub id: AnnouncementId,
    /// When it was made, in milliseconds since 1970.
    pub issued: u64,
    /// From when on it is told no more.
    pub expires: u64,
    /// As it was signed.
    pub notice: Notice,
}

/// The announcement of a text at `now`, not yet signed (`docs/protocol.md`, ANN-2).
///
/// # Errors
///
/// `InvalidRequest` for a text or a time that none may have.
pub fn announcement(id: AnnouncementId, now: u64, text: &str, seconds: Option<u32>) -> Result<Announcement, Error> {
    if !announcement::is_allowed(text) {
        return Err(Error::invalid(format!(
            "an announcement has 1 to {ANNOUNCEMENT_MAX} characters and no control characters but line feeds"
        )));
    }
    let seconds = u64::from(seconds.unwrap_or(USUAL_SECONDS));
    if !(1..=ANNOUNCEMENT_SECONDS_MAX).contains(&seconds) {
        return Err(Error::invalid("an announcement is told for a second to thirty days"));
    }
    Ok(Announcement { id, issued: now, expires: now + seconds * 1000, text: text.to_owned() })
}
