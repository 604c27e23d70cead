//! Whispers of a session: outside of its chains, so that nothing which is lost is missed.

use rand_core::CryptoRng;
use susurro_protocol::limits::WHISPER_PADDED;
use susurro_protocol::signal::Signal;
use susurro_protocol::version::VERSION;
use susurro_protocol::{ChatId, codec};
use zeroize::Zeroizing;

use super::{Binding, Session};
use crate::crypto::error::{CryptoError, DecryptError};
use crate::crypto::padding;
use crate::crypto::ratchet::{HEADER_AD_BYTES, NONCE_BYTES, TAG_BYTES, WHISPER_AD_BYTES};

/// Version and kind in front of every whisper.
pub(crate) const WHISPER_PREAMBLE: [u8; 2] = [VERSION, 3];

/// The parts of a whisper.
pub(crate) struct WhisperParts<'a> {
    pub(crate) preamble: [u8; 2],
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) body: &'a [u8; WHISPER_PADDED],
    pub(crate) tag: &'a [u8; TAG_BYTES],
}

impl<'a> WhisperParts<'a> {
    /// Takes a whisper apart.
    ///
    /// # Errors
    ///
    /// [`DecryptError::UnknownVersion`] for anything but a whisper of this version,
    /// [`DecryptError::Malformed`] for any other length than that of every whisper.
    pub(crate) fn read(whisper: &'a [u8]) -> Result<Self, DecryptError> {
        let (preamble, rest) = whisper.split_first_chunk().ok_or(DecryptError::Malformed)?;
        if *preamble != WHISPER_PREAMBLE {
            return Err(DecryptError::UnknownVersion);
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(DecryptError::Malformed)?;
        let (body, rest) = rest.split_first_chunk().ok_or(DecryptError::Malformed)?;
        let tag = rest.try_into().map_err(|_| DecryptError::Malformed)?;
        Ok(Self { preamble: *preamble, nonce, body, tag })
    }
}

/// A signal, padded.
///
/// # Errors
///
/// [`CryptoError::TooLarge`] for one that is longer than every whisper.
pub(crate) fn pad_signal(signal: &Signal) -> Result<Zeroizing<[u8; WHISPER_PADDED]>, CryptoError> {
    let mut padded = Vec::with_capacity(WHISPER_PADDED);
    padding::pad_into(&codec::encode(signal), &mut padded);
    padded.try_into().map(Zeroizing::new).map_err(|_| CryptoError::TooLarge)
}

/// The signal in a decrypted whisper.
///
/// # Errors
///
/// [`DecryptError::Malformed`] when padding or structure are not right.
pub(crate) fn unpad_signal(padded: &[u8; WHISPER_PADDED]) -> Result<Signal, DecryptError> {
    let bytes = padding::unpad(Zeroizing::new(padded.to_vec())).map_err(|_| DecryptError::Malformed)?;
    codec::decode(&bytes).map_err(|_| DecryptError::Malformed)
}

impl Session {
    /// Whether anything was sent in this session, so that the other side may have a key for
    /// whispers.
    pub(crate) fn can_whisper(&self) -> bool {
        self.whisper.is_some() && self.sending.as_ref().is_none_or(|chain| chain.n > 0)
    }

    /// Appends nonce, encrypted body and tag to `out`, whose two bytes are the preamble. Nothing
    /// changes.
    pub(crate) fn seal_whisper(
        &self,
        out: &mut Vec<u8>,
        chat: &ChatId,
        padded: &mut [u8; WHISPER_PADDED],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), CryptoError> {
        let key = self.whisper.as_ref().filter(|_| self.can_whisper()).ok_or(CryptoError::NoSession)?;
        let ad = whisper_ad(&self.binding, true, out.first_chunk().copied().unwrap_or_default(), chat);
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let tag = key.seal(&nonce, &ad, padded).ok_or(CryptoError::TooLarge)?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(padded);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Decrypts a whisper of the other side's present chain. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NoSession`] when the key of the present chain does not open it.
    pub(crate) fn open_whisper(
        &self,
        parts: &WhisperParts<'_>,
        chat: &ChatId,
    ) -> Result<Zeroizing<[u8; WHISPER_PADDED]>, DecryptError> {
        let key = self.receiving.as_ref().and_then(|chain| chain.whisper.as_ref()).ok_or(DecryptError::NoSession)?;
        let ad = whisper_ad(&self.binding, false, parts.preamble, chat);
        let mut padded = Zeroizing::new(*parts.body);
        key.open(parts.nonce, &ad, &mut padded, parts.tag).ok_or(DecryptError::NoSession)?;
        Ok(padded)
    }

    /// The state after a whisper with this counter was heard; `None` when one with this or a
    /// higher one was heard before.
    pub(crate) fn hears(&self, counter: u64) -> Option<Self> {
        let mut next = self.duplicate();
        let chain = next.receiving.as_mut().filter(|chain| counter > chain.heard)?;
        chain.heard = counter;
        Some(next)
    }
}

fn whisper_ad(binding: &Binding, from_here: bool, preamble: [u8; 2], chat: &ChatId) -> [u8; WHISPER_AD_BYTES] {
    let mut ad = [0; WHISPER_AD_BYTES];
    ad[..HEADER_AD_BYTES].copy_from_slice(&binding.header_ad(from_here, preamble));
    ad[HEADER_AD_BYTES..].copy_from_slice(chat.as_bytes());
    ad
}
