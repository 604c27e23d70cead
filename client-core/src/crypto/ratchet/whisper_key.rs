//! Encryption of signals that may get lost (`docs/protocol.md`, section 17.2).

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use susurro_protocol::limits::WHISPER_PADDED;

use super::{HEADER_AD_BYTES, NONCE_BYTES, TAG_BYTES};
use crate::crypto::secret::Secret32;

/// Bytes of the associated data of a whisper: those of a message header, and the chat.
pub(crate) const WHISPER_AD_BYTES: usize = HEADER_AD_BYTES + 16;

/// The key of the whispers of one sending chain. It is used as often as there are whispers, each
/// time with a random nonce, and no message key comes from it or leads to it.
pub(crate) struct WhisperKey(pub(crate) Secret32);

impl WhisperKey {
    /// Encrypts `padded` in place and gives its tag.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ad: &[u8; WHISPER_AD_BYTES],
        padded: &mut [u8; WHISPER_PADDED],
    ) -> Option<[u8; TAG_BYTES]> {
        self.cipher().encrypt_inout_detached(nonce.into(), ad, padded.as_mut_slice().into()).ok().map(Into::into)
    }

    /// Verifies and decrypts `padded` in place; `None` when the tag does not hold.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ad: &[u8; WHISPER_AD_BYTES],
        padded: &mut [u8; WHISPER_PADDED],
        tag: &[u8; TAG_BYTES],
    ) -> Option<()> {
        self.cipher().decrypt_inout_detached(nonce.into(), ad, padded.as_mut_slice().into(), tag.into()).ok()
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}
