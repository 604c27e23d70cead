//! Presence: whom this account is shown to, and which contacts are there. Switched off, which it is until somebody
//! switches it on, nothing is told and nobody is watched. Nothing of it is kept but the setting.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use susurro_protocol::command::Presence;
use susurro_protocol::event::PresenceChanged;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::PRESENCE_MAX;
use susurro_protocol::{AccountId, AccountName};

use super::engine::Engine;
use super::people::People;
use super::whispers::is_believed;
use crate::store::port::Mutation;

pub(super) struct Presences {
    enabled: bool,
    /// Whom the relay was told of in this session, as those who may know and as those who are watched.
    told: Vec<AccountId>,
    /// Contacts that are there, as the relay says.
    present: BTreeSet<AccountName>,
}

impl Presences {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, told: Vec::new(), present: BTreeSet::new() }
    }

    /// The contacts whose key somebody has pinned or accepted, in the order of their names; more than a `Presence`
    /// names are left out.
    fn wanted<'p>(&self, people: &'p People) -> impl Iterator<Item = AccountId> + 'p {
        let most = if self.enabled { PRESENCE_MAX } else { 0 };
        people.contacts.values().filter(|contact| is_believed(contact)).map(|contact| contact.account).take(most)
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn set_presence(&mut self, enabled: bool) {
        self.presences.enabled = enabled;
        self.draft.keep(Mutation::Presence(enabled));
    }

    /// The contacts that are there, as the relay says. None without a session.
    #[must_use]
    pub fn present(&self) -> &BTreeSet<AccountName> {
        &self.presences.present
    }

    /// Tells the relay when whom it was told of is no longer right. In a session, behind its first `Ack`.
    pub(super) fn look_after_presence(&mut self) {
        if self.presences.wanted(&self.people).eq(self.presences.told.iter().copied()) {
            return;
        }
        let wanted: Vec<_> = self.presences.wanted(&self.people).collect();
        self.transmit(FrameKind::Presence, &Presence { shown_to: wanted.clone(), watching: wanted.clone() });
        let watched: BTreeSet<_> = wanted.iter().filter_map(|account| self.people.name_of(account)).collect();
        self.presences.present.retain(|peer| watched.contains(peer));
        self.presences.told = wanted;
    }

    /// The relay says who came and who went. Those who are not watched do not count (PRE-9).
    pub(super) fn presence_changed(&mut self, changed: &PresenceChanged) {
        let Presences { told, present, .. } = &mut self.presences;
        let watched = |accounts: &[AccountId]| {
            let watched = accounts.iter().filter(|account| told.contains(account));
            watched.filter_map(|account| self.people.name_of(account).cloned()).collect::<Vec<_>>()
        };
        present.extend(watched(&changed.joined));
        watched(&changed.left).iter().for_each(|peer| {
            present.remove(peer);
        });
    }

    /// The session with the relay is over: nobody is known to be there.
    pub(super) fn forget_presence(&mut self) {
        self.presences.told.clear();
        self.presences.present.clear();
    }
}
