//! All sessions with one remote device: which of them sends, and which may still receive.

use std::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use susurro_protocol::keys::{DeviceCertificate, PrekeyBundle};
use susurro_protocol::limits::{CIPHERTEXT_MAX, WHISPER_PADDED};
use susurro_protocol::signal::Signal;
use susurro_protocol::version::VERSION;
use susurro_protocol::{AccountId, ChatId, DeviceId};
use zeroize::Zeroizing;

use super::error::{CryptoError, DecryptError};
use super::handshake::{self, INITIAL_HEADER_BYTES, initial_hash};
use super::identity::LocalDevice;
use super::padding;
use super::prekey::Prekeys;
use super::ratchet::{
    Binding, NONCE_BYTES, Parts, SEALED_HEADER_BYTES, Session, TAG_BYTES, WHISPER_PREAMBLE, WhisperParts, pad_signal,
    unpad_signal,
};
use super::state::{BadState, Reader, Writer};

const STATE_VERSION: u8 = 3;
/// The version before there were whispers: still read.
const STATE_VERSION_BEFORE: u8 = 2;

/// Kind of an envelope that starts a session.
const KIND_INITIAL: u8 = 1;
/// Kind of an envelope in a session that both sides know.
const KIND_MESSAGE: u8 = 2;

/// Bytes that an envelope adds to padded content.
pub const OVERHEAD_BYTES: usize = 2 + NONCE_BYTES + SEALED_HEADER_BYTES + TAG_BYTES;
/// Bytes that an envelope adds on top while the other side has not answered.
pub const INITIAL_OVERHEAD_BYTES: usize = INITIAL_HEADER_BYTES;
/// Bytes of every whisper.
pub const WHISPER_BYTES: usize = 2 + NONCE_BYTES + WHISPER_PADDED + TAG_BYTES;
/// Replaced sessions that can still receive.
pub const ARCHIVED_MAX: usize = 5;
/// How far above the highest known generation a session may be to send. Honest devices stay far
/// below it: each start counts one. Without it, whoever once had a device's keys could name a
/// generation that nobody can go beyond.
pub const GENERATION_STEP_MAX: u64 = 1 << 24;
/// How far above the highest known generation one that nobody has authenticated is counted. It is
/// counted once an hour at most, so whoever makes up headers needs years to reach the other bound.
pub const GENERATION_CLAIM_MAX: u64 = 256;

/// An envelope taken apart; nothing in it is authenticated.
pub struct Envelope<'a> {
    initial: Option<&'a [u8; INITIAL_HEADER_BYTES]>,
    message: Parts<'a>,
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart.
    ///
    /// # Errors
    ///
    /// [`DecryptError::UnknownVersion`] for a version or kind of a later version,
    /// [`DecryptError::Malformed`] when it is too long, or too short for what it must hold.
    pub fn read(envelope: &'a [u8]) -> Result<Self, DecryptError> {
        if envelope.len() > CIPHERTEXT_MAX {
            return Err(DecryptError::Malformed);
        }
        let (preamble, rest) = envelope.split_first_chunk::<2>().ok_or(DecryptError::Malformed)?;
        let [version, kind] = *preamble;
        if version != VERSION {
            return Err(DecryptError::UnknownVersion);
        }
        let (initial, rest) = match kind {
            KIND_INITIAL => {
                let (initial, rest) = rest.split_first_chunk().ok_or(DecryptError::Malformed)?;
                (Some(initial), rest)
            }
            KIND_MESSAGE => (None, rest),
            _ => return Err(DecryptError::UnknownVersion),
        };
        Ok(Self { initial, message: Parts::read(*preamble, rest).ok_or(DecryptError::Malformed)? })
    }

    /// The initial header of an envelope that starts a session.
    #[must_use]
    pub fn initial_header(&self) -> Option<&'a [u8; INITIAL_HEADER_BYTES]> {
        self.initial
    }

    /// The generation that the initial header claims.
    #[must_use]
    pub fn claimed_generation(&self) -> Option<u64> {
        handshake::claimed_generation(self.initial?)
    }

    /// The random value of the message.
    #[must_use]
    pub fn random(&self) -> &'a [u8] {
        self.message.nonce
    }

    /// The encrypted message header and its tag.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.message.header
    }

    /// The encrypted content.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.message.body
    }

    /// The tag of the content.
    #[must_use]
    pub fn tag(&self) -> &'a [u8] {
        self.message.tag
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope(initial: {}, {} bytes)", self.initial.is_some(), self.message.body.len())
    }
}

