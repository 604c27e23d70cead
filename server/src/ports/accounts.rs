//! Accounts and their devices.

use susurro_protocol::keys::DeviceList;
use susurro_protocol::{AccountId, AccountName, DeviceId};

use super::Answer;
use crate::domain::account::{Account, Credentials, Device, NewAccount, StoredList, Verifier};
use crate::domain::token::FamilyId;

/// Who has registered.
pub trait Accounts: Send + Sync {
    /// Writes an account with its first device list, durably and in one piece.
    ///
    /// Refused with `InvalidInvite` when it names an invite that is not good at the time of the
    /// account's registration, `NameTaken`, `AccountExists`, or `InvalidDeviceList` for a device identifier
    /// that another account has. The invite counts as used only with the account.
    fn register(&self, account: NewAccount) -> Answer<'_, ()>;

    /// The account with this identifier.
    fn by_id(&self, id: AccountId) -> Answer<'_, Option<Account>>;

    /// The account with this name.
    fn by_name<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Account>>;

    /// How the account with this name proves its password.
    fn credentials<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<Credentials>>;

    /// Whose name this is, and how the account proves its recovery key, if it has one.
    fn recovery<'a>(&'a self, name: &'a AccountName) -> Answer<'a, Option<(AccountId, Verifier)>>;

    /// Changes a display name; `None` takes it away.
    fn set_display_name(&self, id: AccountId, display_name: Option<String>) -> Answer<'_, ()>;

    /// At most `limit` accounts whose name begins with `prefix` and comes behind `after`, by name.
    fn search<'a>(&'a self, prefix: &'a str, after: &'a str, limit: u32) -> Answer<'a, Vec<Account>>;
}

/// Which devices an account has.
pub trait Devices: Send + Sync {
    /// The present device list of an account.
    fn list(&self, account: AccountId) -> Answer<'_, Option<StoredList>>;

    /// Puts the next list of its account in the place of the present one, by the rules of
    /// [`crate::domain::account::next_list`], in one piece: a removed device loses its mailbox, its prekeys and its
    /// logins, which are named; a new one gets an empty mailbox. What a removed device has sent stays.
    /// Of two that would follow the same list, one is taken.
    fn change_list(&self, list: DeviceList, now: u64) -> Answer<'_, Vec<FamilyId>>;

    /// The devices of all who share a chat with the account, its own included.
    fn audience(&self, account: AccountId) -> Answer<'_, Vec<DeviceId>>;

    /// A device that is in its account's list, and its certificate.
    fn device(&self, device: DeviceId) -> Answer<'_, Option<Device>>;
}
