//! The functions of the ratchet one by one (`docs/protocol.md`, section 17).
//!
//! Sessions are made of the same functions. They stand here alone for checks of other
//! implementations, where a difference has to be found in the step that makes it.

use susurro_protocol::limits::WHISPER_PADDED;
use susurro_protocol::signal::Signal;
use zeroize::Zeroizing;

use super::dh::DhSecret;
use super::dh::WeakKey;
use super::error::DecryptError;
use super::ratchet::{
    ChainKey, HEADER_AD_BYTES, Header, HeaderKey, MessageKey, NONCE_BYTES, RootKey, SEALED_HEADER_BYTES,
    WHISPER_AD_BYTES, WHISPER_PREAMBLE, WhisperKey, WhisperParts, body_ad, unpad_signal,
};
use super::secret::Secret32;

/// What a message header says, before encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// The sender's ratchet public key.
    pub ratchet: [u8; 32],
    /// Number of the message in its chain, from 0.
    pub n: u32,
    /// Messages in the sender's chain before.
    pub pn: u32,
    /// 0 in this version.
    pub flags: u8,
}

/// An encrypted message without what stands in front of it.
#[derive(Debug)]
pub struct SealedMessage {
    /// The key of the body, from message key and random value.
    pub body_key: Secret32,
    /// The encrypted header and its tag.
    pub header: [u8; SEALED_HEADER_BYTES],
    /// The encrypted body and its tag.
    pub body: Vec<u8>,
}

/// `KDF_RK_HE`: new root key, chain key, next header key, and the key of the chain's whispers.
///
/// # Errors
///
/// [`WeakKey`] when the remote key decides the result alone.
pub fn root_step(root: &Secret32, own: &DhSecret, remote: &[u8; 32]) -> Result<[Secret32; 4], WeakKey> {
    let step = RootKey(root.duplicate()).step(own, remote)?;
    Ok([step.root.0, step.chain.0, step.next_header.0, step.whisper.0])
}

/// `KDF_CK`: message key, next chain key.
#[must_use]
pub fn chain_step(chain: &Secret32) -> [Secret32; 2] {
    let (next, message) = ChainKey(chain.duplicate()).step();
    [message.0, next.0]
}

/// Encrypts a header and a padded content. `ad` is what both tags cover: suite, transcript,
/// sender, recipient, version and kind. `None` above 256 GiB.
#[must_use]
pub fn seal_message(
    header_key: &Secret32,
    message_key: &Secret32,
    ad: &[u8; HEADER_AD_BYTES],
    random: &[u8; NONCE_BYTES],
    header: MessageHeader,
    padded: &[u8],
) -> Option<SealedMessage> {
    let MessageHeader { ratchet, n, pn, flags } = header;
    let sealed = HeaderKey(header_key.duplicate()).seal(Header { ratchet, n, pn, flags }, random, ad)?;
    let key = MessageKey(message_key.duplicate());
    let mut body = padded.to_vec();
    let tag = key.seal(random, &body_ad(ad, random, &sealed), &mut body)?;
    body.extend_from_slice(&tag);
    Some(SealedMessage { body_key: key.body_key(random), header: sealed, body })
}

/// Encrypts a padded signal under a chain's whisper key: the whisper. `ad` is what the tag covers:
/// suite, transcript, sender, recipient, version and kind, chat.
#[must_use]
pub fn seal_whisper(
    whisper_key: &Secret32,
    ad: &[u8; WHISPER_AD_BYTES],
    random: &[u8; NONCE_BYTES],
    padded: &[u8; WHISPER_PADDED],
) -> Option<Vec<u8>> {
    let mut body = *padded;
    let tag = WhisperKey(whisper_key.duplicate()).seal(random, ad, &mut body)?;
    Some([&WHISPER_PREAMBLE[..], random, &body, &tag].concat())
}

/// Decrypts a whisper under one key.
///
/// # Errors
///
/// [`DecryptError`] as for a whisper in a session.
pub fn open_whisper(
    whisper_key: &Secret32,
    ad: &[u8; WHISPER_AD_BYTES],
    whisper: &[u8],
) -> Result<Signal, DecryptError> {
    let parts = WhisperParts::read(whisper)?;
    let mut padded = Zeroizing::new(*parts.body);
    let key = WhisperKey(whisper_key.duplicate());
    key.open(parts.nonce, ad, &mut padded, parts.tag).ok_or(DecryptError::NoSession)?;
    unpad_signal(&padded)
}