/// The sessions with one remote device. Every operation leaves the value as it is and gives the
/// one that follows: nothing has happened before the caller stores it.
#[derive(Default)]
pub struct PeerSessions {
    /// The one that sends.
    active: Option<Arc<Entry>>,
    /// Latest first. They receive only, and are never made active again.
    archived: Vec<Arc<Entry>>,
    /// The largest session that was ever known. While one sends, it is this one.
    largest: Rank,
}

/// The order of the sessions with a device, the same on both sides: generation, then transcript
/// hash. Each side sends with the largest that it knows, so that both come to the same one in
/// whatever order they learn of them.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    generation: u64,
    transcript: [u8; 32],
}

impl Rank {
    const fn of(binding: &Binding) -> Self {
        Self { generation: binding.generation, transcript: binding.transcript }
    }
}

struct Entry {
    session: Session,
    /// Goes before every message of a session started here until the other side has answered.
    initial: Option<Arc<[u8; INITIAL_HEADER_BYTES]>>,
}

/// A decrypted message, and the state to store together with it.
pub struct Received {
    /// The sessions that follow.
    pub sessions: PeerSessions,
    /// The content, without padding.
    pub content: Zeroizing<Vec<u8>>,
    /// The prekeys that follow, when a handshake has used some.
    pub prekeys: Option<Prekeys>,
    /// Whether the message has started a session.
    pub new_session: bool,
}

