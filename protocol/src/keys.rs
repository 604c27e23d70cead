//! Device certificates, device lists and prekeys (`docs/protocol.md`, section 7).
//!
//! Each is read from [`SignedBytes`] by a function that verifies it first: a value of
//! [`DeviceCertificate`], [`DeviceList`] or [`Prekey`] is the proof that its signature held.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bytes::{Bin, Fixed};
use crate::codec::{self, structures};
use crate::ids::{AccountId, DeviceId, PrekeyId};
use crate::limits::DEVICES_MAX;
use crate::signed::{Label, SignedBytes};
use crate::version::SUITE;

/// Bytes of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
pub const PQ_PUBLIC_KEY_BYTES: usize = 1184;

/// Why a certificate, a list or a prekey is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the expected structure.
    #[error("malformed key material")]
    Malformed,
    /// The signature does not hold.
    #[error("the signature of key material does not hold")]
    Signature,
    /// A suite that this version does not speak.
    #[error("unknown cipher suite {0}")]
    Suite(u16),
    /// It belongs to another account, device or kind than it should.
    #[error("key material of another account, device or kind")]
    Mismatch,
    /// A device list with a lower version than one already seen.
    #[error("device list {offered} is older than {known}")]
    RolledBack {
        /// Version already known.
        known: u64,
        /// Version offered.
        offered: u64,
    },
    /// Two different lists of one version, or a list that does not follow the known one.
    #[error("device list does not continue the known one")]
    Forked,
}

impl From<codec::Malformed> for KeyError {
    fn from(_: codec::Malformed) -> Self {
        Self::Malformed
    }
}

impl From<crate::signed::BadSignature> for KeyError {
    fn from(_: crate::signed::BadSignature) -> Self {
        Self::Signature
    }
}

/// What an account key says of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateBody {
    /// Cipher suite.
    pub suite: u16,
    /// The account; follows from `account_key`.
    pub account: AccountId,
    /// Ed25519 key of the account, the one people verify.
    pub account_key: Fixed<32>,
    /// The device.
    pub device: DeviceId,
    /// Ed25519 key with which the device signs.
    pub signing_key: Fixed<32>,
    /// X25519 key that enters key agreement.
    pub identity_key: Fixed<32>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
}

/// A verified device certificate with the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    body: CertificateBody,
    signed: SignedBytes,
}

impl DeviceCertificate {
    /// Certifies a device. `account_key` has to be the private half of `body.account_key`.
    #[must_use]
    pub fn issue(account_key: &SigningKey, body: CertificateBody) -> Self {
        let signed = SignedBytes::new(account_key, Label::DeviceCertificate, codec::encode(&body));
        Self { body, signed }
    }

    /// Verifies a certificate: signature, suite, and that account and account key belong together.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says which of these failed.
    pub fn verify(signed: SignedBytes) -> Result<Self, KeyError> {
        let body: CertificateBody = codec::decode(signed.body.as_slice())?;
        signed.verify(&body.account_key.0, Label::DeviceCertificate)?;
        if body.suite != SUITE {
            return Err(KeyError::Suite(body.suite));
        }
        if body.account != AccountId::of_account_key(&body.account_key.0) {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { body, signed })
    }

    /// What it certifies.
    #[must_use]
    pub fn body(&self) -> &CertificateBody {
        &self.body
    }

    /// The bytes to send on.
    #[must_use]
    pub fn signed(&self) -> &SignedBytes {
        &self.signed
    }

    /// SHA-256 of the signed body: names this certificate in transcripts.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.signed.body.as_slice()).into()
    }
}

/// What an account key says of all its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceListBody {
    /// Cipher suite.
    pub suite: u16,
    /// The account; follows from `account_key`.
    pub account: AccountId,
    /// Ed25519 key of the account.
    pub account_key: Fixed<32>,
    /// Counts upwards from 1.
    pub version: u64,
    /// Hash of the list of the version before; zeros for version 1.
    pub previous: Fixed<32>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// A certificate for each device.
    pub certificates: Vec<SignedBytes>,
}

