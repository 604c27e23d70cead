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
#[derive(Clone, Copy)]
pub(crate) struct Transcript<'a> {
    pub(crate) initiator: Party,
    pub(crate) responder: Party,
    pub(crate) generation: u64,
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
        hash.update(self.generation.to_be_bytes());
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use susurro_protocol::bytes::Fixed;

    use super::*;

    #[test]
    fn attack_9_every_field_enters_the_transcript() {
        let party = |account, device, certificate| Party {
            account: AccountId::from_bytes([account; 16]),
            device: DeviceId::from_bytes([device; 16]),
            certificate: [certificate; 32],
        };
        let one_time = |id, key| Some(OneTimePrekey { id, key: Fixed([key; 32]) });
        let base = Transcript {
            initiator: party(1, 2, 3),
            responder: party(4, 5, 6),
            generation: 7,
            ephemeral: &[8; 32],
            signed_prekey: (9, &[10; 32]),
            one_time_prekey: one_time(11, 12),
            pq_kind: 2,
            pq_prekey: (13, &[14; PQ_PUBLIC_KEY_BYTES]),
            kem_ciphertext: &[15; KEM_CIPHERTEXT_BYTES],
        };
        let hashes = [
            base.hash(),
            Transcript { initiator: base.responder, responder: base.initiator, ..base }.hash(),
            Transcript { initiator: party(0, 2, 3), ..base }.hash(),
            Transcript { initiator: party(1, 0, 3), ..base }.hash(),
            Transcript { initiator: party(1, 2, 0), ..base }.hash(),
            Transcript { responder: party(0, 5, 6), ..base }.hash(),
            Transcript { responder: party(4, 0, 6), ..base }.hash(),
            Transcript { responder: party(4, 5, 0), ..base }.hash(),
            Transcript { generation: 0, ..base }.hash(),
            Transcript { ephemeral: &[0; 32], ..base }.hash(),
            Transcript { signed_prekey: (0, &[10; 32]), ..base }.hash(),
            Transcript { signed_prekey: (9, &[0; 32]), ..base }.hash(),
            Transcript { one_time_prekey: None, ..base }.hash(),
            Transcript { one_time_prekey: one_time(0, 12), ..base }.hash(),
            Transcript { one_time_prekey: one_time(11, 0), ..base }.hash(),
            Transcript { pq_kind: 3, ..base }.hash(),
            Transcript { pq_prekey: (0, &[14; PQ_PUBLIC_KEY_BYTES]), ..base }.hash(),
            Transcript { pq_prekey: (13, &[0; PQ_PUBLIC_KEY_BYTES]), ..base }.hash(),
            Transcript { kem_ciphertext: &[0; KEM_CIPHERTEXT_BYTES], ..base }.hash(),
        ];
        assert_eq!(HashSet::from(hashes).len(), hashes.len());
    }
}
