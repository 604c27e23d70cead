//! Announcements of the relay: believed for the pinned key's signature alone, kept once, and apart from all that
//! people say.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use susurro_protocol::AnnouncementId;
use susurro_protocol::announcement::Notice;

use super::engine::Engine;
use crate::model::{Announcement, ClientEvent};
use crate::store::port::Mutation;

/// Announcements that are held at a time: a relay has a few in force, so that more are a flood.
const HELD_MAX: usize = 100;

/// Milliseconds for which an announcement is remembered behind its end: clocks disagree, and what is forgotten while
/// the relay still tells it would be shown again.
const REMEMBERED: u64 = 35 * 24 * 3600 * 1000;

pub(super) struct Announcements(BTreeMap<AnnouncementId, u64>);

impl Announcements {
    pub(super) fn new(held: Vec<(AnnouncementId, u64)>) -> Self {
        Self(held.into_iter().collect())
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Whatever is wrong with a notice, it is as if it had not come (ANN-3).
    pub(super) fn noticed(&mut self, notice: &Notice) {
        let Ok(said) = notice.verify(&self.me.relay_key) else {
            tracing::warn!(
                "an announcement was refused: the relay whose key is pinned has not signed it, or it is none"
            );
            return;
        };
        let held = &mut self.announcements.0;
        if said.expires <= self.now || held.contains_key(&said.id) || held.len() >= HELD_MAX {
            return;
        }
        held.insert(said.id, said.expires);
        let said = Announcement { id: said.id, issued: said.issued, expires: said.expires, text: said.text };
        self.draft.keep(Mutation::Announcement(said.clone()));
        self.draft.emit(ClientEvent::Announcement(said));
    }

    /// Forgets what has long expired.
    pub(super) fn forget_announcements(&mut self) {
        let before = self.now.saturating_sub(REMEMBERED);
        let count = self.announcements.0.len();
        self.announcements.0.retain(|_, expires| *expires >= before);
        if self.announcements.0.len() != count {
            self.draft.keep(Mutation::ForgetAnnouncements(before));
        }
    }
}