/// A verified device list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    body: DeviceListBody,
    certificates: Vec<DeviceCertificate>,
    signed: SignedBytes,
}

impl DeviceList {
    /// Signs the list of `certificates`, which continues `previous`.
    #[must_use]
    pub fn issue(
        account_key: &SigningKey,
        previous: Option<&Self>,
        created: u64,
        certificates: Vec<DeviceCertificate>,
    ) -> Self {
        let public = account_key.verifying_key().to_bytes();
        let body = DeviceListBody {
            suite: SUITE,
            account: AccountId::of_account_key(&public),
            account_key: Fixed(public),
            version: previous.map_or(1, |list| list.body.version + 1),
            previous: Fixed(previous.map_or([0; 32], Self::hash)),
            created,
            certificates: certificates.iter().map(|c| c.signed.clone()).collect(),
        };
        let signed = SignedBytes::new(account_key, Label::DeviceList, codec::encode(&body));
        Self { body, certificates, signed }
    }

    /// Verifies a list and every certificate in it.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when a signature fails, a certificate is of another account, a device occurs
    /// twice, or there are none or more than [`DEVICES_MAX`].
    pub fn verify(signed: SignedBytes) -> Result<Self, KeyError> {
        let body: DeviceListBody = codec::decode(signed.body.as_slice())?;
        signed.verify(&body.account_key.0, Label::DeviceList)?;
        if body.suite != SUITE {
            return Err(KeyError::Suite(body.suite));
        }
        let first_follows_nothing = (body.version == 1) == (body.previous.0 == [0; 32]);
        if body.account != AccountId::of_account_key(&body.account_key.0) || body.version == 0 || !first_follows_nothing
        {
            return Err(KeyError::Mismatch);
        }
        if body.certificates.is_empty() || body.certificates.len() > DEVICES_MAX {
            return Err(KeyError::Malformed);
        }
        let mut certificates: Vec<DeviceCertificate> = Vec::with_capacity(body.certificates.len());
        for signed in &body.certificates {
            let certificate = DeviceCertificate::verify(signed.clone())?;
            let known = certificates.iter().any(|c| c.body.device == certificate.body.device);
            if certificate.body.account_key != body.account_key || known {
                return Err(KeyError::Mismatch);
            }
            certificates.push(certificate);
        }
        Ok(Self { body, certificates, signed })
    }

    /// Checks that `self` may replace `known`: the same list, its direct successor, or a later
    /// one whose chain this side has not seen in full.
    ///
    /// # Errors
    ///
    /// [`KeyError::RolledBack`], [`KeyError::Forked`], or [`KeyError::Mismatch`] for another account.
    pub fn follows(&self, known: &Self) -> Result<(), KeyError> {
        if self.body.account_key != known.body.account_key {
            return Err(KeyError::Mismatch);
        }
        let (offered, known_version) = (self.body.version, known.body.version);
        if offered < known_version {
            return Err(KeyError::RolledBack { known: known_version, offered });
        }
        let same_but_different = offered == known_version && self.hash() != known.hash();
        let broken_chain = offered == known_version + 1 && self.body.previous.0 != known.hash();
        if same_but_different || broken_chain { Err(KeyError::Forked) } else { Ok(()) }
    }

    /// What the list says.
    #[must_use]
    pub fn body(&self) -> &DeviceListBody {
        &self.body
    }

    /// Its verified certificates.
    #[must_use]
    pub fn certificates(&self) -> &[DeviceCertificate] {
        &self.certificates
    }

    /// The certificate of one device.
    #[must_use]
    pub fn certificate(&self, device: &DeviceId) -> Option<&DeviceCertificate> {
        self.certificates.iter().find(|c| c.body.device == *device)
    }