impl PeerSessions {
    /// No session yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is a session to send with. Otherwise claim a bundle and [`start`](Self::start).
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.active.is_some()
    }

    /// Whether there is a session to send with to the device that `remote` certifies now. A
    /// session of an earlier certificate does not count.
    #[must_use]
    pub fn can_send_to(&self, remote: &DeviceCertificate) -> bool {
        self.active.as_ref().is_some_and(|entry| is_with(entry.session.binding(), remote))
    }

    /// Names the session that sends: the transcript hash of its handshake.
    #[must_use]
    pub fn sends_with(&self) -> Option<[u8; 32]> {
        self.active.as_ref().map(|entry| entry.session.binding().transcript)
    }

    /// The remote device, once there is a session.
    #[must_use]
    pub fn peer(&self) -> Option<(AccountId, DeviceId)> {
        self.all().next().map(|entry| entry.session.binding().remote)
    }

    /// Whether the other side has shown that it has the session that sends.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.active.as_ref().is_some_and(|entry| entry.session.has_received())
    }

    /// Starts a session with the device that `remote` certifies, and archives the present one.
    /// Every part of the bundle is verified against the certificate. `now` is in seconds since
    /// 1970.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] says which part is not to be trusted; [`CryptoError::Exhausted`] when no
    /// higher generation is left.
    pub fn start(
        &self,
        local: &LocalDevice,
        remote: &DeviceCertificate,
        bundle: &PrekeyBundle,
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CryptoError> {
        self.start_beyond(0, local, remote, bundle, now, rng)
    }

    /// As [`start`](Self::start), to ask for repair: also beyond the generation that is `claimed` by
    /// initial headers which could not be read. Nobody has authenticated it, so it counts up to
    /// [`GENERATION_CLAIM_MAX`] above the known ones, and is not remembered.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_beyond(
        &self,
        claimed: u64,
        local: &LocalDevice,
        remote: &DeviceCertificate,
        bundle: &PrekeyBundle,
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CryptoError> {
        let known = self.largest.generation;
        let above = claimed.min(known.saturating_add(GENERATION_CLAIM_MAX)).max(known);
        self.start_as(above.checked_add(1).ok_or(CryptoError::Exhausted)?, local, remote, bundle, now, rng)
    }

    /// As [`start`](Self::start), with any generation: for checks of what others make of it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_as(
        &self,
        generation: u64,
        local: &LocalDevice,
        remote: &DeviceCertificate,
        bundle: &PrekeyBundle,
        _now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CryptoError> {
        if self.peer().is_some_and(|peer| peer != (remote.body().account, remote.body().device)) {
            return Err(CryptoError::WrongRecipient);
        }
        let (session, initial) = handshake::initiate(local, remote, bundle, generation, rng)?;
        let mut next = self.copy();
        next.activate(Entry { session, initial: Some(Arc::new(initial)) });
        Ok(next)
    }

    /// Pads and encrypts `content`; gives the sessions that follow and the envelope. `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`CryptoError::NoSession`], [`CryptoError::TooLarge`] or [`CryptoError::Exhausted`].
    pub fn encrypt(&self, content: &[u8], now: u64, rng: &mut dyn CryptoRng) -> Result<(Self, Vec<u8>), CryptoError> {
        let entry = self.active.as_ref().ok_or(CryptoError::NoSession)?;
        let initial = entry.initial.as_deref();
        let length =
            OVERHEAD_BYTES + initial.map_or(0, |_| INITIAL_HEADER_BYTES) + padding::padded_length(content.len());
        if length > CIPHERTEXT_MAX {
            return Err(CryptoError::TooLarge);
        }
        let mut envelope = Vec::with_capacity(length);
        envelope.extend_from_slice(&[VERSION, if initial.is_some() { KIND_INITIAL } else { KIND_MESSAGE }]);
        if let Some(initial) = initial {
            envelope.extend_from_slice(initial);
        }
        let session = entry.session.seal(&mut envelope, |out| padding::pad_into(content, out), now, rng)?;
        let entry = Entry { session, initial: entry.initial.clone() };
        Ok((Self { active: Some(Arc::new(entry)), ..self.copy() }, envelope))
    }

    /// [`encrypt`](Self::encrypt), for exactly the device that `remote` certifies: what was
    /// chosen is what is encrypted for, also when sessions were loaded for another.
    ///
    /// # Errors
    ///
    /// [`CryptoError::WrongRecipient`] when the session that sends is of another device or of an
    /// earlier certificate, otherwise as [`encrypt`](Self::encrypt).
    pub fn encrypt_to(
        &self,
        remote: &DeviceCertificate,
        content: &[u8],
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), CryptoError> {
        if self.can_send() && !self.can_send_to(remote) {
            return Err(CryptoError::WrongRecipient);
        }
        self.encrypt(content, now, rng)
    }

    /// Decrypts an envelope that came from the device that `remote` certifies, as the verified
    /// device list has it. `now` is in seconds since 1970. Nothing is random yet; the
    /// post-quantum ratchet will answer a message with fresh randomness.
    ///
    /// # Errors
    ///
    /// [`DecryptError`] is the cause to show.
    pub fn decrypt(
        &self,
        local: &LocalDevice,
        prekeys: &Prekeys,
        remote: &DeviceCertificate,
        envelope: &[u8],
        now: u64,
        _rng: &mut dyn CryptoRng,
    ) -> Result<Received, DecryptError> {
        let Envelope { initial, message } = Envelope::read(envelope)?;
        self.check_parties(local, remote)?;
        match initial {
            Some(initial) => self.decrypt_initial(local, prekeys, remote, initial, &message, now),
            None => self.decrypt_message(remote, &message, now),
        }
    }

    /// Whether a whisper to the device that `remote` certifies can be encrypted: there is a session
    /// that sends, and something was sent in it.
    #[must_use]
    pub fn can_whisper_to(&self, remote: &DeviceCertificate) -> bool {
        self.can_send_to(remote) && self.active.as_ref().is_some_and(|entry| entry.session.can_whisper())
    }

    /// Encrypts a signal of a chat for the device that `remote` certifies, [`WHISPER_BYTES`] long.
    /// Nothing of the sessions changes, and nothing has to be stored.
    ///
    /// # Errors
    ///
    /// [`CryptoError::NoSession`] while nothing was sent, [`CryptoError::WrongRecipient`] and
    /// [`CryptoError::TooLarge`].
    pub fn whisper_to(
        &self,
        remote: &DeviceCertificate,
        chat: &ChatId,
        signal: &Signal,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, CryptoError> {
        let entry = self.active.as_ref().ok_or(CryptoError::NoSession)?;
        if !is_with(entry.session.binding(), remote) {
            return Err(CryptoError::WrongRecipient);
        }
        let mut padded = pad_signal(signal)?;
        let mut envelope = Vec::with_capacity(WHISPER_BYTES);
        envelope.extend_from_slice(&WHISPER_PREAMBLE);
        entry.session.seal_whisper(&mut envelope, chat, &mut padded, rng)?;
        Ok(envelope)
    }

    /// Decrypts a whisper of a chat that came from the device that `remote` certifies. What
    /// follows differs in the counter alone that tells a repetition: it need not be stored at
    /// once.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NoSession`] when no key of a present chain opens it,
    /// [`DecryptError::Duplicate`] for a counter that is not higher than every one before,
    /// [`DecryptError::Malformed`] and [`DecryptError::UnknownVersion`].
    pub fn hear(
        &self,
        remote: &DeviceCertificate,
        chat: &ChatId,
        whisper: &[u8],
    ) -> Result<(Self, Signal), DecryptError> {
        let parts = WhisperParts::read(whisper)?;
        for (position, entry) in self.all().enumerate() {
            if !is_with(entry.session.binding(), remote) {
                continue;
            }
            let Ok(padded) = entry.session.open_whisper(&parts, chat) else { continue };
            let signal = unpad_signal(&padded)?;
            let session = entry.session.hears(signal.counter).ok_or(DecryptError::Duplicate)?;
            let entry = Entry { session, initial: entry.initial.clone() };
            return Ok((self.with(position, entry), signal));
        }
        Err(DecryptError::NoSession)
    }

    fn check_parties(&self, local: &LocalDevice, remote: &DeviceCertificate) -> Result<(), DecryptError> {
        let Some(binding) = self.all().next().map(|entry| entry.session.binding()) else { return Ok(()) };
        if binding.remote != (remote.body().account, remote.body().device) {
            return Err(DecryptError::WrongSender);
        }
        if binding.local != (local.account(), local.device()) {
            return Err(DecryptError::WrongRecipient);
        }
        Ok(())
    }

    fn decrypt_message(
        &self,
        remote: &DeviceCertificate,
        message: &Parts<'_>,
        now: u64,
    ) -> Result<Received, DecryptError> {
        for (position, entry) in self.all().enumerate() {
            if !is_with(entry.session.binding(), remote) {
                continue;
            }
            match entry.session.open(message, now) {
                Err(DecryptError::NoSession) => {}
                Err(error) => return Err(error),
                Ok(opened) => return self.received(position, opened.session, opened.body),
            }
        }
        Err(DecryptError::NoSession)
    }

    fn decrypt_initial(
        &self,
        local: &LocalDevice,
        prekeys: &Prekeys,
        remote: &DeviceCertificate,
        initial: &[u8; INITIAL_HEADER_BYTES],
        message: &Parts<'_>,
        now: u64,
    ) -> Result<Received, DecryptError> {
        let hash = initial_hash(initial);
        let known = self.all().enumerate().find(|(_, entry)| {
            let binding = entry.session.binding();
            !binding.started_here && binding.initial == hash && is_with(binding, remote)
        });
        if let Some((position, entry)) = known {
            let opened = entry.session.open(message, now).map_err(|error| match error {
                // The handshake is this session's, the message behind it is not, or no longer.
                DecryptError::NoSession if entry.session.keeps_first_chain() => DecryptError::Tampered,
                DecryptError::NoSession => DecryptError::OldKey,
                other => other,
            })?;
            return self.received(position, opened.session, opened.body);
        }
        let responded = handshake::respond(local, prekeys, remote, initial, message, now)?;
        let content = padding::unpad(responded.opened.body).map_err(|_| DecryptError::Malformed)?;
        let mut sessions = self.copy();
        sessions.admit(Entry { session: responded.opened.session, initial: None });
        Ok(Received { sessions, content, prekeys: Some(responded.prekeys), new_session: true })
    }

    /// Puts the state of the session at `position` of [`all`](Self::all) back.
    fn received(&self, position: usize, session: Session, body: Zeroizing<Vec<u8>>) -> Result<Received, DecryptError> {
        let content = padding::unpad(body).map_err(|_| DecryptError::Malformed)?;
        let sessions = self.with(position, Entry { session, initial: None });
        Ok(Received { sessions, content, prekeys: None, new_session: false })
    }

    /// A copy with `entry` at `position` of [`all`](Self::all).
    fn with(&self, position: usize, entry: Entry) -> Self {
        let mut sessions = self.copy();
        let entry = Some(Arc::new(entry));
        match (position, sessions.active.is_some()) {
            (0, true) => sessions.active = entry,
            (position, active) => {
                let place = sessions.archived.get_mut(position - usize::from(active));
                if let (Some(place), Some(entry)) = (place, entry) {
                    *place = entry;
                }
            }
        }
        sessions
    }

    /// Decides whether a session that the other side has started is to send.
    fn admit(&mut self, entry: Entry) {
        let rank = Rank::of(entry.session.binding());
        let step = rank.generation.saturating_sub(self.largest.generation);
        if rank > self.largest && step <= GENERATION_STEP_MAX {
            return self.activate(entry);
        }
        // Its starter would have gone beyond a session that it knew: it has lost that one, or
        // this message was late. Another start serves both cases; going back would not.
        let has_used = |active: &Entry| !active.session.binding().started_here || active.session.has_received();
        if rank < self.largest && self.active.as_deref().is_some_and(has_used) {
            self.leave();
        }
        self.archive(Arc::new(entry));
    }

    fn activate(&mut self, entry: Entry) {
        self.largest = Rank::of(entry.session.binding());
        self.leave();
        self.active = Some(Arc::new(entry));
    }

    fn leave(&mut self) {
        if let Some(former) = self.active.take() {
            self.archive(former);
        }
    }

    fn archive(&mut self, entry: Arc<Entry>) {
        self.archived.insert(0, entry);
        self.archived.truncate(ARCHIVED_MAX);
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.active.iter().chain(&self.archived).map(|entry| &**entry)
    }

    /// Copies share the sessions, which never change.
    fn copy(&self) -> Self {
        Self { active: self.active.clone(), archived: self.archived.clone(), largest: self.largest }
    }

    /// All of it, to be stored encrypted.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Writer::new(STATE_VERSION);
        out.u64(self.largest.generation).raw(&self.largest.transcript);
        out.u8(self.active.is_some().into()).count(self.archived.len());
        for entry in self.all() {
            out.u8(entry.initial.is_some().into());
            if let Some(initial) = &entry.initial {
                out.raw(&**initial);
            }
            entry.session.write(&mut out);
        }
        out.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    ///
    /// [`BadState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadState> {
        let with_whispers = bytes.first() != Some(&STATE_VERSION_BEFORE);
        let mut reader = Reader::new(bytes, if with_whispers { STATE_VERSION } else { STATE_VERSION_BEFORE })?;
        let entry = |reader: &mut Reader<'_>| -> Result<_, BadState> {
            let initial = if reader.flag()? { Some(Arc::new(*reader.array()?)) } else { None };
            Ok(Arc::new(Entry { session: Session::read(reader, with_whispers)?, initial }))
        };
        let largest = Rank { generation: reader.u64()?, transcript: *reader.array()? };
        let (active, archived) = (reader.flag()?, reader.count(1)?);
        let active = if active { Some(entry(&mut reader)?) } else { None };
        let archived = (0..archived).map(|_| entry(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { active, archived, largest })
    }
}

