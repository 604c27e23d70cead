//! The state of one session and its two operations.

mod binding;
mod stored;
mod whisper;

use std::sync::Arc;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::header::{Header, SEALED_HEADER_BYTES};
use super::skipped::{SkippedKeys, Walk};
use super::{
    CHAINS_MAX, ChainKey, HeaderKey, KEPT_MAX, MessageKey, NONCE_BYTES, RootKey, RootStep, SKIP_MAX, TAG_BYTES,
    WhisperKey,
};
use crate::crypto::dh::DhSecret;
use crate::crypto::error::{CryptoError, DecryptError};

pub(crate) use binding::{Binding, HEADER_AD_BYTES, body_ad};
pub(crate) use whisper::{WHISPER_PREAMBLE, WhisperParts, pad_signal, unpad_signal};

/// What key agreement gives: the root key and the first header key of each side.
pub(crate) struct FirstKeys {
    pub(crate) root: RootKey,
    pub(crate) initiator_header: HeaderKey,
    pub(crate) responder_header: HeaderKey,
}

struct SendingChain {
    ratchet: DhSecret,
    header_key: HeaderKey,
    chain_key: ChainKey,
    n: u32,
}

struct ReceivingChain {
    header_key: HeaderKey,
    chain_key: ChainKey,
    n: u32,
    skipped: SkippedKeys,
    /// None in a state that was stored before there were whispers.
    whisper: Option<WhisperKey>,
    /// The highest counter of a whisper that was heard under it.
    heard: u64,
}

/// A receiving chain that the sender has left: only its skipped messages can still come. Kept
/// without keys as well, since its header key tells a duplicate from a stranger's message.
struct FormerChain {
    header_key: HeaderKey,
    /// Messages that its sender says to have sent with it.
    length: u32,
    skipped: SkippedKeys,
}

impl FormerChain {
    fn with(&self, skipped: SkippedKeys) -> Arc<Self> {
        Arc::new(Self { header_key: self.header_key.duplicate(), length: self.length, skipped })
    }
}

/// The state of one session. Its operations leave it as it is and give the state that follows.
pub(crate) struct Session {
    binding: Arc<Binding>,
    root: RootKey,
    /// The other side's present ratchet key; none before its first message has come.
    remote_ratchet: Option<[u8; 32]>,
    /// None between the receipt of a new ratchet key and the next message to send: the new
    /// ratchet key is generated then (Double Ratchet, section 6.5: deferring).
    sending: Option<SendingChain>,
    next_sending_header: HeaderKey,
    previous_length: u32,
    receiving: Option<ReceivingChain>,
    next_receiving_header: HeaderKey,
    /// Oldest first.
    former: Vec<Arc<FormerChain>>,
    /// Of the chain of the last message that was sent, also when that chain is over: the other
    /// side has it until it gets a message of the next.
    whisper: Option<WhisperKey>,
}

/// The parts of an encrypted message.
pub(crate) struct Parts<'a> {
    pub(crate) preamble: [u8; 2],
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) header: &'a [u8; SEALED_HEADER_BYTES],
    pub(crate) body: &'a [u8],
    pub(crate) tag: &'a [u8; TAG_BYTES],
}

impl<'a> Parts<'a> {
    /// Splits what stands behind preamble and initial header.
    pub(crate) fn read(preamble: [u8; 2], bytes: &'a [u8]) -> Option<Self> {
        let (nonce, rest) = bytes.split_first_chunk()?;
        let (header, rest) = rest.split_first_chunk()?;
        let (body, tag) = rest.split_last_chunk()?;
        Some(Self { preamble, nonce, header, body, tag })
    }
}

