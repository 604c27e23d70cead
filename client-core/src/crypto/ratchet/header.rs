//! Encrypted message headers (Double Ratchet, section 4).

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use super::{NONCE_BYTES, TAG_BYTES};
use crate::crypto::error::DecryptError;
use crate::crypto::secret::Secret32;

/// Bytes of a header before encryption: ratchet key, `n`, `pn`, flags.
pub(crate) const HEADER_BYTES: usize = 32 + 4 + 4 + 1;

/// Bytes of a header after encryption.
pub(crate) const SEALED_HEADER_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sender's ratchet public key.
    pub(crate) ratchet: [u8; 32],
    /// Number of the message in its chain, from 0.
    pub(crate) n: u32,
    /// Messages in the sender's chain before.
    pub(crate) pn: u32,
    /// Reserved for the post-quantum ratchet; all bits are zero in this version.
    pub(crate) flags: u8,
}

impl Header {
    /// Refuses flags of a later version: what they change cannot be guessed.
    pub(crate) fn check_flags(&self) -> Result<(), DecryptError> {
        if self.flags == 0 { Ok(()) } else { Err(DecryptError::UnknownVersion) }
    }

    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..32].copy_from_slice(&self.ratchet);
        bytes[32..36].copy_from_slice(&self.n.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.pn.to_be_bytes());
        bytes[40] = self.flags;
        bytes
    }

    fn of_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (ratchet, rest) = bytes.split_first_chunk()?;
        let (n, rest) = rest.split_first_chunk()?;
        let (pn, rest) = rest.split_first_chunk()?;
        let flags = *rest.first()?;
        Some(Self { ratchet: *ratchet, n: u32::from_be_bytes(*n), pn: u32::from_be_bytes(*pn), flags })
    }
}

/// A key that encrypts the headers of one chain.
pub(crate) struct HeaderKey(pub(crate) Secret32);

impl HeaderKey {
    /// Encrypts a header.
    pub(crate) fn seal(
        &self,
        header: Header,
        nonce: &[u8; NONCE_BYTES],
        ad: &[u8],
    ) -> Option<[u8; SEALED_HEADER_BYTES]> {
        let mut bytes = header.to_bytes();
        let tag = self.cipher().encrypt_inout_detached(nonce.into(), ad, bytes.as_mut_slice().into()).ok()?;
        let mut sealed = [0; SEALED_HEADER_BYTES];
        sealed[..HEADER_BYTES].copy_from_slice(&bytes);
        sealed[HEADER_BYTES..].copy_from_slice(&tag);
        Some(sealed)
    }

    /// Verifies and decrypts a header; `None` when it is not of this chain.
    pub(crate) fn open(
        &self,
        sealed: &[u8; SEALED_HEADER_BYTES],
        nonce: &[u8; NONCE_BYTES],
        ad: &[u8],
    ) -> Option<Header> {
        let (bytes, tag) = sealed.split_first_chunk::<HEADER_BYTES>()?;
        let tag: &[u8; TAG_BYTES] = tag.first_chunk()?;
        let mut bytes = *bytes;
        self.cipher().decrypt_inout_detached(nonce.into(), ad, bytes.as_mut_slice().into(), tag.into()).ok()?;
        Header::of_bytes(&bytes)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}
