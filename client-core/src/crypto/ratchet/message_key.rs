//! Message keys and the encryption of bodies.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};

use super::{NONCE_BYTES, TAG_BYTES};
use crate::crypto::kdf::one_key;
use crate::crypto::secret::Secret32;

const INFO: &[u8] = b"susurro/v1/body-key\0";

/// The key of one message, used once and deleted.
pub(crate) struct MessageKey(pub(crate) Secret32);

impl MessageKey {
    /// Encrypts `body` in place and gives its tag. `None` above 256 GiB.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_BYTES], ad: &[u8], body: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        self.cipher(nonce).encrypt_inout_detached(&Nonce::default(), ad, body.into()).ok().map(Into::into)
    }

    /// Verifies and decrypts `body` in place; `None` when the tag does not hold.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ad: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Option<()> {
        self.cipher(nonce).decrypt_inout_detached(&Nonce::default(), ad, body.into(), tag.into()).ok()
    }

    /// The message's random nonce salts the body key: a state that was rolled back or cloned
    /// meets its message keys again, but no body key twice, so the AEAD's own nonce can be zero.
    fn cipher(&self, nonce: &[u8; NONCE_BYTES]) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(self.body_key(nonce).expose().into())
    }

    pub(crate) fn body_key(&self, nonce: &[u8; NONCE_BYTES]) -> Secret32 {
        one_key(nonce, &self.0, INFO)
    }
}
