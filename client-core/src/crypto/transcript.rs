//! What a handshake is bound to (`docs/crypto.md`, section 2).
//!
//! Everything that either side believes enters one hash, from which the keys follow: two sides
//! that differ in any of it share no key. That is what stops a stripped one-time key, a mixed
//! bundle, a re-encapsulated KEM ciphertext, an unknown key share and a downgrade.

use sha2::{Digest as _, Sha256};
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, OneTimePrekey, PQ_PUBLIC_KEY_BYTES};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, DeviceId, PrekeyId};

use super::kem::KEM_CIPHERTEXT_BYTES;

const LABEL: &[u8] = b"susurro/v1/pqxdh-transcript\0";

/// A device and the certificate by which it is known.
#[derive(Clone, Copy)]
pub(crate) struct Party {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) certificate: [u8; 32],
}

impl Party {
    pub(crate) fn of(certificate: &DeviceCertificate) -> Self {
        let CertificateBody { account, device, .. } = certificate.body();
        Self { account: *account, device: *device, certificate: certificate.hash() }
    }
}

/// All that is agreed in the open.
pub(crate) struct Transcript<'a> {
    pub(crate) initiator: Party,
    pub(crate) responder: Party,
    pub(crate) replaces: &'a [u8; 32],
    pub(crate) ephemeral: &'a [u8; 32],
    pub(crate) signed_prekey: (PrekeyId, &'a [u8; 32]),
    pub(crate) one_time_prekey: Option<OneTimePrekey>,
    pub(crate) pq_kind: u8,
    pub(crate) pq_prekey: (PrekeyId, &'a [u8; PQ_PUBLIC_KEY_BYTES]),
    pub(crate) kem_ciphertext: &'a [u8; KEM_CIPHERTEXT_BYTES],
}

impl Transcript<'_> {
    /// SHA-256 over all of it; every field has a fixed length or a byte that says whether it is there.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(LABEL);
        hash.update(SUITE.to_be_bytes());
        for party in [&self.initiator, &self.responder] {
            hash.update(party.account.as_bytes());
            hash.update(party.device.as_bytes());
            hash.update(party.certificate);
        }
        hash.update(self.replaces);
        hash.update(self.ephemeral);
        hash.update(self.signed_prekey.0.to_be_bytes());
        hash.update(self.signed_prekey.1);
        match self.one_time_prekey {
            Some(prekey) => {
                hash.update([1]);
                hash.update(prekey.id.to_be_bytes());
                hash.update(prekey.key.0);
            }
            None => hash.update([0]),
        }
        hash.update([self.pq_kind]);
        hash.update(self.pq_prekey.0.to_be_bytes());
        hash.update(self.pq_prekey.1);
        hash.update(self.kem_ciphertext);
        hash.finalize().into()
    }
}
