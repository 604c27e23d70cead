//! Whispers: typing notices, both ways. Nothing of them is worth a commit or a request of its own,
//! and no message, receipt or session depends on one.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use susurro_protocol::codec;
use susurro_protocol::command::{Deposit, Whisper};
use susurro_protocol::event::Whispered;
use susurro_protocol::frame::FrameKind;
use susurro_protocol::limits::{TYPING_EVERY_SECONDS, TYPING_SECONDS, TYPING_SECONDS_MAX};
use susurro_protocol::signal::{SIGNAL_TYPING, Signal, SignalBody, TYPING_STARTED, TYPING_STOPPED, Typing};
use susurro_protocol::{AccountName, DeviceId};

use super::engine::Engine;
use crate::crypto::WHISPER_BYTES;
use crate::model::{ClientEvent, Contact, Trust};
use crate::store::port::Mutation;

/// Milliseconds between two notices while somebody goes on typing.
const EVERY: u64 = TYPING_EVERY_SECONDS * 1000;
/// Milliseconds without a key after which somebody has stopped.
const IDLE: u64 = 5_000;

pub(super) struct Whispers {
    /// Whether typing is told and shown.
    enabled: bool,
    /// The last counter that was given out: a time, so that it need not be stored to rise.
    counter: u64,
    /// Whom this side has told that it types.
    told: BTreeMap<AccountName, Told>,
    /// Who types, on which device, and until when that holds.
    typing: BTreeMap<AccountName, (DeviceId, u64)>,
    /// Sessions whose counter has risen since they were stored. It is stored with the next commit
    /// and when the client goes offline.
    unsaved: BTreeSet<DeviceId>,
}

struct Told {
    /// When last.
    at: u64,
    /// The last key.
    typed: u64,
}

impl Whispers {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, counter: 0, told: BTreeMap::new(), typing: BTreeMap::new(), unsaved: BTreeSet::new() }
    }

    /// The sessions to store with a commit.
    pub(super) fn take_unsaved(&mut self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut self.unsaved)
    }

    pub(super) fn next_wake(&self) -> Option<u64> {
        let idle = self.told.values().map(|told| told.typed + IDLE);
        idle.chain(self.typing.values().map(|(_, until)| *until)).min()
    }

    /// A message is on its way: it says as much as the end of typing.
    pub(super) fn wrote(&mut self, peer: &AccountName) {
        self.told.remove(peer);
    }
}

impl<R: CryptoRng> Engine<R> {
    pub(super) fn set_typing_notices(&mut self, enabled: bool) {
        self.whispers.enabled = enabled;
        self.draft.keep(Mutation::TypingNotices(enabled));
        if !enabled {
            let told: Vec<_> = self.whispers.told.keys().cloned().collect();
            for peer in told {
                self.stop_typing(&peer);
            }
            self.forget_typing();
        }
    }

    /// A key was pressed for this person, or what was typed is gone.
    pub(super) fn type_to(&mut self, peer: &AccountName, typing: bool) {
        if !typing {
            return self.stop_typing(peer);
        }
        if !self.whispers.enabled {
            return;
        }
        let now = self.now;
        if let Some(told) = self.whispers.told.get_mut(peer) {
            told.typed = now;
            if now.abs_diff(told.at) < EVERY {
                return;
            }
        }
        if self.whisper(peer, Typing { state: TYPING_STARTED, seconds: TYPING_SECONDS }) {
            self.whispers.told.insert(peer.clone(), Told { at: now, typed: now });
        }
    }

    fn stop_typing(&mut self, peer: &AccountName) {
        if self.whispers.told.remove(peer).is_some() {
            self.whisper(peer, Typing { state: TYPING_STOPPED, seconds: 0 });
        }
    }

