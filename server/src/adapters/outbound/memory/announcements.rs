//! The announcements port.

use super::{MemoryStore, done};
use crate::domain::announcement::Announced;
use crate::ports::{Announcements, Answer};

impl Announcements for MemoryStore {
    fn announce(&self, new: Announced) -> Answer<'_, ()> {
        let mut state = self.state();
        state.announcements.push(new);
        state.announcements.sort_by_key(|announced| (announced.issued, announced.id));
        done(Ok(()))
    }

    fn announcements(&self, now: u64, limit: u32) -> Answer<'_, Vec<Announced>> {
        let mut found: Vec<_> = self.state().announcements.iter().filter(|one| one.expires > now).cloned().collect();
        let over = found.len().saturating_sub(limit as usize);
        found.drain(..over);
        done(Ok(found))
    }

    fn forget_announcements(&self, now: u64) -> Answer<'_, u64> {
        let mut state = self.state();
        let before = state.announcements.len();
        state.announcements.retain(|announced| announced.expires > now);
        done(Ok((before - state.announcements.len()) as u64))
    }
}