/// A decrypted message and the state that follows.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Session {
    /// The starter's state (`RatchetInitAliceHE`, section 4.4); `prekey` is the responder's
    /// signed prekey.
    pub(crate) fn initiate(
        binding: Binding,
        keys: FirstKeys,
        prekey: [u8; 32],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CryptoError> {
        let ratchet = DhSecret::generate(rng);
        let RootStep { root, chain: chain_key, next_header, whisper } = keys.root.step(&ratchet, &prekey)?;
        Ok(Self {
            binding: Arc::new(binding),
            root,
            remote_ratchet: Some(prekey),
            sending: Some(SendingChain { ratchet, header_key: keys.initiator_header, chain_key, n: 0 }),
            next_sending_header: next_header,
            previous_length: 0,
            receiving: None,
            next_receiving_header: keys.responder_header,
            former: Vec::new(),
            whisper: Some(whisper),
        })
    }

    /// The responder's state (`RatchetInitBobHE`) after its first message.
    pub(crate) fn respond(
        binding: Binding,
        keys: FirstKeys,
        prekey: &DhSecret,
        first: &Parts<'_>,
        now: u64,
    ) -> Result<Opened, DecryptError> {
        let session = Self {
            binding: Arc::new(binding),
            root: keys.root,
            remote_ratchet: None,
            sending: None,
            next_sending_header: keys.responder_header,
            previous_length: 0,
            receiving: None,
            next_receiving_header: keys.initiator_header,
            former: Vec::new(),
            whisper: None,
        };
        // The handshake has just bound these keys to this message: if it does not open, it was
        // changed on the way.
        session.open_with(Some(prekey), first, now).map_err(|error| match error {
            DecryptError::NoSession => DecryptError::Tampered,
            other => other,
        })
    }

    pub(crate) fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Whether messages of the other side's first chain can still be read.
    pub(crate) fn keeps_first_chain(&self) -> bool {
        self.former.len() < CHAINS_MAX - 1
    }

    /// Whether anything of the other side has been decrypted.
    pub(crate) fn has_received(&self) -> bool {
        self.receiving.is_some()
    }

    /// Appends nonce, encrypted header, encrypted body and tag to `out`, whose first two bytes
    /// are the envelope's preamble, and gives the state that follows. `body` is what `fill`
    /// appends.
    pub(crate) fn seal(
        &self,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Vec<u8>),
        now: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CryptoError> {
        let mut next = self.duplicate();
        next.expire(now);
        let mut chain = match next.sending.take() {
            Some(chain) => chain,
            None => next.new_sending_chain(rng)?,
        };
        let (chain_key, message_key) = chain.chain_key.step();
        let header = Header { ratchet: *chain.ratchet.public(), n: chain.n, pn: next.previous_length, flags: 0 };
        chain.n = chain.n.checked_add(1).ok_or(CryptoError::Exhausted)?;
        chain.chain_key = chain_key;

        let preamble = out.first_chunk().copied().unwrap_or_default();
        let header_ad = self.binding.header_ad(true, preamble);
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let sealed = chain.header_key.seal(header, &nonce, &header_ad).ok_or(CryptoError::TooLarge)?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        let start = out.len();
        fill(out);
        let body = out.get_mut(start..).unwrap_or_default();
        let tag = message_key.seal(&nonce, &body_ad(&header_ad, &nonce, &sealed), body).ok_or(CryptoError::TooLarge)?;
        out.extend_from_slice(&tag);
        next.sending = Some(chain);
        Ok(next)
    }

    /// Decrypts a message.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NoSession`] when no header key of this session opens the header.
    pub(crate) fn open(&self, message: &Parts<'_>, now: u64) -> Result<Opened, DecryptError> {
        self.open_with(None, message, now)
    }

    fn open_with(&self, prekey: Option<&DhSecret>, message: &Parts<'_>, now: u64) -> Result<Opened, DecryptError> {
        let header_ad = self.binding.header_ad(false, message.preamble);
        let opens = |key: &HeaderKey| key.open(message.header, message.nonce, &header_ad);
        // In order of likelihood; the keys are all different, so at most one opens it.
        let (mut next, key) = if let Some(header) = self.receiving.as_ref().and_then(|chain| opens(&chain.header_key)) {
            header.check_flags()?;
            self.in_receiving_chain(&header, now)?
        } else if let Some(header) = opens(&self.next_receiving_header) {
            header.check_flags()?;
            self.in_new_chain(prekey, &header, now)?
        } else {
            let (position, header) = (self.former.iter().enumerate().rev())
                .find_map(|(position, chain)| Some((position, opens(&chain.header_key)?)))
                .ok_or(DecryptError::NoSession)?;
            header.check_flags()?;
            self.in_former_chain(position, &header)?
        };
        let mut body = Zeroizing::new(message.body.to_vec());
        let ad = body_ad(&header_ad, message.nonce, message.header);
        key.open(message.nonce, &ad, &mut body, message.tag).ok_or(DecryptError::Tampered)?;
        next.expire(now);
        Ok(Opened { session: next, body })
    }

    fn in_receiving_chain(&self, header: &Header, now: u64) -> Result<(Self, MessageKey), DecryptError> {
        let mut next = self.duplicate();
        let chain = next.receiving.as_mut().ok_or(DecryptError::NoSession)?;
        if self.remote_ratchet != Some(header.ratchet) {
            // Two copies of one state have left the same point with different ratchet keys.
            return Err(DecryptError::NoSession);
        }
        if header.n < chain.n {
            let key = take_skipped(&mut chain.skipped, header.n)?;
            return Ok((next, key));
        }
        check_skip(header.n - chain.n)?;
        let key = chain.advance(header.n, now)?;
        Ok((next, key))
    }

    /// `DHRatchetHE` (section 4.6), its sending half deferred.
    fn in_new_chain(
        &self,
        prekey: Option<&DhSecret>,
        header: &Header,
        now: u64,
    ) -> Result<(Self, MessageKey), DecryptError> {
        let mut next = self.duplicate();
        let received = next.receiving.as_ref().map_or(0, |chain| chain.n);
        // A sender that knows of less than what came was rolled back.
        let missing = header.pn.checked_sub(received).ok_or(DecryptError::NoSession)?;
        check_skip(missing.checked_add(header.n).ok_or(DecryptError::TooFarAhead)?)?;
        if let Some(mut chain) = next.receiving.take() {
            // Skip to `pn`; the chain key behind it is dropped with the chain.
            let walk = Walk::new(&chain.chain_key, chain.n, header.pn, now);
            drop(chain.skipped.keep(walk));
            let former = FormerChain { header_key: chain.header_key, length: header.pn, skipped: chain.skipped };
            next.former.push(Arc::new(former));
            let surplus = next.former.len().saturating_sub(CHAINS_MAX - 1);
            next.former.drain(..surplus);
        } else if missing > 0 {
            return Err(DecryptError::Malformed);
        }
        let step = match (next.sending.take(), prekey) {
            (Some(sending), _) => {
                next.previous_length = sending.n;
                next.root.step(&sending.ratchet, &header.ratchet)?
            }
            (None, Some(prekey)) => next.root.step(prekey, &header.ratchet)?,
            // Two new ratchet keys in a row, without one of ours between them: a copy again.
            (None, None) => return Err(DecryptError::NoSession),
        };
        next.root = step.root;
        next.remote_ratchet = Some(header.ratchet);
        let header_key = std::mem::replace(&mut next.next_receiving_header, step.next_header);
        let mut chain = ReceivingChain {
            header_key,
            chain_key: step.chain,
            n: 0,
            skipped: SkippedKeys::default(),
            whisper: Some(step.whisper),
            heard: 0,
        };
        let key = chain.advance(header.n, now)?;
        next.receiving = Some(chain);
        Ok((next, key))
    }

    fn in_former_chain(&self, position: usize, header: &Header) -> Result<(Self, MessageKey), DecryptError> {
        let mut next = self.duplicate();
        let chain = next.former.get_mut(position).ok_or(DecryptError::NoSession)?;
        if header.n >= chain.length {
            // Sent after its sender had left the chain: by a copy of an older state.
            return Err(DecryptError::OldKey);
        }
        let mut skipped = chain.skipped.duplicate();
        let key = take_skipped(&mut skipped, header.n)?;
        *chain = chain.with(skipped);
        Ok((next, key))
    }

    fn new_sending_chain(&mut self, rng: &mut dyn CryptoRng) -> Result<SendingChain, CryptoError> {
        let remote = self.remote_ratchet.ok_or(CryptoError::NoSession)?;
        let ratchet = DhSecret::generate(rng);
        let step = self.root.step(&ratchet, &remote)?;
        self.root = step.root;
        self.whisper = Some(step.whisper);
        let header_key = std::mem::replace(&mut self.next_sending_header, step.next_header);
        Ok(SendingChain { ratchet, header_key, chain_key: step.chain, n: 0 })
    }

    /// Deletes skipped keys that are too old, then the oldest that are too many.
    fn expire(&mut self, now: u64) {
        let mut excess = self.receiving.as_ref().map_or(0, |chain| chain.skipped.len());
        for chain in &mut self.former {
            let mut skipped = chain.skipped.duplicate();
            skipped.expire(now);
            if skipped.len() != chain.skipped.len() {
                *chain = chain.with(skipped);
            }
            excess += chain.skipped.len();
        }
        if let Some(chain) = &mut self.receiving {
            let before = chain.skipped.len();
            chain.skipped.expire(now);
            excess -= before - chain.skipped.len();
        }
        excess = excess.saturating_sub(KEPT_MAX);
        for chain in &mut self.former {
            if excess > 0 && chain.skipped.len() > 0 {
                let mut skipped = chain.skipped.duplicate();
                excess = skipped.shrink(excess);
                *chain = chain.with(skipped);
            }
        }
        if let Some(chain) = &mut self.receiving {
            chain.skipped.shrink(excess);
        }
    }

    fn duplicate(&self) -> Self {
        Self {
            binding: Arc::clone(&self.binding),
            root: self.root.duplicate(),
            remote_ratchet: self.remote_ratchet,
            sending: self.sending.as_ref().map(|chain| SendingChain {
                ratchet: chain.ratchet.duplicate(),
                header_key: chain.header_key.duplicate(),
                chain_key: chain.chain_key.duplicate(),
                n: chain.n,
            }),
            next_sending_header: self.next_sending_header.duplicate(),
            previous_length: self.previous_length,
            receiving: self.receiving.as_ref().map(|chain| ReceivingChain {
                header_key: chain.header_key.duplicate(),
                chain_key: chain.chain_key.duplicate(),
                n: chain.n,
                skipped: chain.skipped.duplicate(),
                whisper: chain.whisper.as_ref().map(WhisperKey::duplicate),
                heard: chain.heard,
            }),
            next_receiving_header: self.next_receiving_header.duplicate(),
            former: self.former.clone(),
            whisper: self.whisper.as_ref().map(WhisperKey::duplicate),
        }
    }
}

impl ReceivingChain {
    /// Skips to message `n` and takes its key.
    fn advance(&mut self, n: u32, now: u64) -> Result<MessageKey, DecryptError> {
        let behind = n.checked_add(1).ok_or(DecryptError::Malformed)?;
        let at_n = if n > self.n {
            self.skipped.keep(Walk::new(&self.chain_key, self.n, n, now))
        } else {
            self.chain_key.duplicate()
        };
        let (chain_key, message_key) = at_n.step();
        self.chain_key = chain_key;
        self.n = behind;
        Ok(message_key)
    }
}

fn check_skip(skipped: u32) -> Result<(), DecryptError> {
    if skipped > SKIP_MAX { Err(DecryptError::TooFarAhead) } else { Ok(()) }
}

fn take_skipped(skipped: &mut SkippedKeys, n: u32) -> Result<MessageKey, DecryptError> {
    let lost = skipped.may_have_lost(n);
    skipped.take(n).ok_or(if lost { DecryptError::OldKey } else { DecryptError::Duplicate })
}

#[cfg(test)]
mod tests;
