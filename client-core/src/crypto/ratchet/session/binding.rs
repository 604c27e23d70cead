//! What a session is bound to, and how that goes into every tag.

use susurro_protocol::{AccountId, DeviceId};

use crate::crypto::ratchet::NONCE_BYTES;
use crate::crypto::ratchet::header::SEALED_HEADER_BYTES;

/// Bytes of the associated data of a session: suite, transcript hash, sender, recipient.
const SESSION_AD_BYTES: usize = 2 + 32 + 32 + 32;
/// Those and the two bytes in front of every envelope.
pub(crate) const HEADER_AD_BYTES: usize = SESSION_AD_BYTES + 2;
/// Those, the nonce and the encrypted header.
const BODY_AD_BYTES: usize = HEADER_AD_BYTES + NONCE_BYTES + SEALED_HEADER_BYTES;

/// What a session is bound to; never changes.
pub(crate) struct Binding {
    /// Hash of the handshake's transcript.
    pub(crate) transcript: [u8; 32],
    /// This side.
    pub(crate) local: (AccountId, DeviceId),
    /// The other side.
    pub(crate) remote: (AccountId, DeviceId),
    /// Hash of the other side's certificate at the handshake.
    pub(crate) remote_certificate: [u8; 32],
    /// Hash of the initial header: tells a repeated initial message from a new handshake.
    pub(crate) initial: [u8; 32],
    /// Orders the sessions with a device: one more than the highest that the starter knew.
    pub(crate) generation: u64,
    /// Whether this side started it.
    pub(crate) started_here: bool,
}

impl Binding {
    fn session_ad(&self, from_here: bool) -> [u8; SESSION_AD_BYTES] {
        let (sender, recipient) = if from_here { (self.local, self.remote) } else { (self.remote, self.local) };
        let mut ad = [0; SESSION_AD_BYTES];
        ad[..2].copy_from_slice(&susurro_protocol::version::SUITE.to_be_bytes());
        ad[2..34].copy_from_slice(&self.transcript);
        for (at, (account, device)) in [(34, sender), (66, recipient)] {
            ad[at..at + 16].copy_from_slice(account.as_bytes());
            ad[at + 16..at + 32].copy_from_slice(device.as_bytes());
        }
        ad
    }

    /// Associated data of the header of an envelope with this preamble (protocol.md, section 17).
    pub(super) fn header_ad(&self, from_here: bool, preamble: [u8; 2]) -> [u8; HEADER_AD_BYTES] {
        let mut ad = [0; HEADER_AD_BYTES];
        ad[..SESSION_AD_BYTES].copy_from_slice(&self.session_ad(from_here));
        ad[SESSION_AD_BYTES..].copy_from_slice(&preamble);
        ad
    }
}

/// Associated data of the body.
pub(crate) fn body_ad(
    header_ad: &[u8; HEADER_AD_BYTES],
    nonce: &[u8; NONCE_BYTES],
    sealed_header: &[u8; SEALED_HEADER_BYTES],
) -> [u8; BODY_AD_BYTES] {
    let mut ad = [0; BODY_AD_BYTES];
    ad[..HEADER_AD_BYTES].copy_from_slice(header_ad);
    ad[HEADER_AD_BYTES..HEADER_AD_BYTES + NONCE_BYTES].copy_from_slice(nonce);
    ad[HEADER_AD_BYTES + NONCE_BYTES..].copy_from_slice(sealed_header);
    ad
}