impl fmt::Debug for PeerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerSessions(active: {}, archived: {})", self.active.is_some(), self.archived.len())
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} bytes, new session: {})", self.content.len(), self.new_session)
    }
}

fn is_with(binding: &Binding, remote: &DeviceCertificate) -> bool {
    binding.remote == (remote.body().account, remote.body().device) && binding.remote_certificate == remote.hash()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use getrandom::SysRng;
    use rand_core::UnwrapErr;
    use susurro_protocol::keys::PrekeyKind;

    use super::*;
    use crate::crypto::AccountKey;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn attack_16_wrong_padding_of_a_genuine_sender_is_refused_after_its_tag_and_changes_nothing() {
        let rng = &mut UnwrapErr(SysRng);
        let alice = LocalDevice::generate(&AccountKey::generate(rng), NOW, rng);
        let bob = LocalDevice::generate(&AccountKey::generate(rng), NOW, rng);
        let prekeys = Prekeys::generate(&bob, NOW, rng);
        let published = prekeys.publication(&bob);
        let bundle = PrekeyBundle {
            device: bob.device(),
            signed_prekey: published.signed_prekey.read().unwrap(),
            pq_prekey: published.pq_last_resort.read().unwrap(),
            pq_kind: PrekeyKind::PqLastResort.number(),
            one_time_prekey: None,
        };
        let sessions = PeerSessions::new().start(&alice, bob.certificate(), &bundle, NOW, rng).unwrap();
        let active = sessions.active.as_ref().unwrap();
        let mut envelope = vec![VERSION, KIND_INITIAL];
        envelope.extend_from_slice(&**active.initial.as_ref().unwrap());
        active.session.seal(&mut envelope, |out| out.extend_from_slice(&[0; 256]), NOW, rng).unwrap();
        let bobs = PeerSessions::new();
        let outcome = bobs.decrypt(&bob, &prekeys, alice.certificate(), &envelope, NOW, rng);
        assert_eq!(outcome.err(), Some(DecryptError::Malformed));
        let last = envelope.len() - 1;
        envelope[last] ^= 1;
        let outcome = bobs.decrypt(&bob, &prekeys, alice.certificate(), &envelope, NOW, rng);
        assert_eq!(outcome.err(), Some(DecryptError::Tampered));
    }
}
