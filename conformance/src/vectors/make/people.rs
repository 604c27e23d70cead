//! Who acts in the vectors: each person's keys follow from their name.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use susurro_client_core::crypto::Secret;
use susurro_client_core::crypto::dh::DhSecret;
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec;
use susurro_protocol::keys::{
    CertificateBody, DeviceCertificate, DeviceList, OneTimePrekey, Prekey, PrekeyBundle, PrekeyKind,
};
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, DeviceId, PrekeyId};

use crate::vectors::random::Named;

/// The time of the vectors, in seconds since 1970.
pub(super) const NOW: u64 = 1_790_000_000;

/// Identifiers of the prekeys that everybody has.
pub(super) const SIGNED: PrekeyId = 1;
pub(super) const LAST_RESORT: PrekeyId = 2;
pub(super) const FIRST_ONE_TIME: PrekeyId = 10;
pub(super) const FIRST_PQ_ONE_TIME: PrekeyId = 20;
/// One-time prekeys of each kind.
const ONE_TIME: u64 = 3;

/// A person with one device.
pub(super) struct Person {
    pub(super) account_key: SigningKey,
    pub(super) signing_key: SigningKey,
    pub(super) identity: [u8; 32],
    pub(super) certificate: DeviceCertificate,
    signed: [u8; 32],
    last_resort: [u8; 64],
    one_time: Vec<(PrekeyId, [u8; 32])>,
    pq_one_time: Vec<(PrekeyId, [u8; 64])>,
}

/// The ML-KEM prekey of a bundle.
#[derive(Clone, Copy)]
pub(super) enum Pq {
    OneTime(PrekeyId),
    LastResort,
}

/// The public half of an X25519 key.
pub(super) fn public(private: &[u8; 32]) -> [u8; 32] {
    *DhSecret::from_secret(&Secret::copy_of(private)).public()
}

