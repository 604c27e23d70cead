//! What the relay says to everybody.

use susurro_protocol::AnnouncementId;

/// An announcement that the relay has signed. It is no message: nobody in a conversation has said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What it is called.
    pub id: AnnouncementId,
    /// When it was made, in milliseconds since 1970 by the relay's clock.
    pub issued: u64,
    /// From when on it is shown no more.
    pub expires: u64,
    /// What is announced: lines of text.
    pub text: String,
}
