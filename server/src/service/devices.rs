//! Device lists of others.

use susurro_protocol::ErrorCode;
use susurro_protocol::rest::UserDevices;

use super::Relay;
use crate::domain::Error;
use crate::domain::account;

impl Relay {
    /// The signed device list of an account.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`.
    pub async fn user_devices(&self, name: &str) -> Result<UserDevices, Error> {
        let name = account::parse_name(name)?;
        let account = self.ports.accounts.by_name(&name).await?.ok_or(ErrorCode::NotFound)?;
        let list = self.ports.devices.list(account.id).await?.ok_or(ErrorCode::NotFound)?;
        Ok(UserDevices { account: list.account, name: list.name, device_list: list.list })
    }
}