    /// The bytes to send on.
    #[must_use]
    pub fn signed(&self) -> &SignedBytes {
        &self.signed
    }

    /// SHA-256 of the signed body: what the next list names as its predecessor.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.signed.body.as_slice()).into()
    }
}

/// Kinds of signed prekey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrekeyKind {
    /// X25519, rotated every seven days.
    Signed,
    /// ML-KEM-768, given out once.
    PqOneTime,
    /// ML-KEM-768, given out when no one-time key is left.
    PqLastResort,
}

impl PrekeyKind {
    /// Its number in a prekey's body and in transcripts.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Signed => 1,
            Self::PqOneTime => 2,
            Self::PqLastResort => 3,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Signed),
            2 => Some(Self::PqOneTime),
            3 => Some(Self::PqLastResort),
            _ => None,
        }
    }

    const fn label(self) -> Label {
        match self {
            Self::Signed => Label::SignedPrekey,
            Self::PqOneTime => Label::PqOneTimePrekey,
            Self::PqLastResort => Label::PqLastResortPrekey,
        }
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::Signed => 32,
            Self::PqOneTime | Self::PqLastResort => PQ_PUBLIC_KEY_BYTES,
        }
    }
}

/// What a device says of one of its prekeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrekeyBody {
    /// Cipher suite.
    pub suite: u16,
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// [`PrekeyKind::number`].
    pub kind: u8,
    /// Never used twice by this device.
    pub id: PrekeyId,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// X25519 (32 bytes) or ML-KEM-768 (1,184 bytes) public key.
    pub key: Bin,
}

/// A verified prekey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prekey {
    body: PrekeyBody,
    kind: PrekeyKind,
    signed: SignedBytes,
}

impl Prekey {
    /// Signs a prekey with the device's signing key.
    #[must_use]
    pub fn issue(
        signing_key: &SigningKey,
        (account, device): (AccountId, DeviceId),
        kind: PrekeyKind,
        id: PrekeyId,
        created: u64,
        key: &[u8],
    ) -> Self {
        let body = PrekeyBody { suite: SUITE, account, device, kind: kind.number(), id, created, key: key.into() };
        let signed = SignedBytes::new(signing_key, kind.label(), codec::encode(&body));
        Self { body, kind, signed }
    }

    /// Verifies a prekey as one of `kind` of the device that `owner` certifies.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the signature fails or it is of another device, kind, suite or size.
    pub fn verify(signed: SignedBytes, owner: &CertificateBody, kind: PrekeyKind) -> Result<Self, KeyError> {
        signed.verify(&owner.signing_key.0, kind.label())?;
        let body: PrekeyBody = codec::decode(signed.body.as_slice())?;
        if body.suite != SUITE {
            return Err(KeyError::Suite(body.suite));
        }
        if body.account != owner.account
            || body.device != owner.device
            || body.kind != kind.number()
            || body.key.len() != kind.key_bytes()
        {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { body, kind, signed })
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &PrekeyBody {
        &self.body
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PrekeyKind {
        self.kind
    }

    /// The bytes to send on.
    #[must_use]
    pub fn signed(&self) -> &SignedBytes {
        &self.signed
    }
}

/// A one-time X25519 prekey. It is not signed (PQXDH, section 3.2): a relay that swaps it only
/// loses what the key adds, and the transcript shows the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OneTimePrekey {
    /// Never used twice by this device.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub id: PrekeyId,
    /// X25519 public key.
    pub key: Fixed<32>,
}

/// What a relay hands out for one device: unverified until a client checks every part against
/// the device's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrekeyBundle {
    /// The device.
    pub device: DeviceId,
    /// Its signed prekey.
    pub signed_prekey: SignedBytes,
    /// A one-time ML-KEM prekey, or the last-resort one.
    pub pq_prekey: SignedBytes,
    /// [`PrekeyKind::number`] of `pq_prekey`: 2 or 3.
    pub pq_kind: u8,
    /// A one-time X25519 prekey, while there are any.
    pub one_time_prekey: Option<OneTimePrekey>,
}

