//! What the relay says to everybody.

use super::Answer;
use crate::domain::announcement::Announced;

/// Announcements, as they were signed.
pub trait Announcements: Send + Sync {
    /// Keeps a new one.
    fn announce(&self, new: Announced) -> Answer<'_, ()>;

    /// Of those that have not expired at `now` the newest `limit`, oldest first; those of everybody who works on
    /// the same database.
    fn announcements(&self, now: u64, limit: u32) -> Answer<'_, Vec<Announced>>;

    /// Forgets those that have expired, and says how many.
    fn forget_announcements(&self, now: u64) -> Answer<'_, u64>;
}