/// The public half of an Ed25519 key.
pub(super) fn verifying(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

/// A signed object as it travels, in hexadecimal digits.
pub(super) fn packed(signed: &SignedBytes) -> String {
    hex::encode(codec::encode(signed))
}

impl Person {
    /// The person of this name.
    pub(super) fn of(name: &str) -> Self {
        let random = &mut Named::of(&format!("person/{name}"));
        let account_key = SigningKey::from_bytes(&random.bytes());
        let signing_key = SigningKey::from_bytes(&random.bytes());
        let identity = random.bytes();
        let device = DeviceId::from_bytes(random.bytes());
        let body = certificate_body(&account_key, device, &signing_key, &identity);
        Self {
            certificate: DeviceCertificate::issue(&account_key, body),
            account_key,
            signing_key,
            identity,
            signed: random.bytes(),
            last_resort: random.bytes(),
            one_time: (0..ONE_TIME).map(|n| (FIRST_ONE_TIME + n, random.bytes())).collect(),
            pq_one_time: (0..ONE_TIME).map(|n| (FIRST_PQ_ONE_TIME + n, random.bytes())).collect(),
        }
    }

    /// The same person with a new device.
    pub(super) fn with_new_device(&self, name: &str) -> Self {
        let mut other = Self::of(name);
        let device = other.certificate.body().device;
        other.account_key = self.account_key.clone();
        let body = certificate_body(&self.account_key, device, &other.signing_key, &other.identity);
        other.certificate = DeviceCertificate::issue(&self.account_key, body);
        other
    }

    /// The same person, whose device has the same keys and a certificate of a later time.
    pub(super) fn with_new_certificate(&self, name: &str) -> Self {
        let mut other = Self::of(name);
        let body = CertificateBody { created: NOW + 1, ..self.certificate.body().clone() };
        other.certificate = DeviceCertificate::issue(&self.account_key, body);
        other.account_key = self.account_key.clone();
        other.signing_key = self.signing_key.clone();
        other.identity = self.identity;
        other.signed = self.signed;
        other.last_resort = self.last_resort;
        other.one_time.clone_from(&self.one_time);
        other.pq_one_time.clone_from(&self.pq_one_time);
        other
    }

    pub(super) fn account(&self) -> AccountId {
        self.certificate.body().account
    }

    pub(super) fn device(&self) -> DeviceId {
        self.certificate.body().device
    }

    pub(super) fn list(&self, previous: Option<&DeviceList>, certificates: &[&DeviceCertificate]) -> DeviceList {
        let certificates = certificates.iter().map(|c| (*c).clone()).collect();
        DeviceList::issue(&self.account_key, previous, NOW, certificates)
    }

    pub(super) fn certificate(&self) -> String {
        packed(self.certificate.signed())
    }

    /// `LOCAL` of the operations.
    pub(super) fn local(&self) -> Value {
        json!({
            "certificate": self.certificate(),
            "signing_key": hex::encode(self.signing_key.to_bytes()),
            "identity_key": hex::encode(self.identity),
        })
    }

    /// `PREKEYS` of the operations.
    pub(super) fn prekeys(&self) -> Value {
        let one_time: Vec<_> =
            self.one_time.iter().map(|(id, key)| json!({ "id": id, "private": hex::encode(key) })).collect();
        let pq: Vec<_> =
            self.pq_one_time.iter().map(|(id, seed)| json!({ "id": id, "seed": hex::encode(seed) })).collect();
        json!({
            "signed": [{ "id": SIGNED, "private": hex::encode(self.signed) }],
            "last_resort": [{ "id": LAST_RESORT, "seed": hex::encode(self.last_resort) }],
            "one_time": one_time,
            "pq_one_time": pq,
        })
    }

    /// What a relay hands out.
    pub(super) fn bundle(&self, pq: Pq, one_time: Option<PrekeyId>) -> PrekeyBundle {
        let (kind, pq_prekey) = match pq {
            Pq::OneTime(id) => (PrekeyKind::PqOneTime, self.pq_prekey(PrekeyKind::PqOneTime, id)),
            Pq::LastResort => (PrekeyKind::PqLastResort, self.pq_prekey(PrekeyKind::PqLastResort, LAST_RESORT)),
        };
        PrekeyBundle {
            device: self.device(),
            signed_prekey: self.signed_prekey(),
            pq_prekey,
            pq_kind: kind.number(),
            one_time_prekey: one_time.and_then(|id| self.one_time_prekey(id)),
        }
    }

    pub(super) fn issue(&self, kind: PrekeyKind, id: PrekeyId, key: &[u8]) -> SignedBytes {
        let owner = (self.account(), self.device());
        Prekey::issue(&self.signing_key, owner, kind, id, NOW, key).signed().clone()
    }

    pub(super) fn signed_prekey(&self) -> SignedBytes {
        self.issue(PrekeyKind::Signed, SIGNED, &public(&self.signed))
    }

    pub(super) fn pq_prekey(&self, kind: PrekeyKind, id: PrekeyId) -> SignedBytes {
        let one_time = self.pq_one_time.iter().find(|(own, _)| *own == id).map(|(_, seed)| seed);
        let seed = one_time.filter(|_| kind == PrekeyKind::PqOneTime).unwrap_or(&self.last_resort);
        self.issue(kind, id, &MlKem768::public_key(&Secret::copy_of(seed)))
    }

    fn one_time_prekey(&self, id: PrekeyId) -> Option<OneTimePrekey> {
        let (_, key) = self.one_time.iter().find(|(own, _)| *own == id)?;
        Some(OneTimePrekey { id, key: Fixed(public(key)) })
    }
}

fn certificate_body(
    account_key: &SigningKey,
    device: DeviceId,
    signing_key: &SigningKey,
    identity: &[u8; 32],
) -> CertificateBody {
    let account_public = verifying(account_key);
    CertificateBody {
        suite: SUITE,
        account: AccountId::of_account_key(&account_public),
        account_key: Fixed(account_public),
        device,
        signing_key: Fixed(verifying(signing_key)),
        identity_key: Fixed(public(identity)),
        created: NOW,
    }
}
