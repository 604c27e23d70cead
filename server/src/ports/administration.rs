//! What those who run the relay do with accounts.

use susurro_protocol::AccountId;

use super::Answer;
use crate::domain::account::{NewPassword, Proof, Role, Verifier};
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

    /// Changes how an account proves its password, and ends every login of it but the one that is kept, in one
    /// piece. Refused with `InvalidCredentials` when what was shown is no longer what counts, also when that became so
    /// a moment ago, and with `AccountDisabled` when it was the recovery key of an account that may not log in.
    fn set_password(&self, new: NewPassword, now: u64) -> Answer<'_, Vec<FamilyId>>;

    /// Sets what the recovery key of an account proves itself by, or takes it away. Refused with
    /// `InvalidCredentials` when `proven` is no longer the salt of its password's verifier.
    fn set_recovery(
        &self,
        account: AccountId,
        proven: [u8; 16],
        verifier: Option<Verifier>,
        now: u64,
    ) -> Answer<'_, ()>;

    /// When the recovery key of an account was set, if it has one.
    fn recovery_set(&self, account: AccountId) -> Answer<'_, Option<u64>>;

    /// Forgets an account and everything of it in one piece: its devices, prekeys and mailboxes, what it
    /// has sent that still waits, its chats, its logins. With a proof, which whoever asks for it has shown, refused
    /// with `InvalidCredentials` when that is no longer what counts, also when that became so a moment ago. Without one,
    /// nothing when there is no such account.
    fn erase(&self, account: AccountId, proof: Option<Proof>, now: u64) -> Answer<'_, Vec<FamilyId>>;

    /// Notes that an account is to be erased by whoever runs the relay, and disables it.
    fn ask_to_erase(&self, account: AccountId, now: u64) -> Answer<'_, Vec<FamilyId>>;

    /// Accounts that are noted so.
    fn to_erase(&self) -> Answer<'_, Vec<AccountId>>;

    /// The store in numbers, counted when it is asked.
    fn figures(&self) -> Answer<'_, Figures>;

    /// Families that were ended since the last call, those of everybody who works on the same database
    /// included; an adapter may leave out what it has ended itself.
    fn ended_elsewhere(&self) -> Answer<'_, Vec<FamilyId>>;
}

/// A store in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Accounts, the disabled ones included.
    pub accounts: u64,
    /// Accounts that may not log in.
    pub disabled: u64,
    /// Messages that wait in all mailboxes.
    pub waiting: u64,
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