    /// Sends a signal to those devices of a contact with which there is a session. Says whether
    /// there were any.
    fn whisper(&mut self, peer: &AccountName, typing: Typing) -> bool {
        if !self.is_connected() || !self.takes_ciphertext_of(WHISPER_BYTES) {
            return false;
        }
        let Some(contact) = self.people.contacts.get(peer).filter(|contact| is_believed(contact)) else { return false };
        let Some(list) = self.people.lists.get(&contact.account) else { return false };
        self.whispers.counter = self.now.max(self.whispers.counter.saturating_add(1));
        let signal =
            Signal { counter: self.whispers.counter, kind: SIGNAL_TYPING, body: codec::encode(&typing).into() };
        let mut deposits = Vec::new();
        for certificate in list.certificates() {
            let device = certificate.body().device;
            let whisper = self
                .sessions
                .get(&device)
                .filter(|sessions| sessions.can_whisper_to(certificate))
                .and_then(|sessions| sessions.whisper_to(certificate, &contact.chat, &signal, &mut self.rng).ok());
            deposits.extend(whisper.map(|ciphertext| Deposit { device, ciphertext: ciphertext.into() }));
        }
        if deposits.is_empty() {
            return false;
        }
        let whisper = Whisper { chat: contact.chat, deposits };
        self.transmit(FrameKind::Whisper, &whisper);
        true
    }

    /// Whatever is wrong with a whisper, it is as if it had not come.
    pub(super) fn whispered(&mut self, whispered: &Whispered) {
        if !self.whispers.enabled {
            return;
        }
        let device = whispered.sender_device;
        let Some(name) = self.people.name_of(&whispered.sender).cloned() else { return };
        let contact = self.people.contacts.get(&name).filter(|contact| is_believed(contact));
        if contact.is_none_or(|contact| contact.account != whispered.sender || contact.chat != whispered.chat) {
            return;
        }
        let Some(certificate) = self.people.certificate(&whispered.sender, &device) else { return };
        let Some(sessions) = self.sessions.get(&device) else { return };
        let Ok((sessions, signal)) = sessions.hear(certificate, &whispered.chat, whispered.ciphertext.as_slice())
        else {
            return;
        };
        self.sessions.insert(device, sessions);
        self.whispers.unsaved.insert(device);
        match signal.body() {
            Ok(SignalBody::Typing(Typing { state: TYPING_STARTED, seconds })) if seconds > 0 => {
                let until = self.now + u64::from(seconds.min(TYPING_SECONDS_MAX)) * 1000;
                if self.whispers.typing.insert(name.clone(), (device, until)).is_none() {
                    self.draft.emit(ClientEvent::Typing { peer: name, typing: true });
                }
            }
            Ok(SignalBody::Typing(Typing { state: TYPING_STARTED | TYPING_STOPPED, .. }))
                if self.whispers.typing.get(&name).is_some_and(|(typist, _)| *typist == device) =>
            {
                self.types_no_more(&name);
            }
            _ => {}
        }
    }

    /// A person types no more, or has sent what was typed.
    pub(super) fn types_no_more(&mut self, peer: &AccountName) {
        if self.whispers.typing.remove(peer).is_some() {
            self.draft.emit(ClientEvent::Typing { peer: peer.clone(), typing: false });
        }
    }

    /// The session with the relay is over: nothing that was told in it still holds.
    pub(super) fn forget_typing(&mut self) {
        self.whispers.told.clear();
        for (peer, _) in std::mem::take(&mut self.whispers.typing) {
            self.draft.emit(ClientEvent::Typing { peer, typing: false });
        }
    }

    /// Ends what has gone on for too long.
    pub(super) fn tick_whispers(&mut self) {
        let now = self.now;
        // A time that lies further ahead than it can have been set was set by another clock.
        let far = now + u64::from(TYPING_SECONDS_MAX) * 1000;
        let over = self.whispers.typing.iter().filter(|(_, (_, until))| *until <= now || *until > far);
        let over: Vec<_> = over.map(|(peer, _)| peer.clone()).collect();
        over.iter().for_each(|peer| self.types_no_more(peer));
        let idle = self.whispers.told.iter().filter(|(_, told)| now.abs_diff(told.typed) >= IDLE);
        let idle: Vec<_> = idle.map(|(peer, _)| peer.clone()).collect();
        idle.iter().for_each(|peer| self.stop_typing(peer));
    }
}

/// Whether this contact's key is one that somebody has pinned or accepted.
pub(super) fn is_believed(contact: &Contact) -> bool {
    matches!(contact.trust, Trust::Unverified | Trust::Verified)
}