structures!(CertificateBody, DeviceListBody, PrekeyBody, OneTimePrekey, PrekeyBundle);

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(account: &SigningKey, device: u8) -> DeviceCertificate {
        let account_key = account.verifying_key().to_bytes();
        DeviceCertificate::issue(
            account,
            CertificateBody {
                suite: SUITE,
                account: AccountId::of_account_key(&account_key),
                account_key: Fixed(account_key),
                device: DeviceId::from_bytes([device; 16]),
                signing_key: Fixed(SigningKey::from_bytes(&[device; 32]).verifying_key().to_bytes()),
                identity_key: Fixed([device; 32]),
                created: 1,
            },
        )
    }

    #[test]
    fn attack_10_rolled_back_forked_and_foreign_lists_are_refused() {
        let account = SigningKey::from_bytes(&[1; 32]);
        let first = DeviceList::issue(&account, None, 1, vec![certificate(&account, 2)]);
        let second = DeviceList::issue(&account, Some(&first), 2, vec![certificate(&account, 2)]);
        let fork = DeviceList::issue(&account, Some(&first), 3, vec![certificate(&account, 3)]);
        let third_of_fork = DeviceList::issue(&account, Some(&fork), 4, vec![certificate(&account, 3)]);
        assert_eq!(DeviceList::verify(second.signed().clone()).as_ref(), Ok(&second));
        assert_eq!(second.follows(&first), Ok(()));
        assert_eq!(second.follows(&second), Ok(()));
        assert_eq!(first.follows(&second), Err(KeyError::RolledBack { known: 2, offered: 1 }));
        assert_eq!(fork.follows(&second), Err(KeyError::Forked));
        assert_eq!(third_of_fork.follows(&second), Err(KeyError::Forked));

        let relay = SigningKey::from_bytes(&[8; 32]);
        let foreign = DeviceList::issue(&relay, None, 1, vec![certificate(&relay, 2)]);
        assert_eq!(foreign.follows(&first), Err(KeyError::Mismatch));
        let mixed = DeviceList::issue(&account, Some(&first), 2, vec![certificate(&relay, 2)]);
        assert_eq!(DeviceList::verify(mixed.signed().clone()), Err(KeyError::Mismatch));
        let twice =
            DeviceList::issue(&account, Some(&first), 2, vec![certificate(&account, 2), certificate(&account, 2)]);
        assert_eq!(DeviceList::verify(twice.signed().clone()), Err(KeyError::Mismatch));
    }

    #[test]
    fn attack_9_prekeys_of_another_kind_device_or_signer_are_refused() {
        let account = SigningKey::from_bytes(&[1; 32]);
        let (alice, other) = (certificate(&account, 2), certificate(&account, 3));
        let key = SigningKey::from_bytes(&[2; 32]);
        let owner = (alice.body().account, alice.body().device);
        let issue = |kind, bytes: &[u8]| Prekey::issue(&key, owner, kind, 1, 1, bytes).signed().clone();
        let pq = [5; PQ_PUBLIC_KEY_BYTES];
        let kinds = [PrekeyKind::Signed, PrekeyKind::PqOneTime, PrekeyKind::PqLastResort];
        for made in kinds {
            for shown in kinds {
                let signed = issue(made, if made == PrekeyKind::Signed { &[5; 32] } else { &pq });
                assert_eq!(Prekey::verify(signed.clone(), alice.body(), shown).is_ok(), made == shown);
                assert!(Prekey::verify(signed, other.body(), shown).is_err());
            }
        }
        let short = issue(PrekeyKind::PqOneTime, &pq[1..]);
        assert_eq!(Prekey::verify(short, alice.body(), PrekeyKind::PqOneTime), Err(KeyError::Mismatch));
    }
}
