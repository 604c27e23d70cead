//! Ed25519 signatures over labelled bytes (`docs/protocol.md`, section 6).
//!
//! A signature covers `label | 0x00 | body`. The label names what is signed, so that a signature
//! of one thing can never be shown as one of another, and the body is exactly the bytes that a
//! reader parses, so that nobody needs a canonical encoding.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::bytes::{Bin, Fixed};
use crate::codec::structures;

/// What a signature is for. Each label is used for one purpose only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// An account key certifies a device.
    DeviceCertificate,
    /// An account key signs the list of its devices.
    DeviceList,
    /// A device signs its X25519 signed prekey.
    SignedPrekey,
    /// A device signs a one-time ML-KEM prekey.
    PqOneTimePrekey,
    /// A device signs its last-resort ML-KEM prekey.
    PqLastResortPrekey,
    /// A device opens a connection.
    Hello,
    /// A relay answers.
    Welcome,
    /// A device proves itself at login.
    Login,
    /// A device acknowledges messages over REST.
    Acknowledgement,
    /// A relay announces something to everybody.
    Announcement,
}

impl Label {
    /// All labels; a test tries a signature of each as each other.
    pub const ALL: [Self; 10] = [
        Self::DeviceCertificate,
        Self::DeviceList,
        Self::SignedPrekey,
        Self::PqOneTimePrekey,
        Self::PqLastResortPrekey,
        Self::Hello,
        Self::Welcome,
        Self::Login,
        Self::Acknowledgement,
        Self::Announcement,
    ];

    /// The bytes that stand before the body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceCertificate => "susurro/v1/device-certificate",
            Self::DeviceList => "susurro/v1/device-list",
            Self::SignedPrekey => "susurro/v1/signed-prekey",
            Self::PqOneTimePrekey => "susurro/v1/pq-one-time-prekey",
            Self::PqLastResortPrekey => "susurro/v1/pq-last-resort-prekey",
            Self::Hello => "susurro/v1/hello",
            Self::Welcome => "susurro/v1/welcome",
            Self::Login => "susurro/v1/login",
            Self::Acknowledgement => "susurro/v1/acknowledgement",
            Self::Announcement => "susurro/v1/announcement",
        }
    }
}

/// A signature that does not hold, or a key that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

/// Signs `body` for one purpose.
#[must_use]
pub fn sign(key: &SigningKey, label: Label, body: &[u8]) -> [u8; 64] {
    key.sign(&message(label, body)).to_bytes()
}

/// Checks a signature strictly (RFC 8032 with small-order and non-canonical values refused).
///
/// # Errors
///
/// [`BadSignature`] when it does not hold for this key, label and body.
pub fn verify(key: &[u8; 32], label: Label, body: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
    VerifyingKey::from_bytes(key)
        .and_then(|key| key.verify_strict(&message(label, body), &Signature::from_bytes(signature)))
        .map_err(|_| BadSignature)
}

fn message(label: Label, body: &[u8]) -> Vec<u8> {
    [label.as_str().as_bytes(), &[0], body].concat()
}

/// A body and its signature, as they travel: `[body, signature]`. Nothing in it is believed
/// before the structure that it claims to be has verified it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBytes {
    /// The exact bytes that were signed: a msgpack structure.
    pub body: Bin,
    /// Ed25519 over label and body.
    pub signature: Fixed<64>,
}

structures!(SignedBytes);

impl SignedBytes {
    /// Signs a body.
    #[must_use]
    pub fn new(key: &SigningKey, label: Label, body: Vec<u8>) -> Self {
        let signature = Fixed(sign(key, label, &body));
        Self { body: body.into(), signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] when it does not hold.
    pub fn verify(&self, key: &[u8; 32], label: Label) -> Result<(), BadSignature> {
        verify(key, label, self.body.as_slice(), &self.signature.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn attack_14_no_signature_serves_under_another_label() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        for made in Label::ALL {
            let signature = sign(&key, made, b"body");
            for shown in Label::ALL {
                let outcome = verify(&public, shown, b"body", &signature);
                assert_eq!(outcome.is_ok(), made == shown, "{made:?} shown as {shown:?}");
            }
        }
    }

    #[test]
    fn labels_are_distinct_and_none_begins_another() {
        let labels: HashSet<_> = Label::ALL.iter().map(|l| l.as_str()).collect();
        assert_eq!(labels.len(), Label::ALL.len());
        assert!(labels.iter().all(|label| !label.contains('\0')));
    }

    #[test]
    fn attack_2_small_order_keys_and_s_plus_l_are_refused() {
        // The identity as key and R with S = 0 verifies every message in a lax check.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(verify(&identity, Label::Hello, b"any", &signature).is_err());

        // S + L is the same scalar written twice: a second signature of the same message.
        const L: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let key = SigningKey::from_bytes(&[9; 32]);
        let mut forged = sign(&key, Label::Hello, b"body");
        assert!(verify(&key.verifying_key().to_bytes(), Label::Hello, b"body", &forged).is_ok());
        let mut carry = 0;
        for (byte, l) in forged[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(verify(&key.verifying_key().to_bytes(), Label::Hello, b"body", &forged).is_err());
    }
}
