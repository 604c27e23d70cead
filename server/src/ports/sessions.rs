//! Logins that are remembered.

use super::Answer;
use crate::domain::token::{FamilyId, NewFamily, RefreshHash, Rotation};

/// Token families and their refresh tokens.
pub trait Sessions: Send + Sync {
    /// Remembers a new family. Refused with `AccountDisabled` for an account that may not log in, also
    /// when that became so a moment ago, with `Unauthenticated` for one that is gone, and with
    /// `InvalidCredentials` when the password that was proven is no longer the account's.
    fn begin(&self, family: NewFamily) -> Answer<'_, ()>;

    /// Exchanges a refresh token by the rules of [`crate::domain::token::rotate`], in one piece:
    /// of two who show the same token, one gets [`Rotation::Rotated`], and of their new tokens one is
    /// the present one. `expires` is that of the new token, in milliseconds like `now`.
    fn rotate(&self, shown: RefreshHash, new: RefreshHash, now: u64, expires: u64) -> Answer<'_, Rotation>;

    /// Ends a family.
    fn revoke(&self, family: FamilyId, now: u64) -> Answer<'_, ()>;

    /// Whether a family was ended. Asked for each request.
    fn is_revoked(&self, family: FamilyId) -> Answer<'_, bool>;

    /// Forgets families whose last refresh token is past its time, at most `batch`.
    fn expire(&self, now: u64, batch: u32) -> Answer<'_, u64>;
}
