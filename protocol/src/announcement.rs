//! What a relay says to everybody (`docs/protocol.md`, section 12.2).

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::codec::{self, structures};
use crate::error::ErrorCode;
use crate::ids::AnnouncementId;
use crate::limits::{ANNOUNCEMENT_MAX, ANNOUNCEMENT_SECONDS_MAX};
use crate::signed::{Label, SignedBytes};

/// A frame of the relay: an announcement that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// An [`Announcement`], signed by the relay's long-term key under [`Label::Announcement`].
    pub announcement: SignedBytes,
}

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// 16 random bytes.
    pub id: AnnouncementId,
    /// When it was made, in milliseconds since 1970 by the relay's clock.
    pub issued: u64,
    /// From when on it is told and shown no more.
    pub expires: u64,
    /// 1 to [`ANNOUNCEMENT_MAX`] characters, none of them a control character but line feeds.
    #[serde(deserialize_with = "crate::bytes::text")]
    pub text: String,
}

structures!(Notice, Announcement);

/// Whether a text may be announced.
#[must_use]
pub fn is_allowed(text: &str) -> bool {
    let is_good = |c: char| c == '\n' || !c.is_control();
    !text.trim().is_empty() && text.chars().count() <= ANNOUNCEMENT_MAX && text.chars().all(is_good)
}

impl Notice {
    /// Signs an announcement with the relay's long-term key.
    #[must_use]
    pub fn sign(key: &SigningKey, announcement: &Announcement) -> Self {
        Self { announcement: SignedBytes::new(key, Label::Announcement, codec::encode(announcement)) }
    }

    /// What is announced, by the relay that has this key.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BadSignature`] when it was not signed by that key under that label,
    /// [`ErrorCode::MalformedBody`] for what is no announcement, [`ErrorCode::InvalidRequest`] for a text or times
    /// that none has.
    pub fn verify(&self, relay_key: &[u8; 32]) -> Result<Announcement, ErrorCode> {
        self.announcement.verify(relay_key, Label::Announcement).map_err(|_| ErrorCode::BadSignature)?;
        let found: Announcement =
            codec::decode(self.announcement.body.as_slice()).map_err(|_| ErrorCode::MalformedBody)?;
        let span = found.expires.checked_sub(found.issued);
        let is_good = span.is_some_and(|span| span > 0 && span <= ANNOUNCEMENT_SECONDS_MAX * 1000);
        if is_good && is_allowed(&found.text) { Ok(found) } else { Err(ErrorCode::InvalidRequest) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn announcement(text: &str) -> Announcement {
        Announcement { id: AnnouncementId::from_bytes([7; 16]), issued: 1_000, expires: 2_000, text: text.to_owned() }
    }

    #[test]
    fn only_the_relays_own_key_announces_and_only_under_its_label() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let public = key.verifying_key().to_bytes();
        let said = announcement("maintenance at nine");
        assert_eq!(Notice::sign(&key, &said).verify(&public), Ok(said.clone()));
        assert_eq!(Notice::sign(&other, &said).verify(&public), Err(ErrorCode::BadSignature));
        for label in Label::ALL.into_iter().filter(|label| *label != Label::Announcement) {
            let forged = Notice { announcement: SignedBytes::new(&key, label, codec::encode(&said)) };
            assert_eq!(forged.verify(&public), Err(ErrorCode::BadSignature));
        }
        let mut changed = Notice::sign(&key, &said);
        changed.announcement.body = codec::encode(&announcement("send me your password")).into();
        assert_eq!(changed.verify(&public), Err(ErrorCode::BadSignature));
        let empty = Notice { announcement: SignedBytes::new(&key, Label::Announcement, vec![0x90]) };
        assert_eq!(empty.verify(&public), Err(ErrorCode::MalformedBody));
    }

    #[test]
    fn texts_and_times_have_bounds() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let verdict = |said: Announcement| Notice::sign(&key, &said).verify(&key.verifying_key().to_bytes()).is_ok();
        assert!(verdict(announcement("two\nlines, ñ")) && verdict(announcement(&"é".repeat(ANNOUNCEMENT_MAX))));
        for text in ["", " \n", "\u{1b}[2J", "a\tb", "a\u{85}b", &"é".repeat(ANNOUNCEMENT_MAX + 1)] {
            assert!(!verdict(announcement(text)), "{text:?}");
        }
        let with = |issued, expires| Announcement { issued, expires, ..announcement("x") };
        let most = ANNOUNCEMENT_SECONDS_MAX * 1000;
        assert!(verdict(with(5, 5 + most)));
        for (issued, expires) in [(5, 5), (5, 4), (5, 6 + most), (0, u64::MAX)] {
            assert!(!verdict(with(issued, expires)), "{issued} {expires}");
        }
    }
}
