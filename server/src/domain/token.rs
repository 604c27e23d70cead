//! Access tokens, refresh tokens and the families that tie them together.

use sha2::{Digest, Sha256};
use susurro_protocol::limits::REFRESH_GRACE_SECONDS;
use susurro_protocol::{AccountId, DeviceId};

use super::account::Role;

/// All tokens that descend from one login. Revoking it ends every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId(pub [u8; 16]);

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// What the account may do.
    pub role: Role,
    /// The login it descends from.
    pub family: FamilyId,
    /// When it was made, in seconds since 1970.
    pub issued: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// A login that the store remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFamily {
    /// The family.
    pub family: FamilyId,
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Salt of the verifier that the password was checked against, when one was.
    pub proven: Option<[u8; 16]>,
    /// Hash of its first refresh token.
    pub refresh: RefreshHash,
    /// When that expires, in milliseconds since 1970.
    pub expires: u64,
}

/// SHA-256 of a refresh token: enough, since the token itself is 32 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefreshHash(pub [u8; 32]);

impl RefreshHash {
    /// The hash of a refresh token's text.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::new().chain_update(b"susurro-server/refresh\0").chain_update(token).finalize().into())
    }
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was the present one; the new one takes its place.
    Rotated {
        /// The account.
        account: AccountId,
        /// The device.
        device: DeviceId,
        /// The family.
        family: FamilyId,
    },
    /// It was exchanged a moment ago and nothing that came of that was used: the answer was lost.
    /// The new one takes the place of the one in that answer.
    Repeated {
        /// The account.
        account: AccountId,
        /// The device.
        device: DeviceId,
        /// The family.
        family: FamilyId,
    },
    /// Nobody ever got it.
    Unknown,
    /// It was never used, but its time is over.
    Expired,
    /// Its family was revoked before.
    Revoked,
    /// It was exchanged before: somebody else has a copy. Its family is revoked by this.
    Reused(FamilyId),
}

/// Where a refresh token stands among those of its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The present one: it was never shown.
    Present,
    /// The one that the present one was first given for.
    Previous {
        /// When it was first exchanged, in milliseconds since 1970.
        exchanged: u64,
    },
    /// Exchanged before that, or given in an answer that another one replaced.
    Older,
}

/// What the store knows of the refresh token that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownToken {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The family.
    pub family: FamilyId,
    /// Whether the family was revoked.
    pub revoked: bool,
    /// Where it stands among the tokens of its family.
    pub standing: Standing,
    /// When it expires, in milliseconds since 1970.
    pub expires: u64,
}

/// Decides about a refresh token (`docs/protocol.md`, AUTH-6 and AUTH-13). Reuse counts before expiry:
/// a thief who waits is still a thief. The time of the first exchange counts, so that nobody can draw
/// the grace out.
#[must_use]
pub fn rotate(shown: Option<&ShownToken>, now: u64) -> Rotation {
    let Some(&ShownToken { account, device, family, revoked, standing, expires }) = shown else {
        return Rotation::Unknown;
    };
    if revoked {
        return Rotation::Revoked;
    }
    match standing {
        Standing::Present if expires <= now => Rotation::Expired,
        Standing::Present => Rotation::Rotated { account, device, family },
        Standing::Previous { exchanged } if now < exchanged + REFRESH_GRACE_SECONDS * 1000 => {
            Rotation::Repeated { account, device, family }
        }
        Standing::Previous { .. } | Standing::Older => Rotation::Reused(family),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_refresh_token_revokes_its_family_even_after_its_time() {
        let family = FamilyId([3; 16]);
        let fresh = ShownToken {
            account: AccountId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            family,
            revoked: false,
            standing: Standing::Present,
            expires: 100,
        };
        assert!(matches!(rotate(Some(&fresh), 99), Rotation::Rotated { .. }));
        assert_eq!(rotate(Some(&fresh), 100), Rotation::Expired);
        let older = ShownToken { standing: Standing::Older, ..fresh };
        assert_eq!(rotate(Some(&older), 1), Rotation::Reused(family));
        assert_eq!(rotate(Some(&older), 200), Rotation::Reused(family));
        assert_eq!(rotate(Some(&ShownToken { revoked: true, ..older }), 1), Rotation::Revoked);
        assert_eq!(rotate(None, 1), Rotation::Unknown);

        let previous = ShownToken { standing: Standing::Previous { exchanged: 50 }, ..fresh };
        let grace = REFRESH_GRACE_SECONDS * 1000;
        assert!(matches!(rotate(Some(&previous), 50 + grace - 1), Rotation::Repeated { .. }));
        assert_eq!(rotate(Some(&previous), 50 + grace), Rotation::Reused(family));
        assert_eq!(rotate(Some(&ShownToken { revoked: true, ..previous }), 51), Rotation::Revoked);
    }
}
