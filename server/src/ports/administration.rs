//! What those who run the relay do with accounts.

use susurro_protocol::AccountId;

use super::Answer;
use crate::domain::account::Role;
use crate::domain::invite::{Invite, InviteHash, InviteId};
use crate::domain::token::FamilyId;

/// Accounts from above. What ends logins names them, so that their connections can be closed;
/// that they are ended is durable before.
pub trait Administration: Send + Sync {
    /// Disables an account at `now`, in milliseconds, and ends every login of it, in one piece; it cannot
    /// begin another. One that is disabled already stays so since then.
    fn disable(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>>;

    /// Lets an account log in again.
    fn enable(&self, account: AccountId) -> Answer<'_, ()>;

    /// Changes what an account may do.
    fn set_role(&self, account: AccountId, role: Role) -> Answer<'_, ()>;

    /// Families that were ended since the last call, those of everybody who works on the same database
    /// included; an adapter may leave out what it has ended itself.
    fn ended_elsewhere(&self) -> Answer<'_, Vec<FamilyId>>;
}

/// Invites, of which only hashes are kept.
pub trait Invites: Send + Sync {
    /// Writes a new invite.
    fn create_invite(&self, invite: Invite) -> Answer<'_, ()>;

    /// The invite with this hash.
    fn invite(&self, hash: InviteHash) -> Answer<'_, Option<Invite>>;

    /// At most `limit` invites behind `after`, by identifier.
    fn invites(&self, after: Option<InviteId>, limit: u32) -> Answer<'_, Vec<Invite>>;

    /// Takes invites with this identifier back at `now`; says whether there are any.
    fn revoke_invite(&self, id: InviteId, now: u64) -> Answer<'_, bool>;
}
