//! Prekeys: private halves are durable before public ones are published, what the relay holds is
//! compared with what it should hold at each connection.

use rand_core::CryptoRng;
use susurro_protocol::rest::{KeyCount, prekey_digest};

use super::engine::Engine;
use super::jobs::Job;
use crate::crypto::Prekeys;

#[derive(Default)]
pub(super) struct PrekeyState {
    /// The relay said in this session what it holds.
    counted: bool,
    /// What it holds is not what it should.
    publish: bool,
    /// Published in this session: what then still differs is a matter of claims.
    published: bool,
    /// Rotated since the last upload went out.
    pub(super) rotated: bool,
}

impl PrekeyState {
    pub(super) fn begin_session(&mut self) {
        *self = Self::default();
    }

    /// Whether the relay holds what it should, or takes no more in this session.
    pub(super) const fn is_settled(&self) -> bool {
        self.counted && !self.publish
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn look_after_prekeys(&mut self) {
        if self.prekey_state.publish {
            self.want(Job::PublishKeys);
        } else if !self.prekey_state.counted {
            self.want(Job::CountKeys);
        }
    }

    /// Whether there are prekeys that the relay does not have and may still take in this session.
    pub(super) fn has_publishable(&self) -> bool {
        self.prekeys.has_unpublished() && (self.prekey_state.publish || !self.prekey_state.counted)
    }

    pub(super) fn keys_counted(&mut self, count: &KeyCount) {
        self.prekey_state.counted = true;
        let differs = !self.relay_holds_what_it_should(count);
        self.prekey_state.publish |= (differs && !self.prekey_state.published) || self.prekeys.has_unpublished();
        if !self.prekeys.has_unpublished() {
            self.refill_prekeys(count.one_time, count.pq_one_time);
        }
    }

    pub(super) fn keys_published(&mut self, count: &KeyCount) {
        self.prekey_state.publish = self.prekey_state.rotated;
        self.prekey_state.published = true;
        if self.prekeys.has_unpublished() {
            self.set_prekeys(self.prekeys.mark_published());
        }
        self.keys_counted(count);
    }

    /// The relay does not take them; asked again in the next session.
    pub(super) fn keys_refused(&mut self) {
        self.prekey_state = PrekeyState { counted: true, published: true, ..PrekeyState::default() };
    }

    /// Makes new one-time prekeys when few are left, and has them published after the commit.
    pub(super) fn refill_prekeys(&mut self, one_time_left: u32, pq_left: u32) {
        if self.prekeys.has_unpublished() {
            self.prekey_state.publish = true;
            return;
        }
        let now = self.now / 1000;
        let refilled = self.prekeys.refill(&self.me.device, one_time_left, pq_left, now, &mut self.rng);
        if let Some(prekeys) = refilled {
            self.set_prekeys(prekeys);
            self.prekey_state.publish = true;
        }
    }

    pub(super) fn rotate_prekeys(&mut self) {
        let rotated = self.prekeys.rotate_if_due(&self.me.device, self.now / 1000, &mut self.rng);
        if let Some(prekeys) = rotated {
            self.set_prekeys(prekeys);
            self.prekey_state.publish = true;
            self.prekey_state.rotated = true;
        }
    }

    fn set_prekeys(&mut self, prekeys: Prekeys) {
        self.prekeys = prekeys;
        self.draft.prekeys = true;
    }

    fn relay_holds_what_it_should(&self, count: &KeyCount) -> bool {
        prekey_digest(self.prekeys.published_when_left(count.one_time, count.pq_one_time)) == count.digest.0
    }
}
